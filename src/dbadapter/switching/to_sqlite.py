"""Moving an app's data from Postgres to an SQLite file while any number of processes go on writing to Postgres.

The same steps as `ToPostgres`. The decision is a commit in Postgres, which says that the data live elsewhere and closes
its fence; the file is complete and open by then.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from time import monotonic, sleep
from typing import Any

import psycopg

from .._core.switching import GAIN, NOTICE, Record, place_of
from ..errors import SwitchAborted
from ..transfer._endpoints import display, open_postgres, settings
from ..transfer._faults import is_connection_loss, reporting
from ..transfer._pipeline import prefetched
from ..transfer._plan_postgres import plan_from_postgres
from ..transfer.plan import TransferPlan
from ..transfer.report import TableCheck
from ..transfer.verifying import compare_table
from ..vectors.executor import postgres_executor, sqlite_executor
from .collections import MovedCollections
from .ends import checkpoint, is_on_network, open_source, sole_mover
from .examining import present_target, refuse_back_plan, same_place
from .move import Move
from .pacing import Pace
from .postgres_brake import Brake
from .postgres_fence import fence
from .postgres_source import Changes, Portion, PostgresSource, moved_tables
from .records import read_postgres, read_sqlite, write_postgres
from .sqlite_target import SQLiteTarget

__all__ = ["ToSQLite"]

# Held by the mover's session, so that one mover at a time works on a database.
_SOLE = 0x6462_6164_6170_7402
_SOLE_PATIENCE = "2s"
_CACHE_KIB = 32_768
_OLD_PATIENCE = 30.0
_RACED = 0.1  # so many seconds of a round tell how fast it is
# The transactions of all clients, by the lock that each holds on its own number: of other roles, pg_stat_activity does
# not tell when they began. Only clients have a role.
_TRANSACTIONS = """
SELECT virtualtransaction FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'virtualxid' AND granted
    AND datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
"""


class ToSQLite(Move):
    """A move from a server to a file; see `Move`."""

    _source: PostgresSource | None = None
    _target: SQLiteTarget | None = None
    _old: set[str]
    _installed = False
    _brake: Brake | None = None
    _is_catching_up = False
    _transaction = 0  # the number of the one that decides

    # -- beside the app --------------------------------------------------------------------------------------------

    def _connect(self) -> tuple[Any, Any]:
        path = self.target_config.sqlite_path
        self._tell("examining")
        if path == ":memory:":
            raise SwitchAborted(
                "a database in memory belongs to its one connection; data are moved to a file only"
            )
        if directory := os.path.dirname(path):
            os.makedirs(directory, exist_ok=True)
        if kind := is_on_network(os.path.dirname(os.path.abspath(path))):
            raise SwitchAborted(
                f"{path} is on a network file system ({kind}), where SQLite's locks cannot be trusted"
            )
        self._stack.enter_context(sole_mover(path))
        post = self._stack.enter_context(open_postgres(self.source_config))
        try:
            with post.transaction():
                # Not at once: the session of a mover that has just ended may be on its way out.
                post.execute(f"SET LOCAL lock_timeout = '{_SOLE_PATIENCE}'".encode())
                post.execute("SELECT pg_advisory_lock(%s)", (_SOLE,))
        except psycopg.errors.LockNotAvailable:
            raise SwitchAborted(
                "another process is moving this database at the moment; wait for it to end"
            ) from None
        raw = open_source(path)
        self._stack.callback(raw.close)
        raw.execute("PRAGMA journal_mode = WAL").fetchone()
        # A loss of power leaves the file whole, and the switch undecided.
        raw.execute("PRAGMA synchronous = NORMAL")
        raw.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return post, raw

    def _open(self) -> None:
        post, raw = self._connect()
        before = read_postgres(post)
        self._came_from(before)
        self._target_before = read_sqlite(raw)
        superseded = self._is_superseded(before)
        plan, shape = self._plan(post)
        refuse_back_plan(plan)
        source, target = self._ends(post, raw, plan)
        target.make(self._arriving(), self._vectors, superseded=superseded, where=display(self.source_config))
        self._tell("capturing")
        self._installed = True
        source.install(self._leaving(), shape)
        self._mark()

    def _ends(self, post: Any, raw: Any, plan: TransferPlan) -> tuple[PostgresSource, SQLiteTarget]:
        tables = moved_tables(plan)
        self._target = target = SQLiteTarget(raw, plan)
        self._collections = moved = MovedCollections(
            postgres_executor(post), sqlite_executor(raw, target.writing), first=len(tables)
        )
        self._source = source = PostgresSource(post, tables, moved.captured)
        return source, target

    def _mark(self) -> None:
        """Let everybody read the announcement; transactions that are open by then may have begun before they did."""
        self._marked = self._round_at = monotonic()
        sleep(NOTICE)
        self._old = self._transactions()

    # -- following back --------------------------------------------------------------------------------------------

    def _attach(self) -> None:
        post, raw = self._connect()
        self._came_from(read_postgres(post))
        self._target_before = read_sqlite(raw)
        plan, _ = self._plan(post)
        source, _ = self._ends(post, raw, plan)
        source.attach()
        self._installed = True

    def _announce(self) -> None:
        source, target = self._both()
        target.is_made = True
        target.begin_arriving(self._arriving())
        source.announce(self._leaving())
        self._mark()

    def _is_superseded(self, before: Record | None) -> bool:
        record = self._target_before
        if record is None:
            return False
        if record.state in ("away", "arriving") and same_place(record.place, place_of(self.source_config)):
            return True
        if record.state == "here" and before is not None and record.token == before.token:
            return True
        raise SwitchAborted(
            f"the target takes part in another switch ({record.state}, the other end: {dict(record.place)})"
        )

    def _plan(self, post: Any) -> tuple[TransferPlan, str]:
        plan = TransferPlan(
            direction="postgresql-sqlite",
            source=display(self.source_config),
            target=display(self.target_config),
        )
        with post.transaction():
            post.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            settings(post)
            shape = PostgresSource(post).shape()
            plan_from_postgres(
                post, plan, tables=None, profile=True,
                progress=lambda phase, table, rows, total: self._tell("examining", table=table, rows=rows),
            )  # fmt: skip
        return plan, shape

    def _both(self) -> tuple[PostgresSource, SQLiteTarget]:
        assert self._source is not None
        assert self._target is not None
        return self._source, self._target

    def _copy(self) -> None:
        source, target = self._both()
        source.begin_snapshot()
        for table in source.tables:
            tell = self._tell_copied(table.plan.name, self.rows, table.plan.rows)
            with self._pace.unhurried(target.raw):
                target.fill(table, source.chunks(table), tell)
            target.replace(table, source.originals(table))
        self._vectors.fill(lambda name: self._tell_copied(name, self.rows))
        source.raw.execute("COMMIT")

    @property
    def shape(self) -> str:
        """A digest of the server's tables."""
        return self._both()[0].known_shape

    def _round(self) -> int:
        source, _ = self._both()
        source.begin_snapshot()
        count = self._apply()
        source.raw.execute("COMMIT")
        return count

    def _apply(self) -> int:
        source, target = self._both()
        self._begin_round()
        source.check_shape()
        count = 0
        if changed := source.changed():
            with target.writing():
                count = self._carry(changed)
            self.rounds += 1
        self._tell_round(count)
        return count

    def _carry(self, changed: Changes) -> int:
        """Make the target what the source is, in the transactions that are open on both; how much changed."""
        source, target = self._both()
        count = 0
        for each in changed.tables:
            # The server looks up rows while the file takes those before.
            portions = prefetched(partial(source.portions, each), depth=2)
            count += target.apply(each, self._raced(portions, self._rate_of(each.noted)))
        others = source.other_changes(changed)
        self._vectors.apply(others)
        return count + len(others)

    def _raced(self, portions: Iterable[Portion], rate: float) -> Iterator[Portion]:
        """The portions; while catching up, the app is slowed down if they are hardly faster than the `rate` of its."""
        begun, carried = monotonic(), 0
        for keys, rows in portions:
            yield keys, rows
            carried += len(keys)
            took = monotonic() - begun
            if self._is_catching_up and took > _RACED and carried < took * rate * GAIN:
                self._slow_down()

    def _catch_up(self) -> None:
        _, target = self._both()
        self._is_catching_up = True
        # The log is brought into the file here: not in each round, and least of all in the pause.
        target.raw.execute("PRAGMA wal_autocheckpoint = 0")
        target.raw.execute("PRAGMA synchronous = NORMAL")
        try:
            super()._catch_up()
            checkpoint(target.raw)
            # Forced to the disk each time, so that there is little to be forced in the pause.
            target.raw.execute("PRAGMA synchronous = FULL")
            super()._catch_up()  # what was changed meanwhile
        finally:
            self._is_catching_up = False

    def _verify(self) -> None:
        source, target = self._both()
        pace = Pace()
        source.begin_snapshot()
        self._apply()
        for table in source.tables:
            self._tell("verifying", table=table.plan.name, rows_copied=self.rows)
            check = TableCheck(table=table.plan.name, target=table.plan.target)
            with self._pace.unhurried(target.raw), pace.unhurried():
                compare_table(target.raw, source.raw, table.match, check, from_sqlite=False, rest=pace.rest)
            if not check.equal:
                shown = check.differences[0] if check.differences else check.problem
                raise SwitchAborted(f"the target's {table.plan.target} differs from the source: {shown}")
        self._vectors.verify()
        source.raw.execute("COMMIT")
        self.verified = True

    def _slow_down(self) -> None:
        if self._brake is None:
            self._brake = Brake(self.source_config)
            self._stack.callback(self._speed_up)

    def _speed_up(self) -> None:
        brake, self._brake = self._brake, None
        if brake is not None:
            brake.release()

    def _wait_for_notice(self) -> None:
        # To look is to take the gate's lock here, so that the decision waits for whoever has looked.
        deadline = monotonic() + _OLD_PATIENCE
        while self._old & self._transactions():
            if monotonic() > deadline:
                raise SwitchAborted(
                    f"a transaction that began before the switch has not ended for {_OLD_PATIENCE:g} s"
                )
            sleep(0.005)
            self._round()

    def _transactions(self) -> set[str]:
        source, _ = self._both()
        return {row[0] for row in source.raw.execute(_TRANSACTIONS)}

    def _make_ready(self) -> None:
        source, _ = self._both()
        while not source.keep_vacuum_away(self._locked):
            self._catch_up()  # what was changed while we waited

    @property
    def _locked(self) -> list[str]:
        """The tables that nobody is to write to from the last round on."""
        return [*(table.plan.name for table in self._both()[0].tables), *self._vectors.tables]

    # -- in the pause ----------------------------------------------------------------------------------------------

    def _finish(self, patience: float) -> None:
        source, target = self._both()
        captured = target.to_be_captured(present_target(source.raw)) if self.follow_back else []
        post = source.raw  # in the transaction that keeps vacuum away
        names = self._locked
        source.close_gate(names, patience)
        self._tell("switching")
        source.check_shape()
        with target.writing():
            self._carry(source.changed())
            target.finish(self._arriving(), source.identities())
            if self.follow_back:
                target.capture(captured, self._vectors.arrived)
        fence(post, names, display(self.target_config))
        away = self._away()
        write_postgres(post, away)
        self._tell("deciding")
        if self._rehearsal:
            post.execute("ROLLBACK")
            return
        self._decide(away, patience)
        # Whoever reads the decision may do this as well, so it need not be forced to the disk.
        target.raw.execute("PRAGMA synchronous = NORMAL")
        target.arrive(self._here())

    def _decide(self, away: Record, patience: float) -> None:
        source, _ = self._both()
        row = source.raw.execute("SELECT txid_current()").fetchone()
        self._transaction = row[0] if row else 0
        self._is_deciding = True
        try:
            source.raw.execute("COMMIT")
        except Exception as error:
            if not is_connection_loss(error) or not self._was_committed(away, patience):
                raise
        self.decided = away
        self._tell("decided")

    def _was_committed(self, away: Record, patience: float) -> bool:
        """Whether the commit whose answer was lost is there; asked until the server answers."""
        deadline = monotonic() + max(patience, 5.0)
        while True:
            try:
                return self._read_record() == away
            except Exception as error:
                if monotonic() > deadline:
                    raise SwitchAborted(
                        "the server was lost in the moment of the decision; once it is back, its record tells "
                        "every process where the data live"
                    ) from error
            sleep(0.1)

    # -- afterwards ------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """When the app works on: the old home's triggers go."""
        source, _ = self._both()
        with self._stack, reporting("tidying up after the switch"):
            if source.raw.closed:
                source.raw = self._stack.enter_context(open_postgres(self.source_config))
            source.forget()

    def _read_record(self) -> Record | None:
        with open_postgres(self.source_config) as post:
            row = post.execute("SELECT txid_status(%s)", (self._transaction,)).fetchone()
            if row is not None and row[0] == "in progress":
                raise SwitchAborted("the server has not ended the transaction of the decision")
            return read_postgres(post)

    def discard(self, *, keep_noting: bool = False) -> None:
        """See `Move.discard`."""
        with self._stack:
            if self._is_in_doubt:
                return
            if self._source is not None and self._installed:
                try:
                    self._source.remove(self._before, keep_noting=keep_noting)
                except Exception as error:
                    self._tell("discarding", problem=str(error))
            if self._target is not None and self._target.is_made:
                self._target.discard(self._target_before)
