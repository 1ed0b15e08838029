"""Postgres to SQLite: a million rows, against the shortest program that does it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.harness import Contender, Suite, Target
from benchmarks.transfer import ROWS, empty_database, make_sqlite, migrated, with_bare_loop
from dbadapter.embedded import EmbeddedPostgres


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Bring the same rows back with every contender, each time into a new file."""
    with ExitStack() as stack:
        pg = stack.enter_context(EmbeddedPostgres())
        source = empty_database(pg)
        migrated("--sqlite", make_sqlite(scratch / "events.db").sqlite_path, "--to", source, "--no-verify")
        target = scratch / "back.db"

        def emptied() -> Path:
            for name in scratch.glob("back.db*"):
                name.unlink()
            return target

        def ours(n: int) -> None:
            for _ in range(n):
                migrated("--from", source, "--to", f"sqlite:///{emptied()}", "--no-profile", "--no-verify")

        def bare_loop(n: int) -> None:
            for _ in range(n):
                with_bare_loop(source, emptied())

        yield Suite(
            title=f"Transfer: {ROWS:,} rows from Postgres to SQLite",
            unit="one transfer",
            contenders=[Contender("dbadapter migrate", ours), Contender("psycopg to sqlite3", bare_loop)],
            targets=[Target("psycopg to sqlite3", 1.25)],
        )
