"""`verify_transfer`: compare two databases row by row without trusting whoever copied them.

SQLite's values are read as they are stored. Postgres computes from its own values what must have been stored for them,
by expressions that share no code with the copier's. Both are digested, each by its own engine, and only the digests are
compared; where they differ, the rows behind the difference are looked up and shown.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._core.arguments import check_progress
from ..config import DatabaseConfig, DatabaseType
from ..errors import ConfigError
from ._arguments import Progress, names_of_tables
from ._collection_names import collection_names
from ._differences import DifferenceFinder
from ._digest import BUCKETS, Buckets, postgres_digest, row_number, sqlite_digest
from ._endpoints import display, postgres_source, resolve, sqlite_source
from ._faults import reporting
from ._overlay import Restored, postgres_overlay, sqlite_overlay
from ._pairs import TablePair, table_pairs
from ._pipeline import run_concurrently
from ._read import utf16_codec
from .report import TableCheck, VerifyReport

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "compare_table",
    "verify",
    "verify_transfer",
]

_MOST_ROWS = 100_000  # that are kept in memory while the rows behind a difference are looked for


def verify_transfer(
    source: Any, target: Any, *, tables: Iterable[str] | None = None, progress: Progress | None = None
) -> VerifyReport:
    """Compare two databases after a transfer, in either direction; both are only read.

    Rows that stand in the rejects count as arrived, and are reported. A value that was changed on one side since is a
    difference.

    Args:
        source: where the data came from: an adapter, a `DatabaseConfig` or a URL.
        target: where it went, likewise.
        tables: only these tables of the source, and no vector collections.
        progress: called as ``progress("verify", table, rows, total)`` when a table is done.

    Raises:
        ConfigError: both ends are of the same kind.
        DatabaseUnavailable: an end cannot be opened.
        TransferError: an end cannot be read.
    """
    names = names_of_tables(tables)
    check_progress(progress, "phase, table, rows and total")
    source_config, target_config = resolve(source), resolve(target)
    if source_config.db_type is target_config.db_type:
        raise ConfigError(
            f"both ends are {source_config.db_type.value}; verifying compares one kind with the other"
        )
    return verify(
        source_config,
        target_config,
        tables=names,
        collections=None if names is None else (),
        progress=progress,
    )


def verify(
    source: DatabaseConfig,
    target: DatabaseConfig,
    *,
    tables: Iterable[str] | None = None,
    collections: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> VerifyReport:
    """`verify_transfer` with the configurations; by default all vector collections are compared."""
    started = perf_counter()
    report = VerifyReport(source=display(source), target=display(target))
    from_sqlite = source.db_type is DatabaseType.SQLITE
    with ExitStack() as stack:
        lite = stack.enter_context(sqlite_source(source if from_sqlite else target))
        post = stack.enter_context(postgres_source(target if from_sqlite else source))
        with reporting("cannot compare the two databases"):
            if collections is None:
                collections = collection_names(lite if from_sqlite else post)
            for pair, problem in table_pairs(lite, post, from_sqlite=from_sqlite, tables=tables):
                name, other = (pair.sqlite, pair.postgres) if from_sqlite else (pair.postgres, pair.sqlite)
                check = TableCheck(table=name, target=other, problem=problem)
                if problem is None:
                    compare_table(lite, post, pair, check, from_sqlite=from_sqlite)
                report.tables.append(check)
                if progress:
                    progress("verify", name, check.source_rows, check.source_rows)
    if collections:
        from ._collections import check_collections

        report.collections = check_collections(source, target, collections)
    report.seconds = perf_counter() - started
    return report


def compare_table(
    lite: sqlite3.Connection,
    post: psycopg.Connection[Any],
    pair: TablePair,
    check: TableCheck,
    *,
    from_sqlite: bool,
    rest: Callable[[], None] | None = None,
) -> None:
    """Compare one table, and write into `check` what was found.

    Args:
        lite: the SQLite end, in a transaction or written by nobody else.
        post: the Postgres end, in a transaction.
        pair: the table on both.
        check: its name; the counts, digests and first differences are filled in.
        from_sqlite: which end is the source.
        rest: called between portions of Postgres' part, to leave room for the app.
    """
    utf16 = utf16_codec(lite.execute("PRAGMA encoding").fetchone()[0])
    in_sqlite, in_postgres = run_concurrently(
        lambda: sqlite_digest(lite, pair, utf16=utf16), lambda: postgres_digest(post, pair, rest)
    )
    restored_sqlite, rejected_sqlite = _put_back(in_sqlite, sqlite_overlay(lite, pair), pair)
    restored_postgres, rejected_postgres = _put_back(in_postgres, postgres_overlay(post, pair), pair)
    # What stands in the source's rejects has come from there, and is in its table in the target.
    check.rejected = rejected_postgres if from_sqlite else rejected_sqlite
    first, second = (in_sqlite, in_postgres) if from_sqlite else (in_postgres, in_sqlite)
    check.source_rows, check.target_rows = first.rows, second.rows
    check.source_digest, check.target_digest = first.hexdigest(), second.hexdigest()
    if differing := in_sqlite.differing(in_postgres):
        some = max(1, min(16, _MOST_ROWS * BUCKETS // max(in_sqlite.rows, 1)))
        check.differences = DifferenceFinder(
            lite, post, pair, utf16, set(differing[:some]), restored_sqlite, restored_postgres, from_sqlite
        ).differences()


def _put_back(digest: Buckets, overlay: Iterable[Restored], pair: TablePair) -> tuple[list[Restored], int]:
    """Digest rows as they were before something of them was set aside; the first of these, and how many values."""
    tokens = pair.tokens
    first: list[Restored] = []
    rejected = 0
    for restored in overlay:
        if restored.now is not None:
            digest.add(row_number(restored.now, tokens), -1)
        if restored.whole is not None:
            digest.add(row_number(restored.whole, tokens))
        rejected += restored.rejected
        if len(first) < _MOST_ROWS:
            first.append(restored)
    return first, rejected
