"""`EmbeddedPostgres`: a cluster of servers that belongs to this process."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import ConfigError, DatabaseUnavailable
from . import _replication, _sql
from ._cluster import Cluster
from ._handle import EmbeddedReplica, ServerHandle
from ._node import Node
from ._opening import open_cluster
from ._options import Options

if TYPE_CHECKING:
    from ..config import DatabaseConfig


class EmbeddedPostgres(ServerHandle):
    """A real PostgreSQL server with pgvector, run by this process, from programs that pip installed.

    It listens on 127.0.0.1 only, needs no rights (as root, it runs as an account without any), and ends with
    this process, however that ends. Use it as a context manager, or call `start` and, at the end, `close`::

        with EmbeddedPostgres(replicas=1) as pg:
            adapter = DatabaseAdapter(pg.config)

    ``url``, ``port``, ``pid``, ``stop``, ``kill`` ... are about the primary; `replicas` have their own.

    Args:
        data_dir: where to keep the data. A new or empty directory is filled, one from an earlier run is
            opened again, and it stays at the end. None: a temporary directory, removed at the end, whose
            files are not forced to the disk (``fsync=off``): fast, and safe against killed processes, but not
            against a loss of power.
        replicas: how many streaming replicas follow the server.
        port: TCP port of the primary; None takes a free one, as every replica does.
        password: the superuser's; None draws a new one at every start. `url` and `config` contain it.
        tcp: listen on 127.0.0.1; else only on a Unix-domain socket, in a directory of its own.
        settings: server settings, as in ``postgresql.conf``: ``{"max_connections": "200"}``; for all servers.
        apply_delay: seconds that commits are held back on the replicas (``recovery_min_apply_delay``): one
            number for all, or one for each.
        temp_dir: where to make temporary directories, instead of where Python makes them. A RAM disk such as
            ``/dev/shm`` makes short-lived servers start several times faster than some disks do.
        start_timeout: seconds that a server may take to start (recovery after a crash included) or to stop.

    Raises:
        ConfigError: an argument is wrong. Nothing is started or touched before `start`.
    """

    def __init__(
        self,
        data_dir: str | os.PathLike[str] | None = None,
        replicas: int = 0,
        *,
        port: int | None = None,
        password: str | None = None,
        tcp: bool = True,
        settings: Mapping[str, str] | None = None,
        apply_delay: float | Sequence[float] = 0.0,
        start_timeout: float = 60.0,
        temp_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        self._options = Options(
            data_dir=data_dir,
            temp_dir=temp_dir,
            replicas=replicas,
            port=port,
            password=password if password is not None else secrets.token_urlsafe(18),
            tcp=tcp,
            settings=settings or {},
            apply_delay=apply_delay,
            start_timeout=start_timeout,
        )
        self._open: Cluster | None = None

    def __repr__(self) -> str:
        where = self._options.data_dir or "temporary"
        state = "not started" if self._open is None else f"port {self._open.primary.chosen_port}"
        return f"<EmbeddedPostgres {where}: {state}>"

    def __enter__(self) -> EmbeddedPostgres:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _cluster(self) -> Cluster:
        if self._open is None:
            raise DatabaseUnavailable("embedded Postgres is not running: call start() or use `with`")
        return self._open

    @property
    def _node(self) -> Node:
        return self._cluster.primary

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._open is not None and self._open.primary.running

    @property
    def config(self) -> DatabaseConfig:
        """The `DatabaseConfig` of the primary, with the replicas as its ``read_hosts``."""
        replicas = self._cluster.replicas
        return self._node.config_with(tuple(f"{node.host}:{node.port}" for node in replicas))

    @property
    def replicas(self) -> tuple[EmbeddedReplica, ...]:
        """The replicas, each with ``url``, ``config``, ``port``, ``pid``, ``stop``, ``start``, ``kill``."""
        cluster = self._cluster
        return tuple(EmbeddedReplica(cluster, node) for node in cluster.replicas)

    @property
    def programs(self) -> Path:
        """The directory with ``psql``, ``pg_dump``, ``pgbench`` and the other programs of the server's version."""
        return self._cluster.binaries.directory

    # -- starting and stopping

    def start(self) -> EmbeddedPostgres:
        """Start the server and wait until it takes connections; nothing to do when it runs.

        The first time this starts the replicas as well; after `stop` or `kill`, the primary alone.

        Raises:
            DatabaseUnavailable: the extra is not installed, the port is taken, the disk is full, another process uses
                the directory, ...; the message has the end of the server's log.
            ConfigError: ``data_dir`` is no directory of ours, or was made by another major version.
        """
        if self._open is not None and not self._open.guard.alive:
            self.close()  # someone killed the supervisor, and the servers with it
        if self._open is not None:
            self._open.start_primary()
            return self
        cluster = open_cluster(self._options)
        try:
            cluster.start_primary()
            _sql.set_password(cluster.primary.sockets, cluster.primary.port, self._options.password)
            _replication.drop_unused_slots(cluster)
            for node in cluster.replicas:
                _replication.start_replica(cluster, node)
        except BaseException:
            cluster.close()
            raise
        self._open = cluster
        return self

    def stop(self, mode: str = "fast", timeout: float | None = None) -> None:
        """Stop the primary and wait until it is gone; the replicas go on. See `ServerHandle.stop`."""
        if self._open is not None:
            super().stop(mode, timeout)

    def kill(self) -> None:
        """SIGKILL the primary and all its processes, as a crash would; ``start`` recovers it."""
        if self._open is not None:
            super().kill()

    def restart(self, mode: str = "fast") -> EmbeddedPostgres:
        """``stop`` and ``start``."""
        self.stop(mode)
        return self.start()

    def close(self) -> None:
        """Stop all servers, and remove the data if it was temporary. A later `start` begins anew."""
        cluster, self._open = self._open, None
        if cluster is not None:
            cluster.close()

    # -- replication

    def promote(self, index: int) -> None:
        """Make replica ``index`` the primary, without losing a commit if the old one is still running.

        Afterwards `url`, `port`, `stop` ... are about the new primary, and the old one stands in its place in
        `replicas`:

        - If it was running, it is first shut down properly, so that the replica has all of its commits, and then
          started again as a replica of the new primary, on its own port.
        - If it was stopped or killed, it stays so. ``replicas[index].start()`` brings it back as a replica;
          commits that had not reached the promoted one before are gone then, as after a real failover.

        All other running replicas follow the new primary; stopped ones do so when they are started.

        Raises:
            ConfigError: there is no such replica.
            DatabaseUnavailable: it could not be promoted.
        """
        replicas = self._cluster.replicas
        if index not in range(len(replicas)):
            raise ConfigError(
                f"promote: there is no replica {index!r}; there are {len(replicas)}, counted from 0"
            )
        _replication.promote(self._cluster, replicas[index])

    def wait_for_replicas(self, timeout: float = 30.0) -> None:
        """Wait until every running replica shows what is committed on the primary now.

        Raises:
            DatabaseUnavailable: one does not within ``timeout`` seconds.
        """
        _replication.wait_until_replayed(self._cluster, timeout)
