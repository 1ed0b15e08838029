"""Asks the servers of a cluster where they stand: at rest now and then, and at once when a read is in need of it.

One background task for all servers: it sends all questions, then takes the answers as they come. A server that does not
answer holds up nobody, and is taken for dead after a while.
"""

from __future__ import annotations

from time import perf_counter, thread_time
from typing import TYPE_CHECKING, TypeVar

from .._concurrency._aio import Poller, wait_readable
from .._core.demand import Demand
from ..errors import DatabaseAdapterError
from .node import AsyncNode

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cluster import AsyncCluster

__all__ = ["SILENCE", "AsyncSampler"]

T = TypeVar("T")

# A server that has not answered for this long (s) is taken for dead.
SILENCE = 2.0
# Seconds between rounds when a server is down or an answer is due.
_SOON = 0.25
# A round waits this long (s) for answers; those that come later belong to the next one.
_ROUND = 0.005
# Asking and reading answers takes at most this share of the processor's time.
_SHARE = 0.3


class AsyncSampler:
    """The watch over the servers of one cluster."""

    def __init__(self, cluster: AsyncCluster) -> None:
        self._cluster = cluster
        self._poller = Poller(self._round, "dbadapter-sampler")
        self._demand = Demand()
        self._worked = 0.0  # seconds of the processor's time in this round
        self.nudge = self._poller.nudge

    def start(self) -> None:
        """Begin."""
        self._poller.start()

    async def stop(self) -> None:
        """End, and close the connections that were watched with."""
        await self._poller.stop()
        for node in self._cluster.nodes:
            node.drop_probe()

    def want(self, needed: float) -> None:
        """A read would have used a replica that shows everything until `needed`: see to it that the next one can."""
        self._demand.add(needed, perf_counter())
        if self._cluster.topology.history.newest[0] <= needed:
            self.nudge()

    # -- rounds ----------------------------------------------------------------------------------------------------

    async def _round(self) -> float:
        """Ask everybody; in how many seconds to do so again."""
        started = perf_counter()
        self._worked = 0.0
        for node in self._cluster.nodes:
            if node.is_doubtful:
                node.drop_probe()
            if node.probe is None:
                await node.be_reached()
            else:
                await self._try(node, node.ask)
        while (now := perf_counter()) < started + _ROUND:
            asked = {
                node.probe.descriptor: node
                for node in self._cluster.nodes
                if node.probe is not None and node.silent_for(now) > 0
            }
            if not asked or self._has_enough(started):
                break
            for descriptor in await wait_readable(asked, started + _ROUND - now):
                await self._receive(asked[descriptor])
        for node in self._cluster.nodes:
            if node.silent_for(now) > SILENCE:
                await self._receive(node)  # perhaps it was we who were held up
            if node.silent_for(now) > SILENCE:
                node.drop_probe()
                await self._cluster.fell_silent(node)
        return self._due(now)

    def _has_enough(self, started: float) -> bool:
        """The primary and a replica have answered: another one that is slow does not keep the next round waiting."""
        topology = self._cluster.topology
        return (
            topology.primary is not None
            and topology.primary.heard_at >= started
            and any(state.heard_at >= started for state in topology.readers)
        )

    async def _receive(self, node: AsyncNode) -> None:
        sample = await self._try(node, node.receive)
        if sample is not None:
            await self._cluster.heard(node, sample)

    async def _try(self, node: AsyncNode, action: Callable[[], T]) -> T | None:
        """What `action` gives; None if it showed that the server is lost. Its time counts as worked."""
        begun = thread_time()
        try:
            return action()
        except DatabaseAdapterError as exc:
            node.drop_probe()
            self.nudge()  # to reach it again at once
            await self._cluster.lost(node, exc)
            return None
        finally:
            self._worked += thread_time() - begun

    def _due(self, now: float) -> float:
        due, spacing = self._demand.due(self._cluster.topology.readers, now)
        if any(node.probe is None or node.silent_for(now) for node in self._cluster.nodes):
            due = min(due, _SOON)
        self._poller.spacing = max(spacing, self._worked / _SHARE)
        return due
