"""What one server of a cluster looks like to its user."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from ._cluster import Cluster
from ._node import Node
from ._replication import follower_settings, start_replica

if TYPE_CHECKING:
    from ..config import DatabaseConfig


class ServerHandle(ABC):
    """Address and life of one server."""

    @property
    @abstractmethod
    def _node(self) -> Node: ...

    @property
    def url(self) -> str:
        """``postgresql://postgres:...@127.0.0.1:port/postgres``: the default database, as superuser."""
        return self._node.url

    @property
    def config(self) -> DatabaseConfig:
        """A `DatabaseConfig` for this server."""
        return self._node.config

    @property
    def port(self) -> int:
        """The TCP port (and the number in the socket's name); it stays the same over stops and starts."""
        return self._node.port

    @property
    def pid(self) -> int | None:
        """The process id of the server; None while it is stopped."""
        return self._node.pid

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._node.running

    @property
    def socket_dir(self) -> Path:
        """The directory of the Unix-domain socket; only this user may enter it, and no password is asked."""
        return self._node.sockets

    @property
    def pgdata(self) -> Path:
        """The server's own data directory."""
        return self._node.data

    @property
    def log(self) -> Path:
        """The file with the server's messages."""
        return self._node.log

    def stop(self, mode: str = "fast", timeout: float | None = None) -> None:
        """Stop the server and wait until it is gone; ``start`` brings it back with its data, on the same port.

        Args:
            mode: "fast" ends the sessions and shuts down properly, "smart" waits until all clients have left,
                "immediate" stops at once and recovers at the next start.
            timeout: seconds to wait; None: ``start_timeout``.

        Raises:
            DatabaseUnavailable: it is still running when time is up.
            ConfigError: the mode is none of these.
        """
        self._node.stop(mode, self._node.start_timeout if timeout is None else timeout)

    def kill(self) -> None:
        """SIGKILL the server and all its processes, as a crash would; ``start`` recovers it."""
        self._node.kill()


class EmbeddedReplica(ServerHandle):
    """A streaming replica of an `EmbeddedPostgres`: reads only, follows the primary.

    It stands for the server, not for the role: after `EmbeddedPostgres.promote` it is the primary.
    """

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self._cluster = cluster
        self._server = node

    def __repr__(self) -> str:
        return f"<EmbeddedReplica {self._server.name}: port {self._server.chosen_port}>"

    @property
    def _node(self) -> Node:
        return self._server

    @property
    def apply_delay(self) -> float:
        """Seconds that a commit is held back before this replica shows it."""
        return self._server.apply_delay

    def set_apply_delay(self, seconds: float) -> None:
        """Hold commits back for so long from now on (``recovery_min_apply_delay``); 0 shows them at once."""
        self._server.apply_delay = seconds
        if self._server.running and self._server is not self._cluster.primary:
            self._server.reload(follower_settings(self._cluster, self._server))

    def start(self) -> EmbeddedReplica:
        """Start the replica again; it catches up from where it was. Nothing to do when it runs.

        If another server has become the primary meanwhile and this one cannot follow it from where it
        stopped, it is copied from it anew: what only this server had is lost then.

        Raises:
            DatabaseUnavailable: it does not start, or needs the primary, which is not running.
        """
        if self._server is self._cluster.primary:
            self._cluster.start_primary()
        else:
            start_replica(self._cluster, self._server)
        return self

    def restart(self, mode: str = "fast") -> EmbeddedReplica:
        """``stop`` and ``start``."""
        self.stop(mode)
        return self.start()
