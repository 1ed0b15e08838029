"""Threads that take turns at SQLite's one writer: whoever has it may go on for a moment, and nobody is forgotten."""

from __future__ import annotations

import random
from pathlib import Path

from dbadapter import DatabaseAdapter, DatabaseConfig, PoolConfig, SQLitePool
from dbadapter.errors import PoolExhausted
from tests.crowd import PATIENCE, Crowd, Signal


def test_turns_among_callers_that_come_and_go(tmp_path: Path) -> None:
    """Some return at once, some do not, some run out of patience: in the end all were served or told, none is left."""
    served, refused = [0] * 8, [0] * 8

    def work(number: int) -> None:
        chance = random.Random(number)
        for _ in range(150):
            impatient = chance.random() < 0.3
            try:
                connection = lane.acquire(patience=chance.random() / 1000 if impatient else PATIENCE)
            except PoolExhausted:
                assert impatient
                refused[number] += 1
                continue
            connection.raw.execute("UPDATE t SET n = n + 1")
            lane.release(connection)
            served[number] += 1
            for _ in range(chance.choice((0, 0, 0, 2000))):  # at something else meanwhile
                pass

    with SQLitePool(str(tmp_path / "t.db")) as pool:
        lane = pool.writer
        with pool.get_connection() as raw:
            raw.execute("CREATE TABLE t (n)")
            raw.execute("INSERT INTO t VALUES (0)")
        with Crowd() as crowd:
            for number in range(8):
                crowd.start(work, number)
        assert [a + b for a, b in zip(served, refused, strict=True)] == [150] * 8
        with pool.get_connection() as raw:
            assert raw.execute("SELECT n FROM t").fetchone() == (sum(served),)
        stats = pool.get_stats()
        assert (stats["active"], stats["waiting"]) == (0, 0)
        assert stats["timeouts"] == sum(refused)


def test_a_busy_thread_does_not_keep_the_writer_from_another(tmp_path: Path) -> None:
    """One that writes without a pause is overtaken by one that waits, long before the wait would end with an error."""
    config = DatabaseConfig(sqlite_path=tmp_path / "t.db", pool=PoolConfig(connection_timeout=PATIENCE))
    with DatabaseAdapter(config) as adapter, Crowd() as crowd:
        adapter.execute("CREATE TABLE t (n BIGINT)")
        begun, stop = Signal(), Signal()

        def busy() -> int:
            count = 0
            while not stop.is_set():
                with adapter.transaction() as tx:
                    tx.execute("INSERT INTO t VALUES (0)")
                count += 1
                begun.set()
            return count

        other = crowd.start(busy)
        begun.wait()
        for _ in range(100):
            adapter.execute("INSERT INTO t VALUES (1)")
        stop.set()
        count = other.result()
        assert adapter.fetch_value("SELECT count(*) FROM t") == count + 100
        assert adapter.get_stats()["wait_ms"]["max"] < PATIENCE * 1000 / 10
