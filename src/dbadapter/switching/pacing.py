"""Leaving room for the app: what is not urgent, and reads in portions, rests as long as it works.

Who reads one moment of an SQLite file in one go does not rest: its log cannot begin anew meanwhile, and grows.

Reading, converting and comparing every row would otherwise take the processor from the writers, and one that is
interrupted while it has SQLite's lock holds up all the others.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter, sleep

__all__ = ["Pace", "is_written"]

# So many steps of SQLite's virtual machine take a few milliseconds, and read a few thousand rows.
_STEPS = 50_000
_LONGEST_REST = 0.25


class Pace:
    """Rests in proportion to the work since the last rest, while the app is at work."""

    def __init__(self, is_busy: Callable[[], bool] = lambda: True) -> None:
        self._is_busy = is_busy
        self._rested_at: float | None = None

    def rest(self) -> None:
        """To be called every few milliseconds of work; does nothing outside `unhurried`."""
        if self._rested_at is None:
            return
        worked = perf_counter() - self._rested_at
        if self._is_busy():
            sleep(min(worked, _LONGEST_REST))
        self._rested_at = perf_counter()

    @contextmanager
    def unhurried(self, raw: sqlite3.Connection | None = None) -> Iterator[None]:
        """Work that nobody waits for; `raw` rests by itself in the middle of its statements."""
        self._rested_at = perf_counter()
        if raw is not None:
            raw.set_progress_handler(self.rest, _STEPS)
        try:
            yield
        finally:
            if raw is not None:
                raw.set_progress_handler(None, 0)
            self._rested_at = None


def is_written(path: str) -> Callable[[], bool]:
    """Tells each time whether anybody has written to an SQLite file since it was asked before."""
    before = -1

    def ask() -> bool:
        nonlocal before
        try:
            found = os.stat(f"{path}-wal").st_mtime_ns
        except OSError:
            return False
        changed, before = found != before, found
        return changed

    return ask
