"""Schemas that mean the same on both backends: tables from Python, an SQL script or a live database.

::

    from dbadapter.schema import Schema, Table, Column, types as t
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import types
    from .column import Column
    from .compare import Difference
    from .constraints import Check, ForeignKey, Index, IndexPart, Unique
    from .drafts import Skipped
    from .schema import Schema
from .table import Table

__all__ = [
    "Check",
    "Column",
    "Difference",
    "ForeignKey",
    "Index",
    "IndexPart",
    "Schema",
    "Skipped",
    "Table",
    "Unique",
    "types",
]

_HOMES = {
    ".column": ("Column",),
    ".compare": ("Difference",),
    ".constraints": ("Check", "ForeignKey", "Index", "IndexPart", "Unique"),
    ".drafts": ("Skipped",),
    ".schema": ("Schema",),
    ".table": ("Table",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used: a transfer cuts SQL into tokens and needs no schema for that."""
    from importlib import import_module

    if name == "types":
        return import_module(".types", __name__)
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
