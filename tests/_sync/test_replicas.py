# Generated from tests/_async/test_replicas.py by tools/unasync.py; do not edit.
"""Reads from streaming replicas: where they run, what they show, and what they never miss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import ConfigError, ParameterError, ReadOnlyViolation
from tests.crowd import Crowd
from tests.servers import fresh_database, standing_still


@pytest.fixture
def replicated(postgres_cluster: EmbeddedPostgres) -> Iterator[DatabaseConfig]:
    """An empty database on a primary with two replicas."""
    with fresh_database(postgres_cluster) as config:
        postgres_cluster.wait_for_replicas()
        yield config


@pytest.fixture
def adapter(replicated: DatabaseConfig) -> Iterator[DatabaseAdapter]:
    """An open adapter on it, with a table of counters."""
    with DatabaseAdapter(replicated) as adapter:
        adapter.execute("CREATE TABLE counters (id BIGINT PRIMARY KEY, n BIGINT NOT NULL)")
        adapter.insert_many("counters", [{"id": number, "n": 0} for number in range(20)])
        yield adapter


@pytest.fixture
def delayed(postgres_cluster: EmbeddedPostgres) -> Iterator[EmbeddedPostgres]:
    """The cluster with replicas that show commits late, as under load or over a slow line."""
    for replica, seconds in zip(postgres_cluster.replicas, (0.15, 0.3), strict=True):
        replica.set_apply_delay(seconds)
    try:
        yield postgres_cluster
    finally:
        for replica in postgres_cluster.replicas:
            replica.set_apply_delay(0)


def reads(adapter: DatabaseAdapter) -> dict[str, int]:
    """How many reads ran where."""
    found: dict[str, int] = adapter.get_stats()["reads"]
    return found


def until_fresh(adapter: DatabaseAdapter, sql: str = "SELECT count(*) FROM counters") -> None:
    """Read until a replica serves this session again."""
    with Crowd() as crowd:
        before = reads(adapter)["replica"]
        while reads(adapter)["replica"] == before:
            adapter.fetch_value(sql)
            crowd.breathe()


def standby(adapter: DatabaseAdapter, **options: Any) -> bool:
    """Whether a read ran on a replica."""
    found: bool = adapter.fetch_value("SELECT pg_is_in_recovery()", **options)
    return found


def test_reads_run_on_replicas_and_writes_on_the_primary(adapter: DatabaseAdapter) -> None:
    """With nothing of its own to wait for, every read is served by a replica, both in turns."""
    until_fresh(adapter)
    before = reads(adapter)
    for _ in range(20):
        assert standby(adapter)
    assert reads(adapter)["replica"] - before["replica"] == 20
    nodes = adapter.get_stats()["nodes"]
    assert [node["role"] for node in nodes] == ["primary", "replica", "replica"]
    assert all(node["healthy"] for node in nodes)
    with Crowd() as crowd:
        while any(node["requests"] < 10 for node in adapter.get_stats()["nodes"][1:]):
            assert standby(adapter)
            crowd.breathe()
    assert [(node["lag_bytes"], node["lag_seconds"]) for node in adapter.get_stats()["nodes"][1:]] == [
        (0, 0.0)
    ] * 2
    adapter.execute("UPDATE counters SET n = 1 WHERE id = 1")


def test_a_read_never_misses_a_write_of_its_own(adapter: DatabaseAdapter, delayed: EmbeddedPostgres) -> None:
    """Callers that write and read their own counter, on replicas that are late: not one stale read."""
    stale: list[tuple[int, int]] = []

    def work(number: int) -> None:
        for n in range(1, 25):
            if n % 3 == 1:
                adapter.execute("UPDATE counters SET n = ? WHERE id = ?", (n, number))
                written = n
            elif n % 3 == 2:
                with adapter.transaction() as tx:
                    tx.execute("UPDATE counters SET n = ? WHERE id = ?", (n, number))
                written = n
            else:
                sql = "UPDATE counters SET n = ? WHERE id = ? RETURNING n"
                written = adapter.fetch_value(sql, (n, number))
            for _ in range(12):
                found = adapter.fetch_value("SELECT n FROM counters WHERE id = ?", (number,))
                if found != written:
                    stale.append((found, written))

    with Crowd() as crowd:
        for number in range(6):
            crowd.start(work, number)
    assert stale == []


def test_eventual_reads_may_be_old(adapter: DatabaseAdapter, delayed: EmbeddedPostgres) -> None:
    """A read that takes what it gets does not wait for its own write; strong and session reads see it at once."""
    delayed.wait_for_replicas()
    sql = "SELECT n FROM counters WHERE id = 3"
    adapter.execute("UPDATE counters SET n = 77 WHERE id = 3")
    # The old value from a replica that lags; on a busy machine the replica may have caught up already.
    assert adapter.fetch_value(sql, consistency="eventual") in (0, 77)
    assert adapter.fetch_value(sql, consistency="strong") == 77
    assert adapter.fetch_value(sql, consistency="session") == 77
    assert adapter.fetch_value(sql) == 77
    assert standby(adapter, consistency="eventual")
    assert not standby(adapter, consistency="strong")


def test_replicas_serve_again_once_they_have_caught_up(adapter: DatabaseAdapter) -> None:
    """After a write the session's reads run on the primary for a moment only."""
    for n in range(5):
        adapter.execute("UPDATE counters SET n = ? WHERE id = 4", (n,))
        until_fresh(adapter)
        assert adapter.fetch_value("SELECT n FROM counters WHERE id = 4") == n


def test_a_token_carries_a_write_elsewhere(
    adapter: DatabaseAdapter, replicated: DatabaseConfig, delayed: EmbeddedPostgres
) -> None:
    """Another adapter, as in another process, sees the write that the token stands for."""
    delayed.wait_for_replicas()
    with DatabaseAdapter(replicated) as other:
        until_fresh(other)
        adapter.execute("UPDATE counters SET n = 5 WHERE id = 5")
        token = adapter.consistency_token()
        sql = "SELECT n FROM counters WHERE id = 5"
        assert other.fetch_value(sql, consistency="eventual") == 0
        assert other.fetch_value(sql, after=token) == 5
        assert other.fetch_value(sql, after=token, consistency="eventual") == 5
        assert other.fetch_one(sql, after=token)["n"] == 5
        assert [row["n"] for row in other.fetch_all(sql, after=token)] == [5]
        assert [row["n"] for row in other.stream(sql, after=token)] == [5]
        with other.transaction(read_only=True, after=token) as tx:
            assert tx.fetch_value(sql) == 5


def test_a_token_is_enough_for_a_replica(adapter: DatabaseAdapter, replicated: DatabaseConfig) -> None:
    """Once a replica has replayed what a token stands for, it serves the reads that come with it."""
    adapter.execute("UPDATE counters SET n = 6 WHERE id = 6")
    token = adapter.consistency_token()
    with DatabaseAdapter(replicated) as other, Crowd() as crowd:
        while not standby(other, after=token):
            crowd.breathe()
        assert other.fetch_value("SELECT n FROM counters WHERE id = 6", after=token) == 6


@pytest.mark.parametrize("after", ["", "nonsense", "pg1-0-0", "pg1-zz-1-1"])
def test_what_is_no_token(adapter: DatabaseAdapter, after: str) -> None:
    """A made-up token is refused; one of another cluster, or of the future, is answered by the primary."""
    with pytest.raises(ParameterError, match="consistency_token"):
        adapter.fetch_value("SELECT 1", after=after)
    assert not standby(adapter, after="pg1-1-1-1")
    system, timeline = adapter.consistency_token().split("-")[1:3]
    assert not standby(adapter, after=f"pg1-{system}-{timeline}-ffffffffffff")
    assert not standby(adapter, after=f"pg1-{system}-ffff-1")


def test_what_is_no_consistency(adapter: DatabaseAdapter) -> None:
    """A misspelt consistency is refused, everywhere."""
    with pytest.raises(ConfigError, match="session, strong, eventual"):
        adapter.fetch_value("SELECT 1", consistency="sesion")
    with pytest.raises(ConfigError, match="session, strong, eventual"):
        adapter.stream("SELECT 1", consistency="sesion")
    with pytest.raises(ConfigError, match="session, strong, eventual"):
        adapter.transaction(read_only=True, consistency="sesion")


WRITER = """
CREATE FUNCTION bump(which BIGINT) RETURNS BIGINT LANGUAGE sql AS
'UPDATE counters SET n = n + 1 WHERE id = which RETURNING n'"""


def test_a_read_that_writes(adapter: DatabaseAdapter) -> None:
    """What a replica refuses as a write runs on the primary, once; its text is remembered, and its write is seen."""
    adapter.execute(WRITER)
    until_fresh(adapter)
    before = adapter.get_stats()["nodes"][0]["requests"]
    for n in range(1, 6):
        assert adapter.fetch_value("SELECT bump(7)") == n
        assert adapter.fetch_value("SELECT n FROM counters WHERE id = 7") == n
    assert adapter.get_stats()["nodes"][0]["requests"] - before >= 5
    until_fresh(adapter)
    refused = reads(adapter)["replica"]
    assert adapter.fetch_value("SELECT bump(7)") == 6
    assert reads(adapter)["replica"] == refused


def test_a_read_that_writes_and_is_first_met_on_the_primary(adapter: DatabaseAdapter) -> None:
    """There is no replica to refuse it then; still it runs once, and its write is seen."""
    adapter.execute(WRITER)
    for n in range(1, 6):
        adapter.execute("UPDATE counters SET n = ? WHERE id = 8", (10 * n,))
        sql = f"SELECT bump(8) /* {n} */"
        assert adapter.fetch_value(sql, consistency="strong") == 10 * n + 1
        assert adapter.fetch_value("SELECT n FROM counters WHERE id = 8") == 10 * n + 1


def test_a_view_that_writes(adapter: DatabaseAdapter, delayed: EmbeddedPostgres) -> None:
    """A text that calls no function itself may still write, first met on the primary: its write is seen."""
    adapter.execute(WRITER)
    adapter.execute("CREATE VIEW bumped AS SELECT bump(9) AS n")
    for n in range(1, 4):
        until_fresh(adapter)
        assert adapter.fetch_value(f"SELECT n FROM bumped /* {n} */", consistency="strong") == n
        assert adapter.fetch_value("SELECT n FROM counters WHERE id = 9") == n


def test_streams_run_on_replicas(adapter: DatabaseAdapter) -> None:
    """A stream of a read does; one that turns out to write goes to the primary before its first row."""
    adapter.execute(WRITER)
    until_fresh(adapter)
    rows = [row for row in adapter.stream("SELECT pg_is_in_recovery() AS it FROM counters")]
    assert rows == [{"it": True}] * 20
    rows = [row for row in adapter.stream("SELECT bump(id) AS n FROM counters ORDER BY id", batch_size=3)]
    assert rows == [{"n": 1}] * 20
    assert adapter.fetch_value("SELECT sum(n) FROM counters") == 20


def test_read_only_transactions_run_on_one_replica(adapter: DatabaseAdapter) -> None:
    """All of it sees one server; a write in it is refused as on the primary."""
    until_fresh(adapter)
    with adapter.transaction(read_only=True, isolation="repeatable read") as tx:
        assert tx.fetch_value("SELECT pg_is_in_recovery()")
        ports = {tx.fetch_value("SELECT inet_server_port()") for _ in range(5)}
        assert len(ports) == 1
    with pytest.raises(ReadOnlyViolation):
        with adapter.transaction(read_only=True) as tx:
            tx.execute("UPDATE counters SET n = 1")
    with adapter.transaction(read_only=True, consistency="strong") as tx:
        assert not tx.fetch_value("SELECT pg_is_in_recovery()")
    with adapter.transaction(read_only=True, isolation="serializable") as tx:
        assert not tx.fetch_value("SELECT pg_is_in_recovery()")
    with adapter.transaction() as tx:
        assert not tx.fetch_value("SELECT pg_is_in_recovery()")


def test_a_replica_that_is_too_late(
    replicated: DatabaseConfig, adapter: DatabaseAdapter, postgres_cluster: EmbeddedPostgres
) -> None:
    """Beyond max_replica_lag a replica serves nothing, not even reads that take anything; then it comes back."""
    pool = attrs.evolve(replicated.pool, max_replica_lag=0.0)
    with DatabaseAdapter(attrs.evolve(replicated, pool=pool)) as strict, Crowd() as crowd:
        assert standby(strict, consistency="eventual")
        with standing_still(postgres_cluster):
            strict.execute("UPDATE counters SET n = 9 WHERE id = 9")
            strict.fetch_value("SELECT 1")  # asks for the positions
            while not all(
                node["lag_seconds"] for node in strict.get_stats()["nodes"][1:]
            ):  # or not known yet
                crowd.breathe()
            assert not standby(strict, consistency="eventual")
        while not standby(strict, consistency="eventual"):
            crowd.breathe()


def test_who_wrote_before_the_adapter_was_opened(
    adapter: DatabaseAdapter, replicated: DatabaseConfig, delayed: EmbeddedPostgres
) -> None:
    """An adapter's reads show what was there when it was opened, whoever wrote it."""
    for n in range(1, 4):
        adapter.execute("UPDATE counters SET n = ? WHERE id = 10", (n,))
        with DatabaseAdapter(replicated) as other:
            assert other.fetch_value("SELECT n FROM counters WHERE id = 10") == n


def test_health_with_replicas(adapter: DatabaseAdapter) -> None:
    """Both kinds of servers answer."""
    health = adapter.health()
    assert (health["status"], health["main_pool"], health["read_pool"]) == ("healthy", True, True)


def test_resizing(adapter: DatabaseAdapter) -> None:
    """New limits hold for each server, at once."""
    adapter.pool.resize(3, 5)
    stats = adapter.get_stats()
    assert (stats["min"], stats["max"]) == (9, 15)
    assert all(node["idle"] + node["active"] >= 3 for node in stats["nodes"])
    with pytest.raises(ConfigError, match="min_connections"):
        adapter.pool.resize(6, 5)
    assert adapter.get_stats()["max"] == 15
    adapter.pool.resize(0, 1)
    assert adapter.get_stats()["idle"] <= 3
