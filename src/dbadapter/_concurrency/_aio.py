"""Tasks of one event loop: waiters, holders, background work."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar
from time import perf_counter
from types import FrameType
from typing import Any, TypeVar

from .._core.consistency import NEVER
from ._frames import is_ours, place

__all__ = [
    "TURN",
    "Errand",
    "Holder",
    "Lock",
    "Periodic",
    "Poller",
    "Waiter",
    "beside",
    "current_holder",
    "describe_holder",
    "last_write",
    "live_place",
    "note_write",
    "sleep",
    "to_the_end",
    "wait_readable",
]

T = TypeVar("T")

logger = logging.getLogger("dbadapter.pool")

TURN = 0.0
"""For how long (s) a task may take the only connection again ahead of those that wait: not at all, since handing it to
another task costs next to nothing. Compare `_threads.TURN`."""

Lock = asyncio.Lock
Holder = asyncio.Task[Any] | None
sleep = asyncio.sleep
current_holder = asyncio.current_task

beside = asyncio.to_thread  # what would block the event loop runs in a thread beside it


class Waiter:
    """One caller that waits for one thing; delivering it, and giving up, are done under the pool's lock."""

    __slots__ = ("_future", "_loop", "delivered", "holder", "value")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._future: asyncio.Future[None] = self._loop.create_future()
        self.delivered = False
        self.value: Any = None
        self.holder = asyncio.current_task()

    def deliver(self, value: Any) -> None:
        """Hand over `value` and wake the waiter; once only, under the pool's lock."""
        self.value, self.delivered = value, True
        self.nudge()

    def nudge(self) -> None:
        """Wake the waiter, to look for itself."""
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self, timeout: float) -> None:
        """Return when something was delivered, or there was a nudge, or `timeout` seconds have passed."""
        alarm = self._loop.call_later(max(timeout, 0), self.nudge)
        try:
            await self._future
        finally:
            alarm.cancel()

    def rearm(self) -> None:
        """Get ready to wait again."""
        if self._future.done():
            self._future = self._loop.create_future()


class Periodic:
    """Calls a function every `interval` seconds in a task of its own, until stopped."""

    def __init__(self, function: Callable[[], Awaitable[None]], interval: float, name: str) -> None:
        self._function, self._interval, self._name = function, interval, name
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await self._function()

    async def stop(self) -> None:
        """Stop, and wait for a call under way."""
        task, self._task = self._task, None
        if task is None or task is asyncio.current_task():
            return
        if task.get_loop() is not asyncio.get_running_loop():
            return  # it has ended with its loop
        task.cancel()
        await asyncio.wait([task])


async def wait_readable(descriptors: Iterable[int], timeout: float) -> set[int]:
    """Which of these sockets have something to read, as soon as one has; none after `timeout` seconds."""
    loop = asyncio.get_running_loop()
    watched, ready = list(descriptors), set[int]()
    future: asyncio.Future[None] = loop.create_future()

    def wake(descriptor: int | None = None) -> None:
        if descriptor is not None:
            ready.add(descriptor)
        if not future.done():
            future.set_result(None)

    alarm = loop.call_later(max(timeout, 0), wake)
    try:
        for descriptor in watched:
            loop.add_reader(descriptor, wake, descriptor)
        await future
    finally:
        alarm.cancel()
        for descriptor in watched:
            loop.remove_reader(descriptor)
    return ready


class Poller:
    """Calls a function again and again in a task of its own; it answers after how many seconds it is due again.

    Attributes:
        spacing: seconds from the end of a call to the next one, however often it is nudged.
    """

    def __init__(self, function: Callable[[], Awaitable[float]], name: str) -> None:
        self.spacing = 0.0
        self._function, self._name = function, name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._run(), name=self._name)

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                due = await self._function()
            except Exception:  # if it ended, everybody would go on believing what it found last
                logger.exception("%s failed, and goes on", self._name)
                due = 1.0
            await asyncio.sleep(min(self.spacing, due))
            with suppress(TimeoutError):
                async with asyncio.timeout(max(due - self.spacing, 0)):
                    await self._wake.wait()

    def nudge(self) -> None:
        """Have it called soon, from whichever thread."""
        if self._wake.is_set() or self._loop is None:
            return
        if asyncio._get_running_loop() is self._loop:
            self._wake.set()
        else:
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._wake.set)

    async def stop(self) -> None:
        """Stop, and wait for a call under way."""
        task, self._task = self._task, None
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            return
        task.cancel()
        await asyncio.wait([task])


async def to_the_end(
    function: Callable[[], Awaitable[T]], *, hurry: Callable[[], object] = lambda: None
) -> T:
    """Await what must not be left half done: if the task is cancelled meanwhile, that takes effect afterwards.

    `hurry` is called in that case, to bring the end about soon.
    """
    task = asyncio.ensure_future(function())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        hurry()
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        task.exception()
        raise


class Errand:
    """A job that one waits for only so long, while it goes on by itself; there is never more than one of it."""

    def __init__(self, function: Callable[[], Awaitable[Any]]) -> None:
        self._function = function
        self._task: asyncio.Task[Any] | None = None

    async def run(self, timeout: float) -> Any:
        """What the job returned; None if it is still under way after `timeout` seconds."""
        if self._task is None or self._task.get_loop() is not asyncio.get_running_loop():
            self._task = asyncio.get_running_loop().create_task(self._call(), name="dbadapter-errand")
        task = self._task
        await asyncio.wait([task], timeout=timeout)
        return task.result() if task.done() else None

    async def _call(self) -> Any:
        try:
            return await self._function()
        finally:
            self._task = None


def describe_holder(holder: Holder) -> tuple[str, str | None]:
    """The names of the holder's thread and task."""
    return threading.current_thread().name, holder.get_name() if holder else None


def live_place(holder: Holder) -> str | None:
    """Where the holder is in its own code at this moment, as ``file:line in function``."""
    if holder is None or holder.done():
        return None
    found: str | None = None
    awaitable: Any = holder.get_coro()
    while awaitable is not None:
        frame: FrameType | None = getattr(awaitable, "cr_frame", None) or getattr(awaitable, "ag_frame", None)
        if frame is not None and not is_ours(frame.f_code.co_filename):
            found = place(frame)
        awaitable = getattr(awaitable, "cr_await", None) or getattr(awaitable, "ag_await", None)
    return found


class _Session:
    """When one task wrote last, so that its reads do not miss that.

    A task begins with what the task that created it had written, and that one learns of what the new one writes. So a
    write through ``asyncio.gather`` or ``wait_for`` is seen by whoever awaited it, while tasks side by side do not wait
    for each other's writes.

    Attributes:
        own: when the task itself wrote last.
        wrote_at: when it wrote last, or one of the tasks that it created.
        parent: the session of the task that created it, or of the nearest one before that still runs.
        children: how many sessions have this one as their parent.
    """

    __slots__ = ("__weakref__", "_task", "children", "own", "parent", "wrote_at")
    parent: _Session | None

    def __init__(self, inherited: _Session | None) -> None:
        self._task = weakref.ref(task) if (task := asyncio.current_task()) is not None else None
        self.own = self.wrote_at = NEVER
        self.children = 0
        if inherited is not None:
            # While others of its tasks are at work, what they write is no business of this one.
            self.own = self.wrote_at = inherited.own if inherited.children else inherited.wrote_at
        while inherited is not None and not inherited.is_live():
            inherited = inherited.parent
        self.parent = inherited
        if inherited is not None:
            inherited.children += 1

    def __del__(self) -> None:
        if self.parent is not None:
            self.parent.children -= 1

    def is_of(self, task: object) -> bool:
        return self._task is not None and self._task() is task

    def is_live(self) -> bool:
        task = self._task() if self._task is not None else None
        return task is not None and not task.done()


# A task is given a copy of the context of the one that creates it, and with it that one's session.
_session: ContextVar[_Session | None] = ContextVar("dbadapter_session", default=None)


def _current_session() -> _Session:
    session = _session.get()
    if session is None or not session.is_of(asyncio.current_task()):
        session = _Session(session)
        _session.set(session)
    return session


def last_write() -> float:
    """When this task wrote last, as far as its reads are concerned; `NEVER` if it has not."""
    return _current_session().wrote_at


def note_write() -> None:
    """This task has written something that is acknowledged by now."""
    session: _Session | None = _current_session()
    assert session is not None
    session.own = now = perf_counter()
    while session is not None:
        session.wrote_at = now
        session = session.parent
