"""Carrying out a plan from Postgres to SQLite."""

from __future__ import annotations

import json
import os
import sqlite3
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._dialects import SQLITE
from ..errors import TransferError
from ._arguments import Progress
from ._bookkeeping import (
    ORIGINALS,
    REJECTS,
    SOURCE,
    TABLES,
    create_statements,
    recorded_in_sqlite,
    recorded_plan,
)
from ._endpoints import open_sqlite, postgres_source
from ._faults import reporting
from ._load_sqlite import SQLiteLoader
from ._plan_validity import refuse_missing
from ._postgres_catalog import column_names
from ._put_back import put_back
from ._read import utf16_codec
from ._read_postgres import postgres_batches
from ._starting import planned_report, refuse_existing, require_interrupted, take_up
from ._types import canonical
from .plan import Dropped, TablePlan, TransferPlan, table_to_dict
from .report import Orphans, TableReport, TransferReport

if TYPE_CHECKING:
    import psycopg

__all__ = ["to_sqlite"]


def to_sqlite(
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
    if dry_run:
        _dry_run(plan, report, recreate=recreate)
        return report
    path = plan.target_config.sqlite_path
    if resume and not os.path.exists(path):
        require_interrupted({})
    with postgres_source(plan.source_config) as post:
        with reporting("cannot read the source"):
            if not resume:
                refuse_missing(plan, partial(column_names, post))  # before there is a file
        with open_sqlite(plan.target_config) as lite, reporting(f"cannot write {path}"):
            if resume:
                _resume(lite, plan)
            elif not recreate:
                _refuse_existing(lite, plan)
            report.dropped = list(plan.dropped)
            _prepare(lite, plan)
            if not resume:
                _create(lite, plan, recreate=recreate)
            run = _Run(post, lite, plan, report, progress)
            if not create_only:
                run.copy()
                run.restore()
            run.finish()
    return report


def _dry_run(plan: TransferPlan, report: TransferReport, *, recreate: bool) -> None:
    """Report what would be done; the file is not made where it is missing."""
    assert plan.target_config
    if os.path.exists(plan.target_config.sqlite_path) and not recreate:
        with open_sqlite(plan.target_config) as lite:
            _refuse_existing(lite, plan)
    report.dropped = list(plan.dropped)
    report.statements = [text for table in plan.tables for text in (table.create_sql or "", *table.after_sql)]
    report.tables = [planned_report(table) for table in plan.tables]


# -- before --------------------------------------------------------------------------------------------------------


def _refuse_existing(lite: sqlite3.Connection, plan: TransferPlan) -> None:
    present = {
        name.lower() for (name,) in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    refuse_existing(table.target for table in plan.tables if table.target.lower() in present)


def _prepare(lite: sqlite3.Connection, plan: TransferPlan) -> None:
    """A file just made gets the encoding of the one that its data came from; loading waits for no disk."""
    if lite.execute("PRAGMA page_count").fetchone()[0] == 0 and "encoding" in plan.facts:
        encoding = plan.facts["encoding"]
        if encoding in ("UTF-8", "UTF-16le", "UTF-16be"):
            lite.execute(f"PRAGMA encoding = '{encoding}'")
    lite.execute("PRAGMA foreign_keys = OFF")
    # Pages that are new need no journal, and a log would have all of them written twice.
    lite.execute("PRAGMA journal_mode = TRUNCATE").fetchone()
    lite.execute("PRAGMA synchronous = OFF")
    lite.execute("PRAGMA cache_size = -32000")
    # What violates a check does so in the source already.
    lite.execute("PRAGMA ignore_check_constraints = ON")


def _create(lite: sqlite3.Connection, plan: TransferPlan, *, recreate: bool) -> None:
    lite.execute("BEGIN IMMEDIATE")
    try:
        for table in plan.tables:
            if recreate:
                lite.execute(f"DROP TABLE IF EXISTS {SQLITE.quote(table.target)}")
            _create_table(lite, table)
        for statement in create_statements("sqlite"):
            lite.execute(statement)
        for table in plan.tables:
            for kept in (TABLES, REJECTS, ORIGINALS):
                lite.execute(f"DELETE FROM {kept} WHERE tbl = ?", (table.target,))
            text = json.dumps(table_to_dict(table), ensure_ascii=False)
            lite.execute(f"INSERT INTO {TABLES} VALUES (?, 'copying', NULL, 0, ?)", (table.target, text))
        text = json.dumps(plan.to_dict(), ensure_ascii=False)
        lite.execute(f"INSERT OR REPLACE INTO {SOURCE} VALUES ('plan', ?)", (text,))
        lite.execute("COMMIT")
    except BaseException:
        lite.execute("ROLLBACK")
        raise


def _create_table(lite: sqlite3.Connection, table: TablePlan) -> None:
    try:
        lite.execute(table.create_sql or "")
    except sqlite3.OperationalError as error:
        raise TransferError(f"cannot make the table {table.target}: {error}") from error


def _resume(lite: sqlite3.Connection, plan: TransferPlan) -> None:
    recorded = recorded_in_sqlite(lite)
    require_interrupted(recorded)
    row = lite.execute(f"SELECT value FROM {SOURCE} WHERE name = 'plan'").fetchone()
    take_up(plan, recorded_plan(row[0]), recorded)


# -- copying -------------------------------------------------------------------------------------------------------


class _Run:
    """One run."""

    def __init__(
        self,
        post: psycopg.Connection[Any],
        lite: sqlite3.Connection,
        plan: TransferPlan,
        report: TransferReport,
        progress: Progress | None,
    ) -> None:
        self._post, self._lite, self._plan, self._report = post, lite, plan, report
        self._progress = progress or (lambda phase, table, rows, total: None)
        self._utf16 = utf16_codec(lite.execute("PRAGMA encoding").fetchone()[0])

    def copy(self) -> None:
        """Copy all tables."""
        for table in self._plan.tables:
            started = perf_counter()
            state, cursor, rows = self._lite.execute(
                f"SELECT state, cursor, rows FROM {TABLES} WHERE tbl = ?", (table.target,)
            ).fetchone()
            if state == "copying":
                self._copy_table(table, cursor, rows)
            report = self._table_report(table)
            report.seconds = perf_counter() - started
            self._report.tables.append(report)

    def _table_report(self, table: TablePlan) -> TableReport:
        report = TableReport(table=table.name, target=table.target)
        report.rows = self._number(f"SELECT rows FROM {TABLES} WHERE tbl = ?", table.target)
        report.rejected = self._count_rejects(table)
        report.rejected_rows = self._number(
            f"SELECT count(*) FROM (SELECT 1 FROM {REJECTS} WHERE tbl = ? GROUP BY key HAVING count(*) = ?)",
            table.target,
            len(table.copied),
        )
        report.copied = report.rows - report.rejected_rows
        return report

    def _count_rejects(self, table: TablePlan) -> int:
        return self._number(f"SELECT count(*) FROM {REJECTS} WHERE tbl = ?", table.target)

    def _number(self, query: str, *params: str | int) -> int:
        return int(self._lite.execute(query, params).fetchone()[0])

    def _copy_table(self, table: TablePlan, cursor: int | None, done: int) -> None:
        order = _order(table)
        if done and order is None:
            # Without an integer key there is no telling how far it came.
            self._lite.execute(f"DELETE FROM {SQLITE.quote(table.target)}")
            self._lite.execute(f"DELETE FROM {REJECTS} WHERE tbl = ?", (table.target,))
            self._lite.execute(f"UPDATE {TABLES} SET rows = 0 WHERE tbl = ?", (table.target,))
            done = 0
        loader = SQLiteLoader(self._lite, table, order)
        with reporting(f"copying {table.name} stopped"):
            for rows, refused in postgres_batches(self._post, table, cursor, order):
                read = len(rows)
                loader.add(rows, refused)
                done += read
                self._progress("copy", table.name, done, table.rows)
            self._lite.execute(f"UPDATE {TABLES} SET state = 'copied' WHERE tbl = ?", (table.target,))

    # -- after -----------------------------------------------------------------------------------------------------

    def restore(self) -> None:
        """Put rejected values and original spellings back, where the rows came from SQLite."""
        for table in self._plan.tables:
            inserted = put_back(self._post, self._lite, table, utf16=self._utf16)
            report = next(report for report in self._report.tables if report.target == table.target)
            report.rows += inserted
            report.copied += inserted
            report.rejected = self._count_rejects(table)

    def finish(self) -> None:
        """Indexes, triggers, views, identities, and the settings of the file."""
        for table in self._plan.tables:
            self._progress("index", table.name, 0, -1)
            for statement in table.after_sql:
                self._try("index", table.name, statement)
            self._count_on(table)
        for item in self._plan.facts.get("objects", ()):
            self._try(item["kind"], item["name"], item["sql"])
        for kind in ("user_version", "application_id"):
            if isinstance(value := self._plan.facts.get(kind), int):
                self._lite.execute(f"PRAGMA {kind} = {value:d}")
        self._lite.execute(f"UPDATE {TABLES} SET state = 'done'")
        self._report.orphans += self._orphans()
        self._lite.execute("PRAGMA synchronous = FULL")
        journal = str(self._plan.facts.get("journal_mode", "wal")).lower()
        if journal in ("delete", "truncate", "persist", "wal"):
            self._lite.execute(f"PRAGMA journal_mode = {journal}").fetchone()
        with open(self._plan.target_config.sqlite_path, "rb") as file:  # type: ignore[union-attr]
            os.fsync(file.fileno())

    def _try(self, kind: str, name: str, statement: str) -> None:
        """Make an index or another object, unless it is there; the report lists what could not be made."""
        if kind != "index" and self._has_object(name, or_table=kind == "virtual table"):
            return
        try:
            self._lite.execute(statement)
            if kind == "virtual table" and "fts" in statement.lower():
                quoted = SQLITE.quote(name)
                self._lite.execute(f"INSERT INTO {quoted}({quoted}) VALUES ('rebuild')")
        except sqlite3.Error as error:
            if "already exists" not in str(error):
                self._report.dropped.append(Dropped(kind=kind, name=name, reason=str(error), sql=statement))
        else:
            # What the plan lists as left behind is there again.
            self._report.dropped = [
                item for item in self._report.dropped if (item.kind, item.name) != (kind, name)
            ]

    def _has_object(self, name: str, *, or_table: bool) -> bool:
        query = "SELECT 1 FROM sqlite_master WHERE name = ?" + ("" if or_table else " AND type <> 'table'")
        return self._lite.execute(query, (name,)).fetchone() is not None

    def _count_on(self, table: TablePlan) -> None:
        """Where SQLite remembers the last number given out, let it be Postgres' last."""
        if table.next_identity is None or "AUTOINCREMENT" not in (table.create_sql or "").upper():
            return
        self._lite.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table.target,))
        if table.next_identity > 1:
            self._lite.execute(
                "INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)",
                (table.target, table.next_identity - 1),
            )

    def _orphans(self) -> list[Orphans]:
        """Rows of the tables whose foreign keys refer to no row, by key."""
        names = {table.target for table in self._plan.tables}
        found: dict[tuple[str, str, int], list[str]] = {}
        try:
            for name, rowid, parent, number in self._lite.execute("PRAGMA foreign_key_check"):
                if name in names:
                    found.setdefault((name, parent, number), []).append(str(rowid))
        except sqlite3.Error:  # a key to a table that is not there
            return []
        reports = []
        for (name, parent, number), rows in found.items():
            keys = self._lite.execute(
                'SELECT "from" FROM pragma_foreign_key_list(?) WHERE id = ? ORDER BY seq', (name, number)
            ).fetchall()
            columns = [column for (column,) in keys]
            reports.append(
                Orphans(
                    table=name, columns=columns, ref_table=parent, count=len(rows),
                    examples=[f"rowid {row}" for row in rows[:10]],
                )
            )  # fmt: skip
        return reports


def _order(table: TablePlan) -> str | None:
    """The integer key by which the table can be read in order."""
    if len(table.key) != 1:
        return None
    column = table.column(table.key[0])
    integers = ("smallint", "integer", "bigint")
    return column.name if canonical(column.declared)[0] in integers else None
