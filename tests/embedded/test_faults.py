"""The tools for faults do what they say: the proxy at its moments, PgBouncer in its modes."""

from __future__ import annotations

import socket
from typing import Any

import attrs
import psycopg
import pytest

from dbadapter.config import DatabaseConfig
from tests.pgbouncer import PgBouncer, running_pgbouncer
from tests.proxy import Link, Proxy, client_sends, server_reports
from tests.servers import connect


@pytest.fixture
def proxied(postgres_proxy: Proxy, postgres_database: DatabaseConfig) -> DatabaseConfig:
    """An empty database behind a proxy, with a table ``t``."""
    with connect(postgres_database) as connection:
        connection.execute("CREATE TABLE t (x int)")
    return postgres_proxy.config(postgres_database)


def rows(config: DatabaseConfig) -> list[int]:
    """What the table holds, asked for directly."""
    with connect(config) as connection:
        return [x for (x,) in connection.execute("SELECT x FROM t ORDER BY x")]


@pytest.mark.parametrize("sslmode", ["disable", "prefer"])
def test_proxy_passes_everything_through(proxied: DatabaseConfig, sslmode: str) -> None:
    """Parameters, COPY and large answers pass unharmed, also when the client asks for TLS in vain."""
    config = attrs.evolve(proxied, pool=attrs.evolve(proxied.pool, sslmode=sslmode))
    with connect(config) as connection:
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for number in range(20_000):
                copy.write_row((number,))
        assert connection.execute("SELECT count(*), sum(x) FROM t WHERE x >= %s", (10,)).fetchone() == (
            19_990,
            199_989_955,
        )
        assert len(connection.execute("SELECT repeat('é', 1000) FROM t").fetchall()) == 20_000


def test_commit_cut_before_the_server_has_it(
    proxied: DatabaseConfig, postgres_proxy: Proxy, postgres_database: DatabaseConfig
) -> None:
    """A COMMIT that never reaches the server leaves nothing behind."""
    fault = postgres_proxy.on(client_sends("COMMIT"), Link.cut)
    connection = connect(proxied)
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    assert fault.happened.wait(10)
    assert connection.broken
    connection.close()
    assert rows(postgres_database) == []


@pytest.mark.parametrize("action", [Link.cut, Link.finish, Link.half_close])
def test_commit_whose_answer_is_lost(
    proxied: DatabaseConfig, postgres_proxy: Proxy, postgres_database: DatabaseConfig, action: Any
) -> None:
    """The server has committed, the client only sees its connection fail."""
    fault = postgres_proxy.on(server_reports("COMMIT"), action)
    connection = connect(proxied)
    connection.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    assert fault.happened.wait(10)
    connection.close()
    assert rows(postgres_database) == [1]


def test_stall_at_a_moment_and_resume(proxied: DatabaseConfig, postgres_proxy: Proxy) -> None:
    """After a stall the answer that was held back arrives."""
    fault = postgres_proxy.on(client_sends("SELECT 42"), Link.stall, forward=True)
    with connect(proxied, autocommit=True) as connection:
        connection.pgconn.send_query(b"SELECT 42")
        assert fault.happened.wait(10)
        assert not _readable(connection.pgconn.socket, 0.05)
        postgres_proxy.resume()
        assert _readable(connection.pgconn.socket, 10)
        result = connection.pgconn.get_result()
        assert result is not None
        assert result.get_value(0, 0) == b"42"
        assert connection.pgconn.get_result() is None


def test_refused_and_welcome_again(proxied: DatabaseConfig, postgres_proxy: Proxy) -> None:
    """Refusing spares connections there are; listening again takes new ones on the same port."""
    with connect(proxied, autocommit=True) as connection:
        postgres_proxy.refuse()
        with pytest.raises(psycopg.OperationalError, match="refused"):
            connect(proxied)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        postgres_proxy.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    postgres_proxy.listen()
    with connect(proxied) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_stalled_proxy_accepts_but_leads_nowhere(proxied: DatabaseConfig, postgres_proxy: Proxy) -> None:
    """A connection to a stalled proxy is accepted and gets no answer: the client's time-out ends it."""
    postgres_proxy.stall()
    with pytest.raises(psycopg.OperationalError, match="timeout"):
        connect(proxied, connect_timeout=2)
    postgres_proxy.cut()
    postgres_proxy.resume()
    with connect(proxied) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_statements_are_noted(proxied: DatabaseConfig, postgres_proxy: Proxy) -> None:
    """The proxy knows what was asked, so a test can count round trips."""
    with connect(proxied, autocommit=True) as connection:
        connection.execute("SELECT 1")
        connection.execute("SELECT %s::int", (2,))
    assert postgres_proxy.statements == ["SELECT 1", "SELECT $1::int"]
    assert postgres_proxy.accepted == 1


def test_pgbouncer_in_transaction_mode(pgbouncer: PgBouncer, postgres_database: DatabaseConfig) -> None:
    """Any database is reached, clients take turns on one server connection, PAUSE and RESUME work."""
    config = pgbouncer.config(postgres_database)
    assert config.pool.pgbouncer
    with (
        connect(config, autocommit=True, prepare_threshold=None) as one,
        connect(config, autocommit=True, prepare_threshold=None) as two,
    ):
        pids = {c.execute("SELECT pg_backend_pid()").fetchone() for c in (one, two, one, two)}
        assert len(pids) == 1
        pgbouncer.admin("PAUSE")
        one.pgconn.send_query(b"SELECT 1")
        assert not _readable(one.pgconn.socket, 0.05)
        pgbouncer.admin("RESUME")
        assert _readable(one.pgconn.socket, 10)
        while one.pgconn.get_result() is not None:
            pass


def test_pgbouncer_in_session_mode_stopped_and_started(postgres_database: DatabaseConfig) -> None:
    """In session mode each client has its own server connection; a restart cuts clients off."""
    with running_pgbouncer(postgres_database, "session") as bouncer:
        config = bouncer.config()
        assert not config.pool.pgbouncer
        with connect(config, autocommit=True) as one, connect(config, autocommit=True) as two:
            assert one.execute("SELECT pg_backend_pid()").fetchone() != (
                two.execute("SELECT pg_backend_pid()").fetchone()
            )
            bouncer.stop()
            with pytest.raises(psycopg.OperationalError):
                one.execute("SELECT 1")
        bouncer.start()
        with connect(config) as again:
            assert again.execute("SELECT 1").fetchone() == (1,)


def test_pgbouncer_with_tls(postgres_database: DatabaseConfig) -> None:
    """Its certificate passes ``verify-full`` for "localhost" under its authority, and under no other name."""
    with running_pgbouncer(postgres_database, tls=True) as bouncer:
        config = bouncer.config()
        root = config.pool.sslrootcert
        with connect(config, sslrootcert=root, prepare_threshold=None) as connection:
            assert connection.pgconn.ssl_in_use
            assert connection.execute("SELECT 1").fetchone() == (1,)
        for change in ({"host": "127.0.0.1"}, {"sslmode": "disable"}):
            with pytest.raises(psycopg.OperationalError):
                connect(attrs.evolve(config, pool=attrs.evolve(config.pool, **change)), sslrootcert=root)


def _readable(descriptor: int, seconds: float) -> bool:
    """Whether something arrives within so many seconds."""
    with socket.socket(fileno=socket.dup(descriptor)) as copy:
        copy.settimeout(seconds)
        try:
            return len(copy.recv(1, socket.MSG_PEEK)) == 1
        except TimeoutError:
            return False
