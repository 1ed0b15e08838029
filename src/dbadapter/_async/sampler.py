"""Asks the servers of a cluster where they stand: at rest now and then, and at once when a read is in need of it.

One background task for all servers: it sends all questions, then takes the answers as they come. A server that does not
answer holds up nobody, and is taken for dead after a while.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

from .._concurrency._aio import Watch, wait_readable
from .._core.consistency import NEVER
from ..errors import DatabaseAdapterError
from .node import AsyncNode

if TYPE_CHECKING:
    from .cluster import AsyncCluster

__all__ = ["SILENCE", "AsyncSampler"]

# A server that has not answered for this long (s) is taken for dead.
SILENCE = 2.0
# Seconds between rounds when nobody is in need, and when a server is down or an answer is due.
_AT_REST, _SOON = 0.5, 0.25
# A round waits this long (s) for answers; those that come later belong to the next one.
_ROUND = 0.005
# While a read waits for a replica to catch up, rounds follow closely at first, and less and less so.
_CLOSEST, _SLOWDOWN = 0.0005, 1.6
# Rounds take at most this share of the time.
_SHARE, _SHORTEST_SPACING = 0.33, 0.001
# For this long after a read found no replica fresh enough, it is taken to be still of interest.
_DEMAND = 0.5


class AsyncSampler:
    """The watch over the servers of one cluster."""

    def __init__(self, cluster: AsyncCluster) -> None:
        self._cluster = cluster
        self._watch = Watch(self._round, "dbadapter-sampler")
        self._needed = self._needed_at = NEVER
        self._pause = _CLOSEST
        self.nudge = self._watch.nudge

    def start(self) -> None:
        """Begin."""
        self._watch.start()

    async def stop(self) -> None:
        """End, and close the connections that were watched with."""
        await self._watch.stop()
        for node in self._cluster.nodes:
            node.drop_probe()

    def want(self, needed: float) -> None:
        """A read would have used a replica that shows everything until `needed`: see to it that the next one can."""
        self._needed, self._needed_at = needed, perf_counter()
        if self._cluster.topology.history.newest[0] <= needed:
            self.nudge()

    def _is_in_demand(self, now: float) -> bool:
        """There is a wish that no replica fulfils yet."""
        if now - self._needed_at > _DEMAND:
            return False
        readers = self._cluster.topology.readers
        return bool(readers) and all(state.fresh_until <= self._needed for state in readers)

    # -- rounds ----------------------------------------------------------------------------------------------------

    async def _round(self) -> float:
        """Ask everybody; in how many seconds to do so again."""
        started = perf_counter()
        for node in self._cluster.nodes:
            if node.probe is None:
                await node.be_reached()
            else:
                await self._try(node, node.ask)
        while (now := perf_counter()) < started + _ROUND:
            asked = {node.probe.fileno(): node for node in self._cluster.nodes if node.silent_for(now) > 0}
            if not asked:
                break
            for descriptor in await wait_readable(asked, started + _ROUND - now):
                await self._receive(asked[descriptor])
        for node in self._cluster.nodes:
            if node.silent_for(now) > SILENCE:
                node.drop_probe()
                await self._cluster.fell_silent(node)
        return self._due(started, now)

    async def _receive(self, node: AsyncNode) -> None:
        sample = await self._try(node, node.receive)
        if sample is not None:
            await self._cluster.heard(node, sample)

    async def _try(self, node: AsyncNode, action: Any) -> Any:
        try:
            return action()
        except DatabaseAdapterError as exc:
            node.drop_probe()
            self.nudge()  # to reach it again at once
            await self._cluster.lost(node, exc)
            return None

    def _due(self, started: float, now: float) -> float:
        if self._is_in_demand(now):
            self._pause = min(self._pause * _SLOWDOWN, _AT_REST)
            due = self._pause
        else:
            self._pause = _CLOSEST
            complete = all(
                node.probe is not None and not node.silent_for(now) for node in self._cluster.nodes
            )
            due = _AT_REST if complete else _SOON
        # The longer nobody has caught up, the less use there is in asking often.
        self._watch.spacing = max(
            (now - started) / _SHARE - (now - started), self._pause / 5, _SHORTEST_SPACING
        )
        return due
