"""What every command shares: which database, and whether people or programs read the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import click

from ..config import DatabaseConfig, DatabaseType
from ..errors import DatabaseUnavailable

if TYPE_CHECKING:
    from .. import DatabaseAdapter

__all__ = [
    "Settings",
    "connection_options",
    "existing_config",
    "json_option",
    "open_adapter",
    "settings",
    "tables_option",
]

F = TypeVar("F", bound=Callable[..., Any])

# Seconds to wait for a connection at most: a person is waiting for the answer.
_PATIENCE = 3.0


@attrs.define
class Settings:
    """The options that may stand before or after a command's name.

    Attributes:
        url: the database, or None for the environment's.
        as_json: print JSON.
    """

    url: str | None = attrs.field(default=None, repr=False)
    as_json: bool = False

    def config(self) -> DatabaseConfig:
        """The database's config. Raises `ConfigError`."""
        return DatabaseConfig.from_env() if self.url is None else DatabaseConfig.from_url(self.url)


def settings() -> Settings:
    """The settings of the command that is running."""
    return click.get_current_context().ensure_object(Settings)


def _set_url(ctx: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.ensure_object(Settings).url = value


def _set_json(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Settings).as_json = True


def json_option(command: F) -> F:
    """Add ``--json``."""
    return click.option("--json", is_flag=True, callback=_set_json, expose_value=False, help="Print JSON.")(
        command
    )


def connection_options(command: F) -> F:
    """Add ``--url`` and ``--json``."""
    url = click.option(
        "--url",
        metavar="URL",
        callback=_set_url,
        expose_value=False,
        help="The database: sqlite:///app.db or postgresql://user@host/name.",
    )
    return url(json_option(command))


def _split_names(_ctx: click.Context, _option: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    names = [name.strip() for name in value.split(",") if name.strip()]
    if not names:
        raise click.UsageError("--tables names no table")
    return names


def tables_option(command: F) -> F:
    """Add ``--tables A,B``; the command is given a list of names, or None for all tables."""
    return click.option("--tables", metavar="A,B", callback=_split_names, help="Only these tables.")(command)


def existing_config(config: DatabaseConfig) -> DatabaseConfig:
    """`config`, unless its SQLite file does not exist: looking at a database must not make one."""
    path = config.sqlite_path
    if config.db_type is DatabaseType.SQLITE and path != ":memory:" and not Path(path).is_file():
        what = f"{path} is a directory" if Path(path).is_dir() else f"there is no SQLite file {path}"
        raise DatabaseUnavailable(f"{what}: name the database with --url sqlite:///FILE, or DATABASE_URL")
    return config


@contextmanager
def open_adapter(config: DatabaseConfig | None = None, *, create: bool = False) -> Iterator[DatabaseAdapter]:
    """An open adapter for the length of a command.

    Args:
        config: the database; None: the one that the settings name.
        create: a missing SQLite file is made; else it is an error.
    """
    from .. import DatabaseAdapter

    chosen = settings().config() if config is None else config
    if not create:
        existing_config(chosen)
    patience = min(chosen.pool.connection_timeout, _PATIENCE)
    pool = attrs.evolve(chosen.pool, min_connections=0, connection_timeout=patience)
    with DatabaseAdapter(attrs.evolve(chosen, pool=pool)) as adapter:
        yield adapter
