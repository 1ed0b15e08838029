"""The query log: every statement, or the slow ones, through the standard ``logging`` module.

Logger ``dbadapter.query``: statements at DEBUG, slow ones at WARNING. Parameters are the users' data, so they are left
out unless ``log_parameters`` asks for them.
"""

from __future__ import annotations

import logging

from ._core.statement import Parameters, Statement
from .config import DatabaseConfig

__all__ = ["QueryLog"]

logger = logging.getLogger("dbadapter.query")


class QueryLog:
    """Writes what a config asks for."""

    def __init__(self, config: DatabaseConfig) -> None:
        self._all = config.logging
        self._parameters = config.log_parameters
        self._slow = float("inf") if config.slow_query_seconds is None else config.slow_query_seconds

    @classmethod
    def wanted(cls, config: DatabaseConfig) -> QueryLog | None:
        """A log, or None if the config asks for none, so that the common case costs nothing."""
        return cls(config) if config.logging or config.slow_query_seconds is not None else None

    def note(self, statement: Statement, params: Parameters, seconds: float) -> None:
        """Log a statement that took `seconds`."""
        slow = seconds >= self._slow
        if not slow and not self._all:
            return
        level = logging.WARNING if slow else logging.DEBUG
        if not logger.isEnabledFor(level):
            return
        shown = f" {params!r}" if self._parameters and params else ""
        logger.log(level, "%s%.3f ms: %s%s", "slow, " if slow else "", seconds * 1000, statement.text, shown)
