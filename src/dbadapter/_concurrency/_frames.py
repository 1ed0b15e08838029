"""Finds the caller's own code on a stack that begins in ours."""

from __future__ import annotations

import os
import sys
from functools import lru_cache
from types import FrameType

__all__ = ["caller_place", "first_foreign_frame", "is_ours", "place"]

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_PASSED_OVER = (os.sep + "contextlib.py", os.sep + "threading.py", os.sep + "asyncio" + os.sep)


@lru_cache(maxsize=4096)
def is_ours(filename: str) -> bool:
    """The file is part of this package, or plumbing that never is the caller's own code."""
    return filename.startswith(_PACKAGE) or any(part in filename for part in _PASSED_OVER)


def place(frame: FrameType) -> str:
    """``file:line in function``."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"


def first_foreign_frame(frame: FrameType | None) -> str | None:
    """The place of the innermost frame that is not ours."""
    while frame is not None and is_ours(frame.f_code.co_filename):
        frame = frame.f_back
    return None if frame is None else place(frame)


def caller_place() -> str | None:
    """Where in the caller's code this call comes from. About 1 µs: a walk over frames, no source lines read."""
    return first_foreign_frame(sys._getframe(1))
