"""The change log notes the key of every row that a statement changes, however it does so."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import attrs
import pytest

from dbadapter.switching.sqlite_capture import (
    CapturedTable,
    changes_table,
    forget_changes,
    install_triggers,
    remove_capture,
    unique_keys,
)

SEED = 5
TABLES = """
    CREATE TABLE items (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE, b TEXT, c INT, "we ird" TEXT);
    CREATE UNIQUE INDEX partial ON items (lower(b), c DESC) WHERE c > 0;
    CREATE UNIQUE INDEX trimmed ON items ("we ird" COLLATE RTRIM);
    CREATE TABLE pairs (k TEXT COLLATE NOCASE PRIMARY KEY, v INT) WITHOUT ROWID;
    CREATE TABLE children (
        id INTEGER PRIMARY KEY, item INT REFERENCES items ON DELETE CASCADE ON UPDATE CASCADE);
"""
KEYS = {"items": "id", "pairs": "k", "children": "id"}


@pytest.fixture
def raw() -> Iterator[sqlite3.Connection]:
    """A database with unique indexes of every kind, in memory."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(TABLES)
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


def captured(raw: sqlite3.Connection) -> list[CapturedTable]:
    """The tables as the switch would capture them."""
    return [
        CapturedTable(
            number,
            name,
            (key,),
            tuple(row[0] for row in raw.execute("SELECT name FROM pragma_table_info(?)", (name,))),
            tuple(unique_keys(raw, name)),
        )
        for number, (name, key) in enumerate(KEYS.items())
    ]


def install(raw: sqlite3.Connection, tables: list[CapturedTable]) -> None:
    """Make the log and the triggers."""
    raw.execute(changes_table(tables))
    for table in tables:
        for statement in install_triggers(table):
            raw.execute(statement)


def rows(raw: sqlite3.Connection) -> dict[tuple[str, Any], Any]:
    """Every row by table and key."""
    return {(name, row[0]): row for name in KEYS for row in raw.execute(f"SELECT * FROM {name}")}


def logged(raw: sqlite3.Connection) -> set[tuple[str, Any]]:
    """What the log has, taken out of it."""
    names = list(KEYS)
    found = {(names[number], key) for number, key in raw.execute("SELECT tbl, k0 FROM _dbadapter_changes")}
    raw.execute("DELETE FROM _dbadapter_changes")
    return found


def change(raw: sqlite3.Connection, rng: random.Random) -> None:
    """Run a random statement; what a constraint refuses is no change."""

    def word() -> str | None:
        return rng.choice(["a", "A", "b", "B ", " b", "c", None])

    key, other, number = rng.randrange(6), rng.randrange(6), rng.randrange(-1, 3)
    statements: list[tuple[str, tuple[Any, ...]]] = [
        ("INSERT OR REPLACE INTO items VALUES (?, ?, ?, ?, ?)", (key, word(), word(), number, word())),
        ("INSERT OR REPLACE INTO items (a, b, c) VALUES (?, ?, ?)", (word(), word(), number)),
        ("UPDATE OR REPLACE items SET a = ?, b = ?, c = ? WHERE id = ?", (word(), word(), number, key)),
        ("UPDATE OR REPLACE items SET id = ? WHERE id = ?", (key, other)),
        ("INSERT INTO items VALUES (?, ?, NULL, 0, NULL) ON CONFLICT DO UPDATE SET c = c + 1", (key, word())),
        ("DELETE FROM items WHERE id = ?", (key,)),
        ("DELETE FROM items", ()),
        ("REPLACE INTO pairs VALUES (?, ?)", (word() or "z", number)),
        ("UPDATE OR REPLACE pairs SET k = ? WHERE k = ?", (word() or "z", word() or "z")),
        ("INSERT OR IGNORE INTO children VALUES (?, ?)", (key, other)),
    ]
    # Emptying the table is rare, or there would be nothing to collide with.
    weights = [0.2 if sql == "DELETE FROM items" else 1.0 for sql, _ in statements]
    sql, values = rng.choices(statements, weights)[0]
    try:
        raw.execute(sql, values)
    except sqlite3.IntegrityError:
        return


def missed(raw: sqlite3.Connection, count: int) -> int:
    """How many of `count` random statements changed a row that the log does not name."""
    rng, failures, before = random.Random(SEED), 0, rows(raw)
    for _ in range(count):
        change(raw, rng)
        after = rows(raw)
        changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        failures += not changed <= logged(raw)
        before = after
    return failures


def test_every_changed_row_is_noted(raw: sqlite3.Connection) -> None:
    """REPLACE over any unique index, cascades, upserts and changed keys: nothing changes unseen."""
    install(raw, captured(raw))
    assert missed(raw, 3000) == 0


def test_the_probe_is_needed(raw: sqlite3.Connection) -> None:
    """Without the probes, rows that REPLACE removes are missed: the test above can fail."""
    install(raw, [attrs.evolve(table, unique=()) for table in captured(raw)])
    assert missed(raw, 3000) > 0


def test_keys_keep_their_storage_class(raw: sqlite3.Connection) -> None:
    """An integer, a real, text and a blob are noted as what they are."""
    raw.execute("CREATE TABLE anything (k PRIMARY KEY) WITHOUT ROWID")
    install(raw, [CapturedTable(0, "anything", ("k",), ("k",), tuple(unique_keys(raw, "anything")))])
    raw.executemany("INSERT INTO anything VALUES (?)", [(1,), (1.5,), ("1",), (b"1",)])
    found = raw.execute("SELECT typeof(k0), k0 FROM _dbadapter_changes ORDER BY seq").fetchall()
    assert found == [("integer", 1), ("real", 1.5), ("text", "1"), ("blob", b"1")]


def test_removing_the_capture_leaves_nothing(raw: sqlite3.Connection) -> None:
    """Log and triggers go, the app's own objects stay; removing what is not there does nothing."""
    before = raw.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    install(raw, captured(raw))
    remove_capture(raw)
    remove_capture(raw)
    assert raw.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall() == before


def test_numbers_of_changes_never_come_back(raw: sqlite3.Connection) -> None:
    """A round that has consumed the whole log can still tell later changes from earlier ones."""
    install(raw, captured(raw))
    raw.execute("INSERT INTO items (a) VALUES ('x')")
    (last,) = raw.execute("SELECT max(seq) FROM _dbadapter_changes").fetchone()
    raw.execute(*forget_changes(last))
    raw.execute("INSERT INTO items (a) VALUES ('y')")
    assert raw.execute("SELECT max(seq) > ? FROM _dbadapter_changes", (last,)).fetchone() == (1,)
