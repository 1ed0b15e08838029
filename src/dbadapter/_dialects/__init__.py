"""How the backends' SQL differs: quoting, and the queries for what tables there are and what they look like.

No driver is imported and nothing is executed here: a `Dialect` holds SQL text and reads the rows it gives.
"""

from __future__ import annotations

from .base import Dialect, Rows
from .naming import DATATYPE_SUFFIX, MAX_NAME_BYTES, constraint_name, datatype_constraint
from .postgresql import ACTIONS, POSTGRESQL, beside_parameters
from .sqlite import SQLITE, is_rowid_type

__all__ = [
    "ACTIONS",
    "DATATYPE_SUFFIX",
    "MAX_NAME_BYTES",
    "POSTGRESQL",
    "SQLITE",
    "Dialect",
    "Rows",
    "beside_parameters",
    "constraint_name",
    "datatype_constraint",
    "is_rowid_type",
]
