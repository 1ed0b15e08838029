"""Moving an app's data from an SQLite file to Postgres while any number of processes go on writing to the file.

`prepare` does all that can be done beside the app. `finish` runs in the pause and ends with the decision: one commit in
the file, which says that the data live elsewhere and closes its fence. `settle` tidies up, `discard` undoes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from time import monotonic, sleep
from typing import Any

from .._core.switching import NOTICE, Record, place_of
from ..errors import SwitchAborted
from ..transfer._endpoints import display, open_postgres, settings
from ..transfer._faults import reporting
from ..transfer._plan_sqlite import plan_from_sqlite
from ..transfer.plan import TransferPlan
from ..transfer.report import TableCheck
from ..transfer.verifying import compare_table
from ..vectors.executor import postgres_executor, sqlite_executor
from .collections import MovedCollections, drop_collections
from .ends import begin_at_once, checkpoint, is_on_network, open_source, sole_mover
from .examining import present_target, refuse_plan, target_state
from .move import Move
from .pacing import Pace, is_written
from .postgres_target import PostgresTarget
from .records import read_postgres, read_sqlite, write_postgres, write_sqlite
from .sqlite_capture import remove_capture
from .sqlite_fence import fence
from .sqlite_source import SQLiteSource, moved_tables, numbered

__all__ = ["ToPostgres"]


class ToPostgres(Move):
    """A move from a file to a server; see `Move`."""

    _source: SQLiteSource | None = None
    _target: PostgresTarget | None = None

    # -- beside the app --------------------------------------------------------------------------------------------

    def _connect(self) -> tuple[Any, Any]:
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
        self._pace = Pace(is_written(path))
        return raw, self._stack.enter_context(open_postgres(self.target_config))

    def _open(self) -> None:
        raw, post = self._connect()
        before = read_sqlite(raw)
        self._came_from(before)
        self._target_before = read_postgres(post)
        state = target_state(post, self._target_before, before, place_of(self.source_config))
        plan, version = self._plan(raw, state.target)
        refuse_plan(plan, state)
        source, target = self._ends(raw, post, plan)
        self._vectors.index_options = state.index_options
        self._tell("capturing")
        source.install(self._leaving(), version)
        self._marked = self._round_at = monotonic()
        target.make(self._arriving(target.missing(state.present)), state.present)

    def _ends(
        self, raw: sqlite3.Connection, post: Any, plan: TransferPlan
    ) -> tuple[SQLiteSource, PostgresTarget]:
        tables = moved_tables(raw, plan)
        self._collections = moved = MovedCollections(
            sqlite_executor(raw), postgres_executor(post), first=len(tables)
        )
        self._source = source = SQLiteSource(raw, tables, numbered(moved.captured, moved.first))
        self._target = target = PostgresTarget(post, plan, tables)
        return source, target

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
                [raw], target, plan, tables=None, profile=True, encoding=None,
                progress=lambda phase, table, rows, total: self._tell("examining", table=table, rows=rows),
            )  # fmt: skip
        finally:
            raw.execute("COMMIT")
            checkpoint(raw)
        return plan, version

    def _both(self) -> tuple[SQLiteSource, PostgresTarget]:
        assert self._source is not None
        assert self._target is not None
        return self._source, self._target

    def _copy(self) -> None:
        source, target = self._both()
        for table in source.tables:
            tell = self._tell_copied(table.plan.name, self.rows, table.plan.rows)
            with self._pace.unhurried(source.raw):
                target.fill(table, source.chunks(table), tell)
        self._round()
        self._tell("indexing", rows_copied=self.rows)
        target.index()
        with target.writing():
            self._vectors.make()
            target.set_keys_aside([each.table for each in self._vectors.arrived])
        self._vectors.fill(lambda name: self._tell_copied(name, self.rows))

    def _attach(self) -> None:
        raw, post = self._connect()
        self._came_from(read_sqlite(raw))
        self._target_before = read_postgres(post)
        plan, version = self._plan(raw, present_target(post))
        source, target = self._ends(raw, post, plan)
        source.attach(version)
        target.attach()

    def _announce(self) -> None:
        source, target = self._both()
        source.announce(self._leaving())
        self._marked = monotonic()
        with target.writing():
            write_postgres(target.raw, self._arriving())
        target.index()

    @property
    def shape(self) -> str:
        """The file's schema version."""
        return str(self._both()[0].schema_version())

    def _round(self) -> int:
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
        self._begin_round()
        source.check_schema()
        last = source.last_change()
        changes = max(last - source.cursor, 0)
        if changes:
            with target.writing():
                self._write_changes(last)
            source.cursor = last
            self.rounds += 1
        self._tell_round(changes)
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

    def _verify(self) -> None:
        source, target = self._both()
        pace = Pace(is_written(self.source_config.sqlite_path))
        source.raw.execute("BEGIN")
        try:
            self._apply()
            for table in source.tables:
                self._tell("verifying", table=table.plan.name, rows_copied=self.rows)
                check = TableCheck(table=table.plan.name, target=table.plan.target)
                with target.raw.transaction(), pace.unhurried():
                    settings(target.raw)
                    compare_table(
                        source.raw, target.raw, table.match, check, from_sqlite=True, rest=pace.rest
                    )
                if not check.equal:
                    shown = check.differences[0] if check.differences else check.problem
                    raise SwitchAborted(f"the target's {table.plan.target} differs from the source: {shown}")
            self._vectors.verify()
        finally:
            source.rollback()
            checkpoint(source.raw)
        self.verified = True

    def _wait_for_notice(self) -> None:
        while (left := self._marked + NOTICE - monotonic()) > 0:
            sleep(left)
            self._round()

    # -- in the pause ----------------------------------------------------------------------------------------------

    def _finish(self, patience: float) -> None:
        source, target = self._both()
        begin_at_once(source.raw, patience)
        self._tell("switching")
        source.check_schema()
        with target.writing():
            self._write_changes(source.last_change())
            identities = {t.plan.name: n for t in source.tables if (n := source.next_identity(t)) is not None}
            target.finish(self._arriving(tuple(target.made)), identities)
            if self.follow_back:
                target.capture(self._vectors.arrived)
        remove_capture(source.raw)
        names = [*(table.plan.name for table in source.tables), *self._vectors.tables]
        fence(source.raw, names, display(self.target_config))
        away = self._away()
        write_sqlite(source.raw, away)
        self._tell("deciding")
        if self._rehearsal:
            source.rollback()
            return
        self._is_deciding = True
        source.raw.execute("COMMIT")
        self.decided = away
        self._tell("decided")
        target.arrive(self._here())

    # -- afterwards ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """When the app works on: what is left of the target's fence goes, and its foreign keys are checked."""
        _, target = self._both()
        with self._stack, reporting("tidying up after the switch"):
            if target.raw.closed:
                target.raw = self._stack.enter_context(open_postgres(self.target_config))
            target.remove_fence()
            for problem in target.check():
                self._tell("checking", problem=problem)

    def _read_record(self) -> Record | None:
        with closing(open_source(self.source_config.sqlite_path)) as raw:
            return read_sqlite(raw)

    def discard(self, *, keep_noting: bool = False) -> None:
        """See `Move.discard`."""
        with self._stack:
            if self._is_in_doubt:
                return
            cleaned = True
            if self._target is not None and (self._target.made or self._target.filled):
                try:
                    self._take_back(self._target)
                except (
                    Exception
                ) as error:  # the server is gone: the next attempt knows its leavings by the token
                    cleaned = False
                    self._tell("discarding", problem=str(error))
            if self._source is not None and (self._marked or self._following):
                before = self._before
                if not cleaned:
                    before = Record(self._epoch, "here", self.token)
                self._source.remove(before, keep_noting=keep_noting)

    def _take_back(self, target: PostgresTarget) -> None:
        if target.raw.info.transaction_status:
            target.raw.rollback()
        if self._following:
            target.release(self._target_before)
        else:
            drop_collections(postgres_executor(target.raw))
            target.discard(self._target_before)
