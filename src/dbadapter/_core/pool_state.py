"""The state of a pool's connections, and what happens to them: who gets one, who waits, which are closed and why.

Nothing here waits, locks or asks for the time: the shells call it under their lock and do what it answers. At every
moment ``idle + active + opening <= max``; whoever is told to open a connection holds the place for it until it reports
back with `opened` or `open_failed`.

An interruption (Ctrl-C) may strike between any two steps, also just before somebody would have reported back. What is
in use is therefore in use only as long as somebody refers to it: see `forgotten`.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from sys import getrefcount
from typing import Any, Generic, Protocol, TypeVar, final

import attrs

from ..config import PoolConfig

__all__ = ["Grant", "Place", "PoolState", "PooledConnection", "QueuedCaller", "WaitTimes"]

# A replaced connection's lifetime is shortened by up to this share, so that not all are replaced at once.
_LIFETIME_SPREAD = 0.1
_WAIT_SAMPLES = 1000
# The expiry of a connection that is to be closed as soon as it is given back.
_NOW = float("-inf")
_NEVER = float("inf")


class PooledConnection(Protocol):
    """What the state reads of a connection; times are seconds of one monotonic clock.

    Attributes:
        created_at: when it was opened.
        expires_at: when its lifetime ends; `opened` sets it.
        released_at: when it was given back last.
        holder: the thread or task that has it; None while nobody does.
    """

    created_at: float
    expires_at: float
    released_at: float
    holder: Any


class QueuedCaller(Protocol):
    """What the state does with a caller that waits in line.

    Attributes:
        holder: the thread or task that it is.
    """

    holder: Any

    def deliver(self, value: Any) -> None:
        """Hand over a connection or a `Grant`, and wake the caller."""

    def nudge(self) -> None:
        """Wake the caller, to look whether a connection was left for it."""


C = TypeVar("C", bound=PooledConnection)


@final
class Grant(enum.Enum):
    """What a caller gets instead of a connection."""

    WAIT = "all are in use"
    HELD_BACK = "the pool hands out nothing while its backend is being switched"
    MOVED = "these connections are no longer the ones to use: ask again"
    CLOSED = "the pool was closed"
    FORKED = "the pool is the parent process': begin one of your own"
    UNSAFE = "the pool is the parent process', and cannot be begun anew"


@final
class Place:
    """What a caller gets that is to open a connection itself: a place is reserved for it as long as it keeps this."""

    __slots__ = ()


T = TypeVar("T")


def _ours_alone(things: Iterable[T]) -> list[T]:
    """Those of `things` that nobody refers to but their container."""
    return [thing for thing in things if getrefcount(thing) <= _REFERENCES]


# How many that are: measured, since it is up to the interpreter what it counts.
_REFERENCES = [getrefcount(thing) for thing in {object()}].pop()


class WaitTimes:
    """How long callers waited; percentiles are over the last 1,000 requests, those that got one at once included."""

    __slots__ = ("_recent", "longest", "total", "waited")

    def __init__(self) -> None:
        self._recent: deque[tuple[int, float]] = deque(maxlen=_WAIT_SAMPLES)
        self.total = self.longest = 0.0
        self.waited = 0

    def add(self, request: int, seconds: float) -> None:
        """Note that request number `request` waited."""
        self._recent.append((request, seconds))
        self.waited += 1
        self.total += seconds
        self.longest = max(self.longest, seconds)

    def summary(self, requests: int) -> dict[str, float]:
        """Mean over all requests, percentiles over the recent ones, and the maximum, in milliseconds."""
        # A copy, made in one step: callers go on noting their waits meanwhile.
        noted = self._recent.copy()
        recent = sorted(seconds for request, seconds in noted if request > requests - _WAIT_SAMPLES)
        window = min(requests, _WAIT_SAMPLES)

        def quantile(share: float) -> float:
            rank = int(share * window) - (window - len(recent))  # the others waited 0 s and sort first
            return 0.0 if rank < 0 or not recent else recent[min(rank, len(recent) - 1)]

        mean = self.total / requests if requests else 0.0
        figures = {"mean": mean, "p50": quantile(0.5), "p95": quantile(0.95), "max": self.longest}
        return {name: round(seconds * 1000, 3) for name, seconds in figures.items()}


@attrs.define(eq=False)
class PoolState(Generic[C]):
    """One set of interchangeable connections.

    Attributes:
        minimum, maximum: limits on the number of connections.
        idle: unused connections, the most recently used last (it is taken first, so that the others can expire).
        active: connections in use, and those that were until their users were interrupted.
        waiters: callers in the order they came; held_back: those that came while paused.
        turn: for so many seconds the one that has the connection may take it again ahead of those that wait: waking
            another thread for each use costs more than many uses do. Only where there is no more than one connection.
        surplus: connections in use to be closed on return, because the limit was lowered.
        outdated: why connections in use whose time is up before their lifetime are to be closed.
    """

    minimum: int
    maximum: int
    max_waiting: int | None
    idle_timeout: float
    max_lifetime: float
    turn: float
    idle: deque[C] = attrs.field(factory=deque)
    active: set[C] = attrs.field(factory=set)
    opening: set[Place] = attrs.field(factory=set)
    waiters: deque[QueuedCaller] = attrs.field(factory=deque)
    held_back: deque[QueuedCaller] = attrs.field(factory=deque)
    paused: bool = False
    refusal: Grant | None = None
    surplus: int = 0
    outdated: str = "outdated"
    requests: int = 0
    timeouts: int = 0
    errors: int = 0
    created: int = 0
    recycled: int = 0
    leaks: int = 0
    waits: WaitTimes = attrs.field(factory=WaitTimes)
    reasons: dict[str, int] = attrs.field(factory=dict)
    _turn_ends: float = 0.0
    _in_turn: Any = None
    _told: QueuedCaller | None = None

    @classmethod
    def of(cls, config: PoolConfig, *, minimum: int, maximum: int, turn: float = 0.0) -> PoolState[C]:
        """A state with the config's times."""
        return cls(
            minimum=minimum,
            maximum=maximum,
            max_waiting=config.max_waiting,
            idle_timeout=config.idle_timeout,
            max_lifetime=config.max_lifetime,
            turn=turn,
        )

    # -- checkout and return ---------------------------------------------------------------------------------------

    def take(self, entitled: bool = False, holder: Any = None) -> C | Place | Grant:
        """A connection for `holder`, or what to do instead. `entitled` ones are served while the pool is paused."""
        self.requests += 1
        if self.refusal is not None:
            return self.refusal
        if self.paused and not entitled:
            return Grant.HELD_BACK
        if self.idle and (self.paused or not self.waiters or holder == self._in_turn):
            connection = self.idle.pop()
            self.active.add(connection)
            return connection
        if self.size < self.maximum:
            return self._reserve()
        return Grant.WAIT

    def _reserve(self) -> Place:
        place = Place()
        self.opening.add(place)
        return place

    def take_next(self, waiter: QueuedCaller, now: float) -> C | float:
        """The connection that was left idle, for the `waiter` next in line; else when it is to look again."""
        if not self.waiters or self.waiters[0] is not waiter:
            return _NEVER
        if not self.idle:
            # It was taken again at once, and so most likely will be until the turn ends.
            return self._turn_ends if self._turn_ends > now else _NEVER
        self.waiters.popleft()
        self._begin_turn(now)
        return self.take_idle()

    def _begin_turn(self, now: float) -> None:
        self._turn_ends = now + self.turn
        self._in_turn = self._told = None

    def take_idle(self) -> C:
        """The connection that was used last, for somebody who has waited for it in another way."""
        connection = self.idle.pop()
        self.active.add(connection)
        return connection

    def is_crowded(self) -> bool:
        """No more callers may wait."""
        return self.max_waiting is not None and len(self.waiters) >= self.max_waiting

    def opened(self, place: Place, connection: C) -> None:
        """A connection was opened for the reserved place, and is in use."""
        self.opening.discard(place)
        self.created += 1
        spread = _LIFETIME_SPREAD * (self.created % 10) / 10
        connection.expires_at = connection.created_at + self.max_lifetime * (1 - spread)
        self.active.add(connection)

    def open_failed(self, place: Place) -> None:
        """The reserved place is free again; the next in line may try."""
        self.opening.discard(place)
        self._offer_place()

    def give_back(self, connection: C, now: float, usable: bool) -> str | None:
        """Take a connection back: to the next in line, or to the idle ones. A reason means: close it."""
        self.active.discard(connection)
        if not usable or now > connection.expires_at or self.refusal is not None or self.surplus:
            reason = self._reason_to_close(usable, connection)
            self._retire(reason)
            return reason
        if self.waiters and now >= self._turn_ends:
            self._begin_turn(now)
            self.active.add(connection)
            self.waiters.popleft().deliver(connection)
            return None
        connection.released_at = now
        self.idle.append(connection)
        if not self.waiters:
            self._turn_ends = now + self.turn
            return None
        self._in_turn = connection.holder
        if self._told is not self.waiters[0]:
            self._told = self.waiters[0]
            self.waiters[0].nudge()
        return None

    def _reason_to_close(self, usable: bool, connection: C) -> str:
        if connection.expires_at == _NOW:
            return self.outdated
        if not usable:
            return "broken"
        if self.refusal is not None:
            return "pool closed"
        if self.surplus:
            return "pool shrunk"
        return "lifetime"

    def _retire(self, reason: str) -> None:
        self.recycled += 1
        if self.surplus:
            self.surplus = max(self.size - self.maximum, 0)
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        self._offer_place()

    def _offer_place(self) -> None:
        if self.waiters and self.size < self.maximum and self.refusal is None:
            self.waiters.popleft().deliver(self._reserve())

    def discard(self, connection: C, reason: str) -> None:
        """A connection in use is of no more use, or to nobody."""
        self.active.discard(connection)
        self._retire(reason)

    def leave(self, waiter: QueuedCaller) -> None:
        """A waiter that got nothing goes away."""
        for queue in (self.waiters, self.held_back):
            if waiter in queue:
                queue.remove(waiter)
        if self.turn and self.idle and self.waiters:
            self.waiters[0].nudge()  # it may have been the one that was to take it

    # -- upkeep ----------------------------------------------------------------------------------------------------

    def expired(self, now: float) -> list[C]:
        """Idle connections to close now: too old, or unused for too long and more than the minimum."""
        closing: list[C] = []
        for connection in list(self.idle):
            unused = now - connection.released_at > self.idle_timeout and self.size > self.minimum
            if unused or now > connection.expires_at:
                self.idle.remove(connection)
                closing.append(connection)
                self._retire("idle" if unused else "lifetime")
        return closing

    def forgotten(self) -> list[C]:
        """Connections in use that nobody has any more, to be closed: whoever had them was interrupted.

        With them go places that were reserved, and the first in line if nobody waits as that one: what others further
        back are handed will be forgotten with them. As long as a traceback shows where the interruption struck, it
        refers to all of these.
        """
        while _ours_alone(islice(self.waiters, 1)):
            self.leave(self.waiters[0])
        for place in _ours_alone(self.opening):
            self.open_failed(place)
        closing = _ours_alone(self.active)
        for connection in closing:
            self.discard(connection, "forgotten")
        for _ in range(len(self.waiters)):
            self._offer_place()
        return closing

    def lacking(self) -> list[Place]:
        """Places for the connections to open to have the minimum."""
        count = 0 if self.refusal or self.paused else max(self.minimum - self.size, 0)
        return [self._reserve() for _ in range(count)]

    def evict_idle(self, reason: str) -> list[C]:
        """Every idle connection, to be closed: they share a fault."""
        closing = list(self.idle)
        self.idle.clear()
        for _ in closing:
            self._retire(reason)
        return closing

    def discard_idle(self, reason: str, is_dead: Callable[[C], bool]) -> list[C]:
        """Those idle connections that `is_dead` says are of no more use, to be closed."""
        closing = [connection for connection in self.idle if is_dead(connection)]
        for connection in closing:
            self.idle.remove(connection)
            self._retire(reason)
        return closing

    def evict(self, reason: str) -> list[C]:
        """Every idle connection, to be closed now; those in use are closed when they are given back."""
        self.outdated = reason
        for connection in self.active:
            connection.expires_at = _NOW
        return self.evict_idle(reason)

    def resize(self, minimum: int, maximum: int) -> list[C]:
        """Change the limits: those that wait go on, and what is too many is to be closed, now or on return."""
        self.minimum, self.maximum = minimum, maximum
        closing: list[C] = []
        while self.idle and self.size > maximum:
            closing.append(self.idle.popleft())
            self._retire("pool shrunk")
        self.surplus = max(self.size - maximum, 0)
        for _ in range(len(self.waiters)):
            self._offer_place()
        return closing

    def dismiss(self) -> None:
        """Send away all that wait for a connection: they will find one elsewhere."""
        for waiter in self.waiters:
            waiter.deliver(Grant.MOVED)
        self.waiters.clear()

    # -- switching and closing -------------------------------------------------------------------------------------

    def pause(self, is_entitled: Callable[[Any], bool]) -> None:
        """Hand out nothing more, except to those that are in the middle of something."""
        self.paused = True
        self.held_back.extend(waiter for waiter in self.waiters if not is_entitled(waiter.holder))
        self.waiters = deque(waiter for waiter in self.waiters if is_entitled(waiter.holder))

    def resume(self) -> None:
        """Go on as before; those held back are served first."""
        self.paused, self._told = False, None  # whoever was told has not looked since
        self.waiters.extend(self.held_back)
        self.held_back.clear()
        while self.waiters and self.idle:
            connection = self.idle.pop()
            self.active.add(connection)
            self.waiters.popleft().deliver(connection)
        for _ in range(len(self.waiters)):
            self._offer_place()

    def refuse(self, grant: Grant) -> list[C]:
        """Serve nobody any more and tell all that wait; the idle connections are to be closed."""
        self.refusal = grant
        for waiter in (*self.waiters, *self.held_back):
            waiter.deliver(grant)
        self.waiters.clear()
        self.held_back.clear()
        closing = list(self.idle)
        self.idle.clear()
        return closing

    # -- figures ---------------------------------------------------------------------------------------------------

    def in_use(self) -> list[C]:
        """Those of the active connections that somebody has, see `forgotten`.

        A copy, made in one step: callers go on taking connections meanwhile, and giving them back.
        """
        active = list(self.active)
        return [
            connection for connection in active if getrefcount(connection) > _REFERENCES + 1
        ]  # the list's own

    @property
    def size(self) -> int:
        """Connections there are, those being opened included."""
        return len(self.idle) + len(self.active) + len(self.opening)

    @property
    def is_busy(self) -> bool:
        """Something is in use, or about to be."""
        return bool(self.active or self.opening or self.waiters)
