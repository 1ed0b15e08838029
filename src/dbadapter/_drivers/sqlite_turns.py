"""Waiting for SQLite's write lock among the writers of several processes.

SQLite's own waiting sleeps longer and longer, up to 100 ms at a time, so that whoever has waited longest asks least
often, and a busy neighbour gets the lock every time: of four processes at full load some wait for seconds. Here it is
the other way round: whoever has waited longer asks more often, and so is the likeliest to come next.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter, sleep

__all__ = ["is_taken", "turns"]

_PAUSE, _SHORTEST_PAUSE = 0.001, 0.0002
# After so many seconds of waiting the pauses begin to shrink; after so many more they are half as long.
_FAIR_AFTER, _HALVED_BY = 0.01, 0.02
# A lock that is held for so long (s) is one long transaction's: asking often would not help.
_LONG, _LONG_PAUSE = 0.5, 0.002


def is_taken(error: BaseException, *, in_transaction: bool) -> bool:
    """Whether `error` says that another connection holds the lock, so that it helps to try again."""
    name = getattr(error, "sqlite_errorname", None)
    if name == "SQLITE_BUSY_SNAPSHOT":
        return not in_transaction  # inside one, its snapshot stays as old as it is
    return name in ("SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_TIMEOUT")


def turns(patience: float) -> Iterator[None]:
    """Sleep before each further try, until `patience` seconds are over."""
    began = perf_counter()
    waited = 0.0
    while waited < patience:
        if waited > _LONG:
            sleep(_LONG_PAUSE)
        else:
            overdue = max(waited - _FAIR_AFTER, 0.0)
            sleep(max(_PAUSE / (1.0 + overdue / _HALVED_BY), _SHORTEST_PAUSE))
        yield
        waited = perf_counter() - began
