"""Arguments that planning, running and verifying have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import ConfigError

__all__ = ["Progress", "names_of_tables"]

Progress = Callable[[str, str, int, int], None]
"""Called as ``progress(phase, table, rows, total)``; the total is -1 where it is not known."""


def names_of_tables(tables: Iterable[str] | None) -> list[str] | None:
    """The names given as `tables`, None for all. Raises `ConfigError` unless they are names."""
    if tables is None:
        return None
    if isinstance(tables, str):
        raise ConfigError(f"tables must be a list of names, not the text {tables!r}")
    names = list(tables) if isinstance(tables, Iterable) else [tables]
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"tables must be a list of names, not {name!r}")
    return names
