"""Which server is the primary, which replicas may serve reads, and how fresh they are.

Pure: the shells report what the servers say of themselves (`sampled`, `opened`) or that they say nothing (`failed`),
and are told what has changed. Called under one lock; `readers`, `primary` and a node's `fresh_until` are read without.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any

import attrs

from .consistency import NEVER, History, Token, settled
from .pool_state import PoolState

__all__ = ["Change", "ChangeKind", "NodeState", "Role", "Sample", "Topology"]

# A moved address is met once.
_CONFLICTS = 3


class Role(enum.Enum):
    """What a server is."""

    PRIMARY = "primary"
    REPLICA = "replica"
    UNKNOWN = "unknown"


@attrs.frozen
class Sample:
    """What a server says of itself.

    Attributes:
        started: when it was asked.
        standby: it is in recovery, so it refuses writes.
        position: the end of what it has replayed; of a primary, of what it has inserted.
        timeline: the one it writes or is known to replay, or None if it was not asked again.
        connected: when the connection was opened on which it was asked.
        server: identifies this run of this server; empty behind a PgBouncer, whose connections outlive it.
        system: the cluster's identifier.
    """

    started: float
    standby: bool
    position: int
    timeline: int | None
    connected: float
    server: str
    system: int


@attrs.define(eq=False)
class NodeState:
    """One server, by its address.

    Attributes:
        host, port: its address.
        pool: the state of its connections.
        candidate: it is configured as a possible primary.
        handle: what the shells use it by.
        role: what it said last.
        healthy: it answers and is part of the cluster.
        problem: why it is not healthy.
        lasting: trying again will not help (a wrong password, another cluster's server).
        position, timeline, server, system: see `Sample`.
        fresh_until: it shows everything acknowledged before this moment.
        heard_at: when it said last where it stands.
        opened_at: when the newest connection to it was opened.
        several: its address leads to more than one server, so that one's position says nothing about another's.
        conflicts: how often two servers were met there at the same time.
        lag_bytes, lag_seconds: how far it is behind the primary.
        reported: it has been heard of, or found to be unreachable, since the pool was opened.
    """

    host: str
    port: int
    pool: PoolState[Any]
    candidate: bool
    handle: Any = None
    role: Role = Role.UNKNOWN
    healthy: bool = False
    problem: str | None = None
    lasting: bool = False
    position: int = 0
    timeline: int = 0
    server: str = ""
    system: int = 0
    fresh_until: float = NEVER
    heard_at: float = NEVER
    opened_at: float = NEVER
    several: bool = False
    conflicts: int = 0
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    reported: bool = False

    def shows(self, token: Token) -> bool:
        """It has replayed what the token stands for."""
        return (
            not self.several
            and self.system == token.system
            and self.timeline >= token.timeline
            and self.position >= token.position
        )


class ChangeKind(enum.Enum):
    """What happened to a node."""

    PROMOTED = "is the primary"
    DEMOTED = "is no longer the primary"
    LEFT = "is out of use"
    RETURNED = "is in use again"
    REPLACED = "is another server than before, or has restarted"
    CONFLICT = "leads to more than one server"


@attrs.frozen
class Change:
    """Something the shells act upon: they close what is of no more use, wake who waits, and log it."""

    kind: ChangeKind
    node: NodeState
    reason: str = ""


@attrs.define(eq=False)
class Topology:
    """All nodes of a cluster.

    Attributes:
        nodes: in the order of the configuration.
        max_lag: seconds behind the primary from which on a replica serves nothing.
        primary: where writes go; it may be down, and then is the one that is waited for.
        former: the last primary, which has stepped down, while there is no other: writers still wait at its place.
        timeline, system: the cluster's, as the primary says.
        history: the primary's positions on this timeline.
        baseline: a session's reads want replicas to be at least this fresh.
        readers: the replicas that may serve reads.
        upsets: how often what had been said of a server's freshness turned out to hold no more. Whoever has chosen a
            replica and then waited for a connection to it chooses again if there was an upset meanwhile.
    """

    nodes: Sequence[NodeState]
    max_lag: float | None
    primary: NodeState | None = None
    former: NodeState | None = None
    timeline: int = 0
    system: int = 0
    history: History = attrs.field(factory=History)
    baseline: float = NEVER
    readers: tuple[NodeState, ...] = ()
    upsets: int = 0

    @property
    def writable(self) -> bool:
        """There is a primary that answers."""
        return self.primary is not None and self.primary.healthy

    # -- what is heard ---------------------------------------------------------------------------------------------

    def sampled(self, node: NodeState, sample: Sample) -> list[Change]:
        """A node has said where it stands."""
        node.reported = True
        if sample.started < node.opened_at:
            return []  # a connection was opened meanwhile: this may be from before a restart that it came after
        changes: list[Change] = []
        restarted = False
        if node.server and node.server != sample.server and not node.several:
            if sample.connected < node.opened_at:
                return self._met_two(node)
            restarted = True
            changes.append(Change(ChangeKind.REPLACED, node))
            self._went_back(node)
        self._take_over(node, sample)
        if sample.standby:
            changes += self._as_standby(node, sample)
        else:
            changes += self._as_primary(node, sample, restarted=restarted)
        self._choose_readers()
        return changes

    def opened(self, node: NodeState, sample: Sample, now: float) -> list[Change]:
        """A connection for the pool was opened to a node, and this is what it said on it."""
        node.opened_at = now
        if node.several:
            return []
        changes: list[Change] = []
        if node.server and sample.server != node.server:
            changes.append(Change(ChangeKind.REPLACED, node))
            self._went_back(node)
        elif sample.position < node.position:
            self._went_back(node)  # it has gone back, by a restart that we had not noticed
        self._take_over(node, sample)
        self._choose_readers()
        return changes

    def failed(self, node: NodeState, problem: str, *, lasting: bool = False) -> list[Change]:
        """A node does not answer, or does not let us in."""
        node.reported = True
        changes = [Change(ChangeKind.LEFT, node, problem)] if node.healthy or node.problem is None else []
        node.healthy, node.problem, node.lasting = False, problem, lasting
        self._take_back(node)
        self._choose_readers()
        return changes

    def stepped_down(self, node: NodeState) -> list[Change]:
        """The primary refuses writes because it is a standby now."""
        if node is not self.primary:
            return []
        self.primary, self.former = None, node
        changes = self._dethrone(node, "it is a standby now")
        self._choose_readers()
        return changes

    def _met_two(self, node: NodeState) -> list[Change]:
        """The older connection answers, and a newer one has led to another server: a moved address, or a balancer."""
        node.conflicts += 1
        self._take_back(node)
        node.several = node.conflicts >= _CONFLICTS and node is not self.primary
        return [Change(ChangeKind.CONFLICT, node)]

    # -- what follows from it --------------------------------------------------------------------------------------

    def _take_over(self, node: NodeState, sample: Sample) -> None:
        node.server, node.system, node.position = sample.server, sample.system, sample.position
        node.heard_at = sample.started
        if sample.timeline is not None:
            node.timeline = sample.timeline

    def _as_primary(self, node: NodeState, sample: Sample, *, restarted: bool) -> list[Change]:
        complaint = self._contests(node)
        if complaint:
            node.role = Role.PRIMARY
            return self.failed(node, complaint)
        former = self.primary
        if complaint == "":
            return self._admit(node, Role.PRIMARY)
        changes: list[Change] = []
        if former is not node:
            if former is not None:
                changes += self._dethrone(former, "another server is the primary now")
            changes.append(Change(ChangeKind.PROMOTED, node))
        if former is not node or restarted or (self.timeline, self.system) != (node.timeline, node.system):
            # Positions of another timeline say nothing on this one.
            self.primary, self.former = node, None
            self.timeline, self.system, self.history = node.timeline, node.system, History()
            for other in self.nodes:
                self._take_back(other)
        changes += self._admit(node, Role.PRIMARY)
        self.history.add(sample.started, settled(sample.position))
        node.lag_bytes, node.lag_seconds = 0, 0.0
        return changes

    def _contests(self, node: NodeState) -> str | None:
        """Why a server that takes writes is not to be given any; "" if it is in order, but not its turn."""
        current = self.primary
        if current is node:
            return None
        candidates = [other for other in self.nodes if other.candidate]
        system = self.system or next((other.system for other in candidates if other.system), node.system)
        if node.system != system:
            return "it belongs to another database cluster than the primary"
        if current is None:
            return None if node.candidate or all(other.reported for other in candidates) else ""
        if current.healthy and current.server == node.server:
            return ""  # the same server by another name
        # Promotion begins a new timeline. The same one on another machine is a disk that was moved there.
        if node.timeline > self.timeline or (not current.healthy and node.timeline == self.timeline):
            return None
        return f"it takes writes too, on timeline {node.timeline}; the primary is on timeline {self.timeline}"

    def _as_standby(self, node: NodeState, sample: Sample) -> list[Change]:
        changes: list[Change] = []
        if node is self.primary:
            changes += self.stepped_down(node)
        if self.system and node.system != self.system:
            return changes + self.failed(node, "it belongs to another database cluster than the primary")
        changes += self._admit(node, Role.REPLICA)
        follows = node.timeline >= self.timeline and not node.several
        if follows:
            node.fresh_until = self.history.shown_by(sample.position)
        else:
            self._take_back(node)
        lag = self.history.lag(sample.position)
        node.lag_bytes, node.lag_seconds = lag if lag is not None else (None, None)
        return changes

    def _admit(self, node: NodeState, role: Role) -> list[Change]:
        known = node.role is role and node.healthy
        came_back = node.problem is not None
        node.role, node.healthy, node.problem, node.lasting = role, True, None, False
        return [Change(ChangeKind.RETURNED, node)] if came_back and not known else []

    def _dethrone(self, node: NodeState, reason: str) -> list[Change]:
        node.role = Role.UNKNOWN
        self._take_back(node)
        return [Change(ChangeKind.DEMOTED, node, reason)]

    def _went_back(self, node: NodeState) -> None:
        """Also of tokens that it had passed nothing is known any more."""
        node.fresh_until = NEVER
        self.upsets += 1

    def _take_back(self, node: NodeState) -> None:
        if node.fresh_until > NEVER:
            node.fresh_until = NEVER
            self.upsets += 1

    def _choose_readers(self) -> None:
        self.readers = tuple(
            node
            for node in self.nodes
            if node.role is Role.REPLICA
            and node.healthy
            and node is not self.former
            and (self.max_lag is None or (node.lag_seconds or 0.0) <= self.max_lag)
        )
