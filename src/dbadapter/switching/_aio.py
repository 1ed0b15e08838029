"""Running the mover beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

__all__ = ["run_mover"]

T = TypeVar("T")


async def run_mover(function: Callable[[], T], stop: Callable[[], None]) -> T:
    """Run a step of the mover in a thread; when the task is cancelled, `stop` is called and the step's end awaited."""
    step = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        stop()
        while not step.done():
            try:
                await asyncio.wait([step])
            except asyncio.CancelledError:
                continue
        step.exception()
        raise
