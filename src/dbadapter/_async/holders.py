"""Who holds a lane's connections, since when and where, and which of them have held one for too long."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._concurrency._aio import Holder, describe_holder, live_place
from .._core.pool_state import PoolState

if TYPE_CHECKING:
    from .connection import AsyncConnection

__all__ = ["AsyncHolders"]

logger = logging.getLogger("dbadapter.pool")


class AsyncHolders:
    """The holders of one lane's connections; nothing here needs the lane's lock."""

    def __init__(self, name: str, state: PoolState[AsyncConnection], leak_threshold: float | None) -> None:
        """The holders of the connections in `state`; `leaked` are those that were logged and are not back.

        Args:
            name: what the log calls the lane.
            state: the lane's.
            leak_threshold: who holds a connection for longer (s) is logged, once; None: nobody.
        """
        self._name, self._state, self._threshold = name, state, leak_threshold
        # By id: a reference would keep a connection that everybody else has forgotten.
        self.leaked: dict[int, str] = {}

    def listed(self) -> list[dict[str, Any]]:
        """``[{thread, task, seconds, where}]``, the longest first."""
        now = perf_counter()
        held = sorted(self._held(), key=lambda pair: pair[0].held_since)
        return [_describe(connection, holder, now) for connection, holder in held]

    def _held(self) -> list[tuple[AsyncConnection, Holder]]:
        held = self._state.in_use()
        return [(connection, holder) for connection in held if (holder := connection.holder) is not None]

    def report_leaks(self) -> None:
        """Log each connection that is held for longer than the threshold, once."""
        if self._threshold is None:
            return
        now = perf_counter()
        for connection, holder in self._held():
            seconds = now - connection.held_since
            if seconds <= self._threshold or id(connection) in self.leaked:
                continue
            self._state.leaks += 1
            told = _describe(connection, holder, now)
            place = f"{told['task'] or told['thread']} at {told['where'] or 'an unknown place'}"
            self.leaked[id(connection)] = place
            logger.warning(
                "%s: a connection is held for %.1f s (leak_threshold %g s) by %s",
                self._name, seconds, self._threshold, place,
            )  # fmt: skip

    def note_return(self, connection: AsyncConnection) -> None:
        """A connection is given back: if it was reported, say that this is over."""
        if (place := self.leaked.pop(id(connection), None)) is not None:
            held = perf_counter() - connection.held_since
            logger.warning("%s: the connection held by %s is back after %.1f s", self._name, place, held)


def _describe(connection: AsyncConnection, holder: Holder, now: float) -> dict[str, Any]:
    thread, task = describe_holder(holder)
    return {
        "thread": thread,
        "task": task,
        "seconds": round(now - connection.held_since, 3),
        "where": connection.where or live_place(holder),
    }
