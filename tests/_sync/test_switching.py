# Generated from tests/_async/test_switching.py by tools/unasync.py; do not edit.
"""switch_database without data: new work waits, work in flight ends where it began, nobody sees an error."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType, PoolConfig
from dbadapter.errors import ConfigError, PoolClosed, SwitchAborted, SwitchInProgress
from tests.conftest import other
from tests.crowd import Crowd, Job, Signal

ADD = "INSERT INTO ledger (writer, n) VALUES (?, ?)"


def contents(adapter: DatabaseAdapter) -> dict[DatabaseType, list[tuple[int, int]]]:
    """What stands in the ledger of each backend, read through adapters of their own."""
    found = {}
    for db_type in DatabaseType:
        with DatabaseAdapter(attrs.evolve(adapter.config, db_type=db_type)) as one:
            found[db_type] = one.fetch_all("SELECT writer, n FROM ledger ORDER BY 1, 2", row_type=tuple)
    return found


def test_there_and_back(roomy: DatabaseAdapter) -> None:
    """The adapter speaks to the new backend after the call; the old one keeps what it held."""
    roomy.execute(ADD, (1, 1))
    for step in (2, 3, 4):
        source = roomy.db_type
        report = roomy.switch_database(other(source))
        assert roomy.db_type is other(source)
        names = (
            "source",
            "target",
            "epoch",
            "rows_copied",
            "rounds",
            "verified",
            "drained_ms",
            "paused_ms",
            "rejects",
        )
        assert [name for name in names if not hasattr(report, name)] == []
        assert report.rows_copied == 0
        roomy.execute(ADD, (1, step))
        assert roomy.health()["status"] == "healthy"
        assert roomy.list_tables() == ["ledger"]
    assert contents(roomy) == {
        DatabaseType.SQLITE: [(1, 1), (1, 3)],
        DatabaseType.POSTGRESQL: [(1, 2), (1, 4)],
    }


def test_a_switch_under_load_loses_nothing(roomy: DatabaseAdapter) -> None:
    """No caller sees an error, and every acknowledged write stands once, on one of the two."""
    acknowledged: list[tuple[int, int]] = []
    stop = Signal()

    def one_by_one(writer: int) -> None:
        n = 0
        while not stop.is_set():
            assert roomy.execute(ADD, (writer, n)).rowcount == 1
            acknowledged.append((writer, n))
            n += 1
            crowd.breathe()

    def in_transactions(writer: int) -> None:
        n = 0
        while not stop.is_set():
            with roomy.transaction() as tx:
                began = tx.db_type
                tx.execute(ADD, (writer, n))
                crowd.breathe()
                tx.insert_many("ledger", [{"writer": writer, "n": n + 1}])
                assert (
                    tx.fetch_value("SELECT count(*) FROM ledger WHERE writer = ? AND n >= ?", (writer, n))
                    == 2
                )
                assert tx.db_type is began
            acknowledged.extend([(writer, n), (writer, n + 1)])
            n += 2
            crowd.breathe()

    def in_bulk(writer: int) -> None:
        n = 0
        while not stop.is_set():
            rows = [{"writer": writer, "n": n + i} for i in range(50)]
            assert roomy.insert_many("ledger", rows) == 50
            acknowledged.extend((writer, n + i) for i in range(50))
            n += 50
            crowd.breathe()

    def reading(writer: int) -> None:
        while not stop.is_set():
            rows = [row for row in roomy.stream("SELECT * FROM ledger", batch_size=10)]
            assert len(rows) == len({(row["writer"], row["n"]) for row in rows})
            with roomy.connection() as raw:
                assert raw is not None
            assert roomy.health()["status"] == "healthy"
            crowd.breathe()

    switches = 0
    with Crowd() as crowd:
        for writer, work in enumerate(
            (one_by_one, one_by_one, in_transactions, in_transactions, in_bulk, reading)
        ):
            crowd.start(work, writer)
        try:
            for _ in range(6):
                for _ in range(20):
                    crowd.breathe()
                report = roomy.switch_database(other(roomy.db_type))
                switches += 1
                assert report.paused_ms >= 0
        finally:
            stop.set()
    assert switches == 6
    found = contents(roomy)
    assert sorted(found[DatabaseType.SQLITE] + found[DatabaseType.POSTGRESQL]) == sorted(acknowledged)
    assert found[DatabaseType.SQLITE]
    assert found[DatabaseType.POSTGRESQL]


class Pause:
    """Tells when a switch has begun to hold new work back."""

    def __init__(self, adapter: DatabaseAdapter, crowd: Crowd) -> None:
        self._adapter, self._crowd, self._phases = adapter, crowd, [""]

    def progress(self, report: Mapping[str, Any]) -> None:
        """What the switch is given to report to."""
        self._phases.append(report["phase"])

    def begun(self) -> Job:
        """A caller that was held back by the switch, and is waiting still."""
        while self._phases[-1] != "draining":
            self._crowd.breathe()
        while True:
            caller = self._crowd.start(self._adapter.fetch_value, "SELECT count(*) FROM ledger")
            for _ in range(20):
                self._crowd.breathe()
            if not caller.done():
                return caller


@pytest.mark.parametrize("start", list(DatabaseType))
def test_a_transaction_ends_where_it_began(roomy: DatabaseAdapter, start: DatabaseType) -> None:
    """The switch waits for an open transaction; a caller that comes meanwhile waits for the switch."""
    if roomy.db_type is not start:
        roomy.switch_database(start)
    begun, go_on = Signal(), Signal()

    def slow() -> None:
        with roomy.transaction() as tx:
            tx.execute(ADD, (1, 1))
            begun.set()
            go_on.wait()
            tx.execute(ADD, (1, 2))
            with tx.transaction() as inner:
                inner.insert_many("ledger", [{"writer": 1, "n": 3}])
            assert tx.db_type is start

    with Crowd() as crowd:
        crowd.start(slow)
        begun.wait()
        pause = Pause(roomy, crowd)
        switch = crowd.start(switch_to, roomy, other(start), 30.0, pause.progress)
        reader = pause.begun()
        writer = crowd.start(roomy.execute, ADD, (2, 1))
        assert roomy.status()["switching"] is True
        assert (switch.done(), reader.done(), writer.done()) == (False, False, False)
        go_on.set()
        switch.result()
        writer.result()
    found = contents(roomy)
    assert found[start] == [(1, 1), (1, 2), (1, 3)]
    assert found[other(start)] == [(2, 1)]


@pytest.mark.parametrize("start", list(DatabaseType))
def test_a_connection_of_the_pool_follows_the_switch(roomy: DatabaseAdapter, start: DatabaseType) -> None:
    """Whoever asks a pool for the driver's connection during a switch, or after it, gets one to the database in use."""
    if roomy.db_type is not start:
        roomy.switch_database(start)
    pool, begun, go_on = roomy.pool, Signal(), Signal()

    def slow() -> None:
        with roomy.transaction() as tx:
            tx.execute(ADD, (1, 1))
            begun.set()
            go_on.wait()

    def ask(read_only: bool) -> DatabaseType:
        with pool.get_connection(read_only=read_only) as raw:
            return DatabaseType.POSTGRESQL if hasattr(raw, "pgconn") else DatabaseType.SQLITE

    with Crowd() as crowd:
        crowd.start(slow)
        begun.wait()
        pause = Pause(roomy, crowd)
        switch = crowd.start(switch_to, roomy, other(start), 30.0, pause.progress)
        pause.begun()
        waiting = [crowd.start(ask, read_only) for read_only in (False, True)]
        go_on.set()
        switch.result()
        assert [each.result() for each in waiting] == [other(start)] * 2
    assert ask(False) == other(start)
    assert pool.get_stats() == roomy.pool.get_stats()
    assert pool.health() == {"main_pool": True, "read_pool": True}
    roomy.switch_database(start)
    assert (ask(False), ask(True)) == (start, start)
    roomy.close()
    with pytest.raises(PoolClosed):
        ask(False)


def test_a_stream_ends_where_it_began(roomy: DatabaseAdapter) -> None:
    """A stream that is being read is work in flight: the switch waits for it."""
    roomy.insert_many("ledger", [{"writer": 1, "n": n} for n in range(100)])
    seen = 0
    with Crowd() as crowd:
        pause = Pause(roomy, crowd)
        for _ in roomy.stream("SELECT n FROM ledger", batch_size=10):
            if seen == 0:
                switch = crowd.start(switch_to, roomy, DatabaseType.POSTGRESQL, 30.0, pause.progress)
                pause.begun()
            seen += 1
            assert not switch.done()
        switch.result()
    assert (seen, roomy.db_type) == (100, DatabaseType.POSTGRESQL)


def switch_to(adapter: DatabaseAdapter, target: DatabaseType, timeout: float, progress: Any) -> None:
    """A switch to be run beside others."""
    adapter.switch_database(target, drain_timeout=timeout, progress=progress)


@pytest.mark.parametrize("start", list(DatabaseType))
def test_what_does_not_end_in_time_aborts_the_switch(both: DatabaseConfig, start: DatabaseType) -> None:
    """After drain_timeout the old backend stays in use, and whoever waited goes on there."""
    impatient = attrs.evolve(both, db_type=start, pool=attrs.evolve(both.pool, connection_timeout=0.2))
    with DatabaseAdapter(impatient) as adapter, Crowd() as crowd:
        adapter.execute("CREATE TABLE ledger (writer BIGINT, n BIGINT)")
        with adapter.transaction() as tx:
            tx.execute(ADD, (1, 1))
            pause = Pause(adapter, crowd)
            switch = crowd.start(switch_to, adapter, other(start), 0.6, pause.progress)
            held_back = pause.begun()
            # The holder of the transaction itself comes back through the adapter: it does not wait for itself.
            assert adapter.fetch_value("SELECT count(*) FROM ledger") == 0
            with pytest.raises(SwitchAborted) as caught:
                switch.result()
            crowd.forget(switch)
            assert caught.value.reason
            assert held_back.result() == 0
            tx.execute(ADD, (1, 2))
        assert adapter.db_type is start
        adapter.execute(ADD, (1, 3))
        assert adapter.fetch_value("SELECT count(*) FROM ledger") == 3
        adapter.switch_database(other(start))
        assert adapter.db_type is other(start)


def test_an_unreachable_target_changes_nothing(roomy: DatabaseAdapter, tmp_path: Path) -> None:
    """SwitchAborted with its reason and cause, without secrets, and the old backend goes on under load."""
    nowhere = PoolConfig(host=str(tmp_path), user="me", password="hunter2", connection_timeout=1)
    (tmp_path / "not.db").write_bytes(b"no database at all" * 100)
    targets = [
        DatabaseConfig(db_type=DatabaseType.POSTGRESQL, pool=nowhere),
        DatabaseConfig(db_type=DatabaseType.SQLITE, sqlite_path=str(tmp_path / "not.db")),
        attrs.evolve(
            roomy.config,
            db_type=DatabaseType.POSTGRESQL,
            pool=attrs.evolve(roomy.config.pool, database="no_such_database", connection_timeout=2),
        ),
    ]
    stop = Signal()

    def work() -> int:
        n = 0
        while not stop.is_set():
            roomy.execute(ADD, (1, n))
            n += 1
            crowd.breathe()
        return n

    with Crowd() as crowd:
        job = crowd.start(work)
        try:
            for target in targets:
                with pytest.raises(SwitchAborted) as caught:
                    roomy.switch_database(target)
                assert caught.value.reason
                assert caught.value.__cause__ is not None
                assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__)
        finally:
            stop.set()
        written = job.result()
    assert roomy.db_type is DatabaseType.SQLITE
    assert roomy.fetch_value("SELECT count(*) FROM ledger") == written


def test_one_switch_at_a_time(roomy: DatabaseAdapter) -> None:
    """A second call while one is under way is SwitchInProgress; the first goes through."""
    begun, go_on = Signal(), Signal()

    def slow() -> None:
        with roomy.transaction() as tx:
            tx.execute(ADD, (1, 1))
            begun.set()
            go_on.wait()

    with Crowd() as crowd:
        crowd.start(slow)
        begun.wait()
        pause = Pause(roomy, crowd)
        crowd.start(switch_to, roomy, DatabaseType.POSTGRESQL, 30.0, pause.progress)
        pause.begun()
        for target in DatabaseType:
            with pytest.raises(SwitchInProgress):
                roomy.switch_database(target)
        go_on.set()
    assert roomy.db_type is DatabaseType.POSTGRESQL


def test_switching_to_where_one_is(roomy: DatabaseAdapter) -> None:
    """The backend in use as a target is no switch: it is said, and nothing is lost."""
    roomy.execute(ADD, (1, 1))
    with pytest.raises(SwitchAborted, match="already in use"):
        roomy.switch_database(DatabaseType.SQLITE)
    assert (roomy.db_type, roomy.fetch_value("SELECT count(*) FROM ledger")) == (DatabaseType.SQLITE, 1)


def test_switching_to_another_file(roomy: DatabaseAdapter, tmp_path: Path) -> None:
    """A DatabaseConfig names any database, of the same backend too; the adapter's config follows."""
    target = DatabaseConfig(sqlite_path=str(tmp_path / "second.db"))
    roomy.switch_database(target)
    assert roomy.list_tables() == []
    assert roomy.config.sqlite_path == target.sqlite_path
    roomy.execute("CREATE TABLE here (a TEXT)")
    with DatabaseAdapter(target) as again:
        assert again.list_tables() == ["here"]


def test_a_wrong_target(roomy: DatabaseAdapter) -> None:
    """What is neither a type nor a config is refused, and nothing happens."""
    with pytest.raises((TypeError, ValueError)):
        roomy.switch_database(5)  # type: ignore[arg-type]
    assert roomy.db_type is DatabaseType.SQLITE


@pytest.mark.parametrize("seconds", [-1, "3", None, True, float("nan"), float("inf")])
def test_a_wrong_time_to_wait(roomy: DatabaseAdapter, seconds: Any) -> None:
    """It is refused before anything is touched."""
    with pytest.raises(ConfigError, match="drain_timeout must be a number of seconds from 0 to 2,000,000"):
        roomy.switch_database(DatabaseType.POSTGRESQL, drain_timeout=seconds)
    with pytest.raises(ConfigError, match="drain_timeout"):
        roomy.rehearse_switch(DatabaseType.POSTGRESQL, drain_timeout=seconds)
    assert roomy.db_type is DatabaseType.SQLITE
    assert roomy.fetch_value("SELECT 1") == 1


def test_a_closed_adapter_does_not_switch(both: DatabaseConfig) -> None:
    """PoolClosed, as for any other use."""
    with pytest.raises(PoolClosed):
        DatabaseAdapter(both).switch_database(DatabaseType.POSTGRESQL)


def test_no_connection_is_left_behind(roomy: DatabaseAdapter) -> None:
    """After switches there and back, the server keeps only the connections of whoever asks."""
    for _ in range(4):
        roomy.switch_database(other(roomy.db_type))
    assert roomy.db_type is DatabaseType.SQLITE
    text = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    alone = attrs.evolve(
        roomy.config,
        db_type=DatabaseType.POSTGRESQL,
        pool=attrs.evolve(roomy.config.pool, min_connections=1, max_connections=1),
    )
    with DatabaseAdapter(alone) as one, Crowd() as crowd:
        left: Any = None
        for _ in range(500):  # a closing backend takes a moment to leave the list
            left = one.fetch_value(text)
            if left == 0:
                break
            crowd.breathe()
        assert left == 0
