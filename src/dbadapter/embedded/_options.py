"""What a user may ask for, checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from ..errors import ConfigError

MAX_REPLICAS = 16

# Ours to set; the value says how the user gets what they want.
RESERVED = {
    "port": "use the argument port",
    "listen_addresses": "the server listens on 127.0.0.1 only; tcp=False turns that off",
    "unix_socket_directories": "see the attribute socket_dir",
    "data_directory": "use the argument data_dir",
    "hba_file": "edit pg_hba.conf in the data directory",
    "primary_conninfo": "use the argument replicas",
    "primary_slot_name": "use the argument replicas",
    "recovery_min_apply_delay": "use the argument apply_delay",
}


def _data_dir(value: object) -> Path | None:
    return _path("data_dir", value)


def _temp_dir(value: object) -> Path | None:
    return _path("temp_dir", value)


def _path(name: str, value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigError(f"{name} must be the path of a directory or None, not {value!r}")
    return Path(os.path.abspath(value))


def _settings(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ConfigError("settings must be a mapping of names of server settings to values")
    settings = {}
    for name, setting in value.items():
        if not re.fullmatch(r"[A-Za-z_][\w.]*", str(name), re.ASCII):
            raise ConfigError(f"settings: {name!r} is not the name of a server setting")
        if hint := RESERVED.get(name.lower()):
            raise ConfigError(f"settings: {name} is not yours to set: {hint}")
        text = ("on" if setting else "off") if isinstance(setting, bool) else str(setting)
        if re.search(r"[\0\n\r]", text):
            raise ConfigError(f"settings: {name} must be one line of text")
        settings[name] = text
    return settings


def _delays(value: object) -> object:
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _is_number(value: object, *, above: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and above < value < float("inf")


@frozen(kw_only=True)
class Options:
    """The arguments of `EmbeddedPostgres`."""

    data_dir: Path | None = field(converter=_data_dir)
    temp_dir: Path | None = field(converter=_temp_dir)
    replicas: int = field()
    port: int | None = field()
    password: str = field(repr=False)
    tcp: bool
    settings: dict[str, str] = field(converter=_settings)
    apply_delay: float | tuple[float, ...] = field(converter=_delays)
    start_timeout: float = field()

    @property
    def apply_delays(self) -> tuple[float, ...]:
        """One for each replica."""
        given = self.apply_delay
        return given if isinstance(given, tuple) else (given,) * self.replicas

    @replicas.validator
    def _check_replicas(self, _attribute: object, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_REPLICAS:
            raise ConfigError(f"replicas must be an integer from 0 to {MAX_REPLICAS}, not {value!r}")

    @apply_delay.validator
    def _check_apply_delay(self, _attribute: object, value: object) -> None:
        delays = value if isinstance(value, tuple) else (value,) * self.replicas
        if len(delays) != self.replicas or not all(_is_number(delay, above=-1e-9) for delay in delays):
            raise ConfigError(
                f"apply_delay must be a number of seconds, at least 0, or {self.replicas} of them "
                f"(one for each replica), not {value!r}"
            )

    @port.validator
    def _check_port(self, _attribute: object, value: object) -> None:
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535
        ):
            raise ConfigError(f"port must be an integer from 1 to 65535 or None, not {value!r}")

    @password.validator
    def _check_password(self, _attribute: object, value: object) -> None:
        if not isinstance(value, str) or not value or "\0" in value or re.search("[\ud800-\udfff]", value):
            raise ConfigError("password must be text that is not empty, or None")

    @start_timeout.validator
    def _check_start_timeout(self, _attribute: object, value: object) -> None:
        if not _is_number(value, above=0):
            raise ConfigError(f"start_timeout must be a number of seconds greater than 0, not {value!r}")
