"""What a user may ask for, checked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import field, frozen

from ..errors import ConfigError

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


def _path(value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigError(f"data_dir must be the path of a directory or None, not {value!r}")
    return Path(os.path.abspath(value))


def _settings(value: Mapping[str, object]) -> dict[str, str]:
    settings = {}
    for name, setting in value.items():
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII):
            raise ConfigError(f"settings: {name!r} is not the name of a server setting")
        if hint := RESERVED.get(name.lower()):
            raise ConfigError(f"settings: {name} is not yours to set: {hint}")
        text = ("on" if setting else "off") if isinstance(setting, bool) else str(setting)
        if re.search(r"[\0\n\r]", text):
            raise ConfigError(f"settings: {name} must be one line of text")
        settings[name] = text
    return settings


@frozen(kw_only=True)
class Options:
    """The arguments of `EmbeddedPostgres`."""

    data_dir: Path | None = field(converter=_path)
    port: int | None = field()
    password: str = field(repr=False)
    tcp: bool
    settings: dict[str, str] = field(converter=_settings)
    start_timeout: float = field()

    @port.validator
    def _check_port(self, _attribute: object, value: object) -> None:
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535
        ):
            raise ConfigError(f"port must be an integer from 1 to 65535 or None, not {value!r}")

    @password.validator
    def _check_password(self, _attribute: object, value: object) -> None:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConfigError("password must be text that is not empty, or None")

    @start_timeout.validator
    def _check_start_timeout(self, _attribute: object, value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ConfigError(f"start_timeout must be a number of seconds greater than 0, not {value!r}")
