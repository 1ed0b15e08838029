"""One server: its data directory, its process, its address."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from attrs import define, field

from ..errors import ConfigError, DatabaseUnavailable
from . import _ports
from ._account import Account
from ._binaries import Binaries
from ._datadir import DATABASE, SUPERUSER, configure, tail
from ._guard import POLL, Guard
from ._stale import check_pid_file

if TYPE_CHECKING:
    from ..config import DatabaseConfig

logger = logging.getLogger("dbadapter.embedded")

STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
PORT_ATTEMPTS = 5
MAX_LOG = 16 * 2**20  # bytes kept of a node's log between starts


@define(eq=False, kw_only=True)
class Node:
    """One PostgreSQL server on this machine.

    Attributes:
        name: "node0", "node1", ...; shown in ``ps`` and as the replica's name in ``pg_stat_replication``.
        data: its data directory.
        sockets: the directory of its Unix-domain socket.
        log: the file with its messages.
        password: the superuser's.
        settings: server settings that hold at every start.
        wanted_port: the port that was asked for, None for any.
        apply_delay: seconds that commits are held back while it is a replica.
    """

    name: str
    data: Path
    sockets: Path
    log: Path
    guard: Guard
    binaries: Binaries
    account: Account | None
    password: str = field(repr=False)
    tcp: bool
    settings: dict[str, str]
    wanted_port: int | None
    start_timeout: float
    apply_delay: float = 0.0
    process: int | None = None
    chosen_port: int | None = None

    @property
    def port(self) -> int:
        """The port, the same over stops and starts. Known from the first start on."""
        if self.chosen_port is None:
            raise DatabaseUnavailable("embedded Postgres has not been started: call start() or use `with`")
        return self.chosen_port

    @property
    def host(self) -> str:
        """What clients connect to: 127.0.0.1, or the socket's directory without TCP."""
        return "127.0.0.1" if self.tcp else str(self.sockets)

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        if self.process is None or not self.guard.alive:
            return False
        return self.guard.code(self.process) is None

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster; None while it is not running."""
        return self.process if self.running else None

    @property
    def url(self) -> str:
        """A ``postgresql://`` URL of the default database, password included, as superuser."""
        login = f"{SUPERUSER}:{quote(self.password, safe='')}"
        if self.tcp:
            return f"postgresql://{login}@127.0.0.1:{self.port}/{DATABASE}"
        return f"postgresql://{login}@/{DATABASE}?host={quote(str(self.sockets), safe='')}&port={self.port}"

    @property
    def config(self) -> DatabaseConfig:
        """A configuration for `DatabaseAdapter` with this server alone."""
        return self.config_with(())

    def config_with(self, read_hosts: tuple[str, ...]) -> DatabaseConfig:
        """The same, with replicas."""
        from ..config import DatabaseConfig, DatabaseType, PoolConfig

        return DatabaseConfig(
            db_type=DatabaseType.POSTGRESQL,
            pool=PoolConfig(
                host=self.host,
                port=self.port,
                database=DATABASE,
                user=SUPERUSER,
                password=self.password,
                sslmode="disable",  # these programs are built without TLS
                read_hosts=read_hosts,
            ),
        )

    def start(self, extra: Mapping[str, str], taken: set[int]) -> None:
        """Start the server and wait until it takes connections; nothing to do when it runs.

        Args:
            extra: settings of this start: those that depend on its role.
            taken: ports that must not be chosen.

        Raises:
            DatabaseUnavailable: it does not come up; the message has the end of its log.
        """
        if self.running:
            return
        chosen_before = self.chosen_port is not None or self.wanted_port is not None
        for attempt in range(PORT_ATTEMPTS):
            self.chosen_port = self.chosen_port or self.wanted_port or _ports.free_port(taken)
            try:
                return self._start_once(extra)
            except _PortTaken as exc:
                if chosen_before or attempt == PORT_ATTEMPTS - 1:
                    raise DatabaseUnavailable(
                        f"port {self.chosen_port} of 127.0.0.1 is taken by another process; stop that one, "
                        f"or choose another port:\n{exc}"
                    ) from None
                self.chosen_port = None

    def _start_once(self, extra: Mapping[str, str]) -> None:
        check_pid_file(self.data, self.guard.pid)
        try:
            configure(self.data, self._settings() | dict(extra), self.account)
            if self.log.exists() and self.log.stat().st_size > MAX_LOG:
                self.log.replace(self.log.with_suffix(".log.1"))
            offset = self.log.stat().st_size if self.log.exists() else 0
            self.process = self.guard.spawn(
                [self.binaries.program("postgres"), "-D", self.data],
                account=self.account,
                output=self.log,
                directory=self.data,
                server=True,
            )
        except OSError as exc:
            raise DatabaseUnavailable(f"cannot start PostgreSQL in {self.data}: {exc}") from exc
        self._wait_until_ready(self.process, offset)
        logger.debug("%s runs on port %d in %s (process %d)", self.name, self.port, self.data, self.process)

    def _settings(self) -> dict[str, str]:
        return {
            "listen_addresses": "127.0.0.1" if self.tcp else "",
            "port": str(self.port),
            "unix_socket_directories": '"' + str(self.sockets).replace('"', '""') + '"',
            "unix_socket_permissions": "0700",
            "cluster_name": self.name,
            **self.settings,
        }

    def _wait_until_ready(self, pid: int, offset: int) -> None:
        """PostgreSQL itself says in its pid file when it takes connections."""
        until = time.monotonic() + self.start_timeout
        while (code := self.guard.code(pid)) is None:
            if status(self.data, pid) == "ready":
                return
            if time.monotonic() > until:
                self.guard.ask("kill", pid=pid)
                raise DatabaseUnavailable(
                    f"PostgreSQL in {self.data} took no connections within {self.start_timeout:g} s "
                    f"(start_timeout):\n{tail(self.log, offset)}"
                )
            time.sleep(POLL)
        said = tail(self.log, offset)
        if "could not bind" in said or "could not create any TCP/IP sockets" in said:
            raise _PortTaken(said)
        raise DatabaseUnavailable(f"PostgreSQL did not start in {self.data} (exit code {code}):\n{said}")

    def stop(self, mode: str, timeout: float) -> None:
        """Stop the server and wait until its processes are gone; nothing to do when it is not running."""
        if mode not in STOP_SIGNALS:
            raise ConfigError(f"mode must be one of {', '.join(STOP_SIGNALS)}, not {mode!r}")
        if self.process is None or not self.running:
            return
        self.guard.ask("signal", pid=self.process, signal_number=int(STOP_SIGNALS[mode]))
        if self.guard.wait(self.process, timeout) is None:
            hint = "; 'smart' waits for all clients to leave" if mode == "smart" else ""
            raise DatabaseUnavailable(
                f"PostgreSQL (process {self.process}) did not stop in {timeout:g} s in mode {mode!r}{hint}"
            )

        logger.debug("%s stopped (%s)", self.name, mode)

    def kill(self) -> None:
        """SIGKILL for all processes of the server."""
        if self.process is not None and self.guard.alive:
            self.guard.ask("kill", pid=self.process)

    def reload(self, extra: Mapping[str, str]) -> None:
        """Have the running server read changed settings."""
        configure(self.data, self._settings() | dict(extra), self.account)
        if self.process is not None:
            self.guard.ask("signal", pid=self.process, signal_number=int(signal.SIGHUP))


class _PortTaken(Exception):
    """Another process listens on the port; carries the end of the server's log."""


def status(data: Path, pid: int) -> str | None:
    """What the server with this process id says about itself: starting, ready, standby, stopping."""
    try:
        lines = (data / "postmaster.pid").read_text(errors="replace").splitlines()
    except OSError:
        return None
    if len(lines) < 8 or lines[0].strip() != str(pid):
        return None
    return lines[7].strip()
