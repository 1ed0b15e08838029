"""Putting rejected values and original spellings back into rows that came from SQLite and return to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .._dialects import SQLITE
from ._bookkeeping import REJECTS, TABLES, key_text
from ._overlay import postgres_overlay
from ._pairs import TablePair, pair_of
from ._values import RawText
from .plan import TablePlan

if TYPE_CHECKING:
    import psycopg

__all__ = ["put_back"]


def put_back(
    post: psycopg.Connection[Any], lite: sqlite3.Connection, table: TablePlan, *, utf16: str | None
) -> int:
    """Give the rows of a table in SQLite what Postgres could not hold of them, in one transaction.

    Args:
        post: the source, with the entries for what was set aside when the rows came there.
        lite: the target, with the rows as Postgres has them.
        table: the table's plan.
        utf16: see `read_batches`.

    Returns how many rows were inserted, which Postgres had rejected as a whole.
    """
    pair, inserted = pair_of(table, "postgresql-sqlite"), 0
    lite.execute("BEGIN")
    for restored in postgres_overlay(post, pair):
        if restored.whole is None or restored.whole == restored.now:
            continue
        if restored.now is None:
            _insert(lite, pair, restored.whole, utf16)
            inserted += 1
        else:
            _update(lite, pair, restored.now, restored.whole, utf16)
    if inserted:
        lite.execute(f"UPDATE {TABLES} SET rows = rows + ? WHERE tbl = ?", (inserted, table.target))
    lite.execute("COMMIT")
    return inserted


def _insert(lite: sqlite3.Connection, pair: TablePair, values: Sequence[Any], utf16: str | None) -> None:
    found = [_placeholder(value, utf16) for value in values]
    places, bindings = [place for place, _ in found], [item for _, items in found for item in items]
    columns = ", ".join(map(SQLITE.quote, pair.sqlite_columns))
    lite.execute(
        f"INSERT INTO {SQLITE.quote(pair.sqlite)} ({columns}) VALUES ({', '.join(places)})", bindings
    )


def _update(
    lite: sqlite3.Connection, pair: TablePair, now: Sequence[Any], whole: Sequence[Any], utf16: str | None
) -> None:
    """Give a row the values that it should have, which stand in the rejects no longer then."""
    changed = [
        (name, value)
        for name, value, old in zip(pair.sqlite_columns, whole, now, strict=True)
        if type(value) is not type(old) or value != old
    ]
    key = [(name, now[place]) for name, place in zip(pair.key, pair.key_places, strict=True)]
    parts, where, bindings = [], [], []
    for name, value in changed:
        place, items = _placeholder(value, utf16)
        parts.append(f"{SQLITE.quote(name)} = {place}")
        bindings += items
    for name, value in key:
        place, items = _placeholder(value, utf16)
        where.append(f"{SQLITE.quote(name)} IS {place}")
        bindings += items
    lite.execute(
        f"UPDATE {SQLITE.quote(pair.sqlite)} SET {', '.join(parts)} WHERE {' AND '.join(where)}", bindings
    )
    text = key_text([value for _, value in key])
    lite.executemany(
        f"DELETE FROM {REJECTS} WHERE tbl = ? AND key = ? AND col = ?",
        [(pair.sqlite, text, name) for name, _ in changed],
    )


def _placeholder(value: Any, utf16: str | None) -> tuple[str, list[Any]]:
    """How a value stands in a statement: its placeholder, and the parameters bound to it.

    Args:
        value: a value of SQLite.
        utf16: see `read_batches`.
    """
    if not isinstance(value, RawText):
        return "?", [value]
    data = value.data
    if utf16 is not None:
        with suppress(UnicodeDecodeError):
            data = data.decode("utf-8", "surrogatepass").encode(utf16, "surrogatepass")
    # A literal: a bound blob would be taken for UTF-8 whatever the database's encoding is.
    return f"CAST(x'{data.hex()}' AS TEXT)", []
