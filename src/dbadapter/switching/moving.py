"""A mover for two databases."""

from __future__ import annotations

from collections.abc import Mapping

from ..config import DatabaseConfig, DatabaseType
from ..errors import SwitchAborted
from .follow_back import Follower
from .move import Move, Tell
from .to_postgres import ToPostgres
from .to_sqlite import ToSQLite

__all__ = ["Follower", "Move", "new_follower", "new_mover"]


_MOVES: Mapping[DatabaseType, type[Move]] = {
    DatabaseType.SQLITE: ToPostgres,
    DatabaseType.POSTGRESQL: ToSQLite,
}


def new_mover(
    source: DatabaseConfig,
    target: DatabaseConfig,
    tell: Tell,
    *,
    follow_back: bool = False,
    rehearsal: bool = False,
) -> Move:
    """A mover from `source` to `target`. Raises `SwitchAborted` where there is none for the two."""
    if source.db_type is target.db_type:
        raise SwitchAborted(
            f"data move between SQLite and Postgres, and both ends are {source.db_type.value}"
        )
    return _MOVES[source.db_type](source, target, tell, follow_back=follow_back, rehearsal=rehearsal)


def new_follower(home: DatabaseConfig, old: DatabaseConfig) -> Follower:
    """What keeps the database `old` up to date with `home`, where its data moved to; not begun yet."""
    return Follower(lambda: new_mover(home, old, lambda phase, **figures: None))
