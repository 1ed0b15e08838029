"""SQLite: one row by its key, as a dict."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import peewee
import sqlalchemy
import sqlite_utils

from benchmarks.harness import Contender, Suite, Target
from dbadapter import DatabaseAdapter, DatabaseConfig

ROWS = 10_000
SQL = "SELECT id, name, score FROM items WHERE id = ?"


def repeated(fetch: Callable[[int], Any]) -> Callable[[int], None]:
    """Call ``fetch`` with one key after the other; the first answer is looked at."""
    if dict(fetch(7)) != {"id": 7, "name": "item 7", "score": 3.5}:
        raise AssertionError(f"a contender reads something else: {fetch(7)!r}")
    keys = itertools.cycle([key * 7919 % ROWS for key in range(ROWS)])

    def run(n: int) -> None:
        for _ in range(n):
            fetch(next(keys))

    return run


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Open one file with every contender."""
    path = str(scratch / "items.db")
    with ExitStack() as stack:
        raw = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, score REAL NOT NULL)")
        rows = ((key, f"item {key}", key / 2) for key in range(ROWS))
        with raw:
            raw.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)

        adapter = stack.enter_context(DatabaseAdapter(DatabaseConfig(sqlite_path=path)))

        def with_raw(key: int) -> Any:
            cursor = raw.execute(SQL, (key,))
            return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))

        utils = sqlite_utils.Database(path)
        stack.callback(utils.close)

        database = peewee.SqliteDatabase(path)
        stack.callback(database.close)

        class Items(peewee.Model):
            name = peewee.TextField()
            score = peewee.FloatField()

            class Meta:
                database = database

        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        stack.callback(engine.dispose)
        core = stack.enter_context(engine.connect())
        statement = sqlalchemy.text(SQL.replace("?", ":key"))

        contenders = {
            "dbadapter": lambda key: adapter.fetch_one(SQL, [key]),
            "sqlite3, dict rows": with_raw,
            "sqlite-utils": lambda key: next(utils.query(SQL, [key])),
            "peewee": lambda key: Items.select().where(Items.id == key).dicts().get(),
            "SQLAlchemy Core": lambda key: core.execute(statement, {"key": key}).mappings().one(),
        }
        yield Suite(
            title="SQLite: point read by key",
            unit="one row of three columns, by its primary key, as a dict",
            contenders=[Contender(name, repeated(fetch)) for name, fetch in contenders.items()],
            targets=[
                Target("sqlite3, dict rows", 2.0),
                Target("sqlite-utils", 1.0),
                Target("peewee", 1.0),
                Target("SQLAlchemy Core", 1 / 6),
            ],
        )
