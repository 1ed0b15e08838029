"""The pool's figures in the text format of Prometheus (version 0.0.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["CONTENT_TYPE", "exposition"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]

_QUANTILES = (("0.5", "p50"), ("0.95", "p95"), ("1", "max"))


def exposition(stats: Mapping[str, Any], health: Mapping[str, Any]) -> str:
    """``get_stats()`` and ``health()`` as metrics.

    Counters begin again at 0 when the app switches its database, as Prometheus expects of counters after a restart.
    """
    backend = {"backend": str(stats["db_type"])}
    lines: list[str] = []
    for name, kind, text, samples in _families(stats, health):
        full = f"dbadapter_{name}"
        lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
        lines += [f"{full}{_labels({**backend, **labels})} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


Family = tuple[str, str, str, Iterable[Sample]]


def _families(stats: Mapping[str, Any], health: Mapping[str, Any]) -> Iterator[Family]:
    def one(key: str) -> list[Sample]:
        return [({}, stats[key])]

    states = ("healthy", "degraded", "unhealthy")
    yield "up", "gauge", "Whether the database answers for writing.", [({}, health["main_pool"])]
    yield (
        "health",
        "gauge",
        "1 for the state that holds.",
        [({"status": state}, health["status"] == state) for state in states],
    )
    yield "switches", "gauge", "How often this app has changed its database.", one("epoch")
    connections = [({"state": state}, stats[state]) for state in ("active", "idle")]
    yield "pool_connections", "gauge", "Open connections.", connections
    yield "pool_max_connections", "gauge", "Connections opened at most.", one("max")
    yield "pool_min_connections", "gauge", "Connections kept open.", one("min")
    yield "pool_utilization_ratio", "gauge", "Connections in use, of those at most.", one("utilization")
    yield "pool_waiting", "gauge", "Callers waiting for a connection now.", one("waiting")
    yield "pool_requests_total", "counter", "Connections asked for.", one("requests")
    yield "pool_requests_waited_total", "counter", "Requests that had to wait.", one("requests_waited")
    waits = [({"quantile": q}, stats["wait_ms"][key] / 1000) for q, key in _QUANTILES]
    yield (
        "pool_wait_seconds",
        "gauge",
        "Waits for a connection, of recent requests; quantile 1: of all.",
        waits,
    )
    yield (
        "pool_wait_mean_seconds",
        "gauge",
        "Mean wait of all requests.",
        [({}, stats["wait_ms"]["mean"] / 1000)],
    )
    yield "pool_timeouts_total", "counter", "Requests that gave up waiting.", one("timeouts")
    yield "pool_connect_errors_total", "counter", "Connections that could not be opened.", one("errors")
    yield "pool_connections_created_total", "counter", "Connections opened.", one("created")
    yield "pool_connections_recycled_total", "counter", "Connections closed and replaced.", one("recycled")
    reasons = [({"reason": reason}, count) for reason, count in stats["recycled_reasons"].items()]
    yield "pool_evictions_total", "counter", "Connections closed and replaced, by reason.", reasons
    reads = [({"server": role}, count) for role, count in stats["reads"].items()]
    yield "pool_reads_total", "counter", "Reads served by the primary and by replicas.", reads
    yield "pool_leaks_total", "counter", "Connections held longer than leak_threshold.", one("leaks")
    yield from _node_families(stats["nodes"])


def _node_families(nodes: Iterable[Mapping[str, Any]]) -> Iterator[Family]:
    named = [
        ({"role": str(n["role"]), "node": f"{n['host']}:{n['port']}" if n["host"] else "file"}, n)
        for n in nodes
    ]

    def each(key: str) -> list[Sample]:
        return [(labels, node[key]) for labels, node in named if node.get(key) is not None]

    yield "node_healthy", "gauge", "Whether the node answers.", each("healthy")
    yield "node_active_connections", "gauge", "Connections to the node in use.", each("active")
    yield "node_requests_total", "counter", "Connections to the node asked for.", each("requests")
    yield "node_lag_bytes", "gauge", "How far a replica is behind, in bytes of log.", each("lag_bytes")
    yield "node_lag_seconds", "gauge", "How far a replica is behind, in time.", each("lag_seconds")


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if isinstance(value, bool) else str(value)
