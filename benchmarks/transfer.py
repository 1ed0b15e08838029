"""What the suites of the transfer share: a million rows, a server, and the peers as processes of their own.

Each contender is a process, as a person would run it, so that start-up counts and memory can be measured.
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from dbadapter import DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres

ROWS = int(os.environ.get("DBADAPTER_BENCH_ROWS", "1000000"))
TABLE = """CREATE TABLE events (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, name VARCHAR(100), amount REAL,
    active BOOLEAN NOT NULL, created_at DATETIME, note TEXT, price DECIMAL(10,2))"""


def rows() -> Iterator[tuple[Any, ...]]:
    """The same rows in every run: eight columns of the usual kinds."""
    made = random.Random(1)
    begin = datetime(2020, 1, 1)
    for key in range(1, ROWS + 1):
        yield (
            key,
            made.randrange(100_000),
            f"user name {key}",
            made.random() * 1000,
            made.randrange(2),
            str(begin + timedelta(seconds=key)),
            None if key % 10 == 0 else f"some text, with more words in it {made.randrange(10**9)}",
            made.randrange(100_000) / 100,
        )


def make_sqlite(path: Path) -> DatabaseConfig:
    """An SQLite file with the rows."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(TABLE)
        raw.executemany(f"INSERT INTO events VALUES ({', '.join('?' * 8)})", rows())
        raw.commit()
    return DatabaseConfig(sqlite_path=str(path))


def empty_database(server: EmbeddedPostgres, name: str = "bench") -> str:
    """The URL of a database that was just made."""
    with psycopg.connect(server.url, autocommit=True) as raw:
        raw.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())
        raw.execute(f"CREATE DATABASE {name}".encode())
    return server.url.rpartition("/")[0] + f"/{name}"


def migrated(*words: str) -> None:
    """Run ``dbadapter migrate``; an error unless everything arrived."""
    subprocess.run(
        [sys.executable, "-m", "dbadapter", "migrate", "--json", *words], check=True, capture_output=True
    )


def with_pgloader(source: Path, target: str, scratch: Path) -> None:
    """Run pgloader, told to do what ``migrate`` does."""
    script = scratch / "pgloader.load"
    script.write_text(
        f"LOAD DATABASE FROM sqlite://{source} INTO {target} "
        "WITH include drop, create tables, create indexes, reset sequences;\n"
    )
    subprocess.run(["pgloader", "--quiet", str(script)], check=True, capture_output=True, cwd=scratch)
    with psycopg.connect(target) as raw:
        found = raw.execute("SELECT count(*) FROM events").fetchone()
    assert found == (ROWS,), f"pgloader brought {found}"


BARE_LOOP = """
import sqlite3, sys
import psycopg
with psycopg.connect(sys.argv[1]) as post, sqlite3.connect(sys.argv[2]) as lite:
    lite.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL, name VARCHAR(100),"
                 " amount REAL, active BOOLEAN NOT NULL, created_at DATETIME, note TEXT, price REAL)")
    with post.cursor(name="rows") as cursor:
        cursor.itersize = 5000
        cursor.execute("SELECT id, user_id, name, amount, active::int, created_at::text, note, price::float8 "
                       "FROM events")
        lite.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", cursor)
    lite.commit()
"""


def with_bare_loop(source: str, target: Path) -> None:
    """The shortest program that brings the rows back, with the conversions written into its query."""
    subprocess.run([sys.executable, "-c", BARE_LOOP, source, str(target)], check=True)
