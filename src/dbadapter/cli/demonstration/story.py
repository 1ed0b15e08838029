"""The demo from beginning to end: open on SQLite, switch to Postgres and back, check every write."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs
import click

from dbadapter.config import DatabaseConfig, DatabaseType
from dbadapter.errors import SwitchAborted
from dbadapter.types import SwitchReport

from .board import Board
from .chart import chart_width, latency_chart
from .display import display
from .ledger import Acknowledged, Check
from .ownfile import OwnFile, copy_database, digest
from .shop import Shop
from .workers import Workers

if TYPE_CHECKING:
    from dbadapter import DatabaseAdapter
    from dbadapter.embedded import EmbeddedPostgres

__all__ = ["DemoReport", "run_demo"]

# The database on Postgres for an own file's data that cannot move along.
APART = "demo_apart"
_SHOWN = 200


@attrs.frozen
class DemoReport:
    """What the demo measured and found; times in milliseconds.

    Attributes:
        data: what was worked on.
        carried: the rows moved along with the switches; else each database had rows of its own.
        requests: requests served; per_second: on average, starting Postgres included.
        longest_wait: of any request, those during the switches included.
        switches: the report of each switch.
        errors: requests that failed; first_errors says what some of them said.
        checks: what was claimed at the end, and whether it holds.
        left_out: what of the user's own file could not be read or moved, and why.
        pool: the pool's figures at the end.
    """

    data: str
    carried: bool
    requests: int
    per_second: float
    acknowledged: int
    longest_wait: float
    switches: tuple[SwitchReport, ...]
    errors: int
    first_errors: tuple[str, ...]
    checks: tuple[Check, ...]
    left_out: tuple[str, ...]
    pool: dict[str, Any]

    @property
    def passed(self) -> bool:
        """No request failed, and everything claimed holds."""
        return not self.errors and all(check.holds for check in self.checks)


def run_demo(*, own_file: Path | None, seconds: float, workers: int, quiet: bool) -> DemoReport:
    """Run the demo.

    Args:
        own_file: an SQLite file to take the data from; None: a shop's.
        seconds: how long the app works, at least.
        workers: threads of the app.
        quiet: print nothing.

    Raises:
        DatabaseUnavailable: there is no embedded Postgres, or the file is no database.
    """
    with tempfile.TemporaryDirectory(prefix="dbadapter-demo-") as directory:
        scratch = Path(directory)
        before = digest(own_file) if own_file else None
        if own_file:
            copy_database(own_file, scratch / "shop.db")
        workload = OwnFile(own_file) if own_file else Shop()
        report = _Story(scratch, workload, seconds, workers, quiet).run()
    if own_file:
        untouched = Check("your file was only read", digest(own_file) == before, own_file.name)
        report = attrs.evolve(report, checks=(*report.checks, untouched))
    if not quiet:
        _print_report(report)
    return report


class _Story:
    """One run."""

    def __init__(
        self, scratch: Path, workload: Shop | OwnFile, seconds: float, workers: int, quiet: bool
    ) -> None:
        self._config = DatabaseConfig(sqlite_path=str(scratch / "shop.db"))
        self._workload = workload
        self._act = seconds / 3
        self._count = workers
        self._quiet = quiet
        self._carried = True
        self._apart: DatabaseConfig | None = None

    def run(self) -> DemoReport:
        from dbadapter import DatabaseAdapter
        from dbadapter.embedded import EmbeddedPostgres

        postgres = EmbeddedPostgres()
        try:
            with DatabaseAdapter(self._config) as adapter:
                self._workload.prepare(adapter)
                workers = Workers(adapter, self._workload, self._count)
                board = Board(adapter, workers)
                with display(board, quiet=self._quiet), workers:
                    switches = self._acts(board, adapter, postgres)
                    board.doing = "closing the shop"
                    final = board.now()
                checks = self._check(workers.written)
                samples = [sample for ledger in workers.ledgers for sample in ledger.samples]
                chart = latency_chart(samples, board.marks, width=chart_width())
        finally:
            postgres.close()
        if not self._quiet:
            click.echo("\nlongest wait of any request, by moment (1: to Postgres, 2: back to SQLite)")
            click.echo("\n".join(chart))
        return DemoReport(
            data=self._workload.name,
            carried=self._carried,
            requests=final.requests,
            per_second=round(final.requests / final.seconds, 1),
            acknowledged=len(workers.written),
            longest_wait=round(final.longest, 1),
            switches=tuple(switches),
            errors=len(workers.errors),
            first_errors=tuple(workers.errors[:5]),
            checks=tuple(checks),
            left_out=tuple(getattr(self._workload, "left_out", ())),
            pool=final.pool,
        )

    def _acts(self, board: Board, adapter: DatabaseAdapter, postgres: EmbeddedPostgres) -> list[SwitchReport]:
        board.say(f"{self._workload.name}, {self._count} threads, on SQLite")
        board.doing = "working on SQLite, while Postgres starts"
        began = perf_counter()
        postgres.start()
        target = attrs.evolve(postgres.config, sqlite_path=self._config.sqlite_path)
        board.say("Postgres has started")
        _work(self._act - (perf_counter() - began))
        there = self._go_there(board, adapter, target)
        board.doing = "working on Postgres"
        _work(self._act)
        back = self._switch(board, adapter, DatabaseType.SQLITE, "2", follow_back=False)
        board.doing = "working on SQLite again"
        _work(self._act)
        return [there, back]

    def _go_there(self, board: Board, adapter: DatabaseAdapter, target: DatabaseConfig) -> SwitchReport:
        try:
            return self._switch(board, adapter, target, "1", follow_back=True)
        except SwitchAborted as exc:
            # Data from the wild may hold what Postgres cannot: the app goes on, and so does the demo.
            if not isinstance(self._workload, OwnFile):
                raise
            note = f"the data cannot move along: {exc.reason[:_SHOWN]}"
            board.say(note)
            self._workload.left_out.append(note)
            apart = self._fill_apart(self._workload, target)
            return self._switch(board, adapter, apart, "1", follow_back=False)

    def _switch(
        self,
        board: Board,
        adapter: DatabaseAdapter,
        target: DatabaseType | DatabaseConfig,
        mark: str,
        *,
        follow_back: bool,
    ) -> SwitchReport:
        board.doing = "switching" + (", with the data" if self._carried else "")
        if self._carried:
            report = adapter.switch_database(target, carry_data=True, follow_back=follow_back)
        else:
            report = adapter.switch_database(target)
        board.marks.append((perf_counter(), mark))
        moved = f", {report.rows_copied:,} rows moved" if self._carried else ""
        board.say(
            f"switched from {report.source} to {report.target}: {report.paused_ms:.1f} ms of waiting{moved}"
        )
        return report

    def _fill_apart(self, workload: OwnFile, target: DatabaseConfig) -> DatabaseConfig:
        """Give Postgres what it can hold of the file, as data of its own; from now on nothing moves along."""
        from dbadapter import DatabaseAdapter

        self._carried = False
        pool = attrs.evolve(target.pool, database=APART)
        self._apart = attrs.evolve(target, pool=pool, create_database=True)
        with DatabaseAdapter(self._apart) as adapter, DatabaseAdapter(self._config) as source:
            workload.copy_to(adapter, source)
        return self._apart

    def _check(self, written: Sequence[Acknowledged]) -> list[Check]:
        """Look every acknowledged write up, with new connections, in the database that should have it."""
        from dbadapter import DatabaseAdapter

        checks = []
        places = [("SQLite", self._config)]
        if self._apart is not None:
            places.append(("Postgres", self._apart))
        for place, config in places:
            expected = [order for order in written if self._carried or order.home == config.db_type.value]
            with DatabaseAdapter(config) as adapter:
                checks += self._workload.check(adapter, expected, place)
        return checks


def _work(seconds: float) -> None:
    """Let the workers work; Ctrl-C ends it."""
    threading.Event().wait(max(seconds, 0.0))


def _print_report(report: DemoReport) -> None:
    click.echo(
        f"\n{report.requests:,} requests on {report.data}, {report.per_second:,.0f} a second; "
        f"{report.acknowledged:,} writes acknowledged; longest wait {report.longest_wait:.0f} ms"
    )
    for switch in report.switches:
        click.echo(
            f"  {switch.source} → {switch.target}: work in flight ended after {switch.drained_ms:.1f} ms, "
            f"new work waited {switch.paused_ms:.1f} ms"
        )
    if not report.carried:
        click.echo("  each database kept rows of its own")
    for text in report.left_out:
        click.echo(f"  note: {text}")
    for error in report.first_errors:
        click.echo(f"  error: {error}")
    click.echo(f"  {'ok ' if not report.errors else 'NO '} no request failed: {report.errors} errors")
    for check in report.checks:
        click.echo(f"  {'ok ' if check.holds else 'NO '} {check.claim}: {check.figures}")
    click.echo("passed" if report.passed else "FAILED")
