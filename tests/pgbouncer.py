"""Debian's PgBouncer in front of a server, for as long as a test needs it."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest
from attrs import define, field

from dbadapter.config import DatabaseConfig
from dbadapter.embedded import _ports
from dbadapter.embedded._account import Account, server_account
from dbadapter.embedded._guard import Guard

WHERE = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin"  # Debian puts it where only root's PATH looks


@define(eq=False, kw_only=True)
class PgBouncer:
    """A PgBouncer that any database of its server can be reached through.

    Attributes:
        port: on 127.0.0.1; the same over stops and starts.
        pool_mode: "transaction" or "session".
        ca_file: the certificate authority of its own certificate for "localhost"; None without TLS.
    """

    program: str
    directory: Path
    server: DatabaseConfig
    port: int
    pool_mode: str
    settings: Mapping[str, str]
    guard: Guard
    account: Account | None
    ca_file: Path | None = None
    pid: int = field(default=0, init=False)

    @property
    def log(self) -> Path:
        """The file with its messages."""
        return self.directory / "pgbouncer.log"

    def config(self, database: DatabaseConfig | None = None) -> DatabaseConfig:
        """A configuration (default: the server's own) changed to go through here."""
        config = database or self.server
        pool = attrs.evolve(
            config.pool,
            host="127.0.0.1",
            port=self.port,
            read_hosts=(),
            pgbouncer=self.pool_mode == "transaction",
        )
        if self.ca_file is not None:
            pool = attrs.evolve(pool, host="localhost", sslmode="verify-full", sslrootcert=str(self.ca_file))
        return attrs.evolve(config, pool=pool)

    def admin(self, command: str) -> list[dict[str, Any]]:
        """Run a command of its console: PAUSE, RESUME, RELOAD, SHOW POOLS, KILL name, ..."""
        pool = self.server.pool
        # The console knows the simple protocol only.
        with psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            dbname="pgbouncer",
            user=pool.user,
            password=pool.current_password(),
            autocommit=True,
            cursor_factory=psycopg.ClientCursor,
            row_factory=psycopg.rows.dict_row,
        ) as connection:
            cursor = connection.execute(command.encode())
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._write_files()
        self.pid = self.guard.spawn(
            [self.program, self.directory / "pgbouncer.ini"], account=self.account, output=self.log
        )
        until = time.monotonic() + 20
        while True:
            try:
                self.admin("SHOW VERSION")
                return
            except psycopg.OperationalError as exc:
                if self.guard.code(self.pid) is not None or time.monotonic() > until:
                    raise RuntimeError(f"pgbouncer did not start:\n{self.log.read_text()}") from exc
                time.sleep(0.01)

    def lead_to(self, server: DatabaseConfig) -> None:
        """Have it use another server from the next transaction on, without its clients' noticing."""
        self.server = server
        self._write_files()
        self.admin("RELOAD")
        self.admin("RECONNECT")
        self.admin("WAIT_CLOSE")

    def stop(self) -> None:
        """Stop it at once, cutting its clients off."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        self.guard.ask("signal", pid=self.pid, signal_number=int(number))
        if self.guard.wait(self.pid, 20) is None:
            self.guard.ask("signal", pid=self.pid, signal_number=9)
            raise RuntimeError(f"pgbouncer (process {self.pid}) did not stop:\n{self.log.read_text()}")

    def _write_files(self) -> None:
        pool = self.server.pool
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": str(self.directory / "userlist.txt"),
            "admin_users": pool.user or "",
            "pool_mode": self.pool_mode,
            "max_client_conn": "1000",
            "default_pool_size": "10",
            "ignore_startup_parameters": "extra_float_digits",
            "server_login_retry": "1",
            **self.settings,
        }
        lines = [
            "[databases]",
            f"* = host={pool.host} port={pool.port}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in settings.items()),
        ]
        password = (pool.current_password() or "").replace('"', '""')
        self._write("pgbouncer.ini", "\n".join(lines) + "\n")
        self._write("userlist.txt", f'"{pool.user}" "{password}"\n')

    def _write(self, name: str, text: str) -> None:
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        if self.account is not None:
            self.account.own(path)


def certified(directory: Path, account: Account | None) -> dict[str, str]:
    """Make a certificate for "localhost" and return the settings that use it."""
    import trustme

    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    certificate.private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    if account is not None:
        account.own(directory / "server.pem")
        directory.chmod(0o711)
    return {
        "client_tls_sslmode": "require",
        "client_tls_key_file": str(directory / "server.pem"),
        "client_tls_cert_file": str(directory / "server.pem"),
    }


@contextmanager
def running_pgbouncer(
    server: DatabaseConfig,
    pool_mode: str = "transaction",
    settings: Mapping[str, str] | None = None,
    *,
    tls: bool = False,
) -> Iterator[PgBouncer]:
    """A PgBouncer in front of a server, stopped afterwards; it ends with this process however that ends.

    Args:
        server: how to reach the server itself.
        pool_mode: "transaction" or "session".
        settings: more of ``pgbouncer.ini``.
        tls: clients must use TLS; the certificate is for "localhost", by a new authority (`PgBouncer.ca_file`).
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:{WHERE}")
    if program is None:
        pytest.skip("missing: pgbouncer is not installed (apt-get install pgbouncer)")
    account = server_account()
    guard = Guard()
    guard.open()
    try:
        directory = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
        guard.ask("at_end", remove=[str(directory)], gentle=False)
        if account is not None:
            account.own(directory)
        bouncer = PgBouncer(
            program=program,
            directory=directory,
            server=server,
            port=_ports.free_port(set()),
            pool_mode=pool_mode,
            settings={**(certified(directory, account) if tls else {}), **(settings or {})},
            guard=guard,
            account=account,
            ca_file=directory / "ca.pem" if tls else None,
        )
        bouncer.start()
        yield bouncer
    finally:
        guard.close()
