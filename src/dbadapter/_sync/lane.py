# Generated from src/dbadapter/_async/lane.py by tools/unasync.py; do not edit.
"""A lane: interchangeable connections to one node (a Postgres server; SQLite's writer, or its readers) and their queue.

Whoever waits is served in order, by whoever gives a connection back (SQLite's writer: when its turn is over). All
decisions are `PoolState`'s, taken under the lock that the lanes of a pool share; opening and closing happen outside it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._concurrency._threads import Holder, Waiter, current_holder
from .._core.pool_state import Grant, Place, PoolState
from ..config import PoolConfig
from ..errors import DatabaseUnavailable, PoolClosed, PoolExhausted
from .holders import Holders

if TYPE_CHECKING:
    from .cluster import Cluster
    from .connection import Connection

__all__ = ["Lane", "PoolMoved", "close_all"]

logger = logging.getLogger("dbadapter.pool")

_FIRST_RETRY, _LONGEST_RETRY = 0.02, 0.25
# A caller that holds every connection waits this long: for a stream it has dropped, which an event loop closes later.
_PATIENCE_IN_VAIN = 0.25
# Whoever has waited for so long (s) looks whether somebody was interrupted who had a connection.
_LONG_WAIT = 0.02
_NEVER = float("inf")
# How often a caller that a switch holds back looks whether it was called off (s).
_PAUSE_POLL = 0.1


class PoolMoved(PoolClosed):
    """The connections to use are others since the caller began to wait: it is to ask for those.

    The app has switched to another backend, or another server has become the primary.
    """


class Lane:
    """The connections of one node in one role.

    Attributes:
        serves_writes: writers wait here for their server to come back; readers of a replica have others to ask.
        cluster: the servers that this one belongs to, if there are several.
        holders: who holds its connections.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Connection],
        config: PoolConfig,
        *,
        minimum: int,
        maximum: int,
        lock: threading.Lock,
        on_release: Callable[[], None],
        entitled: Callable[[Holder], bool],
        stats: Callable[[], dict[str, Any]],
        start_anew: Callable[[], None],
        probe_after: float = 0.0,
        turn: float = 0.0,
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
            stats: the pool's figures, for the error when it is exhausted.
            start_anew: makes the pool this process' own, after a fork.
            probe_after: a connection that was idle for longer (s) is looked at before use, without a round trip.
            turn: see `PoolState`.
        """
        self.name = name
        self.serves_writes = True
        self.cluster: Cluster | None = None
        self.state: PoolState[Connection] = PoolState.of(config, minimum=minimum, maximum=maximum, turn=turn)
        self.last_failure: DatabaseUnavailable | None = None
        self._connect = connect
        self._timeout = config.connection_timeout
        self._lock = lock
        self._on_release = on_release
        self._entitled = entitled
        self._stats = stats
        self._start_anew = start_anew
        self._probe_after = probe_after
        self.holders = Holders(name, self.state, config.leak_threshold)

    # -- checkout --------------------------------------------------------------------------------------------------

    def acquire(self, where: str | None = None, *, patience: float | None = None) -> Connection:
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
            got = state.take(state.paused and (patience is not None or self._entitled(holder)), holder)
        # Quicker than isinstance, which asks an enumeration's metaclass.
        if type(got) is Grant or type(got) is Place:
            got = self._acquire_slowly(got, patience)
        got.held_since = now = perf_counter()
        if now - got.released_at > self._probe_after and not got.is_alive():
            got = self._replace(got, patience)
        got.holder = holder
        got.where = where
        return got

    def _acquire_slowly(self, grant: Grant | Place, patience: float | None) -> Connection:
        """Wait, or open a connection, as `grant` says."""
        got: Connection | Grant | Place = grant
        started = perf_counter()
        deadline = started + (self._timeout if patience is None else patience)
        if got is Grant.WAIT or got is Grant.HELD_BACK:
            got = self._wait(deadline, patience)
            with self._lock:
                self.state.waits.add(self.state.requests, perf_counter() - started)
        if isinstance(got, Place):
            return self._open(got, deadline)
        if not isinstance(got, Grant):
            return got
        if got is Grant.CLOSED:
            raise PoolClosed(f"the pool of {self.name} is closed")
        if got is Grant.UNSAFE:
            raise PoolClosed(
                f"{self.name} was in use by another thread when this process was forked, so it cannot be used here: "
                "fork before opening it, or start the process with multiprocessing's 'spawn'"
            )
        if got is Grant.FORKED:
            self._start_anew()
        raise PoolMoved(f"the connections of {self.name} are no longer the ones to use")

    def _wait(self, deadline: float, patience: float | None) -> Connection | Grant | Place:
        """Stand in line until `deadline`; what is handed over, or what to do instead. Raises `PoolExhausted`."""
        waiter = Waiter()
        state = self.state
        with self._lock:
            # What the answer was based on may have changed since the lock was released: ask again, then queue.
            state.requests -= 1
            entitled = state.paused and (patience is not None or self._entitled(waiter.holder))
            got = state.take(entitled, waiter.holder)
            is_crowded = got is Grant.WAIT and state.is_crowded()
            in_vain = got is Grant.WAIT and self._holds_everything(waiter.holder)
            if got is Grant.HELD_BACK:
                state.held_back.append(waiter)
            elif got is Grant.WAIT and not is_crowded:
                state.waiters.append(waiter)
        if is_crowded:
            raise self.exhausted(f"{state.max_waiting} callers wait already (max_waiting)")
        if got is not Grant.WAIT and got is not Grant.HELD_BACK:
            return got
        if in_vain:
            deadline = min(deadline, perf_counter() + _PATIENCE_IN_VAIN)
        try:
            self._stand_in_line(waiter, deadline)
            if patience is None and not waiter.delivered and waiter in state.held_back:
                self._outwait_pause(waiter)
        except BaseException:
            self._abandon(waiter)
            raise
        if not waiter.delivered:
            with self._lock:
                if not waiter.delivered:
                    state.leave(waiter)
                    state.timeouts += 1
        if waiter.delivered:
            delivered: Connection | Grant | Place = waiter.value
            return delivered
        if in_vain:
            raise self.exhausted(
                "the caller itself holds every connection, so waiting would never end; inside a transaction use the "
                "transaction's own methods (tx.execute, tx.fetch_all), or give the stream or connection back first",
            )
        raise self.exhausted(
            f"no connection became free within {self._timeout if patience is None else patience:g} s"
        )

    def _outwait_pause(self, waiter: Waiter) -> None:
        """Go on waiting while a switch holds the pool: that is short, and has a time limit of its own."""
        while not waiter.delivered and waiter in self.state.held_back:
            self._stand_in_line(waiter, perf_counter() + _PAUSE_POLL)
        if not waiter.delivered:  # it was called off: only now does the wait for a connection begin
            self._stand_in_line(waiter, perf_counter() + self._timeout)

    def _stand_in_line(self, waiter: Waiter, deadline: float) -> None:
        """Wait in line until something is delivered, or was left for the next to take, or until `deadline`."""
        look_at = perf_counter() + _LONG_WAIT
        until = min(look_at, deadline)
        while not waiter.delivered:
            waiter.wait(until - perf_counter())
            if waiter.delivered:  # the usual case, which needs no lock
                return
            now = perf_counter()
            with self._lock:
                if waiter.delivered:
                    return
                waiter.rearm()
                found = self.state.take_next(waiter, now)
                if not isinstance(found, float):
                    waiter.deliver(found)
                    return
            if now >= deadline:
                return
            if now >= look_at:
                look_at = _NEVER
                self.take_back()
            until = min(found, look_at, deadline)

    def _holds_everything(self, holder: Holder) -> bool:
        active = self.state.active
        return bool(active) and all(connection.holder == holder for connection in active)

    def _abandon(self, waiter: Waiter) -> None:
        """The caller was cancelled while waiting: what it was handed meanwhile goes back, so that nothing is lost."""
        with self._lock:
            if not waiter.delivered:
                self.state.leave(waiter)
                return
            if isinstance(waiter.value, Place):
                self.state.open_failed(waiter.value)
            if isinstance(waiter.value, Grant | Place):
                return
        self.release(waiter.value)

    def _open(self, place: Place, deadline: float) -> Connection:
        """Open a connection for the place that is reserved for it, trying again until `deadline`.

        Between two attempts, what somebody gives back will do as well: the server may have no room for more.
        """
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
                    if not self.serves_writes:
                        raise
                got = self._wait_for_another(delay)
                if got is not None:
                    with self._lock:
                        self.state.open_failed(place)
                    return got
                delay = min(delay * 2, _LONGEST_RETRY)
        except BaseException:
            with self._lock:
                self.state.open_failed(place)
                self._tell_release()
            raise
        with self._lock:
            self.state.opened(place, connection)
        return connection

    def _wait_for_another(self, seconds: float) -> Connection | None:
        """A connection that is, or becomes, free within `seconds`, or None."""
        waiter = Waiter()
        with self._lock:
            if self.state.idle:
                return self.state.take_idle()
            self.state.waiters.append(waiter)
        try:
            self._stand_in_line(waiter, perf_counter() + seconds)
        except BaseException:
            self._abandon(waiter)
            raise
        with self._lock:
            if not waiter.delivered:
                self.state.leave(waiter)
                return None
            if isinstance(waiter.value, Place):  # we have one already
                self.state.open_failed(waiter.value)
                return None
        if isinstance(waiter.value, Grant):
            return self._acquire_slowly(waiter.value, None)
        connection: Connection = waiter.value
        return connection

    def _replace(self, dead: Connection, patience: float | None) -> Connection:
        """Another connection in place of one that died while idle, as others may have that are idle."""
        with self._lock:
            self.state.discard(dead, "died while idle")
            others = self.state.discard_idle("died while idle", lambda connection: not connection.is_alive())
            self.state.requests -= 1
        for connection in (dead, *others):
            connection.close()
        logger.info("%s: %d idle connections were dead and are replaced", self.name, 1 + len(others))
        return self.acquire(patience=patience)

    # -- return ----------------------------------------------------------------------------------------------------

    def release(self, connection: Connection) -> None:
        """Give a connection back; what its user left open is rolled back."""
        if self.holders.leaked:
            self.holders.note_return(connection)
        try:
            usable = connection.is_clean() or connection.reset()
        except BaseException:
            with self._lock:
                self.state.discard(connection, "interrupted")
                self._tell_release()
            connection.close()
            raise
        with self._lock:
            reason = self.state.give_back(connection, perf_counter(), usable)
            connection.holder = None
            if self.state.paused:
                self._on_release()
        if reason is not None:
            logger.debug("%s: connection closed: %s", self.name, reason)
            connection.close()

    def take_back(self) -> None:
        """Close what is in use but has been forgotten by whoever had it, see `PoolState.forgotten`."""
        with self._lock:
            closing = self.state.forgotten()
            if closing:
                self._tell_release()
        for connection in closing:
            self.holders.note_return(connection)
            logger.debug("%s: connection closed: forgotten", self.name)
            connection.close()

    def _tell_release(self) -> None:
        if self.state.paused:
            self._on_release()

    # -- upkeep ----------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Open connections up to the minimum. Raises `DatabaseUnavailable` if one cannot be opened."""
        with self._lock:
            lacking = self.state.lacking()
        while lacking:
            try:
                connection = self._connect()
            except BaseException as exc:
                with self._lock:
                    for place in lacking:
                        self.state.open_failed(place)
                    self.state.errors += 1
                    self._tell_release()
                if isinstance(exc, DatabaseUnavailable):
                    self.last_failure = exc
                raise
            with self._lock:
                self.state.opened(lacking.pop(), connection)
            self.release(connection)

    def keep_house(self, *, fill: bool = True) -> None:
        """Close what has expired and open what is lacking; a failure is noted and left to the next round."""
        with self._lock:
            closing = self.state.expired(perf_counter())
        close_all(closing)
        self.take_back()
        self.holders.report_leaks()
        if not fill:
            return
        try:
            self.fill()
        except DatabaseUnavailable as exc:
            logger.warning("%s: cannot open a connection: %s", self.name, exc)

    def refuse(self, grant: Grant) -> None:
        """Serve nobody any more: `grant` says why. Connections in use are closed when they are given back."""
        with self._lock:
            closing = self.state.refuse(grant)
        close_all(closing)

    def resize(self, minimum: int, maximum: int) -> None:
        """Change the limits, and go there. Raises `DatabaseUnavailable` if a connection cannot be opened."""
        with self._lock:
            closing = self.state.resize(minimum, maximum)
        close_all(closing)
        self.fill()

    def evict(self, reason: str) -> None:
        """Close the idle connections now, and those in use when they are given back."""
        with self._lock:
            closing = self.state.evict(reason)
        close_all(closing)

    def visit(self) -> Connection:
        """A connection outside the pool, for one question; the caller closes it. Raises `DatabaseUnavailable`."""
        return self._connect()

    def disown(self, lock: threading.Lock) -> bool:
        """In a forked child: leave the parent's connections alone. False if what is open cannot be left safely."""
        self._lock = lock
        idle, active = list(self.state.idle), list(self.state.active)
        answers = [connection.disown(in_use=False) for connection in idle]
        answers += [connection.disown(in_use=True) for connection in active]
        self.state.idle.clear()
        self.state.active.clear()
        self.state.waiters.clear()
        self.state.held_back.clear()
        self.state.refusal = Grant.FORKED
        return all(answers)

    def exhausted(self, problem: str) -> PoolExhausted:
        """The error with the numbers and the holders in it."""
        state = self.state
        holders = self.holders.listed()
        places = "; ".join(
            f"{holder['task'] or holder['thread']} for {holder['seconds']:.1f} s at {holder['where']}"
            for holder in holders[:5]
        )
        message = (
            f"{self.name}: {problem}; {len(state.active)} of {state.maximum} in use, {len(state.waiters)} waiting"
            + (f"; held by {places}" if places else "")
            + (f"; the last connection attempt failed: {self.last_failure}" if self.last_failure else "")
        )
        return PoolExhausted(message, stats=self._stats(), holders=holders)


def close_all(connections: Iterable[Connection]) -> None:
    """Close connections that the state has let go."""
    for connection in connections:
        connection.close()
