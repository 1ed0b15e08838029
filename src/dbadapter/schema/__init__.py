"""Schemas that mean the same on both backends: tables from Python, an SQL script or a live database.

::

    from dbadapter.schema import Schema, Table, Column, types as t
"""

from __future__ import annotations

from . import types
from .compare import Difference
from .constraints import Check, ForeignKey, Index, IndexPart, Unique
from .drafts import Skipped
from .schema import Schema
from .table import Column, Table

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
