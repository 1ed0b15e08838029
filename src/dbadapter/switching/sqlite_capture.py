"""Capture on SQLite: triggers that note the key of every row that changes, so that rounds can bring it up to date.

Only keys are noted, in columns without a type, so that each keeps its storage class. REPLACE removes rows without
firing delete triggers (`recursive_triggers` is off), so before each INSERT and UPDATE a probe notes the rows that
stand in the way on any unique index, by the index's own collation, expressions and condition:
https://sqlite.org/lang_replace.html.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from attrs import frozen

from .._dialects import SQLITE
from ..schema.scan import scan
from ..schema.script import Cursor, split

__all__ = [
    "CHANGES",
    "CapturedTable",
    "UniqueKey",
    "changes_table",
    "install_triggers",
    "remove_capture",
    "unique_keys",
]

CHANGES = "_dbadapter_changes"
_PREFIX = "_dbadapter_capture_"

quote = SQLITE.quote


@frozen
class UniqueKey:
    """A unique index: its parts as (SQL expression over the table's columns, collation), and its condition."""

    parts: tuple[tuple[str, str], ...]
    where: str | None = None


@frozen
class CapturedTable:
    """A table whose changes are noted.

    Attributes:
        number: what it is called in the change log.
        name: its name.
        key: the columns that tell its rows apart (or the name under which its rowid is read).
        columns: all its columns.
        unique: its unique indexes, that of the primary key included.
    """

    number: int
    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    unique: tuple[UniqueKey, ...] = ()


def changes_table(tables: Sequence[CapturedTable]) -> str:
    """The statement that makes the change log: a sequence number, the table's number, and the parts of the key."""
    width = max((len(table.key) for table in tables), default=1)
    parts = ", ".join(f"k{place}" for place in range(width))
    return f"CREATE TABLE {CHANGES} (seq INTEGER PRIMARY KEY, tbl INTEGER NOT NULL, {parts})"


def forget_changes(last: int) -> tuple[str, tuple[int]]:
    """The statement that removes from the log what was consumed, up to number `last`.

    The highest number stays, so that it is not given again. (AUTOINCREMENT would do so too, but leaves the table
    ``sqlite_sequence`` behind for good.)
    """
    return f"DELETE FROM {CHANGES} WHERE seq < ?", (last,)


def install_triggers(table: CapturedTable) -> Iterator[str]:
    """The statements that make a table's capture triggers."""
    name = quote(table.name)

    def trigger(label: str, event: str, body: str, when: str = "") -> str:
        made = quote(f"{_PREFIX}{table.number}_{label}")
        return f"CREATE TRIGGER {made} {event} ON {name} FOR EACH ROW {when} BEGIN {body} END"

    yield trigger("insert", "AFTER INSERT", _note(table, "NEW"))
    yield trigger("update", "AFTER UPDATE", _note(table, "NEW"))
    yield trigger("rekey", "AFTER UPDATE", _note(table, "OLD"), when=_key_changed(table))
    yield trigger("delete", "AFTER DELETE", _note(table, "OLD"))
    probes = "".join(_probe(table, key) for key in table.unique)
    if probes:
        yield trigger("before_insert", "BEFORE INSERT", probes)
        yield trigger("before_update", "BEFORE UPDATE", probes)


def _key_changed(table: CapturedTable) -> str:
    """The condition of a trigger: the key is another one, be it only in spelling, which a collation may not see."""
    same = " AND ".join(
        f"OLD.{name} IS NEW.{name} COLLATE BINARY AND typeof(OLD.{name}) = typeof(NEW.{name})"
        for name in map(quote, table.key)
    )
    return f"WHEN NOT ({same})"


def _note(table: CapturedTable, row: str) -> str:
    columns = "".join(f", k{place}" for place in range(len(table.key)))
    values = "".join(f", {row}.{quote(column)}" for column in table.key)
    return f"INSERT INTO {CHANGES} (tbl{columns}) VALUES ({table.number}{values}); "


def _probe(table: CapturedTable, key: UniqueKey) -> str:
    """Note the rows that have the new row's values in a unique index; REPLACE would remove them unseen."""
    columns = "".join(f", k{place}" for place in range(len(table.key)))
    values = "".join(f", {quote(column)}" for column in table.key)
    # An expression is evaluated for the new row over a row of its own, where the columns have the same names.
    new_row = ", ".join(f"NEW.{quote(column)} AS {quote(column)}" for column in table.columns)

    def of_new(expression: str) -> str:
        return f"(SELECT {expression} FROM (SELECT {new_row}))"

    conditions = []
    for expression, collation in key.parts:
        plain = expression[1:-1].replace('""', '"') if expression.startswith('"') else None
        new = f"NEW.{expression}" if plain in table.columns else of_new(expression)
        conditions.append(f"{expression} = {new} COLLATE {quote(collation)}")
    if key.where:
        conditions += [f"({key.where})", of_new(key.where)]
    where = " AND ".join(conditions)
    noted = f"SELECT {table.number}{values} FROM {quote(table.name)} WHERE {where}"
    return f"INSERT INTO {CHANGES} (tbl{columns}) {noted}; "


def remove_capture(raw: sqlite3.Connection) -> None:
    """Drop the change log and every capture trigger; nothing happens where there are none."""
    escaped = _PREFIX.replace("_", r"\_")
    names = raw.execute(
        r"SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE ? ESCAPE '\'", (f"{escaped}%",)
    ).fetchall()
    for (name,) in names:
        raw.execute(f"DROP TRIGGER {quote(name)}")
    raw.execute(f"DROP TABLE IF EXISTS {CHANGES}")


def unique_keys(raw: sqlite3.Connection, table: str) -> Iterator[UniqueKey]:
    """The unique indexes of a table, as the probes need them; an INTEGER PRIMARY KEY has none."""
    listing = 'SELECT name FROM pragma_index_list(?) WHERE "unique" ORDER BY seq'
    for (index,) in raw.execute(listing, (table,)).fetchall():
        parts = raw.execute(
            'SELECT name, coll FROM pragma_index_xinfo(?) WHERE "key" ORDER BY seqno', (index,)
        ).fetchall()
        found = raw.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (index,)
        ).fetchone()
        expressions, where = _read_index(found[0]) if found and found[0] else ([], None)
        yield UniqueKey(
            tuple(
                (quote(column) if column is not None else f"({expressions[place]})", collation or "BINARY")
                for place, (column, collation) in enumerate(parts)
            ),
            where,
        )


def _read_index(sql: str) -> tuple[list[str], str | None]:
    """The text of each part of a CREATE INDEX, without its direction and collation, and of its condition."""
    cursor = Cursor(scan(sql), sql, fold=False)
    while not cursor.word("ON"):
        cursor.take()
    cursor.take()
    texts = []
    for tokens in split(cursor.group()):
        last = len(tokens)
        while last and tokens[last - 1].is_word("ASC", "DESC"):
            last -= 1
        if last > 2 and tokens[last - 2].is_word("COLLATE"):
            last -= 2
        texts.append(cursor.source(tokens[:last]))
    where = cursor.source(cursor.tokens[cursor.at :]) if cursor.word("WHERE") else None
    return texts, where
