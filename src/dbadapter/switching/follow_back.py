"""Keeping the old home up to date after a switch, so that switching back is the same act in reverse and loses nothing.

The reverse capture is installed in the transaction that makes the new home complete, so not one change escapes it. A
thread carries the changes over, a few rounds a second; the old home stays fenced meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from .._core.switching import place_of
from ..config import DatabaseConfig
from ..errors import DatabaseUnavailable, SwitchAborted
from .move import Move

__all__ = ["Follower"]

logger = logging.getLogger("dbadapter.switch")

_INTERVAL = 0.1
_RETRY = 0.5  # where an end cannot be reached


class Follower:
    """Carries changes back to the database that the data came from, until stopped.

    While an end cannot be reached the lag grows, and what changes stays noted. Anything else that goes wrong ends it.
    """

    def __init__(self, new_mover: Callable[[], Move]) -> None:
        self.mover = new_mover()
        self.problem: str | None = None
        self._new_mover = new_mover
        self._is_attached = False
        self._shape = ""
        self._stopped = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None
        self._level_at = monotonic()
        self._carried = 0

    def leads_to(self, config: DatabaseConfig) -> bool:
        """Whether the database of `config` is the one that is kept up to date."""
        return place_of(config) == place_of(self.mover.target_config)

    def start(self) -> None:
        """Begin; raises what keeps it from beginning, `SwitchAborted` after `cancel`."""
        self._attach()
        self._begin()

    def resume(self) -> None:
        """Go on after a way back that was called off, with a mover of its own; raises as `start` does.

        A server that cannot be reached is waited for, as it is while following.
        """
        self.mover, self._is_attached, self._stopped = self._new_mover(), False, threading.Event()
        try:
            self._attach()
        except DatabaseUnavailable as error:
            self._note(error)
        self._begin()

    def _begin(self) -> None:
        if self._stopped.is_set():
            raise SwitchAborted("following back was cancelled")
        self._thread = threading.Thread(target=self._run, name="dbadapter-follow-back", daemon=True)
        self._thread.start()

    def _attach(self) -> None:
        try:
            self.mover.attach()
        except BaseException:
            self.mover.let_go()
            raise
        self._is_attached = True
        if self._shape not in ("", self.mover.shape):
            raise SwitchAborted("tables were created, altered or dropped while the server was away")
        self._shape = self.mover.shape

    def _run(self) -> None:
        while not self._stopped.wait(_INTERVAL if self._is_attached else _RETRY):
            began = monotonic()
            try:
                if not self._is_attached:
                    self.mover = self._new_mover()
                    self._attach()
                self._carried += self.mover.carry_round()
            except Exception as error:
                self._note(error)
                if self._ended:
                    break
            else:
                self._level_at, self.problem = began, None

    def _note(self, error: Exception) -> None:
        if self.problem is None:
            logger.warning("the old database is not kept up to date: %s", error)
        self.problem = str(error)
        if self._is_attached and not isinstance(error, DatabaseUnavailable):
            self._ended = True
            self._give_up()
        elif self._is_attached:
            self._is_attached = False
            self.mover.let_go()

    def _give_up(self) -> None:
        try:
            self.mover.discard()
        except Exception as error:
            logger.warning("the capture for following back could not be removed: %s", error)

    def state(self) -> dict[str, Any]:
        """For ``status()``.

        Returns:
            ``{"active": bool, "lag_seconds": float, "rows": int, "problem": str | None}``: whether it goes on, how far
            the old home lags behind, how many rows were carried over, and what is in the way.
        """
        return {
            "active": not self._ended,
            "lag_seconds": round(monotonic() - self._level_at, 3),
            "rows": self._carried,
            "problem": self.problem,
        }

    def cancel(self) -> None:
        """Make it end soon, at a call of `stop`; from another thread."""
        self._stopped.set()

    def release(self) -> Move | None:
        """End the thread and hand over the mover for the way back; None if it came to grief."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        return self.mover if self._is_attached and self.problem is None else None

    def stop(self) -> None:
        """End following; the capture is removed. Stopping again does nothing."""
        self.release()
        if self._is_attached and not self._ended:
            self._ended = True
            self._give_up()
