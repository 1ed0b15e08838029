"""The servers of one Postgres cluster: watched, and used as what they are at the moment.

`Topology` decides; this carries it out. A change of roles is made under the pool's lock in one step: from then on
writes go to the new primary, and positions that were sampled on the old one count no more.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING

from .._concurrency._aio import last_write, note_write, sleep
from .._core.consistency import ANY, Token
from .._core.pool_stats import NodeFigures
from .._core.routing import LoadBalancer
from .._core.topology import Change, ChangeKind, Sample, Topology
from .._drivers.postgres_errors import is_full
from ..config import PoolConfig
from ..errors import DatabaseUnavailable
from .lane import AsyncLane, close_all
from .node import AsyncNode
from .sampler import SILENCE, AsyncSampler

if TYPE_CHECKING:
    from .._drivers.postgres_probe import Probe
    from .connection import AsyncConnection, AsyncServerConnection

__all__ = ["AsyncCluster"]

logger = logging.getLogger("dbadapter.pool")

# How long opening waits for servers that do not answer, once the primary has.
_STRAGGLERS = 1.0
_POLL = 0.002
_HEALTH_TIMEOUT = 0.8


class AsyncCluster:
    """A primary and its replicas, in whichever of the configured places they are.

    Attributes:
        topology: what is known of them.
        writer: the primary's connections.
        is_open: it is watched.
        nudge: has the servers looked at soon.
        primary_reads: reads that the primary had to serve because no replica could, or was to.
    """

    def __init__(
        self,
        config: PoolConfig,
        lock: threading.Lock,
        connect: Callable[[str, int], Awaitable[AsyncServerConnection]],
        open_probe: Callable[[str, int], Awaitable[Probe]],
        lane: Callable[[str, Callable[[], Awaitable[AsyncConnection]]], AsyncLane],
        on_writer: Callable[[AsyncLane], None],
    ) -> None:
        """A cluster that is not watched yet.

        Args:
            config: the addresses.
            lock: the pool's.
            connect: opens a connection for the app to (host, port).
            open_probe: opens a connection that watches.
            lane: makes a lane of a name and a function that opens a connection.
            on_writer: told which lane is for writing.
        """
        self.connect, self.open_probe = connect, open_probe
        self._config = config
        self._lock = lock
        self.nodes = [self._node(lane, address, candidate=True) for address in config.primary_nodes]
        self.nodes += [
            self._node(lane, address, candidate=False)
            for address in dict.fromkeys(config.read_nodes)
            if address not in config.primary_nodes
        ]
        self.topology = Topology([node.state for node in self.nodes], config.max_replica_lag)
        self.writer = self.nodes[0].lane
        self.writer.serves_writes = True
        self._on_writer = on_writer
        on_writer(self.writer)
        self.primary_reads = 0
        self._balancer = LoadBalancer(config.load_balance)
        self._is_shared = config.pgbouncer
        self._sampler = AsyncSampler(self)
        self.nudge = self._sampler.nudge
        self.is_open = False

    def _node(
        self,
        make_lane: Callable[[str, Callable[[], Awaitable[AsyncConnection]]], AsyncLane],
        address: tuple[str, int],
        *,
        candidate: bool,
    ) -> AsyncNode:
        host, port = address

        async def connected() -> AsyncConnection:
            return await node.connect()

        lane = make_lane(f"Postgres {host}:{port}", connected)
        lane.serves_writes, lane.cluster = False, self
        node = AsyncNode(self, host, port, lane, candidate=candidate)
        return node

    # -- life ------------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Watch the servers, and wait until it is known who is the primary.

        Raises `DatabaseUnavailable` if there is none, saying of each server what is wrong.
        """
        self.is_open = True
        started = self.topology.baseline = perf_counter()
        self._sampler.want(started)
        self._sampler.start()
        while True:
            waited = perf_counter() - started
            states = self.topology.nodes
            everyone = all(state.reported for state in states)
            if self.topology.writable and (everyone or waited > _STRAGGLERS):
                return
            hopeless = everyone and all(state.lasting for state in states)
            if hopeless or waited > self._config.connection_timeout:
                raise DatabaseUnavailable(f"no primary: {self.problems()}", transient=not hopeless)
            if everyone and not self.topology.writable:
                self.nudge()
            await sleep(_POLL)

    async def stop(self) -> None:
        """Watch no longer."""
        self.is_open = False
        await self._sampler.stop()

    def problems(self) -> str:
        """What is wrong with each server that is of no use."""
        found = []
        for state in self.topology.nodes:
            what = state.problem or ("a standby" if state.healthy else "has not answered")
            found.append(f"{state.host}:{state.port}: {what}")
        return "; ".join(found)

    # -- routing ---------------------------------------------------------------------------------------------------

    def reader(self, consistency: str | None, token: Token | None) -> AsyncLane:
        """Where a read runs that wants this consistency, and to see `token`."""
        topology = self.topology
        if consistency is None or consistency == "session":
            needed = last_write()
            if needed <= topology.baseline:
                needed = topology.baseline
            elif self._is_shared:
                # Behind a PgBouncer a position cannot be tied to the run of the server that said it.
                return self._primary_reads()
        elif consistency == "eventual":
            needed = ANY
        else:
            return self._primary_reads()
        state = self._balancer.choose(topology.readers, needed, token)
        if state is None:
            # A replica that shows everything until now shows what the token stands for, too.
            self._sampler.want(needed if token is None else perf_counter())
            return self._primary_reads()
        lane: AsyncLane = state.handle.lane
        return lane

    def _primary_reads(self) -> AsyncLane:
        with self._lock:
            self.primary_reads += 1
        return self.writer

    def require_fresh(self) -> None:
        """From now on a session's reads use a replica only once it shows everything that is there by now."""
        self.topology.baseline = perf_counter()

    def note_write(self) -> None:
        """The caller has written."""
        note_write()

    def is_usable(self, lane: AsyncLane) -> bool:
        """The server behind a lane answers."""
        return any(node.state.healthy for node in self.nodes if node.lane is lane)

    # -- what is heard of the servers ------------------------------------------------------------------------------

    async def heard(self, node: AsyncNode, sample: Sample) -> None:
        """A server has answered its watch."""
        await self._apply(lambda: self.topology.sampled(node.state, sample))

    async def opened(self, node: AsyncNode, sample: Sample) -> None:
        """A connection for the app has been opened."""
        await self._apply(lambda: self.topology.opened(node.state, sample, perf_counter()))

    async def lost(self, node: AsyncNode, exc: BaseException) -> None:
        """A server does not answer its watch, or does not let it in."""
        lasting = isinstance(exc, DatabaseUnavailable) and not exc.transient
        await self._apply(lambda: self.topology.failed(node.state, str(exc), lasting=lasting))

    async def fell_silent(self, node: AsyncNode) -> None:
        """A server has not answered its watch for too long."""
        await self._apply(lambda: self.topology.failed(node.state, f"no answer for {SILENCE:g} s"))

    async def could_not_connect(self, node: AsyncNode, exc: DatabaseUnavailable) -> None:
        """A connection for the app could not be opened; a replica is of no use then, and others are asked."""
        self.nudge()
        if node.lane is not self.writer and not is_full(exc):
            await self.lost(node, exc)

    async def doubts(self, lane: AsyncLane) -> None:
        """Something went wrong on a connection of this lane: look at its server, and at who may have taken over."""
        self.nudge()
        with self._lock:
            dead = lane.state.discard_idle("died while idle", lambda connection: not connection.is_alive())
        await close_all(dead)

    async def demoted(self, lane: AsyncLane) -> None:
        """The server of this lane has refused a write because it is a standby now."""
        states = [node.state for node in self.nodes if node.lane is lane]
        await self._apply(lambda: self.topology.stepped_down(states[0]))
        self.nudge()

    # -- what follows from it --------------------------------------------------------------------------------------

    async def _apply(self, event: Callable[[], list[Change]]) -> None:
        """Report an event to the topology, and carry out the changes that it answers with.

        Where writes go, and which idle connections are of no more use, is settled in one step under the lock.
        """
        closing: list[AsyncConnection] = []
        with self._lock:
            changes = event()
            if self.topology.primary is not None:
                self._direct_writes(self.topology.primary.handle.lane)
            for change in changes:
                closing += self._let_go(change)
        for change in changes:
            await self._act(change)
        await close_all(closing)

    def _direct_writes(self, lane: AsyncLane) -> None:
        """Send writes to `lane` from now on; whoever waits in the former writer's queue asks again."""
        former = self.writer
        lane.serves_writes = True
        if lane is not former:
            former.serves_writes = False
            self.writer = lane
            self._on_writer(lane)
            former.state.dismiss()
            for node in self.nodes:
                node.count_reads(reading=node.lane is former)

    def _let_go(self, change: Change) -> Iterable[AsyncConnection]:
        """The idle connections that are of no more use; those in use follow when they are given back."""
        state = change.node.pool
        if change.kind is ChangeKind.DEMOTED:
            return state.evict("no longer the primary")
        if change.kind is ChangeKind.REPLACED:
            return state.evict("server restarted or replaced")
        if change.kind is ChangeKind.LEFT:
            if change.node is not self.topology.primary:
                state.dismiss()
            return state.evict_idle("server out of use")
        return ()

    async def _act(self, change: Change) -> None:
        """Log a change, and do what needs no lock."""
        node: AsyncNode = change.node.handle
        level = logging.WARNING if change.kind is ChangeKind.LEFT else logging.INFO
        if self.is_open:
            logger.log(level, "Postgres %s %s%s", node.address, change.kind.value, _because(change.reason))
        if change.kind is ChangeKind.CONFLICT:
            node.is_doubtful = True
            self.nudge()
            if change.node.several:
                logger.warning(
                    "Postgres %s leads to several servers: only reads with consistency='eventual' use it; name the "
                    "servers one by one in read_hosts to let them serve all reads",
                    node.address,
                )
        elif change.kind is ChangeKind.DEMOTED or (
            change.kind is ChangeKind.LEFT and node.lane is not self.writer
        ):
            # What waits there for an answer is asked again elsewhere, or learns that it cannot know.
            node.abort()

    # -- figures ---------------------------------------------------------------------------------------------------

    async def health(self) -> dict[str, bool]:
        """Whether there is a primary that answers now, and a replica (if there is to be any)."""
        started = perf_counter()
        self.nudge()
        while perf_counter() - started < _HEALTH_TIMEOUT:
            if all(state.heard_at >= started for state in self.topology.nodes):
                break
            await sleep(_POLL)
        answering = [state for state in self.topology.nodes if state.heard_at >= started and state.healthy]
        writes = self.topology.primary in answering
        reads = any(state in answering for state in self.topology.readers)
        return {"main_pool": writes, "read_pool": reads if self._config.read_hosts else writes}

    def reads(self) -> dict[str, int]:
        """How many reads ran on the primary, and how many on replicas."""
        replicas = sum(node.reads(reading=node.lane is not self.writer) for node in self.nodes)
        return {"primary": self.primary_reads, "replica": replicas}

    def figures(self) -> list[NodeFigures]:
        """Each server, for the statistics."""
        return [NodeFigures.of_node(node.state) for node in self.nodes]


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""
