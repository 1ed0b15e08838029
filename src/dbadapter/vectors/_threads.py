"""The same names for threads, where work is simply done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

__all__ = ["Lock", "in_thread"]

P = ParamSpec("P")
T = TypeVar("T")

Lock = threading.Lock


def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run it here."""
    return function(*args, **kwargs)
