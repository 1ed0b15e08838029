"""What may be wrong on a server that one can log in to."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest

from dbadapter import DatabaseConfig
from dbadapter.doctor import Severity, Surroundings, diagnose
from dbadapter.doctor.versions import check_versions, libpq_findings, sqlite_findings
from dbadapter.embedded import EmbeddedPostgres
from tests.doctor.conftest import MakeRole, admin, codes, judged, with_pool
from tests.pgbouncer import running_pgbouncer


def test_no_right_to_create(make_role: MakeRole) -> None:
    """A role that may make no tables in the schema, which is so for any new role."""
    report = diagnose(make_role())
    assert "no-right-to-create" in report.codes
    remedy = next(f.remedy for f in report.errors if f.code == "no-right-to-create")
    assert "GRANT CREATE ON SCHEMA public" in remedy


def test_no_right_to_tables(postgres_database: DatabaseConfig, make_role: MakeRole) -> None:
    """Tables of another owner that the role may not write."""
    config = make_role()
    with admin(postgres_database) as connection:
        connection.execute("CREATE TABLE theirs (id int); GRANT SELECT ON theirs TO PUBLIC")
        connection.execute(f'GRANT CREATE ON SCHEMA public TO "{config.pool.user}"')
    report = diagnose(config)
    assert "no-right-to-tables" in report.codes
    assert "theirs" in next(f.text for f in report.errors if f.code == "no-right-to-tables")


def test_no_schema(postgres_database: DatabaseConfig, make_role: MakeRole) -> None:
    """A search_path in which nothing exists."""
    config = make_role()
    with admin(postgres_database) as connection:
        connection.execute(f'ALTER ROLE "{config.pool.user}" SET search_path = nowhere')
    assert "no-schema" in codes(config)


def test_read_only(postgres_database: DatabaseConfig, make_role: MakeRole) -> None:
    """A role whose transactions are read-only."""
    config = make_role()
    with admin(postgres_database) as connection:
        connection.execute(f'ALTER ROLE "{config.pool.user}" SET default_transaction_read_only = on')
    assert "read-only" in codes(config)


def test_pgvector_is_not_enabled(postgres_database: DatabaseConfig) -> None:
    """The server has pgvector, the database does not: a warning, since only vectors need it."""
    report = diagnose(postgres_database)
    assert judged(postgres_database, report) == ("pgvector-not-created",)
    assert report.healthy


def test_pgvector_is_old(postgres_database: DatabaseConfig) -> None:
    """An old version in the database, which the server could update."""
    with admin(postgres_database) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("UPDATE pg_extension SET extversion = '0.5.1' WHERE extname = 'vector'")
    report = diagnose(postgres_database)
    assert judged(postgres_database, report) == ("pgvector-old",)
    assert "ALTER EXTENSION vector UPDATE" in report.warnings[0].remedy


def test_pgvector_is_not_installed(postgres_database: DatabaseConfig) -> None:
    """A server without the extension's files, where it finds none."""
    with admin(postgres_database) as connection:
        if connection.info.server_version < 180000:
            pytest.skip("missing: a server that can be told where its extensions are (PostgreSQL 18)")
        name = postgres_database.pool.database
        connection.execute(f"ALTER DATABASE \"{name}\" SET extension_control_path = '/nonexistent'")
    assert codes(postgres_database) == ("pgvector-missing",)


@pytest.mark.parametrize("whose", ["server", "role"])
def test_max_connections_is_too_small_for_the_pool(make_role: MakeRole, whose: str) -> None:
    """A pool that may open more connections than the server, or the role, may have."""
    config = make_role("CONNECTION LIMIT 5" if whose == "role" else "")
    report = diagnose(with_pool(config, max_connections=10_000 if whose == "server" else 6))
    text = next(f.text for f in report.errors if f.code == "max-connections-too-small")
    assert f"the {whose} takes" in text


def test_connections_are_scarce(postgres_database: DatabaseConfig) -> None:
    """A pool that would fit, were it not for the connections of others."""
    with admin(postgres_database) as connection:
        row = connection.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
        ).fetchone()
        assert row is not None
        assert "connections-scarce" in codes(with_pool(postgres_database, max_connections=row[0]))


@pytest.mark.parametrize(("ahead", "word"), [(600, "behind"), (-600, "ahead of")])
def test_clocks_that_disagree(postgres_database: DatabaseConfig, ahead: float, word: str) -> None:
    """A clock here that is ten minutes off the server's, either way."""
    report = diagnose(postgres_database, Surroundings(clock=lambda: time.time() + ahead))
    skew = next(f for f in report.warnings if f.code == "clock-skew")
    assert word in skew.text
    assert "600" in skew.text or "599" in skew.text


@pytest.mark.parametrize(
    ("mode", "announced", "expected"),
    [
        ("transaction", False, "pgbouncer-unannounced"),
        ("transaction", True, None),
        ("session", False, None),
        ("statement", False, "pgbouncer-statement-mode"),
    ],
)
def test_pgbouncer_and_its_mode(
    postgres_database: DatabaseConfig, mode: str, announced: bool, expected: str | None
) -> None:
    """A pooler in between is noticed by itself, and its mode compared with what the config says."""
    with running_pgbouncer(postgres_database, pool_mode=mode) as bouncer:
        found = codes(with_pool(bouncer.config(postgres_database), pgbouncer=announced))
    assert [code for code in found if code.startswith("pgbouncer")] == ([expected] if expected else [])


def test_pgbouncer_is_announced_and_absent(postgres_database: DatabaseConfig) -> None:
    """A config that says so, where there is none."""
    assert "pgbouncer-absent" in codes(with_pool(postgres_database, pgbouncer=True))


# -- replicas ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Any:
    """A primary with a replica, for tests that disturb them."""
    with EmbeddedPostgres(replicas=1) as server:
        yield server


def replica_codes(config: DatabaseConfig) -> list[str]:
    """What is found about replicas and roles."""
    return [code for code in codes(config) if "replica" in code]


def test_a_replica_that_follows(cluster: EmbeddedPostgres) -> None:
    """A streaming replica is as it should be."""
    cluster.wait_for_replicas()
    assert replica_codes(cluster.config) == []


def test_the_primary_is_a_replica(cluster: EmbeddedPostgres) -> None:
    """A config whose host is a replica: nothing can be written there."""
    assert "primary-is-replica" in replica_codes(cluster.replicas[0].config)


def test_a_replica_is_a_primary(cluster: EmbeddedPostgres, postgres_server: EmbeddedPostgres) -> None:
    """A read host that follows nobody has data of its own."""
    other = postgres_server.config.pool
    with admin(postgres_server.config) as connection:
        connection.execute("CREATE ROLE reader LOGIN SUPERUSER PASSWORD 'reader''s own'")
    try:
        with admin(cluster.config) as connection:
            connection.execute("CREATE ROLE reader LOGIN SUPERUSER PASSWORD 'reader''s own'")
        config = with_pool(
            cluster.config, user="reader", password="reader's own", read_hosts=(f"{other.host}:{other.port}",)
        )
        assert replica_codes(config) == ["replica-is-primary"]
    finally:
        with admin(postgres_server.config) as connection:
            connection.execute("DROP ROLE reader")


def test_a_replica_that_is_down(cluster: EmbeddedPostgres) -> None:
    """A read host where nothing listens is named, and the primary is looked at all the same."""
    config = cluster.config
    cluster.replicas[0].stop()
    try:
        found = codes(config)
    finally:
        cluster.replicas[0].start()
    assert "nothing-listens" in found


def wait_for(connection: psycopg.Connection[Any], question: str) -> None:
    """Wait until the server answers yes."""
    until = time.monotonic() + 30
    while connection.execute(question.encode()).fetchone() != (True,):
        assert time.monotonic() < until, question


def test_a_replica_that_does_not_stream(cluster: EmbeddedPostgres) -> None:
    """A replica that is cut off from its primary gets no changes."""
    with ExitStack() as stack:
        connection = stack.enter_context(admin(cluster.replicas[0].config))
        stack.callback(wait_for, connection, "SELECT count(*) = 1 FROM pg_stat_wal_receiver")
        stack.callback(connection.execute, "SELECT pg_reload_conf()")
        stack.callback(connection.execute, "ALTER SYSTEM RESET primary_conninfo")
        connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
        connection.execute("SELECT pg_reload_conf()")
        wait_for(connection, "SELECT count(*) = 0 FROM pg_stat_wal_receiver")
        assert replica_codes(cluster.config) == ["replica-not-streaming"]


def test_a_replica_that_is_paused(cluster: EmbeddedPostgres) -> None:
    """A replica that receives changes and does not show them."""
    with admin(cluster.replicas[0].config) as connection:
        connection.execute("SELECT pg_wal_replay_pause()")
        try:
            assert replica_codes(cluster.config) == ["replica-paused"]
        finally:
            connection.execute("SELECT pg_wal_replay_resume()")


def test_a_replica_that_is_late(cluster: EmbeddedPostgres) -> None:
    """A replica that is further behind than the config allows."""
    with ExitStack() as stack:
        connection = stack.enter_context(admin(cluster.replicas[0].config))
        stack.callback(connection.execute, "SELECT pg_reload_conf()")
        stack.callback(connection.execute, "ALTER SYSTEM RESET recovery_min_apply_delay")
        primary = stack.enter_context(admin(cluster.config))
        primary.execute("CREATE TABLE news (id int)")
        cluster.wait_for_replicas()
        connection.execute("ALTER SYSTEM SET recovery_min_apply_delay = '1h'")
        connection.execute("SELECT pg_reload_conf()")
        wait_for(connection, "SELECT current_setting('recovery_min_apply_delay') = '1h'")
        found: list[str] = []
        until = time.monotonic() + 30
        while found != ["replica-late"]:  # the process that replays reads its settings when it wakes up
            assert time.monotonic() < until, found
            primary.execute("INSERT INTO news VALUES (1)")
            found = replica_codes(with_pool(cluster.config, max_replica_lag=0.0))


# -- versions ----------------------------------------------------------------------------------------------------------


def test_versions_here_are_fit() -> None:
    """What the tests run on is new enough, and named."""
    found = list(check_versions())
    assert {finding.severity for finding in found} == {Severity.OK}
    assert psycopg.__version__ in found[-1].text


def test_versions_that_are_too_old() -> None:
    """An old SQLite or libpq is an error, psycopg in pure Python a warning."""
    assert [f.code for f in sqlite_findings((3, 34, 1))] == ["sqlite-too-old"]
    assert [f.code for f in libpq_findings((12, 4), "3.2", "c")] == ["libpq-too-old"]
    assert [f.code for f in libpq_findings((17, 0), "3.2", "python")] == ["driver-slow"]


def test_no_driver_at_all() -> None:
    """Without psycopg, in an environment that was put together by hand, that is what is said."""
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from dbadapter.doctor.versions import check_versions\n"
        "print([f.code for f in check_versions() if f.severity.value == 'error'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['driver-missing']"
