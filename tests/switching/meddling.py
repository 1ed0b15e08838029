"""Doing something in the middle of a switch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["once"]


def once(phase: str, act: Callable[[], Any]) -> Callable[[Any], None]:
    """A progress callback that acts the first time that `phase` is told."""
    left = [act]

    def tell(told: Any) -> None:
        if told["phase"] == phase and left:
            left.pop()()

    return tell
