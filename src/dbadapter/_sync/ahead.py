# Generated from src/dbadapter/_async/ahead.py by tools/unasync.py; do not edit.
"""Opening the database that the data are on their way to, so that nobody has to wait for that when they are there.

Loading a driver and opening connections takes longer than the decision of a switch. A process that reads in the record
that one is under way does both in the background.
"""

from __future__ import annotations

import logging

from .._concurrency._threads import Errand, beside
from .._core.switching import Record, config_at
from ..config import DatabaseConfig
from .backend import Backend, load_driver, open_backend

__all__ = ["Ahead"]

logger = logging.getLogger("dbadapter.switch")


class Ahead:
    """At most one backend that is open, or being opened, and not in use yet."""

    def __init__(self) -> None:
        self.token = ""  # of the switch that it is for
        self._config: DatabaseConfig | None = None
        self._backend: Backend | None = None
        self._opening = Errand(self._open)
        self._dropping = Errand(self._close)

    def begin(self, record: Record, own: DatabaseConfig) -> None:
        """Open the database that `record` names in the background, with what `own` says of logging in."""
        if self.token == record.token:
            return
        self.token = record.token
        self._close()  # what was opened for a switch that was called off unseen
        if record.place:  # a rehearsal names none
            self._config = config_at(record.place, own)
            self._opening.run(0)

    def _open(self) -> None:
        config = self._config
        if config is None:
            return
        try:
            beside(load_driver, config)
            backend = open_backend(config)
        except Exception as exc:  # whoever needs it will meet the reason
            logger.info("switch: the target cannot be opened ahead of time: %s", exc)
            return
        if self._config is not config:  # called off meanwhile
            backend.pool.close()
            return
        self._backend = backend

    def take(self, record: Record, own: DatabaseConfig) -> Backend | None:
        """The backend of the switch of `record`, now the caller's; None if it was not opened, or cannot be."""
        if self._config is None or self.token != record.token:
            return None
        if self._backend is None:
            self._opening.run(own.pool.connection_timeout)
        backend, self._backend, self._config = self._backend, None, None
        return backend

    def drop(self) -> None:
        """The switch was called off: close what was opened, in the background."""
        self.token, self._config = "", None
        if self._backend is not None:
            self._dropping.run(0)

    def close(self) -> None:
        """Close what was opened."""
        self.token, self._config = "", None
        self._close()

    def _close(self) -> None:
        backend, self._backend = self._backend, None
        if backend is not None:
            backend.pool.close()
