"""Streaming replicas: they follow, stop, come back, and take over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbadapter.embedded import EmbeddedPostgres, EmbeddedReplica
from dbadapter.errors import ConfigError, DatabaseUnavailable
from tests.embedded.test_server import ask
from tests.servers import TEMP_DIR

COPIED = "starting backup recovery"  # in the log of a server that was made as a copy


@pytest.fixture(scope="module")
def servers() -> Iterator[EmbeddedPostgres]:
    """A primary with two replicas, left in whatever state by the test before."""
    with EmbeddedPostgres(replicas=2, temp_dir=TEMP_DIR) as server:
        yield server


@pytest.fixture
def cluster(servers: EmbeddedPostgres) -> EmbeddedPostgres:
    """A primary with two replicas, all up and level, and an empty table ``t``."""
    servers.start()
    for replica in servers.replicas:
        replica.start()
    ask(servers.url, "DROP TABLE IF EXISTS t")
    ask(servers.url, "CREATE TABLE t (x int)")
    servers.wait_for_replicas()
    return servers


def add(server: EmbeddedPostgres, x: int) -> None:
    """Commit a row on the primary."""
    ask(server.url, f"INSERT INTO t VALUES ({x})")


def seen(url: str) -> list[int]:
    """The rows that a server shows."""
    rows: list[int] = ask(url, "SELECT coalesce(array_agg(x ORDER BY x), '{}') FROM t")
    return rows


def copies(replica: EmbeddedReplica) -> int:
    """How often a server's directory has been made as a copy of another's."""
    return replica.log.read_text().count(COPIED)


def test_replicas_stream(cluster: EmbeddedPostgres) -> None:
    """What is committed on the primary appears on the replicas, which take no writes."""
    add(cluster, 1)
    cluster.wait_for_replicas()
    assert len(cluster.replicas) == 2
    assert cluster.config.pool.read_hosts == tuple(f"127.0.0.1:{r.port}" for r in cluster.replicas)
    for replica in cluster.replicas:
        assert seen(replica.url) == [1]
        assert replica.config.pool.port == replica.port
        assert replica.config.pool.read_hosts == ()
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            ask(replica.url, "INSERT INTO t VALUES (0)")
    assert ask(cluster.url, "SELECT count(*) FROM pg_replication_slots WHERE active") == 2


def test_a_replica_catches_up_after_a_stop_and_after_a_kill(cluster: EmbeddedPostgres) -> None:
    """A replica that was away gets what it missed; the primary may be down while it starts."""
    replica = cluster.replicas[0]
    port = replica.port
    for number, away in enumerate((replica.stop, replica.kill)):
        away()
        assert not replica.running
        assert replica.pid is None
        add(cluster, number)
        ask(cluster.url, "SELECT pg_switch_wal()")
        cluster.stop()
        replica.start()
        cluster.start()
        cluster.wait_for_replicas()
        assert seen(replica.url) == list(range(number + 1))
    assert replica.restart().port == port


def test_replicas_survive_a_killed_primary(cluster: EmbeddedPostgres) -> None:
    """Replicas serve reads while the primary is down and follow it again when it is back."""
    add(cluster, 1)
    cluster.wait_for_replicas()
    cluster.kill()
    assert [seen(replica.url) for replica in cluster.replicas] == [[1], [1]]
    cluster.start()
    add(cluster, 2)
    cluster.wait_for_replicas()
    assert [seen(replica.url) for replica in cluster.replicas] == [[1, 2], [1, 2]]


def test_promote_swaps_roles_without_loss(cluster: EmbeddedPostgres) -> None:
    """Promotion under a running primary keeps every commit; the old one and the others follow."""
    old, replica, other = cluster.pid, cluster.replicas[0], cluster.replicas[1]
    ports = {cluster.port, replica.port, other.port}
    for x in range(50):
        add(cluster, x)
    cluster.promote(0)
    assert (cluster.port, cluster.pid) == (replica.port, replica.pid)
    assert cluster.pid != old
    add(cluster, 50)  # it takes writes when promote() returns
    cluster.wait_for_replicas()
    assert [seen(server.url) for server in (cluster, *cluster.replicas)] == [list(range(51))] * 3
    assert cluster.replicas[1].pid == other.pid  # it was redirected, not restarted
    assert ask(cluster.replicas[0].url, "SELECT pg_is_in_recovery()")
    cluster.promote(0)  # and back
    add(cluster, 51)
    cluster.wait_for_replicas()
    assert {cluster.port, *(r.port for r in cluster.replicas)} == ports
    assert [seen(r.url) for r in cluster.replicas] == [list(range(52))] * 2


def test_promote_of_a_replica_that_has_just_come_back(cluster: EmbeddedPostgres) -> None:
    """What was committed while it was away is not lost, even if it has had no time to ask for it."""
    for x in range(3):
        cluster.replicas[0].stop()
        add(cluster, x)
        cluster.promote(0)
        assert seen(cluster.url) == list(range(x + 1))


def test_failover_after_a_killed_primary(cluster: EmbeddedPostgres) -> None:
    """After a crash a replica takes over; the old primary comes back without what only it had."""
    replica, other = cluster.replicas
    add(cluster, 1)
    cluster.wait_for_replicas()
    replica.stop()
    other.stop()
    add(cluster, 2)  # reaches nobody
    cluster.kill()
    cluster.promote(0)
    assert seen(cluster.url) == [1]
    add(cluster, 3)
    old = cluster.replicas[0]
    assert not old.running
    old.start()
    other.start()
    cluster.wait_for_replicas()
    assert [seen(r.url) for r in cluster.replicas] == [[1, 3], [1, 3]]


def test_a_replica_that_was_ahead_of_the_promoted_one_is_copied_anew(cluster: EmbeddedPostgres) -> None:
    """A running replica that got more from the old primary than the new one did gives that up and follows."""
    behind, ahead = cluster.replicas
    add(cluster, 1)
    cluster.wait_for_replicas()
    behind.stop()
    add(cluster, 2)
    cluster.wait_for_replicas()
    assert seen(ahead.url) == [1, 2]
    cluster.kill()
    cluster.promote(0)
    assert cluster.pid == behind.pid
    add(cluster, 3)
    cluster.wait_for_replicas()
    assert seen(ahead.url) == [1, 3]


def test_promote_after_a_proper_stop(cluster: EmbeddedPostgres) -> None:
    """A primary that was stopped before stays stopped, and joins quickly and without loss when started."""
    add(cluster, 1)
    cluster.stop()
    copied = cluster.log.read_text().count(COPIED)
    cluster.promote(1)
    old = cluster.replicas[1]
    assert not old.running
    old.start()
    assert copies(old) == copied
    cluster.wait_for_replicas()
    assert seen(old.url) == [1]


def test_apply_delay() -> None:
    """A delayed replica shows a commit only later; the delay can be lifted while it runs."""
    with EmbeddedPostgres(replicas=2, apply_delay=(0, 3600), temp_dir=TEMP_DIR) as server:
        prompt, delayed = server.replicas
        assert (prompt.apply_delay, delayed.apply_delay) == (0, 3600)
        with pytest.raises(DatabaseUnavailable, match="has not replayed"):
            ask(server.url, "CREATE TABLE t AS SELECT 1 AS x")
            server.wait_for_replicas(timeout=0.3)
        assert seen(prompt.url) == [1]
        assert ask(delayed.url, "SELECT to_regclass('t')") is None
        delayed.set_apply_delay(0)
        server.wait_for_replicas()
        assert seen(delayed.url) == [1]


def test_a_delayed_replica_loses_nothing_when_promoted() -> None:
    """What a replica has received but holds back is applied before it takes over."""
    with EmbeddedPostgres(replicas=1, apply_delay=3600, temp_dir=TEMP_DIR) as server:
        ask(server.url, "CREATE TABLE t AS SELECT 1 AS x")
        server.promote(0)
        assert seen(server.url) == [1]


def test_wrong_index(cluster: EmbeddedPostgres) -> None:
    """Promoting a replica that does not exist is refused, and changes nothing."""
    for wrong in (2, -1, "0", None):
        with pytest.raises(ConfigError, match="no replica"):
            cluster.promote(wrong)  # type: ignore[arg-type]
    add(cluster, 1)


def test_a_replica_that_needs_the_primary_says_so(cluster: EmbeddedPostgres) -> None:
    """A replica that must be copied from the primary cannot start without it."""
    cluster.kill()
    cluster.promote(0)
    cluster.stop()
    with pytest.raises(DatabaseUnavailable, match="start that"):
        cluster.replicas[0].start()


def test_roles_are_kept_with_the_data(quick_path: Path) -> None:
    """A directory opened again has the same primary; replicas may be fewer or more than before."""
    with EmbeddedPostgres(quick_path / "roles", replicas=1) as server:
        ask(server.url, "CREATE TABLE t AS SELECT 1 AS x")
        server.promote(0)
        data, before = server.pgdata, [copies(replica) for replica in server.replicas]
    with EmbeddedPostgres(quick_path / "roles", replicas=1) as server:
        assert server.pgdata == data
        add(server, 2)
        server.wait_for_replicas()
        assert seen(server.replicas[0].url) == [1, 2]
        assert [copies(replica) for replica in server.replicas] == before
    with EmbeddedPostgres(quick_path / "roles") as server:
        add(server, 3)
        assert ask(server.url, "SELECT count(*) FROM pg_replication_slots") == 0
    with EmbeddedPostgres(quick_path / "roles", replicas=1) as server:
        server.wait_for_replicas()
        assert seen(server.replicas[0].url) == [1, 2, 3]
