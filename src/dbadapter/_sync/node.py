# Generated from src/dbadapter/_async/node.py by tools/unasync.py; do not edit.
"""One server of a cluster: the app's connections to it, and one connection of ours that watches it."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, cast

from .._concurrency._threads import Errand
from .._core.topology import NodeState, Role, Sample
from .._drivers.postgres_errors import is_full
from ..errors import DatabaseAdapterError, DatabaseUnavailable
from .lane import Lane

if TYPE_CHECKING:
    from .._drivers.postgres_probe import Probe
    from .cluster import Cluster
    from .connection import ServerConnection

__all__ = ["Node"]

# Seconds between attempts to reach a server that is down.
_RETRY = 0.25


class Node:
    """One server, by its address.

    Attributes:
        lane: the app's connections.
        state: what is known of it.
        probe: our connection, or None while there is none. Only the sampler, which may be using it, closes it.
        is_doubtful: it may lead to another server than new connections do, so it is to be opened anew.
    """

    def __init__(self, cluster: Cluster, host: str, port: int, lane: Lane, *, candidate: bool) -> None:
        self.lane = lane
        self.state = NodeState(host, port, lane.state, candidate, handle=self)
        self.probe: Probe | None = None
        self.is_doubtful = False
        self._cluster = cluster
        self._reaching = Errand(self._reach)
        self._retry_at = 0.0
        self._reads, self._mark = 0, 0

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self.state.host}:{self.state.port}"

    def connect(self) -> ServerConnection:
        """Open a connection for the app, and hear on it which server it has led to.

        Raises `DatabaseUnavailable`; also for a connection that is to write and has led to a standby.
        """
        try:
            connection = self._cluster.connect(self.state.host, self.state.port)
        except DatabaseUnavailable as exc:
            self._cluster.could_not_connect(self, exc)
            raise
        try:
            sample = connection.sample()
            self._cluster.opened(self, sample)
            if self.lane.serves_writes and sample.standby:
                self._cluster.nudge()
                raise DatabaseUnavailable(
                    f"the server at {self.address} is a standby; the new primary is not known yet",
                    transient=True,
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def abort(self) -> None:
        """Have everything that is under way on the app's connections fail at once."""
        for connection in list(self.lane.state.active):
            cast("ServerConnection", connection).abort()

    # -- watching --------------------------------------------------------------------------------------------------

    def be_reached(self) -> None:
        """See to it that there is a probe, in the background; not too often."""
        if self.probe is None and perf_counter() >= self._retry_at:
            self._retry_at = float("inf")
            self._reaching.run(0)

    def _reach(self) -> None:
        """Open the probe. Raises nothing that a server may be the cause of."""
        pause = _RETRY
        try:
            self.probe = self._cluster.open_probe(self.state.host, self.state.port)
            pause = 0.0
        except DatabaseAdapterError as exc:
            if not is_full(exc):  # full: it is there, only it has no place for one more connection
                self._cluster.lost(self, exc)
        finally:
            # Whatever happened: a server that is not asked again is lost.
            self._retry_at = perf_counter() + pause
        if self._cluster.is_open:
            self._cluster.nudge()
        else:
            self.drop_probe()

    def ask(self) -> None:
        """Ask the server for its role and position. Raises `ConnectionLost`."""
        assert self.probe is not None
        behind = self.state.timeline < self._cluster.topology.timeline
        self.probe.ask(whole=behind or not self.state.healthy)

    def receive(self) -> Sample | None:
        """The answer, or None if it is not complete. Raises `ConnectionLost`."""
        assert self.probe is not None
        sample = self.probe.receive()
        if sample is None:
            return None
        if sample.timeline is None and not sample.standby and self.state.role is not Role.PRIMARY:
            self.probe.ask(whole=True)  # it was promoted, and so is on another timeline
            return None
        return sample

    def silent_for(self, now: float) -> float:
        """Seconds that a question has been without an answer."""
        asked_at = None if self.probe is None else self.probe.asked_at
        return 0.0 if asked_at is None else now - asked_at

    def drop_probe(self) -> None:
        """Close our connection; another will be opened."""
        probe, self.probe = self.probe, None
        self.is_doubtful = False
        if probe is not None:
            probe.close()

    # -- figures ---------------------------------------------------------------------------------------------------

    def reads(self, *, reading: bool) -> int:
        """How many requests for a connection it has had while it was not the primary."""
        return self._reads + (self.lane.state.requests - self._mark if reading else 0)

    def count_reads(self, *, reading: bool) -> None:
        """Its role is about to change, or not; `reading` is what it will be from now on."""
        self._reads, self._mark = self.reads(reading=not reading), self.lane.state.requests
