"""A pool's figures, put together from its lanes'."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ..config import PoolConfig
from .pool_state import PoolState, WaitTimes
from .topology import NodeState

__all__ = ["LaneFigures", "NodeFigures", "pool_stats"]


@attrs.frozen
class LaneFigures:
    """One lane at one moment."""

    active: int
    idle: int
    maximum: int
    minimum: int
    waiting: int
    requests: int
    timeouts: int
    errors: int
    created: int
    recycled: int
    leaks: int
    reasons: Mapping[str, int]
    waits: WaitTimes

    @classmethod
    def of(cls, state: PoolState[Any]) -> LaneFigures:
        """The figures of a state; to be taken under its lock."""
        return cls(
            active=len(state.in_use()),
            idle=len(state.idle),
            maximum=state.maximum,
            minimum=state.minimum,
            waiting=len(state.waiters) + len(state.held_back),
            requests=state.requests,
            timeouts=state.timeouts,
            errors=state.errors,
            created=state.created,
            recycled=state.recycled,
            leaks=state.leaks,
            reasons=dict(state.reasons),
            waits=state.waits,
        )


@attrs.frozen
class NodeFigures:
    """One database server, or one SQLite file.

    Attributes:
        role: "primary", "replica", or "unknown" of a server that has never answered.
        host, port: its address; None for a file.
        healthy: it answers, and is what it should be.
        problem: why it is not healthy.
        active, idle, waiting: connections in use and unused, and callers that wait for one.
        requests: how often a connection to it was asked for.
        lag_bytes, lag_seconds: how far it is behind the primary; None as long as that is not known.
        timeline: the timeline it is on.
    """

    role: str
    host: str | None
    port: int | None
    healthy: bool
    active: int
    idle: int
    waiting: int
    requests: int
    lag_bytes: int | None = None
    lag_seconds: float | None = None
    timeline: int | None = None
    problem: str | None = None

    @classmethod
    def of(
        cls, role: str, host: str | None, port: int | None, *, healthy: bool, lanes: Sequence[LaneFigures]
    ) -> NodeFigures:
        """The figures of a node with these lanes."""
        sums = {
            name: sum(getattr(lane, name) for lane in lanes)
            for name in ("active", "idle", "waiting", "requests")
        }
        return cls(role, host, port, healthy, **sums)

    @classmethod
    def of_node(cls, node: NodeState) -> NodeFigures:
        """The figures of one server of several; to be taken under the pool's lock."""
        return cls(
            role=node.role.value,
            host=node.host,
            port=node.port,
            healthy=node.healthy,
            active=len(node.pool.in_use()),
            idle=len(node.pool.idle),
            waiting=len(node.pool.waiters),
            requests=node.pool.requests,
            lag_bytes=node.lag_bytes,
            lag_seconds=None if node.lag_seconds is None else round(node.lag_seconds, 3),
            timeline=node.timeline or None,
            problem=node.problem,
        )


_SUMS = ("active", "idle", "waiting", "requests", "timeouts", "errors", "created", "recycled", "leaks")


def pool_stats(
    config: PoolConfig,
    lanes: Sequence[LaneFigures],
    nodes: Sequence[NodeFigures],
    holders: Sequence[Mapping[str, Any]],
    reads: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The dictionary that ``get_stats()`` promises."""
    figures: dict[str, Any] = {name: sum(getattr(lane, name) for lane in lanes) for name in _SUMS}
    maximum = sum(lane.maximum for lane in lanes) or config.max_connections
    waits = [lane.waits.summary(lane.requests) for lane in lanes]
    reasons: dict[str, int] = {}
    for lane in lanes:
        for reason, count in lane.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    total = sum(lane.waits.total for lane in lanes)
    return {
        **figures,
        "utilization": figures["active"] / maximum,
        "min": sum(lane.minimum for lane in lanes) if lanes else config.min_connections,
        "max": maximum,
        "requests_waited": sum(lane.waits.waited for lane in lanes),
        "wait_ms": {
            "mean": round(1000 * total / figures["requests"], 3) if figures["requests"] else 0.0,
            **{name: max((wait[name] for wait in waits), default=0.0) for name in ("p50", "p95", "max")},
        },
        "recycled_reasons": reasons,
        "reads": dict(reads or {}),
        "nodes": [attrs.asdict(node) for node in nodes],
        "holders": [dict(holder) for holder in holders],
    }
