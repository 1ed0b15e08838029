"""`verify_transfer`: compare two databases row by row without trusting whoever copied them.

SQLite's values are read as they are stored. Postgres computes from its own values what must have been stored for them,
by expressions that share no code with the copier's. Both are digested, each by its own engine, and only the digests are
compared; where they differ, the rows behind the difference are looked up and shown.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._core.arguments import check_progress
from .._dialects import POSTGRESQL, beside_parameters
from ..config import DatabaseConfig, DatabaseType
from ..errors import ConfigError
from ._arguments import Progress, names_of_tables
from ._bookkeeping import key_text
from ._collection_names import collection_names
from ._digest import (
    BUCKETS,
    Match,
    number_expression,
    postgres_digest,
    row_number,
    sqlite_digest,
)
from ._endpoints import display, postgres_source, resolve, sqlite_source
from ._faults import reporting
from ._overlay import Restored, has_bookkeeping, postgres_overlay, postgres_rows, sqlite_overlay, sqlite_rows
from ._pairs import pairs
from ._pipeline import at_once
from ._read import read_batches, utf16_codec
from ._values import from_tag, show
from .report import Difference, TableCheck, VerifyReport

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "compare_table",
    "verify",
    "verify_transfer",
]

_MOST_DIFFERENCES = 10
_MOST_ROWS = 100_000


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
            for match, problem in pairs(lite, post, from_sqlite=from_sqlite, tables=tables):
                name, other = (
                    (match.sqlite, match.postgres) if from_sqlite else (match.postgres, match.sqlite)
                )
                check = TableCheck(table=name, target=other, problem=problem)
                if problem is None:
                    compare_table(lite, post, match, check, from_sqlite=from_sqlite)
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
    match: Match,
    check: TableCheck,
    *,
    from_sqlite: bool,
    rest: Callable[[], None] | None = None,
) -> None:
    """Compare one table, and write into `check` what was found.

    Args:
        lite: the SQLite end, in a transaction or written by nobody else.
        post: the Postgres end, in a transaction.
        match: the table on both.
        check: its name; the counts, digests and first differences are filled in.
        from_sqlite: which end is the source.
        rest: called between portions of Postgres' part, to leave room for the app.
    """
    utf16 = utf16_codec(lite.execute("PRAGMA encoding").fetchone()[0])
    in_sqlite, in_postgres = at_once(
        lambda: sqlite_digest(lite, match, utf16=utf16), lambda: postgres_digest(post, match, rest)
    )
    tokens = match.tokens
    changes: dict[str, list[Restored]] = {"sqlite": [], "postgres": []}
    overlays = [("sqlite", in_sqlite, sqlite_overlay(lite, match))]
    if has_bookkeeping(post):
        overlays.append(("postgres", in_postgres, postgres_overlay(post, match)))
    for side, buckets, overlay in overlays:
        for restored in overlay:
            if restored.now is not None:
                buckets.add(row_number(restored.now, tokens), -1)
            if restored.whole is not None:
                buckets.add(row_number(restored.whole, tokens))
            check.rejected += restored.rejected
            if len(changes[side]) < _MOST_ROWS:
                changes[side].append(restored)
    first, second = (in_sqlite, in_postgres) if from_sqlite else (in_postgres, in_sqlite)
    check.source_rows, check.target_rows = first.rows, second.rows
    check.source_digest, check.target_digest = first.hexdigest(), second.hexdigest()
    if differing := in_sqlite.differing(in_postgres):
        share = max(1, min(16, _MOST_ROWS * BUCKETS // max(in_sqlite.rows, 1)))
        finder = _Finder(lite, post, match, utf16, set(differing[:share]))
        check.differences = finder.differences(changes, from_sqlite=from_sqlite)


class _Finder:
    """Looks up the rows behind a difference."""

    def __init__(
        self,
        lite: sqlite3.Connection,
        post: psycopg.Connection[Any],
        match: Match,
        utf16: str | None,
        buckets: set[int],
    ) -> None:
        self._lite, self._post, self._match, self._utf16 = lite, post, match, utf16
        self._buckets = buckets
        self._tokens = match.tokens

    def differences(self, changes: dict[str, list[Restored]], *, from_sqlite: bool) -> list[Difference]:
        """The first differences."""
        lite, post = self._sqlite_rows(), self._postgres_rows()
        for rows, side in ((lite, "sqlite"), (post, "postgres")):
            for restored in changes[side]:
                for values, times in ((restored.now, -1), (restored.whole, 1)):
                    if values is None:
                        continue
                    number = row_number(values, self._tokens)
                    if number >> 54 in self._buckets:
                        rows[number, self._key(values)] += times
        only_lite = [key for (_, key), count in (lite - post).items() for _ in range(count)]
        only_post = [key for (_, key), count in (post - lite).items() for _ in range(count)]
        found: list[Difference] = []
        for key in sorted(set(only_lite) | set(only_post)):
            if len(found) >= _MOST_DIFFERENCES:
                break
            found += self._difference(key, key in only_lite, key in only_post, from_sqlite, changes)
        return found[:_MOST_DIFFERENCES]

    def _key(self, values: Sequence[Any]) -> str:
        places = self._match.key_places or range(len(values))
        return key_text([values[place] for place in places])

    def _sqlite_rows(self) -> Counter[tuple[int, str]]:
        found: Counter[tuple[int, str]] = Counter()
        names = [column[0] for column in self._match.columns]
        for rows in read_batches(self._lite, self._match.sqlite, names, utf16=self._utf16):
            for row in rows:
                number = row_number(row, self._tokens)
                if number >> 54 in self._buckets:
                    found[number, self._key(row)] += 1
        return found

    def _postgres_rows(self) -> Counter[tuple[int, str]]:
        quote = POSTGRESQL.quote
        places = self._match.key_places or range(len(self._match.columns))
        columns = [self._match.columns[place] for place in places]
        tags = ", ".join(
            f"{conversion.tag_sql(quote(name))} AS k{at}"
            for at, (_, name, conversion, _) in enumerate(columns)
        )
        rows = (
            f"SELECT {number_expression(self._match)} AS number, {tags} "
            f"FROM {quote(self._match.postgres)} OFFSET 0"
        )
        query = f"SELECT * FROM ({beside_parameters(rows)}) rows WHERE number >> 54 = ANY(%s)"
        found: Counter[tuple[int, str]] = Counter()
        with self._post.cursor(name="dbadapter_differences") as cursor:
            for number, *key in cursor.execute(query.encode(), (list(self._buckets),)):
                found[number, key_text([from_tag(tag) for tag in key])] += 1
        return found

    def _difference(
        self,
        key: str,
        in_sqlite: bool,
        in_postgres: bool,
        from_sqlite: bool,
        changes: dict[str, list[Restored]],
    ) -> list[Difference]:
        if not (in_sqlite and in_postgres) or not self._match.key:
            here, there = ("the row is here", None) if in_sqlite == from_sqlite else (None, "the row is here")
            return [Difference(key=key, column=None, source=here, target=there)]
        from ._bookkeeping import key_values

        values = [key_values(key) or []]
        lite = next((row for _, row in sqlite_rows(self._lite, self._match, values)), None)
        post = next((row for _, row in postgres_rows(self._post, self._match, values)), None)
        for side in ("sqlite", "postgres"):
            restored = next(
                (r for r in changes[side] if r.whole is not None and self._key(r.whole) == key), None
            )
            if restored is not None:
                if side == "sqlite":
                    lite = restored.whole
                else:
                    post = restored.whole
        found = []
        for (name, *_), one, other in zip(self._match.columns, lite or (), post or (), strict=False):
            if type(one) is not type(other) or one != other:
                shown = (show(one), show(other)) if from_sqlite else (show(other), show(one))
                found.append(Difference(key=key, column=name, source=shown[0], target=shown[1]))
        return found or [Difference(key=key, column=None, source="the row", target="differs")]
