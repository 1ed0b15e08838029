"""Postgres' connections: to one server, or to a primary and its replicas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from .._core.pool_state import Grant
from .._core.pool_stats import LaneFigures, NodeFigures
from .._core.routing import check_consistency
from .._core.statement import Statement
from .._drivers.postgres_errors import is_full
from ..config import DatabaseConfig, PoolConfig
from ..errors import DatabaseAdapterError, DatabaseUnavailable
from .cluster import AsyncCluster
from .lane import AsyncLane
from .pool import AsyncPool
from .sampler import SILENCE

if TYPE_CHECKING:
    from .._drivers.postgres_probe import Probe
    from .connection import AsyncConnection, AsyncServerConnection

__all__ = ["AsyncPostgresPool"]

# With several servers, one that hangs is given up sooner, since another may do.
_LONGEST_ATTEMPT = 3.0
_CLUSTER_UPKEEP = 0.5


class AsyncPostgresPool(AsyncPool):
    """Connections to a Postgres server, or to several that replicate one another.

    With more than one address in ``host`` and ``read_hosts`` there is one connection more to each server, which watches
    it; who is the primary is learned from the servers.
    """

    def __init__(self, config: PoolConfig | DatabaseConfig | None = None) -> None:
        """A pool on the servers that `config` names; nothing is opened yet."""
        if isinstance(config, DatabaseConfig):
            config = config.pool
        super().__init__(PoolConfig() if config is None else config)

    def _make_lanes(self) -> list[AsyncLane]:
        from .._drivers.postgres_async import connect
        from .._drivers.postgres_types import PostgresCatalog

        catalog = PostgresCatalog()
        limits = self.config
        addresses = {*limits.primary_nodes, *limits.read_nodes}
        longest = limits.connection_timeout
        if len(addresses) > 1:
            longest = min(longest, _LONGEST_ATTEMPT)

        async def connected(host: str, port: int) -> AsyncServerConnection:
            return await connect(host, port, self.config, catalog, longest)

        def lane(name: str, connecting: Callable[[], Awaitable[AsyncConnection]]) -> AsyncLane:
            return self._lane(name, connecting, limits.min_connections, limits.max_connections)

        if len(addresses) > 1:
            self.cluster = AsyncCluster(limits, self._lock, connected, self._open_probe, lane, self._direct)
            return [node.lane for node in self.cluster.nodes]
        self.cluster = None
        host, port = limits.primary_nodes[0]

        async def opened() -> AsyncConnection:
            return await connected(host, port)

        self.writer = self.reader = lane(f"Postgres {host}:{port}", opened)
        return [self.writer]

    async def _open_probe(self, host: str, port: int) -> Probe:
        from .._drivers.postgres_link_async import FAILURES, open_raw
        from .._drivers.postgres_probe import PREPARE, Probe

        raw = await open_raw(host, port, self.config, SILENCE)
        if not self.config.pgbouncer:
            try:
                await raw.execute(PREPARE)
            except BaseException as exc:
                await raw.close()
                if isinstance(exc, FAILURES):
                    raise DatabaseUnavailable(
                        f"Postgres at {host}:{port} hung up: {exc}", transient=True
                    ) from exc
                raise
        return Probe(raw, is_shared=self.config.pgbouncer)

    def _direct(self, writer: AsyncLane) -> None:
        self.writer = self.reader = writer

    # -- life ------------------------------------------------------------------------------------------------------

    async def _find_servers(self) -> None:
        if self.cluster is not None:
            await self.cluster.open()

    async def _fill(self, lane: AsyncLane) -> None:
        cluster = self.cluster
        if cluster is None or lane is cluster.writer:
            await lane.fill()
        elif cluster.is_usable(lane):
            await lane.keep_house()

    async def _keep_house(self) -> None:
        cluster = self.cluster
        if cluster is None:
            return await super()._keep_house()
        for lane in self._lanes:
            await lane.keep_house(fill=cluster.is_usable(lane))

    def _upkeep_interval(self) -> float:
        interval = super()._upkeep_interval()
        return interval if self.cluster is None else min(interval, _CLUSTER_UPKEEP)

    async def _stop(self, grant: Grant) -> None:
        await super()._stop(grant)
        if self.cluster is not None:
            await self.cluster.stop()

    async def _resize_lanes(self) -> None:
        for lane in self._lanes:
            await lane.resize(self.config.min_connections, self.config.max_connections)

    def adopted(self) -> None:
        """An adapter begins to use this pool: replicas serve its reads that show what is there by now."""
        if self.cluster is not None:
            self.cluster.require_fresh()

    # -- connections -----------------------------------------------------------------------------------------------

    def lane_for(
        self, statement: Statement, consistency: str | None = None, after: str | None = None
    ) -> AsyncLane:
        """Where a statement that is expected to read runs; see `AsyncPool.lane_for`."""
        token = check_consistency(consistency, after) if consistency or after is not None else None
        cluster = self.cluster
        if cluster is None:
            return self.writer
        if not self.statements.may_read(statement):
            return cluster.writer
        return cluster.reader(consistency, token)

    def reading_lane(self, consistency: str | None = None, after: str | None = None) -> AsyncLane:
        """Where a read-only transaction, or a connection for reading, is had."""
        token = check_consistency(consistency, after)
        return self.writer if self.cluster is None else self.cluster.reader(consistency, token)

    # -- figures ---------------------------------------------------------------------------------------------------

    def _nodes(self, figures: list[LaneFigures]) -> list[NodeFigures]:
        if self.cluster is not None:
            return self.cluster.figures()
        host, port = self.config.primary_nodes[0]
        return [NodeFigures.of("primary", host, port, healthy=self._is_open, lanes=figures)]

    def _reads(self) -> dict[str, int]:
        return {} if self.cluster is None else self.cluster.reads()

    async def _health(self) -> dict[str, bool]:
        return await (super()._health() if self.cluster is None else self.cluster.health())

    async def _answers_when_busy(self) -> bool:
        """All connections are in use, by an app that is busy or by a server that hangs: another connection tells."""
        from .._drivers.postgres_link_async import open_raw

        host, port = self.config.primary_nodes[0]
        try:
            raw = await open_raw(host, port, self.config, SILENCE)
        except DatabaseUnavailable as exc:
            return is_full(exc)  # so it is there
        except DatabaseAdapterError:
            return False
        await raw.close()
        return True
