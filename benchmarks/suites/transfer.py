"""SQLite to Postgres: a million rows of eight columns, without profile and verification."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.harness import Contender, Suite, Target
from benchmarks.transfer import ROWS, empty_database, make_sqlite, migrated, with_pgloader
from dbadapter.embedded import EmbeddedPostgres


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Move the same file with every contender, each time into an empty database."""
    with ExitStack() as stack:
        pg = stack.enter_context(EmbeddedPostgres())
        source = Path(make_sqlite(scratch / "events.db").sqlite_path)

        def ours(n: int) -> None:
            for _ in range(n):
                target = empty_database(pg)
                migrated("--sqlite", str(source), "--to", target, "--no-profile", "--no-verify")

        def pgloader(n: int) -> None:
            for _ in range(n):
                with_pgloader(source, empty_database(pg), scratch)

        yield Suite(
            title=f"Transfer: {ROWS:,} rows from SQLite to Postgres, profile and verification off",
            unit="one transfer",
            contenders=[Contender("dbadapter migrate", ours), Contender("pgloader", pgloader)],
            targets=[Target("pgloader", 0.4)],
        )
