"""A mover for two databases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .._core.switching import Record
from ..config import DatabaseConfig, DatabaseType
from ..errors import SwitchAborted
from .follow_back import Follower
from .to_postgres import ToPostgres
from .to_sqlite import ToSQLite

__all__ = ["Follower", "Mover", "new_follower", "new_mover"]

Tell = Callable[..., None]


class Mover(Protocol):
    """What moves the data; see `ToPostgres`."""

    token: str
    rows: int
    rounds: int
    verified: bool
    decided: Record | None

    def prepare(self) -> None:
        """Refuse, or bring the target so far that the rest takes moments."""

    def finish(self, patience: float) -> None:
        """The last round and the decision, in the pause; in a rehearsal without the decision."""

    def settle(self) -> None:
        """Tidy up after the decision."""

    def discard(self) -> None:
        """Undo everything."""

    def stop(self) -> None:
        """Make the step under way end soon, with `SwitchAborted`; from another thread."""


def new_mover(
    source: DatabaseConfig,
    target: DatabaseConfig,
    tell: Tell,
    *,
    follow_back: bool = False,
    rehearsal: bool = False,
) -> Mover:
    """A mover from `source` to `target`. Raises `SwitchAborted` where there is none for the two."""
    if source.db_type is target.db_type:
        raise SwitchAborted(
            f"data move between SQLite and Postgres, and both ends are {source.db_type.value}"
        )
    if source.db_type is DatabaseType.SQLITE:
        return ToPostgres(source, target, tell, follow_back=follow_back, rehearsal=rehearsal)
    if follow_back:
        raise SwitchAborted(
            "follow_back is not supported yet from Postgres to SQLite, only the other way round"
        )
    return ToSQLite(source, target, tell, rehearsal=rehearsal)


def new_follower(home: DatabaseConfig, old: DatabaseConfig) -> Follower:
    """What keeps the file `old` up to date with the Postgres database `home` that its data moved to; not begun yet."""
    return Follower(ToSQLite(home, old, lambda phase, **figures: None))
