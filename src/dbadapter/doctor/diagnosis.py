"""`diagnose`: from a configuration to a report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from ..config import DatabaseConfig, DatabaseType
from .findings import Finding, Report
from .versions import check_versions

__all__ = ["Surroundings", "diagnose"]


@frozen
class Surroundings:
    """What the doctor takes for granted about this machine.

    Attributes:
        clock: the time in seconds since 1970.
        mounts: the table of mounted file systems, as Linux writes it.
        scarce_bytes: free space below which a disk counts as full.
        timeout: seconds that one question may take.
    """

    clock: Callable[[], float] = time.time
    mounts: Path = Path("/proc/self/mountinfo")
    scarce_bytes: int = 16 * 1024 * 1024
    timeout: float = 5.0


def diagnose(config: DatabaseConfig, surroundings: Surroundings | None = None) -> Report:
    """Look for whatever may keep a database from working; nothing is changed.

    Args:
        config: which database; of both backends, the one in ``db_type`` is looked at.
        surroundings: this machine; None: as it is.

    Returns:
        A report. It takes a little longer than the slowest answer of the database (a large SQLite file is read whole).
    """
    around = surroundings or Surroundings()
    return Report(tuple(_findings(config, around)))


def _findings(config: DatabaseConfig, around: Surroundings) -> Iterator[Finding]:
    yield from check_versions()
    if config.db_type is DatabaseType.SQLITE:
        from .sqlite_file import check_sqlite

        yield from check_sqlite(config, around)
    else:
        from .postgres import check_postgres

        yield from check_postgres(config.pool, around)
