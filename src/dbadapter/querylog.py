"""The query log: every statement, or the slow ones, through the standard ``logging`` module.

Logger ``dbadapter.query``: statements at DEBUG, slow ones at WARNING. Parameters are the users' data, so they
are left out unless ``log_parameters`` asks for them.
"""

from __future__ import annotations

import heapq
import logging
import threading
from typing import Any

from ._core.statement import Parameters
from .config import DatabaseConfig

__all__ = ["QueryLog", "slowest_statements"]

logger = logging.getLogger("dbadapter.query")

# Distinct statements remembered; beyond, those that were quickest at their slowest are forgotten.
_REMEMBERED = 500
_SHOWN_CHARACTERS = 500


class QueryLog:
    """Writes what a config asks for."""

    def __init__(self, config: DatabaseConfig) -> None:
        self._all = config.logging
        self._parameters = config.log_parameters
        self._slow = float("inf") if config.slow_query_seconds is None else config.slow_query_seconds
        self._times: dict[str, tuple[int, float, float]] = {}
        self._lock = threading.Lock()

    @classmethod
    def wanted(cls, config: DatabaseConfig) -> QueryLog | None:
        """A log, or None if the config asks for none, so that the common case costs nothing."""
        return cls(config) if config.logging or config.slow_query_seconds is not None else None

    def note(
        self, text: str, params: Parameters, seconds: float, failure: BaseException | None = None
    ) -> None:
        """Log a statement that took `seconds`, and how it failed if it did."""
        slow = seconds >= self._slow
        if not slow and not self._all:
            return
        self._remember(text, seconds)
        level = logging.WARNING if slow else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        shown = f" {params!r}" if self._parameters and params else ""
        how = ("slow, " if slow else "") + (f"{type(failure).__name__}, " if failure else "")
        logger.log(level, "%s%.3f ms: %s%s", how, seconds * 1000, text, shown)

    def _remember(self, text: str, seconds: float) -> None:
        with self._lock:
            count, total, longest = self._times.get(text, (0, 0.0, 0.0))
            self._times[text] = (count + 1, total + seconds, max(longest, seconds))
            if len(self._times) > _REMEMBERED:
                kept = heapq.nlargest(_REMEMBERED // 2, self._times.items(), key=lambda item: item[1][2])
                self._times = dict(kept)

    def slowest(self, count: int) -> list[dict[str, Any]]:
        """The statements that took longest among those noted; see `slowest_statements`."""
        with self._lock:
            found = heapq.nlargest(count, self._times.items(), key=lambda item: item[1][2])
        return [
            {
                "statement": text[:_SHOWN_CHARACTERS],
                "count": times,
                "mean_ms": round(total / times * 1000, 3),
                "max_ms": round(longest * 1000, 3),
            }
            for text, (times, total, longest) in found
        ]


def slowest_statements(adapter: Any, count: int = 10) -> list[dict[str, Any]]:
    """The slowest statements of an adapter, sync or async, since it began to use its database.

    Only statements that its config wants logged are timed: those above ``slow_query_seconds``, or all with
    ``logging``. Else the list is empty.

    Args:
        adapter: a `DatabaseAdapter` or `AsyncDatabaseAdapter`.
        count: how many at most.

    Returns:
        ``[{"statement", "count", "mean_ms", "max_ms"}]``, the slowest first; never any parameters.
    """
    log: QueryLog | None = adapter._query_log
    return [] if log is None else log.slowest(count)
