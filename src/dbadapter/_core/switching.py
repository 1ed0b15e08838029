"""What a database says of itself while its app's data move: the home record, and what follows from it.

Each database that ever took part in a switch has one record. It is the only thing that decides where the data live:

- ``here``: they live here; nothing is under way.
- ``leaving``: they live here, and are being moved to ``place``.
- ``away``: they have moved to ``place``. Writing this into the old home is the one decision of a switch.
- ``arriving``: they are being moved here from ``place``; whether they live here already, ``place`` knows.
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Mapping
from typing import Any

import attrs

from ..config import DatabaseConfig, DatabaseType

__all__ = [
    "FENCE",
    "GAIN",
    "GATE",
    "LOOK_INTERVAL",
    "NOTICE",
    "OPEN_FENCE",
    "CatchUp",
    "Record",
    "Verdict",
    "config_at",
    "place_of",
    "verdict",
]

LOOK_INTERVAL = 0.1
"""A process that works with a database looks at its record at least this often, in seconds."""

NOTICE = 0.35
"""So long a record has to say ``leaving`` before the decision may be made, in seconds; see `LOOK_INTERVAL`."""

GATE = "_dbadapter_gate"
"""The table on Postgres that writing transactions lock while a switch is under way, and that the decision drops.

Locking a table takes no snapshot, so a transaction's body may still begin with SET TRANSACTION or LOCK.
"""

FENCE = "_dbadapter_fence"
"""The function of the triggers that refuse every write on Postgres where the data have moved away from it."""

OPEN_FENCE = (
    f"CREATE OR REPLACE FUNCTION {FENCE}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
)
"""Lets everybody write again. To take the triggers away, one would have to wait for readers, and they for that."""

GAIN = 6
"""Changes are to be carried over so many times as fast as the app makes them, or it is slowed down."""

_STATES = ("here", "leaving", "arriving", "away")
_PLACE = ("host", "port", "database", "user", "sslmode", "sslrootcert", "read_hosts", "pgbouncer")


@attrs.frozen
class Record:
    """A database's record.

    Attributes:
        epoch: how many times the data have changed their home, this move included.
        state: ``here``, ``leaving``, ``arriving`` or ``away``.
        token: names the switch; both ends have the same one.
        place: where the other end is, see `place_of`.
        tables: in an ``arriving`` database the tables that the switch made and may take away again.
    """

    epoch: int = 0
    state: str = attrs.field(default="here", validator=attrs.validators.in_(_STATES))
    token: str = ""
    place: Mapping[str, Any] = attrs.field(factory=dict)
    tables: tuple[str, ...] = ()

    def to_text(self) -> str:
        """The record as it is stored."""
        return json.dumps(attrs.asdict(self), sort_keys=True)

    @staticmethod
    def from_text(text: str) -> Record:
        """Read what `to_text` wrote; of a later version what it adds is left out."""
        known = {field.name for field in attrs.fields(Record)}
        found = {name: value for name, value in json.loads(text).items() if name in known}
        return Record(**found | {"tables": tuple(found.get("tables", ()))})


class Verdict(enum.Enum):
    """What a record means for a process that uses the database."""

    STAY = "the data live here"
    WATCH = "the data live here, and a switch is under way: look again before each transaction"
    GO = "the data live elsewhere"
    ASK = "the other end knows whether the data live here"


def verdict(record: Record | None, trusted: str) -> Verdict:
    """What to do after reading `record`, when the switch `trusted` is known to have been decided."""
    if record is None or record.state == "here":
        return Verdict.STAY
    if record.state == "leaving":
        return Verdict.WATCH
    if record.state == "away":
        return Verdict.GO
    return Verdict.STAY if record.token == trusted else Verdict.ASK


def place_of(config: DatabaseConfig) -> dict[str, Any]:
    """Where a database is, without anything secret."""
    if config.db_type is DatabaseType.SQLITE:
        return {"db_type": config.db_type.value, "path": os.path.abspath(config.sqlite_path)}
    return {"db_type": config.db_type.value} | {name: getattr(config.pool, name) for name in _PLACE}


def config_at(place: Mapping[str, Any], own: DatabaseConfig) -> DatabaseConfig:
    """The config of the database at `place`, with the limits and the password of a process's own config."""
    found = dict(place)
    db_type = DatabaseType(found.pop("db_type"))
    if db_type is DatabaseType.SQLITE:
        return attrs.evolve(own, db_type=db_type, sqlite_path=found["path"])
    changed: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in found.items()
        if name in _PLACE and value != getattr(own.pool, name)
    }
    if {"host", "port", "database"}.isdisjoint(changed):
        return attrs.evolve(own, db_type=db_type)  # the same server in the process's own words
    return attrs.evolve(own, db_type=db_type, pool=attrs.evolve(own.pool, **changed))


@attrs.define
class CatchUp:
    """Decides after each round of catching up whether the rest is small enough for the pause.

    Attributes:
        enough: at most so many changes may be left.
        patience: so many rounds may go by without the rest becoming smaller.
        is_losing: the last round hardly gained on the app, which is to be slowed down; see `GAIN`.
    """

    enough: int = 200
    patience: int = 20
    is_losing: bool = False
    rounds: int = 0
    smallest: int | None = None
    _in_vain: int = 0
    _last: int | None = None

    def is_done(self, changes: int) -> bool:
        """Note a round that found `changes`; True if the next one can be the last."""
        self.rounds += 1
        if changes <= self.enough:
            return True
        # Each round finds what was changed while the one before went on.
        self.is_losing = self._last is not None and changes * GAIN > self._last
        self._last = changes
        if self.smallest is None or changes < self.smallest:
            self.smallest, self._in_vain = changes, 0
        else:
            self._in_vain += 1
        return False

    @property
    def is_hopeless(self) -> bool:
        """The app writes faster than the rounds can follow."""
        return self._in_vain >= self.patience
