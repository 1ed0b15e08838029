"""Moving an app's data from an SQLite file to Postgres while any number of processes go on writing to the file.

`prepare` does all that can be done beside the app. `finish` runs in the pause and ends with the decision: one commit in
the file, which says that the data live elsewhere and closes its fence. `settle` tidies up, `discard` undoes.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Any

from .._core.switching import NOTICE, CatchUp, Record, place_of
from ..config import DatabaseConfig
from ..errors import SwitchAborted
from ..transfer._endpoints import display, open_postgres, settings
from ..transfer._faults import reporting
from ..transfer._plan_sqlite import plan_from_sqlite
from ..transfer.plan import TransferPlan
from ..transfer.report import TableCheck
from ..transfer.verifying import _compare
from .collections import MovedCollections, drop_collections
from .ends import begin_at_once, is_on_network, open_source, sole_mover
from .examining import refuse_plan, target_state
from .executor import postgres_executor, sqlite_executor
from .postgres_target import PostgresTarget
from .records import read_postgres, read_sqlite, write_postgres, write_sqlite
from .sqlite_capture import CapturedTable, remove_capture
from .sqlite_fence import fence
from .sqlite_source import SQLiteSource, moved_tables

__all__ = ["ToPostgres"]

Tell = Callable[..., None]


class ToPostgres:
    """One move; its methods are called in the order in which they stand here, by one thread at a time."""

    def __init__(
        self,
        source: DatabaseConfig,
        target: DatabaseConfig,
        tell: Tell,
        *,
        follow_back: bool = False,
        rehearsal: bool = False,
    ) -> None:
        self._follow_back, self._rehearsal = follow_back, rehearsal
        self.source_config, self.target_config, self._told = source, target, tell
        self.token = secrets.token_hex(8)
        self.rows = self.rounds = 0
        self.verified = False
        self.decided: Record | None = None
        self._stack = ExitStack()
        self._source: SQLiteSource | None = None
        self._target: PostgresTarget | None = None
        self._collections: MovedCollections | None = None
        self._index_options: dict[str, dict[str, Any]] = {}
        self._before: Record | None = None
        self._target_before: Record | None = None
        self._marked = 0.0
        self._stopping = False

    def stop(self) -> None:
        """Make the step under way end soon, with `SwitchAborted`; from another thread."""
        self._stopping = True

    def _tell(self, phase: str, **figures: Any) -> None:
        if self._stopping and self.decided is None and phase != "discarding":
            raise SwitchAborted("the switch was cancelled")
        self._told(phase, **figures)

    # -- beside the app --------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Refuse what cannot be moved, then bring the target so far that the rest takes moments."""
        with reporting("the data cannot be moved"):
            self._open()
            self._copy()
            self._copy_collections()
            self._catch_up()
            self._verify()
            self._catch_up()
            self._wait_for_notice()

    def _open(self) -> None:
        path = self.source_config.sqlite_path
        self._tell("examining")
        if path == ":memory:":
            raise SwitchAborted(
                "a database in memory belongs to its one connection; only a file can be moved"
            )
        if kind := is_on_network(path):
            raise SwitchAborted(
                f"{path} is on a network file system ({kind}), where SQLite's locks cannot be trusted"
            )
        self._stack.enter_context(sole_mover(path))
        raw = open_source(path)
        self._stack.callback(raw.close)
        post = self._stack.enter_context(open_postgres(self.target_config))
        before = read_sqlite(raw)
        self._target_before = read_postgres(post)
        state = target_state(post, self._target_before, before, place_of(self.source_config))
        plan, version = self._plan(raw, state.target)
        refuse_plan(plan, state)
        tables = moved_tables(raw, plan)
        self._collections = moved = MovedCollections(
            sqlite_executor(raw), postgres_executor(post), first=len(tables)
        )
        self._index_options = state.index_options
        captured = [
            CapturedTable(number, each.table, (each.key,), (each.key,))
            for number, each in enumerate(moved.captured, moved.first)
        ]
        self._source = source = SQLiteSource(raw, tables, captured)
        self._target = PostgresTarget(post, plan, source.tables, follow_back=self._follow_back)
        epoch = before.epoch if before else 0
        self._before = before if before and before.state == "here" else (Record(epoch) if epoch else None)
        # Whoever reads where the data go opens that database ahead of time; a rehearsal's is not for them.
        place = {} if self._rehearsal else place_of(self.target_config)
        leaving = Record(epoch, "leaving", self.token, place)
        self._tell("capturing")
        source.install(leaving, version)
        self._marked = monotonic()
        made = tuple(t.target for t in plan.tables if t.target not in state.present)
        arriving = Record(epoch + 1, "arriving", self.token, place_of(self.source_config), made)
        self._target.make(arriving, state.present)

    def _plan(self, raw: sqlite3.Connection, target: Any) -> tuple[TransferPlan, int]:
        plan = TransferPlan(
            direction="sqlite-postgresql",
            source=display(self.source_config),
            target=display(self.target_config),
        )
        raw.execute("BEGIN")
        try:
            version = int(raw.execute("PRAGMA schema_version").fetchone()[0])
            plan_from_sqlite(
                raw, target, plan, tables=None, profile=True, encoding=None,
                progress=lambda phase, table, rows, total: self._tell("examining", table=table, rows=rows),
            )  # fmt: skip
        finally:
            raw.execute("COMMIT")
        return plan, version

    def _both(self) -> tuple[SQLiteSource, PostgresTarget]:
        assert self._source is not None
        assert self._target is not None
        return self._source, self._target

    @property
    def _vectors(self) -> MovedCollections:
        assert self._collections is not None
        return self._collections

    def _copy(self) -> None:
        source, target = self._both()
        for table in source.tables:
            done = self.rows

            def tell(rows: int, name: str = table.plan.name, total: int = table.plan.rows) -> None:
                self.rows = done + rows  # noqa: B023 - called before the next table only
                self._tell("copying", table=name, rows=rows, total=total, rows_copied=self.rows)

            self.rows = done + target.fill(table, source.chunks(table), tell)
        self._round()
        self._tell("indexing", rows_copied=self.rows)
        target.index()

    def _copy_collections(self) -> None:
        """After the rows and the keys that ids may be tied to."""
        _, target = self._both()
        done = self.rows

        def tell(name: str, records: int) -> None:
            self._tell("copying", table=name, rows=records, rows_copied=done + records)

        with target.raw.transaction():
            self._vectors.make()
            target.set_keys_aside([each.table for each in self._vectors.arrived])
        self.rows = done + self._vectors.fill(tell, self._index_options)

    def _round(self) -> int:
        """Bring the target to the state of one moment; how many changes that were."""
        source, _ = self._both()
        source.raw.execute("BEGIN")
        try:
            changes = self._apply()
        finally:
            source.rollback()
        source.forget()
        return changes

    def _apply(self) -> int:
        """A round's work, in the transaction that is open on the source."""
        source, target = self._both()
        source.check_schema()
        last = source.last_change()
        changes = max(last - source.cursor, 0)
        if changes:
            with target.raw.transaction():
                settings(target.raw)
                self._write_changes(last)
            source.cursor = last
            self.rounds += 1
        self._tell("catching up", backlog=changes, rounds=self.rounds, rows_copied=self.rows)
        return changes

    def _write_changes(self, last: int) -> None:
        source, target = self._both()
        found = [(table, source.dirty_keys(table.captured, last)) for table in source.tables]
        for table, keys in found:
            if keys:
                target.apply(table, keys, source.dirty_rows(table, last))
        self._vectors.apply(
            (captured.number, key)
            for captured in source.others
            for (key,) in source.dirty_keys(captured, last)
        )

    def _catch_up(self) -> None:
        watch = CatchUp()
        while not watch.is_done(self._round()):
            if watch.is_hopeless:
                raise SwitchAborted("the app writes faster than its changes can be carried over")

    def _verify(self) -> None:
        """Compare every table at one moment of the source; nobody else writes to the target."""
        source, target = self._both()
        source.raw.execute("BEGIN")
        try:
            self._apply()
            for table in source.tables:
                self._tell("verifying", table=table.plan.name, rows_copied=self.rows)
                check = TableCheck(table=table.plan.name, target=table.plan.target)
                with target.raw.transaction():
                    settings(target.raw)
                    _compare(source.raw, target.raw, table.match, check, from_sqlite=True)
                if not check.equal:
                    shown = check.differences[0] if check.differences else check.problem
                    raise SwitchAborted(f"the target's {table.plan.target} differs from the source: {shown}")
            self._vectors.verify()
        finally:
            source.rollback()
        self.verified = True

    def _wait_for_notice(self) -> None:
        """Every process that uses the file has to know by now that it must look before it writes."""
        while (left := self._marked + NOTICE - monotonic()) > 0:
            sleep(left)
            self._round()

    # -- in the pause ----------------------------------------------------------------------------------------------

    def finish(self, patience: float) -> None:
        """The last round, and the decision. The app's own work on the file has ended by now.

        In a rehearsal everything but the decision is done.
        """
        with reporting("the data cannot be moved"):
            source, target = self._both()
            begin_at_once(source.raw, patience)
            self._tell("switching")
            source.check_schema()
            assert target.raw is not None
            epoch = (self._before.epoch if self._before else 0) + 1
            made = tuple(target.made)
            arriving = Record(epoch, "arriving", self.token, place_of(self.source_config), made)
            with target.raw.transaction():
                settings(target.raw)
                self._write_changes(source.last_change())
                identities = {
                    t.plan.name: n for t in source.tables if (n := source.next_identity(t)) is not None
                }
                target.finish(arriving, identities, self._vectors.arrived)
            remove_capture(source.raw)
            names = [*(table.plan.name for table in source.tables), *self._vectors.tables]
            fence(source.raw, names, display(self.target_config))
            away = Record(epoch, "away", self.token, place_of(self.target_config))
            write_sqlite(source.raw, away)
            if self._rehearsal:
                source.rollback()
                return
            source.raw.execute("COMMIT")
        self.decided = away
        self._tell("decided")

    # -- afterwards ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """After the decision: the target says that it is the home, and its foreign keys are checked."""
        _, target = self._both()
        with self._stack, reporting("tidying up after the switch"):
            assert self.decided is not None
            with target.raw.transaction():
                write_postgres(target.raw, Record(self.decided.epoch, "here", self.token))
            for problem in target.check():
                self._tell("checking", problem=problem)

    def discard(self) -> None:
        """Undo everything; what cannot be undone now is cleaned at the next attempt."""
        with self._stack:
            cleaned = True
            if self._target is not None and (self._target.made or self._target.filled):
                try:
                    if self._target.raw.info.transaction_status:
                        self._target.raw.rollback()
                    drop_collections(postgres_executor(self._target.raw))
                    self._target.discard(self._target_before)
                except (
                    Exception
                ) as error:  # the server is gone: the next attempt knows its leavings by the token
                    cleaned = False
                    self._tell("discarding", problem=str(error))
            if self._source is not None and self._marked:
                before = self._before
                if not cleaned:
                    before = Record(before.epoch if before else 0, "here", self.token)
                self._source.remove(before)
