"""`EmbeddedPostgres`: a cluster of servers that belongs to this process."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import DatabaseUnavailable
from . import _sql
from ._cluster import Cluster, open_cluster
from ._node import Node
from ._options import Options

if TYPE_CHECKING:
    from ..config import DatabaseConfig


class EmbeddedPostgres:
    """A real PostgreSQL server with pgvector, run by this process, from programs that pip installed.

    It listens on 127.0.0.1 only, needs no rights (as root, it runs as an account without any), and ends with this
    process, however that ends. Use it as a context manager, or call `start` and, at the end, `close`::

        with EmbeddedPostgres() as pg:
            adapter = DatabaseAdapter(pg.config)

    Args:
        data_dir: where to keep the data. A new or empty directory is filled, one from an earlier run is opened again,
            and it stays at the end. None: a temporary directory, removed at the end, whose files are not forced to
            the disk (``fsync=off``): fast, and safe against a killed process, but not against a loss of power.
        port: TCP port of the server; None takes a free one.
        password: the superuser's; None draws a new one at every start. `url` and `config` contain it.
        tcp: listen on 127.0.0.1; else only on a Unix-domain socket in a directory of its own.
        settings: server settings, as in ``postgresql.conf``: ``{"max_connections": "200"}``.
        start_timeout: seconds that a server may take to start (recovery after a crash included) or to stop.

    Raises:
        ConfigError: an argument is wrong. Nothing is started or touched before `start`.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        *,
        port: int | None = None,
        password: str | None = None,
        tcp: bool = True,
        settings: Mapping[str, str] | None = None,
        start_timeout: float = 60.0,
    ) -> None:
        self._options = Options(
            data_dir=data_dir,
            port=port,
            password=password if password is not None else secrets.token_urlsafe(18),
            tcp=tcp,
            settings=settings or {},
            start_timeout=start_timeout,
        )
        self._cluster: Cluster | None = None

    def __repr__(self) -> str:
        where = self._options.data_dir or "temporary"
        state = "not started" if self._cluster is None else f"port {self._cluster.primary.port}"
        return f"<EmbeddedPostgres {where}: {state}>"

    def __enter__(self) -> EmbeddedPostgres:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    # -- addresses

    @property
    def _primary(self) -> Node:
        if self._cluster is None:
            raise DatabaseUnavailable("embedded Postgres is not running: call start() or use `with`")
        return self._cluster.primary

    @property
    def url(self) -> str:
        """``postgresql://postgres:...@127.0.0.1:port/postgres``: the default database, as superuser."""
        return self._primary.url

    @property
    def config(self) -> DatabaseConfig:
        """The `DatabaseConfig` of the server and its replicas."""
        return self._primary.config

    @property
    def port(self) -> int:
        """The TCP port (and the number in the socket's name)."""
        return self._primary.port

    @property
    def pid(self) -> int | None:
        """The process id of the server; None while it is stopped."""
        return self._primary.pid

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._cluster is not None and self._cluster.primary.running

    @property
    def socket_dir(self) -> Path:
        """The directory of the Unix-domain socket; only this user may enter it, and no password is asked."""
        return self._primary.sockets

    @property
    def data_dir(self) -> Path:
        """The server's own data directory (``PGDATA``), inside the one given."""
        return self._primary.data

    @property
    def log(self) -> Path:
        """The file with the server's messages."""
        return self._primary.log

    # -- starting and stopping

    def start(self) -> EmbeddedPostgres:
        """Start the server and wait until it takes connections; nothing to do when it runs.

        Raises:
            DatabaseUnavailable: the extra is not installed, the port is taken, the disk is full, another process uses
                the directory, ...; the message has the end of the server's log.
            ConfigError: ``data_dir`` is no directory of ours, or was made by another major version.
        """
        if self._cluster is not None and not self._cluster.guard.alive:
            self.close()
        if self._cluster is None:
            cluster = open_cluster(self._options)
            try:
                cluster.start_primary()
                _sql.set_password(cluster.primary.sockets, cluster.primary.port, self._options.password)
            except BaseException:
                cluster.close()
                raise
            self._cluster = cluster
        else:
            self._cluster.start_primary()
        return self

    def stop(self, mode: str = "fast", timeout: float | None = None) -> None:
        """Stop the server and wait until it is gone; `start` brings it back with its data, on the same port.

        Args:
            mode: "fast" ends the sessions and shuts down properly, "smart" waits until all clients have left,
                "immediate" stops at once and recovers at the next start.
            timeout: seconds to wait; None: ``start_timeout``.

        Raises:
            DatabaseUnavailable: it is still running when time is up.
        """
        if self._cluster is not None:
            self._cluster.primary.stop(mode, self._options.start_timeout if timeout is None else timeout)

    def kill(self) -> None:
        """SIGKILL the server and all its processes, as a crash would; `start` recovers it."""
        if self._cluster is not None:
            self._cluster.primary.kill()

    def restart(self, mode: str = "fast") -> None:
        """`stop` and `start`."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop everything, and remove the data if it was temporary. A later `start` begins anew."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.close()
