"""``dbadapter status`` and ``dbadapter health``: what is in use, and whether it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from ..errors import DatabaseAdapterError, DatabaseUnavailable
from .output import print_json, print_lines, print_table
from .settings import connection_options, open_adapter, settings

if TYPE_CHECKING:
    from .. import DatabaseAdapter

__all__ = ["health", "status"]

HEALTHY, UNHEALTHY = "healthy", "unhealthy"


@click.command("status")
@connection_options
def status() -> int:
    """Show the database in use, its nodes and its pool. Exits with 1 unless all of it is healthy."""
    found = _asked(lambda adapter: adapter.status())
    if settings().as_json:
        print_json(found)
    elif "error" in found:
        print_lines([f"{UNHEALTHY}: {found['error']}"])
    else:
        _print_status(found)
    return 0 if _is_well(found) else 1


@click.command("health")
@connection_options
def health() -> int:
    """Say whether the database answers. Exits with 1 unless it is healthy."""
    found = _asked(lambda adapter: {"health": adapter.health()})
    answer = found["health"] | ({"error": found["error"]} if "error" in found else {})
    if settings().as_json:
        print_json(answer)
    else:
        print_lines([f"{answer['status']}: {answer['error']}" if "error" in answer else answer["status"]])
    return 0 if _is_well(found) else 1


def _asked(question: Callable[[DatabaseAdapter], dict[str, Any]]) -> dict[str, Any]:
    """The answer of an open adapter; a database that cannot be opened is an answer, too."""
    config = settings().config()
    try:
        with open_adapter(config) as adapter:
            return question(adapter)
    except DatabaseUnavailable as exc:
        error = " ".join(str(exc).split())
    except DatabaseAdapterError as exc:
        error = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
    down = {"status": UNHEALTHY, "main_pool": False, "read_pool": False, "db_type": config.db_type.value}
    return {"db_type": config.db_type.value, "health": down, "error": error}


def _is_well(found: Mapping[str, Any]) -> bool:
    nodes = found.get("pool", {}).get("nodes", ())
    return bool(found["health"]["status"] == HEALTHY and all(node["healthy"] for node in nodes))


def _print_status(found: Mapping[str, Any]) -> None:
    pool = found["pool"]
    print_table(["", ""], _facts(found, pool))
    click.echo()
    print_table(
        ["node", "place", "state", "in use", "idle", "lag"],
        (
            [
                node["role"],
                f"{node['host']}:{node['port']}" if node["host"] else found["database"],
                HEALTHY if node["healthy"] else UNHEALTHY,
                node["active"],
                node["idle"],
                _lag(node),
            ]
            for node in pool["nodes"]
        ),
    )
    if pool["holders"]:
        click.echo()
        print_table(
            ["held by", "for s", "since"],
            ([h["task"] or h["thread"], round(h["seconds"], 1), h["where"]] for h in pool["holders"]),
        )


def _facts(found: Mapping[str, Any], pool: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    waits = pool["wait_ms"]
    yield "database", f"{found['db_type']}, {found['database']}"
    yield "health", found["health"]["status"]
    yield "switches", f"{found['epoch']}" + (", one under way" if found["switching"] else "")
    yield (
        "connections",
        f"{pool['active']} in use, {pool['idle']} idle, {pool['max']} at most; {pool['waiting']} waiting",
    )
    yield (
        "so far",
        f"{pool['requests']} requests, {pool['requests_waited']} waited (p95 {waits['p95']:g} ms, "
        f"at most {waits['max']:g} ms), {pool['timeouts']} timed out, {pool['errors']} failed to connect",
    )


def _lag(node: Mapping[str, Any]) -> str:
    parts = []
    if node["lag_bytes"] is not None:
        parts.append(f"{node['lag_bytes']} bytes")
    if node["lag_seconds"] is not None:
        parts.append(f"{node['lag_seconds']:.3g} s")
    return ", ".join(parts)
