"""Tasks of one event loop: waiters, holders, background work."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from ._frames import is_ours, place

__all__ = ["Holder", "Periodic", "Waiter", "current_holder", "describe_holder", "live_place", "sleep"]

Holder = asyncio.Task[Any] | None
sleep = asyncio.sleep
current_holder = asyncio.current_task


class Waiter:
    """One caller waiting for one thing; whoever delivers and the waiter agree under the pool's lock."""

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
        self._wake()

    def _wake(self) -> None:
        if not self._future.done():
            self._future.set_result(None)

    async def wait(self, timeout: float) -> None:
        """Return when something was delivered or `timeout` seconds have passed."""
        if self._future.done() and not self.delivered:  # an earlier wait timed out, and left it done
            self._future = self._loop.create_future()
        alarm = self._loop.call_later(max(timeout, 0), self._wake)
        try:
            await self._future
        finally:
            alarm.cancel()


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
        task.cancel()
        await asyncio.wait([task])


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
