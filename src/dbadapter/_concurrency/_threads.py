"""Threads: waiters, holders, background work."""

from __future__ import annotations

import logging
import select
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from .._core.consistency import NEVER
from ._frames import first_foreign_frame

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

# A thread that waits for a server that has gone silent is left behind after this long; it is a daemon.
_STOP_PATIENCE = 3.0

TURN = 0.002
"""For how long (s) a thread may take the only connection again before it is handed to the next one: to wake a thread
costs as much as a short transaction. Locks whose fairness is "eventual" do the same, as those of WebKit, with half the
time; twice that takes 4 % off what eight writers need, more gains hardly anything."""

Lock = threading.Lock
Holder = int
sleep = time.sleep
current_holder = threading.get_ident


def beside(function: Callable[..., T], *args: Any) -> T:
    """Run `function` where it holds up nobody else; a thread can simply do it."""
    return function(*args)


class Waiter:
    """One caller that waits for one thing; delivering it, and giving up, are done under the pool's lock."""

    __slots__ = ("_lock", "_nudged", "delivered", "holder", "value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()
        self._nudged = False
        self.delivered = False
        self.value: Any = None
        self.holder = threading.get_ident()

    def deliver(self, value: Any) -> None:
        """Hand over `value` and wake the waiter; once only, under the pool's lock."""
        self.value, self.delivered = value, True
        self.nudge()

    def nudge(self) -> None:
        """Wake the waiter, to look for itself; under the pool's lock."""
        if not self._nudged:
            self._nudged = True
            self._lock.release()

    def wait(self, timeout: float) -> None:
        """Return when something was delivered, or there was a nudge, or `timeout` seconds have passed."""
        self._lock.acquire(timeout=max(timeout, 0))

    def rearm(self) -> None:
        """Get ready to wait again; under the pool's lock."""
        if self._nudged:
            self._nudged = False
            self._lock.acquire(blocking=False)  # unless `wait` has: it may have timed out at that very moment


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


def wait_readable(descriptors: Iterable[int], timeout: float) -> set[int]:
    """Which of these sockets have something to read, as soon as one has; none after `timeout` seconds."""
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poller.poll(max(timeout, 0) * 1000)}


class Poller:
    """Calls a function again and again on a daemon thread; it answers after how many seconds it is due again.

    Attributes:
        spacing: seconds from the end of a call to the next one, however often it is nudged.
    """

    def __init__(self, function: Callable[[], float], name: str) -> None:
        self.spacing = 0.0
        self._function, self._name = function, name
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                due = self._function()
            except Exception:  # if it ended, everybody would go on believing what it found last
                if self._stop.is_set():
                    return
                logger.exception("%s failed, and goes on", self._name)
                due = 1.0
            if not self._stop.wait(min(self.spacing, due)):
                self._wake.wait(max(due - self.spacing, 0))

    def nudge(self) -> None:
        """Have it called soon, from whichever thread."""
        if not self._wake.is_set():
            self._wake.set()

    def stop(self) -> None:
        """Stop, and wait for a call under way."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_STOP_PATIENCE)


def to_the_end(function: Callable[[], T]) -> T:
    """Do what must not be left half done; a thread is not cancelled."""
    return function()


class Errand:
    """A job that one waits for only so long, while it goes on by itself; there is never more than one of it."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._job: _Job | None = None

    def run(self, timeout: float) -> Any:
        """What the job returned; None if it is still under way after `timeout` seconds."""
        with self._lock:
            if self._job is None or self._job.ended.is_set():
                self._job = _Job(self._function)
                threading.Thread(target=self._job.run, name="dbadapter-errand", daemon=True).start()
            job = self._job
        if not job.ended.wait(timeout):
            return None
        if job.error is not None:
            raise job.error
        return job.value


class _Job:
    """One run of an errand."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self.ended = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None
        self._function = function

    def run(self) -> None:
        try:
            self.value = self._function()
        except BaseException as exc:
            self.error = exc
        self.ended.set()


def describe_holder(holder: Holder) -> tuple[str, str | None]:
    """The names of the holder's thread and task."""
    for thread in threading.enumerate():
        if thread.ident == holder:
            return thread.name, None
    return f"ended thread {holder}", None


def live_place(holder: Holder) -> str | None:
    """Where the holder is in its own code at this moment, as ``file:line in function``."""
    # No variable for the frame: of the thread that asks it would be this very one, which would then keep itself alive.
    return first_foreign_frame(sys._current_frames().get(holder))


class _Session(threading.local):
    """When one thread wrote last."""

    wrote_at = NEVER


_session = _Session()


def last_write() -> float:
    """When this thread wrote last; `NEVER` if it has not."""
    return _session.wrote_at


def note_write() -> None:
    """This thread has written something that is acknowledged by now."""
    _session.wrote_at = time.perf_counter()
