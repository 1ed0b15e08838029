"""A Postgres server, from the port to the extension."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ..config import PoolConfig
from .findings import Finding, Severity, error
from .login import check_login
from .pgbouncer import check_pgbouncer
from .port import Answer, check_port
from .replicas import check_primary, check_replica
from .server import check_server
from .tls import check_tls

if TYPE_CHECKING:
    import psycopg

    from .diagnosis import Surroundings

__all__ = ["check_postgres"]


def check_postgres(config: PoolConfig, around: Surroundings) -> Iterator[Finding]:
    """Findings about the primary and the replicas."""
    import psycopg

    primary: Any = None
    for host, port in config.primary_nodes:
        for found in _reached(host, port, config, around):
            if isinstance(found, Finding):
                yield found
            else:
                primary = found
        if primary is not None:
            break
    if primary is None:
        return
    with closing(primary):
        for check in (check_server, check_pgbouncer, check_primary):
            try:
                yield from check(primary, config, around)
            except psycopg.Error as exc:
                yield error(
                    "check-failed", f"a question to the server failed: {exc}", "see the log of the server"
                )
        for host, port in config.read_nodes:
            yield from _check_read_node(host, port, primary, config, around)


def _reached(
    host: str, port: int, config: PoolConfig, around: Surroundings
) -> Iterator[Finding | psycopg.Connection[Any]]:
    """Findings on the way to a node, and a connection at the end of it."""
    answer: Answer | None = None
    for found in check_port(host, port, around.timeout):
        if isinstance(found, Answer):
            answer = found
        else:
            yield found
    if answer is None:
        return
    for finding in check_tls(host, port, config, answer, around.timeout):
        yield finding
        if finding.severity is Severity.ERROR:
            return
    yield from check_login(host, port, config, around.timeout)


def _check_read_node(
    host: str, port: int, primary: psycopg.Connection[Any], config: PoolConfig, around: Surroundings
) -> Iterator[Finding]:
    import psycopg

    for found in _reached(host, port, config, around):
        if isinstance(found, Finding):
            yield found
            continue
        with closing(found):
            try:
                yield from check_replica(f"{host}:{port}", found, primary, config)
            except psycopg.Error as exc:
                yield error(
                    "check-failed", f"a question to {host}:{port} failed: {exc}", "see the log of the server"
                )
