"""How a transfer looks: bars on a terminal, plain lines elsewhere, tables at the end."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from .output import print_lines, print_table

if TYPE_CHECKING:
    from ..transfer import TransferPlan, TransferReport, VerifyReport

__all__ = ["ProgressDisplay", "print_check", "print_plan", "print_report"]

_WORDS = {"profile": "reading", "copy": "copying", "index": "indexing", "verify": "comparing"}
_SECONDS_BETWEEN_LINES = 5.0


class ProgressDisplay:
    """Shows progress on standard error; call it as a transfer's ``progress``.

    Args:
        quiet: show nothing, because a program reads the answer.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._tasks: dict[tuple[str, str], Any] = {}
        self._started: dict[tuple[str, str], float] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._last: tuple[str, str, int] | None = None

    def __enter__(self) -> ProgressDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Take the bars away; the next call puts new ones up."""
        self._finish()
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
            self._tasks.clear()

    def __call__(self, phase: str, table: str, rows: int, total: int) -> None:
        """Show how far a phase has come with a table."""
        if self._quiet:
            return
        if sys.stderr.isatty():
            self._bar(phase, table, rows, total)
        else:
            self._line(phase, table, rows, total)

    def _bar(self, phase: str, table: str, rows: int, total: int) -> None:
        if self._bars is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.completed:>12,.0f} rows"),
                TextColumn("{task.fields[speed]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True, highlight=False),
            )
            self._bars.start()
        key = (phase, table)
        now = time.perf_counter()
        if key not in self._tasks:
            self._started[key] = now
            name = f"{_WORDS.get(phase, phase):<9} {table}"
            self._tasks[key] = self._bars.add_task(name, total=total if total >= 0 else None, speed="")
        elapsed = now - self._started[key]
        speed = f"{rows / elapsed:>10,.0f}/s" if elapsed > 0.2 else ""
        known = total if total >= 0 else None
        self._bars.update(self._tasks[key], completed=rows, total=known, speed=speed)

    def _line(self, phase: str, table: str, rows: int, total: int) -> None:
        key = (phase, table)
        now = time.perf_counter()
        if self._last is not None and self._last[:2] != key:
            self._finish()
        self._started.setdefault(key, now)
        self._last = (phase, table, rows)
        if now - self._said.setdefault(key, now) >= _SECONDS_BETWEEN_LINES:
            self._said[key] = now
            of = f" of {total:,}" if total >= 0 else ""
            speed = rows / max(now - self._started[key], 1e-9)
            click.echo(f"{_WORDS.get(phase, phase)} {table}: {rows:,}{of} rows, {speed:,.0f}/s", err=True)

    def _finish(self) -> None:
        """On plain output: one line for what is done with."""
        if self._last is None:
            return
        phase, table, rows = self._last
        self._last = None
        counted = f": {rows:,} rows" if phase != "index" else ""
        click.echo(f"{_WORDS.get(phase, phase)} {table}{counted}", err=True)


def print_plan(plan: TransferPlan, report: TransferReport) -> None:
    """What a dry run would do."""
    rows = [
        (
            _named(table.name, table.target),
            _named(column.name, column.target),
            column.declared,
            column.type,
            column.at_risk,
            column.kept,
            column.reason,
        )
        for table in plan.tables
        for column in table.columns
    ]
    print_table(("table", "column", "source type", "target type", "at risk", "kept", "reason"), rows)
    print_lines([f"vector collection {name}" for name in plan.collections])
    _print_dropped(report)
    print_lines(f"note: {note}" for note in plan.notes)
    print_lines(["", *(f"{statement};" for statement in report.statements)])


def _named(source: str, target: str) -> str:
    """What a table or column is called, at both ends if there it has another name."""
    return target if target == source else f"{source} → {target}"


def print_report(report: TransferReport) -> None:
    """What a transfer did."""
    rows = [
        (
            _named(table.table, table.target),
            table.rows,
            table.copied,
            table.rejected_rows,
            table.rejected,
            table.kept,
            round(table.rows / table.seconds) if table.seconds > 0 else 0,
        )
        for table in report.tables
    ]
    if rows:
        print_table(
            ("table", "rows", "arrived", "rejected rows", "rejected values", "kept originals", "rows/s"), rows
        )
    for copy in report.collections:
        click.echo(f"collection {copy.name}: {copy.records:,} vectors")
    for orphans in report.orphans:
        click.echo(
            f"orphans: {orphans.count} rows of {orphans.table} refer by {', '.join(orphans.columns)} to no row of "
            f"{orphans.ref_table} ({'; '.join(orphans.examples[:3])} …); the key holds for new rows only"
        )
    _print_dropped(report)
    rejected = f", {report.rejects:,} values in _dbadapter_rejects" if report.rejects else ""
    click.echo(f"{report.rows:,} rows arrived in {report.seconds:.1f} s{rejected}")


def _print_dropped(report: TransferReport) -> None:
    for item in report.dropped:
        place = f" of {item.table}" if item.table and item.table != item.name else ""
        click.echo(f"left behind: {item.kind} {item.name}{place}: {item.reason}")


def print_check(check: VerifyReport) -> None:
    """What comparing found."""
    for table in check.tables:
        if table.problem is not None:
            click.echo(f"not compared: {table.table}: {table.problem}")
        elif not table.equal:
            click.echo(
                f"differs: {table.table}: {table.source_rows:,} rows here, {table.target_rows:,} there"
            )
            for found in table.differences:
                column = f" {found.column}" if found.column is not None else ""
                here = found.source if found.source is not None else "no row"
                there = found.target if found.target is not None else "no row"
                click.echo(f"  {found.key}{column}: {here} → {there}")
    for collection in check.collections:
        if collection.problem is not None:
            click.echo(f"differs: collection {collection.collection}: {collection.problem}")
    rows = sum(table.source_rows for table in check.tables)
    if check.rejected:
        click.echo(f"{check.rejected:,} values stand in _dbadapter_rejects instead of their tables")
    verdict = "equal" if check.equal else "NOT equal"
    vectors = sum(collection.records for collection in check.collections)
    also = f" and {len(check.collections)} collections with {vectors:,} vectors" if check.collections else ""
    click.echo(
        f"{len(check.tables)} tables with {rows:,} rows{also} compared in {check.seconds:.1f} s: {verdict}"
    )
