"""Which table of SQLite is which of Postgres, and how their columns correspond."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from attrs import frozen

from ..errors import ConfigError
from . import conversions as c
from ._bookkeeping import recorded_in_postgres, recorded_in_sqlite
from ._postgres_catalog import PostgresTable, read_tables
from ._sqlite_catalog import Catalog, SQLiteTable, read_catalog
from ._tokens import Tokens, tokens_of
from ._types import conversion_for
from .plan import TablePlan

if TYPE_CHECKING:
    import psycopg

__all__ = ["ColumnPair", "TablePair", "pair_of", "table_pairs"]


class ColumnPair(NamedTuple):
    """A column on both sides.

    Attributes:
        sqlite: its name in SQLite.
        postgres: its name in Postgres.
        conversion: how its values are converted.
        type: its type in Postgres.
    """

    sqlite: str
    postgres: str
    conversion: c.Conversion
    type: str


@frozen
class TablePair:
    """A table on both sides.

    Attributes:
        sqlite: its name in SQLite.
        postgres: its name in Postgres.
        columns: all columns that are compared.
        key: the names in SQLite of the columns that tell rows apart; empty: nothing does.
        rowid: the name of SQLite's rowid, where there is one.
    """

    sqlite: str
    postgres: str
    columns: tuple[ColumnPair, ...]
    key: tuple[str, ...] = ()
    rowid: str | None = None

    @property
    def sqlite_columns(self) -> list[str]:
        """The names of `columns` in SQLite."""
        return [column.sqlite for column in self.columns]

    @property
    def key_places(self) -> list[int]:
        """Where the key's columns stand among `columns`."""
        names = self.sqlite_columns
        return [names.index(name) for name in self.key]

    @property
    def tokens(self) -> list[Tokens]:
        """How the values of `columns` are written for the digest."""
        return [tokens_of(column.conversion) for column in self.columns]


def pair_of(table: TablePlan, direction: str) -> TablePair:
    """A table of a plan as a pair."""
    to_postgres = direction == "sqlite-postgresql"
    columns = tuple(
        ColumnPair(column.name, column.target, c.load(column.conversion), column.type)
        if to_postgres
        else ColumnPair(column.target, column.name, c.load(column.conversion), column.declared)
        for column in table.copied
    )
    sqlite_name = {column.name: pair.sqlite for column, pair in zip(table.copied, columns, strict=True)}
    key = tuple(sqlite_name[name] for name in table.key) if set(table.key) <= set(sqlite_name) else ()
    sqlite, postgres = (table.name, table.target) if to_postgres else (table.target, table.name)
    return TablePair(sqlite, postgres, columns, key, table.rowid)


def table_pairs(
    lite: sqlite3.Connection,
    post: psycopg.Connection[Any],
    *,
    from_sqlite: bool,
    tables: Iterable[str] | None,
) -> Iterator[tuple[TablePair, str | None]]:
    """The tables of the source with their counterparts; a problem where there is none.

    How they correspond was written down by the transfer, at either end. Tables that no transfer brought are paired by
    name, each column being compared as the adapter itself stores it.
    """
    catalog = read_catalog(lite)
    in_postgres = read_tables(post)
    recorded = _recorded(lite, post, from_sqlite=from_sqlite)
    wanted = None if tables is None else set(tables)
    sources = [table.name for table in catalog.tables] if from_sqlite else list(in_postgres)
    for name in wanted or ():
        if name not in sources:
            raise ConfigError(f"there is no table {name!r}; there are {', '.join(sources)}")
    by_source = {(pair.sqlite if from_sqlite else pair.postgres): pair for pair in recorded}
    for name in sources:
        if wanted is not None and name not in wanted:
            continue
        pair = by_source.get(name)
        if pair is None:
            pair = _by_name(catalog, in_postgres, name)
        yield pair, _problem(pair, catalog, in_postgres)


def _recorded(
    lite: sqlite3.Connection, post: psycopg.Connection[Any], *, from_sqlite: bool
) -> list[TablePair]:
    """What the two ends have on record; where both have, the target's record counts: it is the later one."""
    brought = recorded_in_postgres(post).values()
    returned = recorded_in_sqlite(lite).values()
    to_postgres = [pair_of(plan, "sqlite-postgresql") for _, plan in brought]
    to_sqlite = [pair_of(plan, "postgresql-sqlite") for _, plan in returned]
    found: dict[str, TablePair] = {}
    for pair in (*to_postgres, *to_sqlite) if from_sqlite else (*to_sqlite, *to_postgres):
        found.setdefault(pair.sqlite if from_sqlite else pair.postgres, pair)
    return list(found.values())


def _by_name(catalog: Catalog, in_postgres: dict[str, PostgresTable], name: str) -> TablePair:
    lite = next((table for table in catalog.tables if table.name == name), None)
    post = in_postgres.get(name)
    if lite is None or post is None:
        return TablePair(name, name, ())
    types = {column.name: column.base or column.type for column in post.columns if not column.generated}
    columns = tuple(
        ColumnPair(column.name, column.name, conversion_for(types[column.name]), types[column.name])
        for column in lite.columns
        if column.name in types and column.generated is None
    )
    names = {column.sqlite for column in columns}
    key = tuple(lite.primary_key) if set(lite.primary_key) <= names else ()
    return TablePair(name, name, columns, key, lite.rowid_name)


def _problem(pair: TablePair, catalog: Catalog, in_postgres: dict[str, PostgresTable]) -> str | None:
    lite: SQLiteTable | None = next((t for t in catalog.tables if t.name == pair.sqlite), None)
    post = in_postgres.get(pair.postgres)
    if lite is None:
        return f"SQLite has no table {pair.sqlite}"
    if post is None:
        return f"Postgres has no table {pair.postgres}"
    here = {column.name for column in lite.columns}
    there = {column.name for column in post.columns}
    for column in pair.columns:
        if column.sqlite not in here:
            return f"the table {pair.sqlite} in SQLite has no column {column.sqlite}"
        if column.postgres not in there:
            return f"the table {pair.postgres} in Postgres has no column {column.postgres}"
    compared = set(pair.sqlite_columns)
    extra = [
        column.name for column in lite.columns if column.name not in compared and column.generated is None
    ]
    if extra:
        return f"the column {extra[0]} of {pair.sqlite} is in SQLite only"
    return None if pair.columns else "there is nothing to compare"
