"""What one Postgres database is known to look like: the types that extensions add, and tables' keys.

Shared by all connections of a pool. Queries are given as text; the connection that needs an answer runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from .._core.rows import Columns
from .._core.statement_cache import StatementCache

__all__ = [
    "DECODED_TYPES",
    "INTEGER_KEY",
    "KEY",
    "TYPE_NAMES",
    "WRITABLE_COLUMNS",
    "Fields",
    "PostgresCatalog",
    "Shape",
]

Fields = tuple[tuple[bytes | None, int], ...]
"""The name and the type's object id of each column of a result."""

# Object ids from here on are given out by the database itself: what is below is the same everywhere.
FIRST_OWN_OID = 16384

TYPE_NAMES = "SELECT oid, typname FROM pg_catalog.pg_type WHERE oid = ANY($1)"

# Of the types that extensions add, those that we decode (pgvector's).
DECODED_TYPES = "SELECT oid, typname FROM pg_catalog.pg_type WHERE typname IN ('vector', 'halfvec')"

# The single integer column of a table's primary key, if its value may be read back.
INTEGER_KEY = """
SELECT a.attname FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
WHERE i.indrelid = to_regclass($1) AND i.indisprimary AND i.indnkeyatts = 1
AND a.atttypid IN (20, 21, 23) AND has_column_privilege(i.indrelid, a.attnum, 'SELECT')"""

# The columns of the primary key in order, or of the only unique index that is neither partial nor an expression's.
KEY = """
SELECT array_agg(a.attname ORDER BY k.place), i.indisprimary FROM pg_catalog.pg_index i
CROSS JOIN unnest(i.indkey) WITH ORDINALITY k(attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum AND k.place <= i.indnkeyatts
WHERE i.indrelid = to_regclass($1) AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
GROUP BY i.indexrelid, i.indisprimary ORDER BY i.indisprimary DESC"""

WRITABLE_COLUMNS = """
SELECT a.attname FROM pg_catalog.pg_attribute a
WHERE a.attrelid = to_regclass($1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
ORDER BY a.attnum"""


def to_vector(text: Any) -> Any:
    """pgvector's text form as a one-dimensional float32 array."""
    if not isinstance(text, str):
        return text
    import numpy as np

    return np.array(text[1:-1].split(","), dtype="<f4")


_DECODERS: dict[str, Callable[[Any], Any]] = {"vector": to_vector, "halfvec": to_vector}


@attrs.frozen(eq=False)
class Shape:
    """The columns of a statement's result.

    Attributes:
        fields: to tell whether a later result has the same shape.
        columns: the names.
        decoders: of the columns that psycopg leaves as text, as (position, function).
    """

    fields: Fields
    columns: Columns
    decoders: tuple[tuple[int, Callable[[Any], Any]], ...] = ()

    def decode(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows with those columns decoded."""
        decoded = []
        for row in rows:
            values = list(row)
            for position, decoder in self.decoders:
                if values[position] is not None:
                    values[position] = decoder(values[position])
            decoded.append(tuple(values))
        return decoded


class PostgresCatalog:
    """Answers kept until the schema changes through this pool."""

    def __init__(self) -> None:
        self.type_names: dict[int, str] = {}
        self.integer_keys: dict[str, str | None] = {}
        self._shapes: StatementCache[Shape] = StatementCache()

    def clear(self) -> None:
        """Forget what a change of tables may have made untrue; type ids stay what they are."""
        self._shapes.clear()
        self.integer_keys.clear()
        self.type_names.clear()

    def known_shape(self, text: str, fields: Fields) -> Shape | None:
        """The shape of the statement's last result, if this one has the same fields."""
        shape = self._shapes.known.get(text)
        return shape if shape is not None and shape.fields == fields else None

    def unknown_types(self, fields: Fields) -> list[int]:
        """The type ids whose names have to be looked up first."""
        return [oid for _, oid in fields if oid >= FIRST_OWN_OID and oid not in self.type_names]

    def new_shape(self, text: str, fields: Fields) -> Shape:
        """Make and keep the shape of a result."""
        found = (
            (position, _DECODERS.get(self.type_names.get(oid, "")))
            for position, (_, oid) in enumerate(fields)
        )
        decoders = tuple((position, decoder) for position, decoder in found if decoder is not None)
        shape = Shape(fields, Columns([(name or b"").decode() for name, _ in fields]), decoders)
        return self._shapes.keep(text, shape)
