"""SQLite to Postgres: a million rows, every value read before and compared afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.harness import Contender, Suite, Target
from benchmarks.transfer import ROWS, empty_database, make_sqlite, migrated, with_pgloader
from dbadapter.embedded import EmbeddedPostgres


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Move the same file with every contender; only ours looks whether all of it arrived."""
    with ExitStack() as stack:
        pg = stack.enter_context(EmbeddedPostgres())
        source = Path(make_sqlite(scratch / "events.db").sqlite_path)

        def ours(n: int) -> None:
            for _ in range(n):
                migrated("--sqlite", str(source), "--to", empty_database(pg))

        def pgloader(n: int) -> None:
            for _ in range(n):
                with_pgloader(source, empty_database(pg), scratch)

        yield Suite(
            title=f"Transfer: {ROWS:,} rows from SQLite to Postgres, profiled and verified",
            unit="one transfer",
            contenders=[Contender("dbadapter migrate", ours), Contender("pgloader", pgloader)],
            targets=[Target("pgloader", 1.0)],
        )
