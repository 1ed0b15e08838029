"""What one SQLite database is known to look like: the types of a statement's result columns, keys of tables.

sqlite3 does not say how a result's columns were declared. A temporary view of the statement does: it is made once for
each statement, read, and dropped; the answer is kept until the schema changes, here or in another process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from .._core.bulk import conflict_clause
from .._core.parsing import parse
from .._core.result_types import ADDING, KEEPING, echoes, reduced, told_types
from .._core.rows import Columns
from .._core.statement import Statement
from .._core.statement_cache import StatementCache
from .._dialects import SQLITE
from ..errors import UndefinedTable
from .sqlite_values import decode_leniently, sqlite_decoder, sqlite_echo_decoder, sqlite_sum_decoder

if TYPE_CHECKING:
    from .sqlite import SQLiteConnection

__all__ = ["SQLiteCatalog", "Shape"]

# How long another process' change of a column's declared type may go unnoticed (a change of names is seen at once).
_RECHECK_SECONDS = 0.1
_READS = frozenset({"select", "with", "values"})


@attrs.frozen(eq=False)
class Shape:
    """The columns of a statement's result and the decoders of those that need one, as (position, function).

    A column that echoes a parameter is decoded by what that parameter is: (position, which of the bound values).
    """

    description: Any
    columns: Columns
    decoders: tuple[tuple[int, Callable[[Any], Any]], ...]
    echoes: tuple[tuple[int, int], ...] = ()

    def of(self, values: Sequence[Any]) -> Shape:
        """The shape of the result for the `values` that were bound."""
        if not self.echoes:
            return self
        told = [(position, sqlite_echo_decoder(values[place])) for position, place in self.echoes]
        decoders = tuple((position, decoder) for position, decoder in told if decoder is not None)
        return Shape(self.description, self.columns, self.decoders + decoders)

    def decode(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows with each stored value made the Python value that was stored."""
        decoded = []
        for row in rows:
            values = list(row)
            for position, decoder in self.decoders:
                value = values[position]
                if value is not None:
                    values[position] = decode_leniently(decoder, value)
            decoded.append(tuple(values))
        return decoded


def _real_decoder(declared: str) -> Callable[[Any], Any] | None:
    decoder = sqlite_decoder(declared)
    is_real = (
        any(part in declared.upper() for part in ("REAL", "FLOA", "DOUB")) and "INT" not in declared.upper()
    )
    return _to_float if decoder is None and is_real else decoder


def _to_float(value: Any) -> Any:
    return float(value) if isinstance(value, int) else value


class SQLiteCatalog:
    """Shared by all connections of a pool; a plain dictionary's operations are atomic, so no lock is needed.

    Attributes:
        shapes: of the statements' results, by text; to be trusted until `recheck_at`, and where the names are the same.
        recheck_at: when to look whether another process has changed the schema.
    """

    def __init__(self) -> None:
        self.shapes: StatementCache[Shape] = StatementCache()
        self.recheck_at = 0.0
        self._integer_keys: dict[str, tuple[str, bool] | None] = {}
        self._version: int | None = None

    def clear(self) -> None:
        """Forget everything: the schema may have changed."""
        self.shapes.clear()
        self._integer_keys.clear()

    def shape(self, connection: SQLiteConnection, statement: Statement, text: str, description: Any) -> Shape:
        """The shape of the result that `statement` just gave on `connection`."""
        if connection.held_since > self.recheck_at:
            self._check_version(connection)
        shape = self.shapes.known.get(text)
        if shape is None or shape.description != description:
            shape = self.shapes.keep(text, self._look_up(connection, statement, description))
        return shape

    def _check_version(self, connection: SQLiteConnection) -> None:
        version = connection.raw.execute("PRAGMA schema_version").fetchone()[0]
        if version != self._version:
            self.clear()
        self._version = version
        self.recheck_at = connection.held_since + _RECHECK_SECONDS

    def _look_up(self, connection: SQLiteConnection, statement: Statement, description: Any) -> Shape:
        names = [column[0] for column in description]
        # RETURNING gives whole numbers of a REAL column as they are stored: as integers.
        returned = _real_decoder if statement.returning >= 0 else sqlite_decoder
        source = self._source(statement)
        declared, summed = self._declared_types(connection, source) if source else ([], [])
        found = {place: sqlite_decoder(kind) for place, kind in told_types(statement)}
        if len(summed) == len(names):
            found.update(enumerate(map(sqlite_sum_decoder, summed)))
        if len(declared) == len(names):
            found.update((place, returned(kind)) for place, kind in enumerate(declared) if kind)
        decoders = tuple((position, decoder) for position, decoder in found.items() if decoder is not None)
        return Shape(description, Columns(names), decoders, echoes(statement))

    def _source(self, statement: Statement) -> Statement | None:
        """The query whose columns the result has."""
        if statement.returning >= 0 and statement.table:
            returning = statement.text[statement.returning :].removesuffix(statement.ending)
            return parse(f"SELECT {returning}\nFROM {statement.table}")
        return statement if statement.verb in _READS else None

    def _declared_types(
        self, connection: SQLiteConnection, source: Statement
    ) -> tuple[Sequence[str], Sequence[str]]:
        """The types of the columns' declarations, and those that apply to what is computed from the columns."""
        kept, added = reduced(source, KEEPING), reduced(source, ADDING)
        declared = self._view_types(connection, kept) if kept else []
        declared = declared or self._view_types(connection, source.without_parameters())
        return declared, self._view_types(connection, added) if added and added != kept else []

    def _view_types(self, connection: SQLiteConnection, text: str) -> Sequence[str]:
        raw = connection.raw
        try:
            if connection.is_guarded:
                raw.execute("PRAGMA query_only = OFF")
            raw.execute(f"CREATE TEMP VIEW _dbadapter_shape AS {text}")
            try:
                return [row[2] for row in raw.execute("PRAGMA temp.table_info(_dbadapter_shape)")]
            finally:
                raw.execute("DROP VIEW temp._dbadapter_shape")
        except sqlite3.Error:
            return []  # what cannot be a view (EXPLAIN, some table functions) has no declared types either
        finally:
            if connection.is_guarded:
                raw.execute("PRAGMA query_only = ON")

    # -- tables ----------------------------------------------------------------------------------------------------

    def integer_key(self, connection: SQLiteConnection, table: str | None) -> tuple[str, bool] | None:
        """The one integer column of the primary key of `table` (as written in a statement), if it has such a key.

        And whether it is the rowid itself, which sqlite3 tells as the last one given.
        """
        if table is None:
            return None
        if connection.held_since > self.recheck_at:
            self._check_version(connection)
        if table in self._integer_keys:
            return self._integer_keys[table]
        schema, dot, name = table.rpartition(".")
        plain = name.strip('"`').replace('""', '"')
        arguments = (plain, schema.strip('"`')) if dot else (plain,)
        marks = "?, ?" if dot else "?"
        raw = connection.raw
        columns = raw.execute(f"SELECT name, type, pk FROM pragma_table_info({marks})", arguments).fetchall()
        if not columns:
            return None  # there is no such table yet
        keys = [(name, kind) for name, kind, place in columns if place > 0]
        known = None
        if len(keys) == 1 and "INT" in keys[0][1].upper():
            # The rowid has no index of its own; any other primary key has.
            origins = f"SELECT 1 FROM pragma_index_list({marks}) WHERE origin = 'pk'"
            known = keys[0][0], raw.execute(origins, arguments).fetchone() is None
        self._integer_keys[table] = known
        return known

    def columns_of(self, raw: sqlite3.Connection, table: str) -> list[str]:
        """The columns of `table` that can be written, in order. Raises `UndefinedTable`."""
        rows = raw.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0", (table,)).fetchall()
        if not rows:
            raise UndefinedTable(f"no such table: {table}", sqlstate="42P01")
        return [row[0] for row in rows]

    def bulk_insert(
        self, raw: sqlite3.Connection, table: str, columns: Sequence[str], on_conflict: str | None
    ) -> str:
        """The INSERT statement of a bulk load."""
        key = self._key(raw, table) if on_conflict == "update" else []
        names, marks = ", ".join(map(SQLITE.quote, columns)), ", ".join("?" * len(columns))
        clause = conflict_clause(on_conflict, columns, key, SQLITE.quote)
        return f"INSERT INTO {SQLITE.quote(table)} ({names}) VALUES ({marks}){clause}"

    def _key(self, raw: sqlite3.Connection, table: str) -> list[str]:
        key = raw.execute(
            "SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table,)
        ).fetchall()
        if not key:
            unique = 'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial'
            info = "SELECT name FROM pragma_index_info(?) ORDER BY seqno"
            found = [
                raw.execute(info, index).fetchall() for index in raw.execute(unique, (table,)).fetchall()
            ]
            plain = [columns for columns in found if (None,) not in columns]  # None: an expression
            key = plain[0] if len(plain) == 1 else []
        return [row[0] for row in key]
