"""Why a Postgres server cannot be reached or logged in to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dbadapter import DatabaseConfig, DatabaseType, PoolConfig
from dbadapter.doctor import Surroundings, diagnose
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import DatabaseUnavailable
from tests.doctor.conftest import MakeRole, admin, codes, judged, with_pool
from tests.proxy import Proxy


def config_of(host: str, port: int) -> DatabaseConfig:
    """A config of a server at an address."""
    return DatabaseConfig(db_type=DatabaseType.POSTGRESQL, pool=PoolConfig(host=host, port=port, user="me"))


@contextmanager
def answering(reply: bytes | None, *, at_once: bool = False) -> Iterator[int]:
    """A server that says something to the first bytes of a client (or at once), or nothing at all; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                stack.callback(client.close)
                if not at_once and reply is not None:
                    client.recv(64)
                if reply is not None:
                    client.sendall(reply)
                    client.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)


def test_a_healthy_database_has_no_findings(postgres_database: DatabaseConfig) -> None:
    """A working server with pgvector is sound, and what was looked at is told."""
    with admin(postgres_database) as connection:
        connection.execute("CREATE EXTENSION vector")
    report = diagnose(postgres_database)
    assert judged(postgres_database, report) == ()
    assert {"port", "login", "clock", "rights", "connections", "pgvector"} <= {
        f.code for f in report.findings
    }


def test_nothing_listens() -> None:
    """A port where nobody listens is named."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    report = diagnose(config_of("127.0.0.1", port))
    assert report.codes == ("nothing-listens",)
    assert f"127.0.0.1:{port}" in report.errors[0].text


def test_no_socket_in_the_directory(tmp_path: Path) -> None:
    """A directory without the server's socket is named."""
    report = diagnose(config_of(str(tmp_path), 5432))
    assert report.codes == ("nothing-listens",)
    assert str(tmp_path) in report.errors[0].text


def test_an_unknown_host() -> None:
    """A host name that does not exist is told from a server that is down."""
    assert codes(config_of("no-such-host.invalid", 5432)) == ("unknown-host",)


def test_no_answer() -> None:
    """A server that takes the connection and then says nothing is not waited for without end."""
    with answering(None) as port:
        report = diagnose(config_of("127.0.0.1", port), Surroundings(timeout=0.2))
    assert report.codes == ("no-answer",)


@pytest.mark.parametrize(
    ("reply", "at_once", "name"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", True, "SSH"),
        (b"J\x00\x00\x00\x0a8.0.36\x00\x08\x00\x00\x00", True, "MySQL"),
        (b"-ERR unknown command\r\n", False, "Redis"),
        (b"", False, "closes the connection"),
        (b"\x00\x01hello", False, "not Postgres"),
    ],
)
def test_another_server_has_the_port(reply: bytes, at_once: bool, name: str) -> None:
    """Whatever else listens there is named, by its greeting where that tells."""
    with answering(reply, at_once=at_once) as port:
        report = diagnose(config_of("127.0.0.1", port))
    assert report.codes == ("other-server",)
    assert name in report.errors[0].text
    assert str(port) in report.errors[0].remedy


def test_an_http_server_has_the_port() -> None:
    """A real HTTP server is taken for one, or at least for no Postgres."""

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            report = diagnose(config_of("127.0.0.1", server.server_port), Surroundings(timeout=1))
        finally:
            server.shutdown()
            thread.join(20)
    assert report.codes[0] in ("other-server", "no-answer")


def test_a_wrong_password(make_role: MakeRole) -> None:
    """A wrong password; the right one and the wrong one stay out of the report."""
    config = with_pool(make_role(), password="hunter2")
    assert codes(config) == ("wrong-password",)


def test_no_password(make_role: MakeRole) -> None:
    """A server that asks for a password that was not given."""
    assert codes(with_pool(make_role(), password=None)) == ("no-password",)


def test_a_wrong_user_over_the_network(postgres_database: DatabaseConfig) -> None:
    """Over a network no server tells a wrong user from a wrong password; the remedy says so."""
    report = diagnose(with_pool(postgres_database, user="nobody_of_that_name"))
    assert report.codes == ("wrong-password",)
    assert "which of the two" in report.errors[0].remedy


def test_a_wrong_user_on_the_socket(
    postgres_server: EmbeddedPostgres, postgres_database: DatabaseConfig
) -> None:
    """On a socket that asks for no password the wrong user is told."""
    config = with_pool(
        postgres_database, host=str(postgres_server.socket_dir), user="nobody_of_that_name", password=None
    )
    assert codes(config) == ("wrong-user",)


def test_a_wrong_database(postgres_database: DatabaseConfig) -> None:
    """A database that does not exist is named, with those that do."""
    report = diagnose(with_pool(postgres_database, database="no_such_database"))
    assert report.codes == ("wrong-database",)
    assert "no_such_database" in report.errors[0].text
    assert "postgres" in report.errors[0].remedy


def test_no_right_to_connect(postgres_database: DatabaseConfig, make_role: MakeRole) -> None:
    """A database that the role may not connect to."""
    config = make_role()
    with admin(postgres_database) as connection:
        connection.execute(f'REVOKE CONNECT ON DATABASE "{postgres_database.pool.database}" FROM PUBLIC')
    assert codes(config) == ("no-right-to-connect",)


def test_no_room_for_another_connection(make_role: MakeRole) -> None:
    """A server, role or database whose connections are used up."""
    config = make_role("CONNECTION LIMIT 1")
    with admin(config):
        assert codes(config) == ("too-many-connections",)


@contextmanager
def asking_for(method: int) -> Iterator[int]:
    """A server that speaks the protocol and wants to know its clients in a way of its own; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    while asked := client.recv(1024):
                        tls = asked[4:8] == struct.pack("!i", 80877103)
                        client.sendall(b"N" if tls else b"R" + struct.pack("!ii", 8, method))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(20)


def test_a_server_that_the_driver_cannot_log_in_to() -> None:
    """A way of logging in that the client library does not know: newer than it, or made for others."""
    with asking_for(method=99) as port:
        report = diagnose(config_of("127.0.0.1", port))
    assert report.codes == ("driver-refused",)
    assert "psycopg" in report.errors[0].remedy


def test_a_database_that_hangs(postgres_proxy: Proxy, postgres_database: DatabaseConfig) -> None:
    """A server that stops answering after the connection was made is told within the time-out."""
    config = postgres_proxy.config(postgres_database)
    postgres_proxy.stall()
    try:
        report = diagnose(config, Surroundings(timeout=0.3))
    finally:
        postgres_proxy.resume()
    assert report.codes == ("no-answer",)


def test_of_several_hosts_the_first_that_answers(postgres_database: DatabaseConfig) -> None:
    """Where several hosts are named, one that is down is told, and the next one is looked at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    config = with_pool(postgres_database, host=f"127.0.0.1:{port},127.0.0.1:{postgres_database.pool.port}")
    found = codes(config)
    assert found[0] == "nothing-listens"
    assert "pgvector-not-created" in found


def test_a_server_that_is_shutting_down_or_does_not_let_in() -> None:
    """A line of pg_hba.conf that rejects, and a server that waits for its last clients to leave."""
    with EmbeddedPostgres() as server:
        admitted = server.pgdata / "pg_hba.conf"
        before = admitted.read_text()
        with admin(server.config) as connection:
            connection.execute("CREATE ROLE blocked LOGIN PASSWORD 'x'")
            admitted.write_text(f"host all blocked 127.0.0.1/32 reject\n{before}")
            connection.execute("SELECT pg_reload_conf()")
            blocked = with_pool(server.config, user="blocked", password="x")
            while codes(blocked) != ("not-admitted",):
                pass  # until the server has read its configuration
            with pytest.raises(DatabaseUnavailable):
                server.stop("smart", timeout=0.1)
            assert codes(server.config) == ("not-ready",)
