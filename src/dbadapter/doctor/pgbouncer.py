"""Whether a PgBouncer stands in between, in which mode, and whether we were told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ..config import PoolConfig
from .findings import Finding, error, ok, warning
from .login import connect

if TYPE_CHECKING:
    import psycopg

    from .diagnosis import Surroundings

__all__ = ["check_pgbouncer"]


def check_pgbouncer(
    connection: psycopg.Connection[Any], config: PoolConfig, around: Surroundings
) -> Iterator[Finding]:
    """Findings about what is between us and the server.

    At login a pooler makes up the process id of the server, so that it differs from what ``pg_backend_pid()`` says. Two
    clients that one server process serves at the same time show that the pool mode is ``transaction``.
    """
    import psycopg

    serving = _backend(connection)
    if serving == connection.info.backend_pid:
        if config.pgbouncer:
            yield warning(
                "pgbouncer-absent",
                "the config says pgbouncer=true, and the connection goes straight to the server",
                "leave pgbouncer=true out: without it statements are prepared, and quicker",
            )
        return
    try:
        with connection.transaction():
            pass
    except psycopg.Error:
        yield error(
            "pgbouncer-statement-mode",
            "a PgBouncer in statement mode stands in between: it allows no transactions",
            "pool_mode = transaction in pgbouncer.ini",
        )
        return
    host, port = connection.info.host, connection.info.port
    with closing(connect(host, port, config, around.timeout)) as other:
        shared = _backend(other) == _backend(connection)
    if shared and not config.pgbouncer:
        yield error(
            "pgbouncer-unannounced",
            "a PgBouncer in transaction mode stands in between, and the config does not say so",
            "pgbouncer=true in the config or URL: else settings and prepared statements go to the wrong session",
        )
    elif shared:
        yield ok("pgbouncer", "a PgBouncer in transaction mode, as the config says")
    else:
        yield ok("pgbouncer", "a PgBouncer in session mode, which acts like the server itself")


def _backend(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    pid: int = row[0]
    return pid
