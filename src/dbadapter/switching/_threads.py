"""The same name for threads, where a step is simply done."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["run_mover"]

T = TypeVar("T")


def run_mover(function: Callable[[], T], stop: Callable[[], None]) -> T:
    """Run a step of the mover here."""
    return function()
