"""A user's own SQLite file as the data: workers read its tables, and write to one of the demo's own."""

from __future__ import annotations

import datetime
import hashlib
import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import attrs

from dbadapter.errors import DatabaseAdapterError, DatabaseUnavailable

from .ledger import Acknowledged, Check
from .shop import check_orders

if TYPE_CHECKING:
    from dbadapter import DatabaseAdapter
    from dbadapter._sync.transaction import Transaction

__all__ = ["OwnFile", "copy_database", "digest"]

ROWS_READ = 20
SHARE_OF_WRITES = 0.2

_OWN_TABLES = (
    "CREATE TABLE demo_home (name TEXT NOT NULL PRIMARY KEY)",
    "CREATE TABLE demo_orders (id UUID NOT NULL PRIMARY KEY, total NUMERIC(14, 2) NOT NULL)",
)

# What Postgres calls a column of which all values are of one Python type.
_POSTGRES_TYPES: dict[type, str] = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE PRECISION",
    Decimal: "NUMERIC",
    str: "TEXT",
    bytes: "BYTEA",
    datetime.date: "DATE",
    datetime.time: "TIME",
    uuid.UUID: "UUID",
}


def copy_database(source: Path, target: Path) -> None:
    """Copy an SQLite database without touching it, also while others write. Raises `DatabaseUnavailable`."""
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(target)) as new,
        ):
            old.backup(new)
    except sqlite3.Error as exc:
        raise DatabaseUnavailable(f"cannot read {source} as an SQLite database: {exc}") from exc


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@attrs.frozen
class ReadTable:
    """A table that workers read.

    Attributes:
        name: its name.
        columns: those that can be read as their declared types.
        rows: how many rows it has.
    """

    name: str
    columns: tuple[str, ...]
    rows: int


class OwnFile:
    """Requests on whatever tables a file has."""

    def __init__(self, path: Path) -> None:
        self.name = f"the data of {path.name}"
        self.left_out: list[str] = []
        self._tables: list[ReadTable] = []
        self._queries: list[tuple[str, int]] = []

    def prepare(self, adapter: DatabaseAdapter) -> None:
        """Look at the tables, and make our own; `adapter` is on the copy."""
        self._drop_code(adapter)
        for name in adapter.list_tables():
            self._survey(adapter, name)
        if not self._tables:
            raise DatabaseUnavailable(f"{self.name}: there is no table with a row that can be read")
        quote = adapter.dialect.quote
        for table in self._tables:
            columns = ", ".join(map(quote, table.columns))
            sql = f"SELECT {columns} FROM {quote(table.name)} LIMIT {ROWS_READ} OFFSET ?"
            self._queries.append((sql, max(table.rows - ROWS_READ, 1)))
        self._make_own_tables(adapter)

    def _drop_code(self, adapter: DatabaseAdapter) -> None:
        """Triggers and views are code, which no switch translates: the copy does without."""
        found = adapter.fetch_all("SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')")
        for row in sorted(found, key=lambda row: str(row["type"])):
            adapter.execute(f"DROP {row['type'].upper()} IF EXISTS {adapter.dialect.quote(row['name'])}")
        if found:
            self.left_out.append(f"{len(found)} triggers and views stay behind: they are code")

    def _survey(self, adapter: DatabaseAdapter, name: str) -> None:
        """Note what of a table can be read: a file may hold text that is no UTF-8, or dates that are none."""
        quote = adapter.dialect.quote
        readable = []
        for column in adapter.describe_table(name).columns:
            try:
                for _ in adapter.stream(f"SELECT {quote(column.name)} FROM {quote(name)}", row_type=tuple):
                    pass
            except DatabaseAdapterError as exc:
                self.left_out.append(f"{name}.{column.name}: {' '.join(str(exc).split())[:120]}")
            else:
                readable.append(column.name)
        rows = adapter.fetch_value(f"SELECT count(*) FROM {quote(name)}")
        if readable and rows:
            self._tables.append(ReadTable(name, tuple(readable), rows))

    def _make_own_tables(self, adapter: DatabaseAdapter) -> None:
        for sql in _OWN_TABLES:
            adapter.execute(sql)
        adapter.execute("INSERT INTO demo_home VALUES (?)", [adapter.db_type.value])

    def copy_to(self, target: DatabaseAdapter, source: DatabaseAdapter) -> None:
        """Fill an empty database with the same rows, for a switch that carries none."""
        quote = target.dialect.quote
        for table in self._tables:
            columns = ", ".join(map(quote, table.columns))
            rows = source.fetch_all(f"SELECT {columns} FROM {quote(table.name)}", row_type=tuple)
            types = [_postgres_type(row[index] for row in rows) for index in range(len(table.columns))]
            declared = ", ".join(f"{quote(c)} {t}" for c, t in zip(table.columns, types, strict=True))
            target.execute(f"CREATE TABLE {quote(table.name)} ({declared})")
            texts = [index for index, kind in enumerate(types) if kind == "TEXT"]
            target.insert_many(table.name, (_with_texts(row, texts) for row in rows))
        self._make_own_tables(target)

    def serve(self, adapter: DatabaseAdapter, random: Random) -> Acknowledged | None:
        """Read some rows of some table, or write one of ours."""
        if random.random() >= SHARE_OF_WRITES:
            sql, offsets = random.choice(self._queries)
            adapter.fetch_all(sql, [random.randrange(offsets)], row_type=tuple)
            return None
        order = uuid.UUID(int=random.getrandbits(128), version=4)
        total = Decimal(random.randrange(1_000_000)) / 100

        def write(tx: Transaction) -> Acknowledged:
            home = tx.fetch_value("SELECT name FROM demo_home")
            tx.execute("INSERT INTO demo_orders VALUES (?, ?)", [order, total])
            return Acknowledged(order, total, home)

        return adapter.run_transaction(write)

    def check(self, adapter: DatabaseAdapter, expected: Iterable[Acknowledged], place: str) -> list[Check]:
        """What must hold in one database."""
        quote = adapter.dialect.quote
        counts = {t.name: adapter.fetch_value(f"SELECT count(*) FROM {quote(t.name)}") for t in self._tables}
        wrong = [t.name for t in self._tables if counts[t.name] != t.rows]
        return [
            *check_orders(adapter, expected, place),
            Check(
                f"{place}: every table of yours has its rows",
                not wrong,
                f"{len(counts)} tables, {sum(counts.values()):,} rows"
                + (f", differing: {', '.join(wrong)}" if wrong else ""),
            ),
        ]


def _postgres_type(values: Iterable[Any]) -> str:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) == 1:
        kind = kinds.pop()
        return _POSTGRES_TYPES.get(kind, "TEXT")
    return "NUMERIC" if kinds and kinds <= {int, Decimal} else "TEXT"


def _with_texts(row: tuple[Any, ...], texts: list[int]) -> tuple[Any, ...]:
    """The row with the values of the columns `texts` as text."""
    cells = list(row)
    for index in texts:
        if cells[index] is not None and not isinstance(cells[index], str):
            cells[index] = str(cells[index])
    return tuple(cells)
