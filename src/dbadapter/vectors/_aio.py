"""Work beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["Lock", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")

Lock = asyncio.Lock


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what would keep the event loop busy."""
    return await asyncio.to_thread(function, *args, **kwargs)
