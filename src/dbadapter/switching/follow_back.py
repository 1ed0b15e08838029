"""Keeping the old home up to date after a switch, so that switching back is the same act in reverse and loses nothing.

The reverse capture is installed in the transaction that makes the new home complete, so not one change escapes it. A
thread carries the changes over, a few rounds a second; the old home stays fenced meanwhile.
"""

from __future__ import annotations

import logging
import threading
from time import monotonic
from typing import Any

from .move import Move

__all__ = ["Follower"]

logger = logging.getLogger("dbadapter.switch")

_INTERVAL = 0.1


class Follower:
    """Carries changes back to the database that the data came from, until stopped."""

    def __init__(self, mover: Move) -> None:
        self.mover = mover
        self.problem: str | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dbadapter-follow-back", daemon=True)
        self._level_at = monotonic()
        self._carried = 0

    def start(self) -> None:
        """Begin; raises what keeps it from beginning."""
        self.mover.attach()
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stopped.wait(_INTERVAL):
                began = monotonic()
                self._carried += self.mover.carry_round()
                self._level_at = began
        except Exception as error:
            self.problem = str(error)
            logger.warning("the old database is not kept up to date any more: %s", error)
            self._give_up()

    def _give_up(self) -> None:
        try:
            self.mover.discard()
        except Exception as error:
            logger.warning("the capture for following back could not be removed: %s", error)

    def state(self) -> dict[str, Any]:
        """For ``status()``: seconds that the old home lags behind, rows carried, and what went wrong."""
        return {
            "lag_seconds": round(monotonic() - self._level_at, 3),
            "rows": self._carried,
            "problem": self.problem,
        }

    def release(self) -> Move | None:
        """End the thread and hand over the mover for the way back; None if it came to grief."""
        self._stopped.set()
        self._thread.join()
        return None if self.problem else self.mover

    def stop(self) -> None:
        """End following; the capture is removed. Stopping again does nothing."""
        if self._stopped.is_set():
            return
        if self.release() is not None:
            self._give_up()
