# Generated from src/dbadapter/_async/lane.py by tools/unasync.py; do not edit.
"""A lane: interchangeable connections to one node (a Postgres server; SQLite's writer, or its readers) and their queue.

Whoever waits is served in order, by whoever gives a connection back. All decisions are `PoolState`'s, taken under the
lock that the lanes of a pool share; opening and closing happen outside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import perf_counter
from typing import Any

from .._concurrency._threads import Waiter, current_holder, describe_holder, live_place, sleep
from .._core.pool_state import Grant, PoolState
from ..config import PoolConfig
from ..errors import DatabaseUnavailable, PoolClosed, PoolExhausted

__all__ = ["Lane", "PoolMoved"]

logger = logging.getLogger("dbadapter.pool")

# An idle connection is looked at (no round trip) before use when it has been unused for this long.
_PROBE_AFTER = 0.5
_FIRST_RETRY, _LONGEST_RETRY = 0.02, 0.5
# A caller that holds every connection waits this long: for a stream it has dropped, which an event loop closes later.
_PATIENCE_IN_VAIN = 0.25


class PoolMoved(PoolClosed):
    """The app has switched to another backend while the caller waited; it is to ask that one."""


class Lane:
    """The connections of one node in one role."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Any],
        config: PoolConfig,
        *,
        minimum: int,
        maximum: int,
        lock: threading.Lock,
        on_release: Callable[[], None],
        entitled: Callable[[Any], bool],
    ) -> None:
        """A lane with no connection yet.

        Args:
            name: what error messages call it.
            connect: opens a connection or raises `DatabaseUnavailable`.
            config: times and limits.
            minimum, maximum: how many connections.
            lock: shared by the lanes of a pool.
            on_release: told under the lock of each return while the pool is paused.
            entitled: tells under the lock whether a holder is in the middle of something and may go on though paused.
        """
        self.name = name
        self.state: PoolState[Any] = PoolState.of(config, minimum=minimum, maximum=maximum)
        self.last_failure: DatabaseUnavailable | None = None
        self._connect = connect
        self._timeout = config.connection_timeout
        self._lock = lock
        self._on_release = on_release
        self._entitled = entitled

    # -- checkout --------------------------------------------------------------------------------------------------

    def acquire(self, where: str | None = None, *, patience: float | None = None) -> Any:
        """A connection for the caller alone, to be given back with `release`.

        Args:
            where: the place in the caller's code, for those that hold one for long; else it is looked up when asked.
            patience: seconds to wait instead of ``connection_timeout``, served even while the pool is paused.

        Raises:
            PoolExhausted: none became free within ``connection_timeout``, or too many wait already.
            DatabaseUnavailable: none could be opened.
            PoolClosed: the pool is closed. PoolMoved: another backend is in use now.
        """
        state = self.state
        holder = current_holder()
        with self._lock:
            got = state.take(state.paused and (patience is not None or self._entitled(holder)))
        if got.__class__ is Grant:
            got = self._acquire_slowly(got, patience)
        got.held_since = now = perf_counter()
        if now - got.released_at > _PROBE_AFTER and not got.is_alive():
            got = self._replace(got)
        got.holder = holder
        got.where = where
        return got

    def _acquire_slowly(self, grant: Any, patience: float | None) -> Any:
        """Wait, or open a connection, as `grant` says."""
        started = perf_counter()
        deadline = started + (self._timeout if patience is None else patience)
        if grant is Grant.WAIT or grant is Grant.HELD_BACK:
            grant = self._wait(deadline, patience)
            with self._lock:
                self.state.waits.add(self.state.requests, perf_counter() - started)
        if grant is Grant.OPEN:
            return self._open(deadline)
        if grant is Grant.MOVED:
            raise PoolMoved(
                f"the pool of {self.name} is closed: the adapter has switched to another database"
            )
        if grant is Grant.CLOSED:
            raise PoolClosed(f"the pool of {self.name} is closed")
        return grant

    def _wait(self, deadline: float, patience: float | None) -> Any:
        waiter, in_vain = Waiter(), False
        state = self.state
        with self._lock:
            # What the answer was based on may have changed since the lock was released: ask again, then queue.
            state.requests -= 1
            entitled = state.paused and (patience is not None or self._entitled(waiter.holder))
            grant_now = state.take(entitled)
            if grant_now is Grant.WAIT:
                self._refuse_if_crowded()
                if in_vain := self._holds_everything(waiter.holder):
                    deadline = min(deadline, perf_counter() + _PATIENCE_IN_VAIN)
                state.waiters.append(waiter)
            elif grant_now is Grant.HELD_BACK:
                state.held_back.append(waiter)
            else:
                return grant_now
        try:
            waiter.wait(deadline - perf_counter())
            if patience is None and not waiter.delivered and waiter in state.held_back:
                while not waiter.delivered and waiter in state.held_back:
                    waiter.wait(0.1)  # a switch is short, and has a time limit of its own
                if not waiter.delivered:  # it was called off: only now does the wait for a connection begin
                    waiter.wait(self._timeout)
        except BaseException:
            self._abandon(waiter)
            raise
        with self._lock:
            if waiter.delivered:
                return waiter.value
            state.leave(waiter)
            state.timeouts += 1
        if in_vain:
            raise self.exhausted(
                "the caller itself holds every connection, so waiting would never end; inside a transaction use the "
                "transaction's own methods (tx.execute, tx.fetch_all), or give the stream or connection back first",
            )
        raise self.exhausted(
            f"no connection became free within {self._timeout if patience is None else patience:g} s"
        )

    def _refuse_if_crowded(self) -> None:
        if self.state.is_crowded():
            raise self.exhausted(f"{len(self.state.waiters)} callers wait already (max_waiting)")

    def _holds_everything(self, holder: Any) -> bool:
        active = self.state.active
        return bool(active) and all(connection.holder == holder for connection in active)

    def _abandon(self, waiter: Waiter) -> None:
        """The caller was cancelled while waiting: what it was handed meanwhile goes back, so that nothing is lost."""
        with self._lock:
            if not waiter.delivered:
                self.state.leave(waiter)
                return
            if waiter.value is Grant.OPEN:
                self.state.open_failed()
            if waiter.value.__class__ is Grant:
                return
        self.release(waiter.value)

    def _open(self, deadline: float) -> Any:
        """Open a connection for the place that is reserved for it, trying again until `deadline`."""
        delay = _FIRST_RETRY
        try:
            while True:
                try:
                    connection = self._connect()
                    break
                except DatabaseUnavailable as exc:
                    self.last_failure = exc
                    self.state.errors += 1
                    if not exc.transient or perf_counter() + delay > deadline or self.state.refusal:
                        raise
                sleep(delay)
                delay = min(delay * 2, _LONGEST_RETRY)
        except BaseException:
            with self._lock:
                self.state.open_failed()
                self._tell_release()
            raise
        with self._lock:
            self.state.opened(connection)
        return connection

    def _replace(self, dead: Any) -> Any:
        """Another connection in place of one that died while idle; the other idle ones are taken to share its fate."""
        with self._lock:
            self.state.discard(dead, "died while idle")
            others = self.state.evict_idle("died while idle")
            self.state.requests -= 1
        for connection in (dead, *others):
            connection.close()
        logger.info("%s: %d idle connections were dead and are replaced", self.name, 1 + len(others))
        return self.acquire()

    # -- return ----------------------------------------------------------------------------------------------------

    def release(self, connection: Any) -> None:
        """Give a connection back; what its user left open is rolled back."""
        usable = False
        try:
            usable = connection.is_clean() or connection.reset()
        finally:
            with self._lock:
                reason = self.state.give_back(connection, perf_counter(), usable)
                connection.holder = None
                if self.state.paused:
                    self._on_release()
            if reason is not None:
                logger.debug("%s: connection closed: %s", self.name, reason)
                connection.close()

    def _tell_release(self) -> None:
        if self.state.paused:
            self._on_release()

    # -- upkeep ----------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Open connections up to the minimum. Raises `DatabaseUnavailable` if one cannot be opened."""
        with self._lock:
            lacking = self.state.lacking()
        for number in range(lacking):
            try:
                connection = self._connect()
            except BaseException as exc:
                with self._lock:
                    for _ in range(lacking - number):
                        self.state.open_failed()
                    self.state.errors += 1
                    self._tell_release()
                if isinstance(exc, DatabaseUnavailable):
                    self.last_failure = exc
                raise
            with self._lock:
                self.state.opened(connection)
            self.release(connection)

    def keep_house(self) -> None:
        """Close what has expired and open what is lacking; a failure is noted and left to the next round."""
        with self._lock:
            closing = self.state.expired(perf_counter())
        for connection in closing:
            connection.close()
        try:
            self.fill()
        except DatabaseUnavailable as exc:
            logger.warning("%s: cannot open a connection: %s", self.name, exc)

    def refuse(self, grant: Grant) -> None:
        """Serve nobody any more: `grant` says why. Connections in use are closed when they are given back."""
        with self._lock:
            closing = self.state.refuse(grant)
        for connection in closing:
            connection.close()

    # -- figures ---------------------------------------------------------------------------------------------------

    def holders(self) -> list[dict[str, Any]]:
        """Who holds a connection: ``[{thread, task, seconds, where}]``, the longest first."""
        now = perf_counter()
        held = [connection for connection in list(self.state.active) if connection.holder is not None]
        found = []
        for connection in sorted(held, key=lambda connection: float(connection.held_since)):
            holder = connection.holder
            thread, task = describe_holder(holder)
            found.append(
                {
                    "thread": thread,
                    "task": task,
                    "seconds": round(now - connection.held_since, 3),
                    "where": connection.where or live_place(holder),
                }
            )
        return found

    def exhausted(self, problem: str) -> PoolExhausted:
        """The error with the numbers and the holders in it."""
        state = self.state
        holders = self.holders()
        numbers = {
            "active": len(state.active),
            "idle": len(state.idle),
            "max": state.maximum,
            "waiting": len(state.waiters),
            "requests": state.requests,
            "timeouts": state.timeouts,
        }
        places = "; ".join(
            f"{holder['task'] or holder['thread']} for {holder['seconds']:.1f} s at {holder['where']}"
            for holder in holders[:5]
        )
        message = (
            f"{self.name}: {problem}; {numbers['active']} of {numbers['max']} in use, {numbers['waiting']} waiting"
            + (f"; held by {places}" if places else "")
            + (f"; the last connection attempt failed: {self.last_failure}" if self.last_failure else "")
        )
        return PoolExhausted(message, stats=numbers, holders=holders)
