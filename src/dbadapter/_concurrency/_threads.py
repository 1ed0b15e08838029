"""Threads: waiters, holders, background work."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from ._frames import first_foreign_frame

__all__ = ["Holder", "Periodic", "Waiter", "current_holder", "describe_holder", "live_place", "sleep"]

Holder = int
sleep = time.sleep
current_holder = threading.get_ident


class Waiter:
    """One caller waiting for one thing; whoever delivers and the waiter agree under the pool's lock."""

    __slots__ = ("_lock", "delivered", "holder", "value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self.delivered = False
        self.value: Any = None
        self.holder = threading.get_ident()

    def deliver(self, value: Any) -> None:
        """Hand over `value` and wake the waiter; once only, under the pool's lock."""
        self.value, self.delivered = value, True
        self._lock.release()

    def wait(self, timeout: float) -> None:
        """Return when something was delivered or `timeout` seconds have passed."""
        self._lock.acquire(timeout=max(timeout, 0))


class Periodic:
    """Calls a function every `interval` seconds on a daemon thread, until stopped."""

    def __init__(self, function: Callable[[], None], interval: float, name: str) -> None:
        self._function, self._interval = function, interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._function()

    def stop(self) -> None:
        """Stop, and wait for a call under way."""
        self._stop.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()


def describe_holder(holder: Holder) -> tuple[str, str | None]:
    """The names of the holder's thread and task."""
    for thread in threading.enumerate():
        if thread.ident == holder:
            return thread.name, None
    return f"ended thread {holder}", None


def live_place(holder: Holder) -> str | None:
    """Where the holder is in its own code at this moment, as ``file:line in function``."""
    frame: FrameType | None = sys._current_frames().get(holder)
    return first_foreign_frame(frame)
