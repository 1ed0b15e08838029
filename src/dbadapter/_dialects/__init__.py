"""What each backend calls things: quoting, and the SQL that asks it about its tables.

No driver is imported and nothing is executed here: a `Dialect` holds SQL text and reads the rows it gives.
"""

from __future__ import annotations

from .base import Dialect
from .naming import DATATYPE_SUFFIX, constraint_name, datatype_constraint
from .postgresql import POSTGRESQL
from .sqlite import SQLITE

__all__ = [
    "DATATYPE_SUFFIX",
    "POSTGRESQL",
    "SQLITE",
    "Dialect",
    "constraint_name",
    "datatype_constraint",
]
