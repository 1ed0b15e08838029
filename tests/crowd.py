"""Several callers at once, in the same words for threads (`Crowd`) and for tasks (`AsyncCrowd`).

Test bodies are written against the async names; their generated twins use the threaded ones.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

PATIENCE = 60.0
"""Seconds after which a wait is taken for a hang; never reached by a passing test."""


class Signal(threading.Event):
    """A threading event whose wait fails loudly instead of hanging."""

    def wait(self, timeout: float | None = PATIENCE) -> bool:
        """Wait until set; raise TimeoutError after ``timeout`` seconds."""
        if not super().wait(timeout):
            raise TimeoutError("a signal was never given")
        return True


class Job:
    """One caller of a `Crowd`."""

    def __init__(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._value: Any = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(fn, args), daemon=True)
        self._thread.start()

    def _run(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            self._value = fn(*args)
        except BaseException as error:  # handed to whoever asks for the result
            self._error = error

    def result(self) -> Any:
        """Wait for the end and give what the function returned, or raise what it raised."""
        self._thread.join(PATIENCE)
        if self._thread.is_alive():
            raise TimeoutError("a job never ended")
        if self._error is not None:
            raise self._error
        return self._value

    def done(self) -> bool:
        """Whether it ended, either way."""
        return not self._thread.is_alive()


class Crowd:
    """Starts callers in threads and waits for all of them on leaving the block."""

    def __init__(self) -> None:
        self._jobs: list[Job] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if error is None:  # else the jobs may wait for signals that will never come
            for job in self._jobs:
                job.result()

    def start(self, fn: Callable[..., Any], *args: Any) -> Job:
        """Run ``fn(*args)`` beside the caller."""
        job = Job(fn, args)
        self._jobs.append(job)
        return job

    def aside(self, fn: Callable[..., Any], *args: Any) -> Job:
        """Run a function that blocks, ``fn(*args)``, beside the caller."""
        return self.start(fn, *args)

    def forget(self, job: Job) -> None:
        """Do not ask for the result of a job whose failure was expected."""
        self._jobs.remove(job)

    def breathe(self) -> None:
        """Let the others run for a moment."""
        threading.Event().wait(0.001)


class AsyncSignal(asyncio.Event):
    """`Signal` for tasks."""

    async def wait(self, timeout: float = PATIENCE) -> bool:  # type: ignore[override]
        """Wait until set; raise TimeoutError after ``timeout`` seconds."""
        async with asyncio.timeout(timeout):
            await super().wait()
        return True


class AsyncJob:
    """One caller of an `AsyncCrowd`."""

    def __init__(self, fn: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        self._task = asyncio.ensure_future(fn(*args))

    async def result(self) -> Any:
        """Wait for the end and give what the function returned, or raise what it raised."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.shield(self._task)

    def done(self) -> bool:
        """Whether it ended, either way."""
        return self._task.done()

    def cancel(self) -> None:
        """Cancel the task (threads know no such thing)."""
        self._task.cancel()


class AsyncCrowd:
    """`Crowd` for tasks."""

    def __init__(self) -> None:
        self._jobs: list[AsyncJob] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        for job in self._jobs:
            if error is None:
                await job.result()
            else:
                job.cancel()

    def start(self, fn: Callable[..., Awaitable[Any]], *args: Any) -> AsyncJob:
        """Run ``fn(*args)`` beside the caller."""
        job = AsyncJob(fn, args)
        self._jobs.append(job)
        return job

    def aside(self, fn: Callable[..., Any], *args: Any) -> AsyncJob:
        """Run a function that blocks, ``fn(*args)``, in a thread beside the caller."""
        return self.start(asyncio.to_thread, fn, *args)

    def forget(self, job: AsyncJob) -> None:
        """Do not ask for the result of a job whose failure was expected."""
        self._jobs.remove(job)

    async def breathe(self) -> None:
        """Let the others run for a moment."""
        await asyncio.sleep(0.001)
