"""Whether this version can move an app's rows along with a switch."""

from __future__ import annotations

import importlib.util

__all__ = ["carries_data"]


def carries_data() -> bool:
    """``switch_database(carry_data=True)`` is there."""
    return importlib.util.find_spec("dbadapter._sync.carry") is not None
