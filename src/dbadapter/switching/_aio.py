"""Running the mover beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from .._concurrency._aio import to_the_end

__all__ = ["run_mover"]

T = TypeVar("T")


async def run_mover(function: Callable[[], T], stop: Callable[[], None]) -> T:
    """Run a step of the mover in a thread; when the task is cancelled, `stop` is called and the step's end awaited."""
    # Not in the loop's executor, which may be full of jobs that wait for the very adapter that is being switched.
    threads = ThreadPoolExecutor(1, thread_name_prefix="dbadapter-mover")
    work = partial(copy_context().run, function)
    step = asyncio.get_running_loop().run_in_executor(threads, work)
    threads.shutdown(wait=False)
    return await to_the_end(lambda: step, hurry=stop)
