"""Postgres: 100,000 rows into an empty table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from benchmarks.harness import Contender, Suite, Target
from benchmarks.postgres import server
from dbadapter import DatabaseAdapter

COUNT = 100_000
COLUMNS = ("id", "name", "score", "done", "made_at")


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Load the same rows with every contender."""
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        dict(
            zip(
                COLUMNS,
                (key, f"item {key}", key / 2, key % 2 == 0, begin + timedelta(seconds=key)),
                strict=True,
            )
        )
        for key in range(COUNT)
    ]
    tuples = [tuple(row.values()) for row in rows]
    with ExitStack() as stack:
        pg = stack.enter_context(server())
        adapter = stack.enter_context(DatabaseAdapter(pg.config))
        raw = stack.enter_context(psycopg.connect(pg.url, autocommit=True))
        adapter.execute(
            "CREATE UNLOGGED TABLE bulk (id int, name text, score float8, done boolean, made_at timestamptz)"
        )
        listed = ", ".join(COLUMNS)

        def with_adapter() -> None:
            adapter.insert_many("bulk", rows)

        def with_copy() -> None:
            with raw.cursor() as cursor, cursor.copy(f"COPY bulk ({listed}) FROM STDIN") as copy:
                for row in tuples:
                    copy.write_row(row)

        def with_executemany() -> None:
            with raw.transaction(), raw.cursor() as cursor:
                cursor.executemany(f"INSERT INTO bulk ({listed}) VALUES (%s, %s, %s, %s, %s)", tuples)

        def emptied(load: Callable[[], None]) -> Callable[[int], None]:
            def run(n: int) -> None:
                for _ in range(n):
                    raw.execute("TRUNCATE bulk")
                    load()
                    found = raw.execute("SELECT count(*) FROM bulk").fetchone()
                    if found != (COUNT,):
                        raise AssertionError(f"a contender loaded {found} rows")

            return run

        contenders = {
            "dbadapter insert_many": with_adapter,
            "psycopg, COPY": with_copy,
            "psycopg, executemany": with_executemany,
        }
        yield Suite(
            title="Postgres: bulk load",
            unit=f"{COUNT:,} rows of {len(COLUMNS)} columns",
            contenders=[Contender(name, emptied(load)) for name, load in contenders.items()],
            targets=[Target("psycopg, COPY", 1.3)],
        )
