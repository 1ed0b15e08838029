"""Arguments that several functions take, looked at before anything is done."""

from __future__ import annotations

from ..errors import ConfigError

__all__ = ["check_flags", "check_progress"]


def check_flags(**flags: object) -> None:
    """Raise `ConfigError`, naming it, for a flag that is neither True nor False."""
    for name, flag in flags.items():
        if not isinstance(flag, bool):  # "no" would mean yes
            raise ConfigError(f"{name} must be True or False, not {flag!r}")


def check_progress(progress: object, takes: str) -> None:
    """Raise `ConfigError` for a progress callback that cannot be called."""
    if progress is not None and not callable(progress):
        raise ConfigError(f"progress must be a function that takes {takes}, or None, not {progress!r}")
