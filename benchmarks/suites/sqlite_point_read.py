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

        peewee_file = peewee.SqliteDatabase(path)
        stack.callback(peewee_file.close)

        item = type("Item", (peewee.Model,), {"Meta": type("Meta", (), {"database": peewee_file})})

        def with_bare_peewee(key: int) -> Any:
            # None of peewee's rows: its connection, and a dict made by hand. Not what is promised, but good to know.
            cursor = peewee_file.execute_sql(SQL, (key,))
            return dict(zip([column[0] for column in cursor.description], cursor.fetchone(), strict=True))

        engine = sqlalchemy.create_engine(f"sqlite:///{path}")
        stack.callback(engine.dispose)
        statement = sqlalchemy.text(SQL.replace("?", ":key"))

        def with_core(key: int) -> Any:
            # Taken from the pool for each read, as an app with threads does, and as the adapter does.
            with engine.connect() as connection:
                return connection.execute(statement, {"key": key}).mappings().one()

        contenders = {
            "dbadapter": lambda key: adapter.fetch_one(SQL, [key]),
            "sqlite3, dict rows": with_raw,
            "sqlite-utils": lambda key: next(utils.query(SQL, [key])),
            "peewee": lambda key: next(iter(item.raw(SQL, key).dicts())),
            "peewee, bare execute_sql": with_bare_peewee,
            "SQLAlchemy Core": with_core,
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
