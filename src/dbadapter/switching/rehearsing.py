"""A rehearsal: all of a switch but its decision, against a database that is thrown away."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import attrs

from .._dialects import POSTGRESQL
from ..config import DatabaseConfig, DatabaseType
from ..transfer._endpoints import open_postgres
from ..transfer._faults import reporting
from ..types import SwitchReport
from .move import Tell
from .moving import new_mover

__all__ = ["rehearse"]


@contextmanager
def _scratch(target: DatabaseConfig) -> Iterator[DatabaseConfig]:
    """A database of the kind of `target`, next to it."""
    if target.db_type is DatabaseType.SQLITE:
        parent = Path(target.sqlite_path).absolute().parent
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".dbadapter-rehearsal-", dir=parent) as directory:
            yield attrs.evolve(target, sqlite_path=str(Path(directory) / "rehearsal.db"))
        return
    name = f"dbadapter_rehearsal_{secrets.token_hex(6)}"
    # The target itself may be missing, where a switch would create it.
    there = attrs.evolve(target.pool, database="postgres") if target.create_database else target.pool
    with (
        open_postgres(attrs.evolve(target, pool=there)) as raw,
        reporting("a database for the rehearsal cannot be made"),
    ):
        raw.execute(f"CREATE DATABASE {POSTGRESQL.quote(name)} ENCODING 'UTF8' TEMPLATE template0".encode())
        try:
            yield attrs.evolve(target, pool=attrs.evolve(target.pool, database=name))
        finally:
            raw.execute(f"DROP DATABASE {POSTGRESQL.quote(name)} WITH (FORCE)".encode())


def rehearse(source: DatabaseConfig, target: DatabaseConfig, patience: float, tell: Tell) -> SwitchReport:
    """Move everything to a scratch database while the app works on, then undo it.

    The report's ``paused_ms`` is how long the pause would have been; the app is not paused, but other writers to an
    SQLite file wait that long. Raises `SwitchAborted` for what a switch would refuse.
    """
    with _scratch(target) as scratch:
        mover = new_mover(source, scratch, tell, rehearsal=True)
        try:
            mover.prepare()
            began = perf_counter()
            mover.finish(patience)
            paused = perf_counter() - began
        finally:
            mover.discard()
    return SwitchReport(
        source=source.db_type.value,
        target=target.db_type.value,
        epoch=0,
        rows_copied=mover.rows,
        rounds=mover.rounds,
        verified=mover.verified,
        paused_ms=round(paused * 1000, 3),
    )
