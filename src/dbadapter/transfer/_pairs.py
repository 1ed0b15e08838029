"""The tables to compare."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ._digest import Match
from ._matches import match_of, recorded_in_postgres, recorded_in_sqlite
from ._postgres_catalog import PostgresTable, read_tables
from ._sqlite_catalog import Catalog, SQLiteTable, read_catalog
from ._types import conversion_for

if TYPE_CHECKING:
    import psycopg

__all__ = ["pairs"]


def pairs(
    lite: sqlite3.Connection,
    post: psycopg.Connection[Any],
    *,
    from_sqlite: bool,
    tables: Iterable[str] | None,
) -> Iterator[tuple[Match, str | None]]:
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
    by_source = {(match.sqlite if from_sqlite else match.postgres): match for match in recorded}
    for name in sources:
        if wanted is not None and name not in wanted:
            continue
        match = by_source.get(name)
        if match is None:
            match = _by_name(catalog, in_postgres, name)
        yield match, _problem(match, catalog, in_postgres)


def _recorded(lite: sqlite3.Connection, post: psycopg.Connection[Any], *, from_sqlite: bool) -> list[Match]:
    """What the two ends have on record; where both have, the target's record counts: it is the later one."""
    brought = recorded_in_postgres(post).values()
    returned = recorded_in_sqlite(lite).values()
    to_postgres = [match_of(plan, "sqlite-postgresql") for _, plan in brought]
    to_sqlite = [match_of(plan, "postgresql-sqlite") for _, plan in returned]
    found: dict[str, Match] = {}
    for match in (*to_postgres, *to_sqlite) if from_sqlite else (*to_sqlite, *to_postgres):
        found.setdefault(match.sqlite if from_sqlite else match.postgres, match)
    return list(found.values())


def _by_name(catalog: Catalog, in_postgres: dict[str, PostgresTable], name: str) -> Match:
    lite = next((table for table in catalog.tables if table.name == name), None)
    post = in_postgres.get(name)
    if lite is None or post is None:
        return Match(name, name, ())
    types = {column.name: column.base or column.type for column in post.columns if not column.generated}
    columns = tuple(
        (column.name, column.name, conversion_for(types[column.name]), types[column.name])
        for column in lite.columns
        if column.name in types and column.generated is None
    )
    names = {column[0] for column in columns}
    key = tuple(lite.primary_key) if set(lite.primary_key) <= names else ()
    return Match(name, name, columns, key, lite.rowid_name)


def _problem(match: Match, catalog: Catalog, in_postgres: dict[str, PostgresTable]) -> str | None:
    lite: SQLiteTable | None = next((t for t in catalog.tables if t.name == match.sqlite), None)
    post = in_postgres.get(match.postgres)
    if lite is None:
        return f"SQLite has no table {match.sqlite}"
    if post is None:
        return f"Postgres has no table {match.postgres}"
    here = {column.name for column in lite.columns}
    there = {column.name for column in post.columns}
    for sqlite_name, postgres_name, _, _ in match.columns:
        if sqlite_name not in here:
            return f"the table {match.sqlite} in SQLite has no column {sqlite_name}"
        if postgres_name not in there:
            return f"the table {match.postgres} in Postgres has no column {postgres_name}"
    compared = {column[0] for column in match.columns}
    extra = [
        column.name for column in lite.columns if column.name not in compared and column.generated is None
    ]
    if extra:
        return f"the column {extra[0]} of {match.sqlite} is in SQLite only"
    return None if match.columns else "there is nothing to compare"
