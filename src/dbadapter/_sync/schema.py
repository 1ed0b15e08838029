# Generated from src/dbadapter/_async/schema.py by tools/unasync.py; do not edit.
"""Make, drop, read and check an adapter's tables. What is to be done is decided in `dbadapter.schema`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._drivers.sqlite_drop import drop_circle
from ..errors import ConfigError, QueryError
from ..schema import Difference, Schema
from ..schema.compare import differences
from ..schema.ddl_postgresql import enums
from ..schema.from_catalog import read_catalog
from ..schema.order import creation_order, late_foreign_keys
from ..schema.render import create_statements, drop_statements, require_fit
from ..schema.table import Table

if TYPE_CHECKING:
    from .adapter import DatabaseAdapter

__all__ = ["check_schema", "create_tables", "drop_tables", "read_schema"]


def _require_schema(schema: object) -> None:
    if not isinstance(schema, Schema):
        raise ConfigError(f"schema must be a dbadapter.schema.Schema, not {type(schema).__name__}")


def create_tables(adapter: DatabaseAdapter, schema: Schema) -> None:
    """Create the tables that are missing; those there are stay as they are. All or nothing."""
    _require_schema(schema)
    adapter._settle()
    dialect = adapter.dialect
    require_fit(schema.tables, dialect.name)
    with adapter.transaction() as tx:
        if dialect.serialize is not None:
            tx.fetch_value(dialect.serialize)
        there = _table_keys(tx)
        missing = [
            table for table in schema.in_creation_order() if dialect.table_key(table.name) not in there
        ]
        existing = _existing_enums(tx, missing)
        has_vectors = dialect.vectors is None or tx.fetch_value(dialect.vectors)
        for statement in create_statements(
            missing, dialect.name, existing_enums=existing, has_vectors=has_vectors
        ):
            tx.execute(statement)


def drop_tables(adapter: DatabaseAdapter, schema: Schema) -> None:
    """Drop the tables that are there, those that refer to others first. All or nothing."""
    _require_schema(schema)
    adapter._settle()
    dialect = adapter.dialect
    there = _table_keys(adapter)
    found = [table for table in schema.in_creation_order() if dialect.table_key(table.name) in there]
    if late_foreign_keys(found) and not dialect.drops_circles:
        _drop_circle(adapter, [table.name for table in found])
        return
    with adapter.transaction() as tx:
        names = {table.name for table in found}
        in_use: list[str] = []
        if dialect.enums is not None:
            rows = tx.fetch_all(dialect.enums)
            in_use = [row["name"] for row in rows if set(row["users"]) - names]
        for statement in drop_statements(found, dialect.name, keep_enums=in_use):
            tx.execute(statement)


def _drop_circle(adapter: DatabaseAdapter, names: list[str]) -> None:
    with adapter.connection() as raw:
        drop_circle(raw, names)


def read_schema(adapter: DatabaseAdapter) -> Schema:
    """The schema of the live database, as one moment shows it."""
    with adapter.transaction(read_only=True, isolation="repeatable read") as tx:
        return Schema._read(*_catalog(tx))


def check_schema(adapter: DatabaseAdapter, schema: Schema) -> list[Difference]:
    """What differs between the schema and the live database."""
    adapter._settle()
    dialect = adapter.dialect
    found = read_schema(adapter).tables
    if dialect.keeps_text:
        # The schema as SQLite would give it back, so that a type or expression it words differently is no difference.
        expected = Schema.from_sql(schema.to_sql(dialect.name), dialect.name).tables
        return differences(expected, found, on_sqlite=True)
    plain = differences(schema.tables, found, on_sqlite=False)
    if all(item.kind == "missing_table" for item in plain):
        return plain
    # PostgreSQL writes expressions in its own way: where one seems to differ, it is asked how it would write ours.
    rewritten = _as_written_by_postgresql(adapter, schema)
    return plain if rewritten is None else differences(rewritten, found, on_sqlite=False)


class _Enough(Exception):
    """Ends a transaction that must leave nothing behind."""


def _as_written_by_postgresql(adapter: DatabaseAdapter, schema: Schema) -> tuple[Table, ...] | None:
    """The tables as the server itself writes them, made as temporary ones and rolled back; None if it refuses."""
    written: tuple[Table, ...] | None = None
    try:
        with adapter.transaction() as tx:
            path = tx.fetch_value("SELECT current_setting('search_path')")
            tx.fetch_value("SELECT set_config('search_path', :path, true)", {"path": f"pg_temp, {path}"})
            # The first temporary table makes pg_temp the current schema.
            tx.execute("CREATE TEMPORARY TABLE _dbadapter_first () ON COMMIT DROP")
            for statement in create_statements(schema.in_creation_order(), "postgresql", has_vectors=True):
                tx.execute(statement)
            written = Schema._read(*_catalog(tx)).tables
            raise _Enough
    except (_Enough, QueryError, ConfigError):
        return written


def _catalog(tx: Any) -> tuple[list[Table], list[Any]]:
    rows = {part: tx.fetch_all(sql, {"tbl": None}) for part, sql in tx.dialect.catalog.items()}
    return read_catalog(tx.dialect, rows, tx.fetch_all(tx.dialect.others))


def _table_keys(asked: Any) -> set[str]:
    """The tables there are, as the dialect tells them apart; asked of an adapter or a transaction."""
    return {asked.dialect.table_key(row["name"]) for row in asked.fetch_all(asked.dialect.list_tables)}


def _existing_enums(tx: Any, tables: list[Table]) -> list[str]:
    """The enumeration types that exist. Raises `ConfigError` where one has other values than `tables` need."""
    if tx.dialect.enums is None:
        return []
    wanted = enums(creation_order(tables))
    existing = []
    for row in tx.fetch_all(tx.dialect.enums):
        name, labels = row["name"], tuple(row["labels"] or ())
        if name in wanted and wanted[name] != labels:
            raise ConfigError(
                f"the enumeration {name!r} is in the database with the values {labels!r}, "
                f"and the schema needs {wanted[name]!r}"
            )
        existing.append(name)
    return existing
