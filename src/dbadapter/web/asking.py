"""Asking an adapter from an event loop, whether the adapter is sync (then in a thread) or async."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio.to_thread
from anyio import CapacityLimiter

if TYPE_CHECKING:
    from .. import AsyncDatabaseAdapter, DatabaseAdapter

__all__ = ["HealthProbe", "Inquirer"]

# Threads that call a sync adapter at the same time; a further request waits for one of them.
_THREADS = 20
# Seconds within which `health` answers, with or without the database.
HEALTH_DEADLINE = 0.9


class Inquirer:
    """Calls an adapter's methods."""

    def __init__(self, adapter: DatabaseAdapter | AsyncDatabaseAdapter) -> None:
        self.adapter: Any = adapter
        self._is_async = inspect.iscoroutinefunction(type(adapter).fetch_all)
        self._threads: dict[asyncio.AbstractEventLoop, CapacityLimiter] = {}

    async def ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """What a method of the adapter returns."""
        call: Callable[..., Any] = partial(getattr(self.adapter, method), *arguments, **options)
        if self._is_async:
            return await call()
        return await anyio.to_thread.run_sync(call, limiter=self._limiter())

    def _limiter(self) -> CapacityLimiter:
        """The threads of this event loop: our own, so that a hanging database does not use up the host app's."""
        loop = asyncio.get_running_loop()
        if loop not in self._threads:
            self._threads = {
                known: limiter for known, limiter in self._threads.items() if not known.is_closed()
            }
            self._threads[loop] = CapacityLimiter(_THREADS)
        return self._threads[loop]


class HealthProbe:
    """Asks the adapter for its health, one question at a time, and answers within a second in any case.

    A database that hangs keeps its question hanging; whoever asks meanwhile shares that question, so that hanging ones
    do not pile up.
    """

    def __init__(self, inquirer: Inquirer) -> None:
        self._inquirer = inquirer
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def health(self) -> dict[str, Any]:
        """The adapter's ``health()``, or why there is none."""
        loop = asyncio.get_running_loop()
        if self._task is None or self._loop is not loop:
            self._loop = loop
            self._task = loop.create_task(self._inquirer.ask("health"))
        task = self._task
        done, _ = await asyncio.wait({task}, timeout=HEALTH_DEADLINE)
        if not done:
            return self._unhealthy(f"the database did not answer within {HEALTH_DEADLINE:g} s")
        if self._task is task:
            self._task = None
        failure = task.exception() if not task.cancelled() else None
        if failure is not None or task.cancelled():
            return self._unhealthy(f"the check failed: {type(failure).__name__}: {failure}")
        found: dict[str, Any] = task.result()
        return found

    def _unhealthy(self, reason: str) -> dict[str, Any]:
        kind = self._inquirer.adapter.db_type.value
        return {
            "status": "unhealthy",
            "main_pool": False,
            "read_pool": False,
            "db_type": kind,
            "reason": reason,
        }
