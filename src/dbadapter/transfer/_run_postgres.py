"""Carrying out a plan from SQLite to Postgres."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL
from ..errors import TransferError
from ._arguments import Progress
from ._bookkeeping import (
    ORIGINALS,
    REJECTS,
    SOURCE,
    TABLES,
    create_statements,
    recorded_in_postgres,
    recorded_plan,
)
from ._encode import Encoded, RowEncoder
from ._endpoints import open_postgres, settings, sqlite_readers
from ._faults import reporting
from ._lines import encoded_batches
from ._load_postgres import PostgresLoader
from ._make_postgres import create_tables, drop_tables, finish_table, foreign_keys, orphans
from ._pipeline import prefetched
from ._plan_validity import refuse_missing
from ._postgres_ddl import statements
from ._read import utf16_codec
from ._sqlite_catalog import column_names
from ._starting import planned_report, refuse_existing, require_interrupted, take_up
from .plan import Dropped, TablePlan, TransferPlan, table_to_dict
from .report import Orphans, TableReport, TransferReport

if TYPE_CHECKING:
    import psycopg

__all__ = ["to_postgres"]


def to_postgres(
    plan: TransferPlan,
    *,
    create_only: bool,
    dry_run: bool,
    recreate: bool,
    resume: bool,
    progress: Progress | None,
) -> TransferReport:
    """See `run_transfer`."""
    assert plan.source_config
    assert plan.target_config
    report = TransferReport(source=plan.source, target=plan.target, dry_run=dry_run)
    with sqlite_readers(plan.source_config) as lite, open_postgres(plan.target_config) as post:
        with reporting("cannot write to the target"):
            if resume:
                _resume(post, plan)
            elif not recreate:
                _refuse_existing(post, plan)
            refuse_missing(plan, partial(column_names, lite[0]))
            report.dropped = list(plan.dropped)
            if dry_run:
                report.statements = statements(plan)
                report.tables = [planned_report(table) for table in plan.tables]
                return report
            if not resume:
                report.dropped += _create(post, plan, recreate=recreate)
            run = _Run(lite, post, plan, report, progress)
            if not create_only:
                run.copy()
            run.finish()
    return report


# -- before --------------------------------------------------------------------------------------------------------


def _refuse_existing(post: psycopg.Connection[Any], plan: TransferPlan) -> None:
    names = [table.target for table in plan.tables]
    rows = post.execute(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace "
        "AND c.relname = ANY(%s) ORDER BY 1",
        (names,),
    ).fetchall()
    present = {name for (name,) in rows}
    for table in plan.tables:
        if table.existing and table.target in present:
            row = post.execute(
                f"SELECT EXISTS (SELECT FROM {POSTGRESQL.quote(table.target)})".encode()
            ).fetchone()
            if row and not row[0]:
                present.discard(table.target)
        elif table.existing:
            table.existing = False  # it was dropped since the plan was made
    refuse_existing(present)


def _create(post: psycopg.Connection[Any], plan: TransferPlan, *, recreate: bool) -> list[Dropped]:
    with post.transaction():
        settings(post)
        post.execute("SELECT pg_advisory_xact_lock(hashtext('dbadapter transfer'))")
        if recreate:
            drop_tables(post, plan)
            for table in plan.tables:
                table.existing = False
        dropped = create_tables(post, plan)
        for statement in create_statements("postgresql"):
            post.execute(statement.encode())
        names = [table.target for table in plan.tables]
        for kept in (TABLES, REJECTS, ORIGINALS):
            post.execute(f"DELETE FROM {kept} WHERE tbl = ANY(%s)".encode(), (names,))
        for table in plan.tables:
            text = json.dumps(table_to_dict(table), ensure_ascii=False)
            post.execute(
                f"INSERT INTO {TABLES} VALUES (%s, 'copying', NULL, 0, %s)".encode(), (table.target, text)
            )
        record = {"plan": plan.to_dict(), "fingerprint": _fingerprint(plan)}
        for name, value in record.items():
            upsert = f"INSERT INTO {SOURCE} VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            post.execute(upsert.encode(), (name, json.dumps(value, ensure_ascii=False)))
    return dropped


def _fingerprint(plan: TransferPlan) -> list[Any]:
    """What changes when the source does: its size, time and header's counters, and those of its log."""
    assert plan.source_config
    path = plan.source_config.sqlite_path
    found: list[Any] = []
    for name in (path, path + "-wal"):
        try:
            stat = os.stat(name)
        except OSError:
            found.append(None)
            continue
        found.append([stat.st_size, stat.st_mtime_ns] if stat.st_size else None)
    with open(path, "rb") as file:
        found.append(file.read(100)[24:28].hex())
    return found


def _resume(post: psycopg.Connection[Any], plan: TransferPlan) -> None:
    """Take up the interrupted run's plan; TransferError if there is none or the source has changed since."""
    recorded = recorded_in_postgres(post)
    require_interrupted(recorded)
    rows = dict(post.execute(f"SELECT name, value FROM {SOURCE}".encode()).fetchall())
    if json.loads(rows["fingerprint"]) != _fingerprint(plan):
        raise TransferError(
            "the source was changed since the interrupted run, so its rows cannot be told apart any more; "
            "start again with recreate"
        )
    take_up(plan, recorded_plan(rows["plan"]), recorded)


# -- copying -------------------------------------------------------------------------------------------------------


class _Run:
    """One run."""

    def __init__(
        self,
        lite: Sequence[sqlite3.Connection],
        post: psycopg.Connection[Any],
        plan: TransferPlan,
        report: TransferReport,
        progress: Progress | None,
    ) -> None:
        self._lite, self._post, self._plan, self._report = lite, post, plan, report
        self._progress = progress or (lambda phase, table, rows, total: None)
        self._utf16 = utf16_codec(plan.facts.get("encoding"))

    def copy(self) -> None:
        """Copy all tables."""
        for table in self._plan.tables:
            started = perf_counter()
            state, cursor, rows = self._state(table)
            if state == "copying":
                self._copy_table(table, cursor, rows)
            report = self._table_report(table)
            report.seconds = perf_counter() - started
            self._report.tables.append(report)

    def _state(self, table: TablePlan) -> tuple[str, int | None, int]:
        query = f"SELECT state, cursor, rows FROM {TABLES} WHERE tbl = %s".encode()
        row = self._post.execute(query, (table.target,)).fetchone()
        assert row
        state, cursor, rows = row
        if state == "copying" and rows and table.rowid is None:
            # Without a rowid there is no telling how far it came.
            with self._post.transaction():
                self._post.execute(f"TRUNCATE {POSTGRESQL.quote(table.target)}".encode())
                for name in (REJECTS, ORIGINALS):
                    self._post.execute(f"DELETE FROM {name} WHERE tbl = %s".encode(), (table.target,))
                self._post.execute(f"UPDATE {TABLES} SET rows = 0 WHERE tbl = %s".encode(), (table.target,))
            rows = 0
        return state, cursor, rows

    def _copy_table(self, table: TablePlan, cursor: int | None, done: int) -> None:
        encoder = RowEncoder(table, rowid_first=table.rowid is not None)

        def batches() -> Iterator[Encoded]:
            return encoded_batches(self._lite, table, encoder, after=cursor, utf16=self._utf16)

        self._post.execute("SET synchronous_commit = off")
        with reporting(f"copying {table.name} stopped"), PostgresLoader(self._post, encoder) as loader:
            for encoded in prefetched(batches):
                loader.add(encoded)
                done += encoded.read
                self._progress("copy", table.name, done, table.rows)
            loader.flush()
            self._post.execute(
                f"UPDATE {TABLES} SET state = 'copied' WHERE tbl = %s".encode(), (table.target,)
            )

    def _table_report(self, table: TablePlan) -> TableReport:
        read = self._state(table)[2]
        found = TableReport(table=table.name, target=table.target, rows=read)
        width = len(table.copied)
        query = (
            f"SELECT (SELECT count(*) FROM {REJECTS} WHERE tbl = %s), "
            f"(SELECT count(*) FROM {ORIGINALS} WHERE tbl = %s), "
            f"(SELECT count(*) FROM (SELECT FROM {REJECTS} WHERE tbl = %s GROUP BY key HAVING count(*) = %s) x)"
        )
        name = table.target
        row = self._post.execute(query.encode(), (name, name, name, width)).fetchone()
        assert row
        found.rejected, found.kept, found.rejected_rows = row
        found.copied = read - found.rejected_rows
        return found

    # -- after -----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Keys, indexes, checks and identities."""
        for table in self._plan.tables:
            self._progress("index", table.name, 0, -1)
            with reporting(f"finishing {table.target} failed"):
                self._report.dropped += finish_table(self._post, table)
        for table in self._plan.tables:
            with reporting(f"finishing {table.target} failed"):
                self._add_foreign_keys(table)
                self._post.execute(
                    f"UPDATE {TABLES} SET state = 'done' WHERE tbl = %s".encode(), (table.target,)
                )
                self._post.execute(f"ANALYZE {POSTGRESQL.quote(table.target)}".encode())
        self._post.execute("SET synchronous_commit = on")
        with self._post.transaction():  # what was committed before without waiting is on disk with this
            self._post.execute(f"UPDATE {SOURCE} SET value = value WHERE name = 'plan'".encode())

    def _add_foreign_keys(self, table: TablePlan) -> None:
        for key, name, problem, valid in foreign_keys(self._post, table):
            if problem:
                self._report.dropped.append(
                    Dropped(kind="foreign key", name=name, reason=problem, table=table.name)
                )
            elif not valid:
                count, examples = orphans(self._post, table, key)
                self._report.orphans.append(
                    Orphans(
                        table=table.target,
                        columns=key.columns,
                        ref_table=key.ref_table,
                        count=count,
                        examples=examples,
                    )
                )
