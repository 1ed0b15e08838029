"""Slowing an app down that writes to Postgres faster than its changes can be carried over.

Every writing transaction of the library passes the gate right after its BEGIN while a switch is under way. The brake
closes it for moments at a time, so that each caller waits a little rather than one of them for long, and the rest of
the changes becomes small enough for the pause.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress

from .._core.switching import GATE
from ..config import DatabaseConfig
from ..transfer._endpoints import open_postgres

__all__ = ["Brake"]

logger = logging.getLogger("dbadapter.switch")

_CLOSED, _OPEN = 0.03, 0.01
# Whoever has passed the gate and takes long is not waited for: those behind us in the queue would wait as well.
_PATIENCE = "50ms"
# The server opens the gate by itself, however busy this process is.
_CLOSE = f"DO $$BEGIN LOCK TABLE {GATE} IN EXCLUSIVE MODE; PERFORM pg_sleep({_CLOSED}); END$$"


class Brake:
    """Closes the gate now and then, from a thread of its own, until released."""

    def __init__(self, config: DatabaseConfig) -> None:
        self._config = config
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dbadapter-switch-brake", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        import psycopg

        try:
            with open_postgres(self._config) as raw:
                raw.execute(f"SET lock_timeout = '{_PATIENCE}'".encode())
                while not self._released.is_set():
                    with suppress(psycopg.errors.LockNotAvailable):
                        raw.execute(_CLOSE.encode())
                    self._released.wait(_OPEN)
        except Exception as error:  # without it the switch may still get there
            logger.info("switch: the app cannot be slowed down: %s", error)

    def release(self) -> None:
        """Let everybody through; releasing again does nothing."""
        self._released.set()
        self._thread.join()
