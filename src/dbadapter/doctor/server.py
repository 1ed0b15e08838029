"""A server one is logged in to: version, clock, rights, room for the pool, pgvector."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..config import PoolConfig
from .findings import Finding, error, joined, ok, warning

if TYPE_CHECKING:
    import psycopg

    from .diagnosis import Surroundings

__all__ = ["check_server"]

OLDEST_SERVER = 14
NEEDED_PGVECTOR = (0, 8, 0)  # iterative scans: filtered searches find enough
LARGEST_SKEW = 1.0

_ROOM = """
SELECT current_setting('max_connections')::int AS most,
    current_setting('superuser_reserved_connections')::int AS reserved,
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
    (SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND application_name = %s) AS ours,
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS of_role,
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS of_database
"""

_UNREADABLE = """
SELECT format('%I', c.relname) FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
    AND NOT (has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
        AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE'))
ORDER BY 1
"""


def check_server(
    connection: psycopg.Connection[Any], config: PoolConfig, around: Surroundings
) -> Iterator[Finding]:
    """Findings about the server behind a connection."""
    yield from _version(connection)
    yield from _clock(connection, around)
    yield from _rights(connection)
    yield from _room(connection, config)
    yield from _pgvector(connection)


def _version(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    version = connection.info.server_version
    name = f"PostgreSQL {version // 10_000}.{version % 10_000}"
    user, database = _one(connection, "SELECT current_user, current_database()")
    if version // 10_000 < OLDEST_SERVER:
        yield warning("server-too-old", f"{name} is no longer maintained", f"use {OLDEST_SERVER} or later")
    yield ok("login", f"{name}, user {user}, database {database}")


def _clock(connection: psycopg.Connection[Any], around: Surroundings) -> Iterator[Finding]:
    before = around.clock()
    (theirs,) = _one(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
    after = around.clock()
    # The server looked at its clock somewhere in between.
    skew = theirs - after if theirs > after else before - theirs if theirs < before else 0.0
    if skew > LARGEST_SKEW:
        direction = "ahead of" if theirs > after else "behind"
        yield warning(
            "clock-skew",
            f"the server's clock is {skew:.1f} s {direction} this machine's",
            "let both follow a time server (chrony, systemd-timesyncd): timestamps made here and there disagree",
        )
    else:
        yield ok("clock", "the clocks of server and client agree")


def _rights(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    schema, user, read_only = _one(
        connection, "SELECT current_schema(), current_user, current_setting('default_transaction_read_only')"
    )
    if read_only == "on":
        yield error(
            "read-only",
            f"transactions of {user} are read-only",
            "ALTER ROLE … RESET default_transaction_read_only (or ALTER DATABASE, or postgresql.conf)",
        )
    if schema is None:
        yield error(
            "no-schema",
            "none of the schemas in search_path exists, or the user may not use them",
            f"GRANT USAGE ON SCHEMA public TO {user}, or correct search_path",
        )
        return
    (may_create,) = _one(connection, "SELECT has_schema_privilege(current_schema(), 'CREATE')")
    if not may_create:
        yield error(
            "no-right-to-create",
            f"{user} may not make tables in the schema {schema}",
            f"as its owner: GRANT CREATE ON SCHEMA {schema} TO {user} (since PostgreSQL 15 nobody else may by default)",
        )
    refused = [row[0] for row in connection.execute(_UNREADABLE)]
    if refused:
        yield error(
            "no-right-to-tables",
            f"{user} may not read and write {joined(refused)}",
            f"as their owner: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {user}",
        )
    if may_create and not refused:
        yield ok("rights", f"{user} may make, read and write tables in the schema {schema}")


def _room(connection: psycopg.Connection[Any], config: PoolConfig) -> Iterator[Finding]:
    most, reserved, used, ours, of_role, of_database = _one(connection, _ROOM, [config.application_name])
    limits = [("the server", most - reserved), ("the role", of_role), ("the database", of_database)]
    whose, limit = min(
        ((name, n) for name, n in limits if n is not None and n >= 0), key=lambda item: item[1]
    )
    wanted = config.max_connections
    if wanted > limit:
        yield error(
            "max-connections-too-small",
            f"the pool may open {wanted} connections, and {whose} takes {limit}",
            "lower max_connections of the pool, raise the limit, or put a PgBouncer in between",
        )
        return
    free = limit - (used - ours)
    if wanted > free:
        yield warning(
            "connections-scarce",
            f"the pool may open {wanted} connections, and beside those of others there are {free} of {limit} left",
            "lower max_connections of the pools; each process of an app has a pool of its own",
        )
    else:
        yield ok("connections", f"room for {wanted} connections: {free} of {limit} are free")


def _pgvector(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    found = connection.execute(
        "SELECT installed_version, default_version FROM pg_available_extensions WHERE name = 'vector'"
    ).fetchone()
    major = connection.info.server_version // 10_000
    package = f"install its package for this server (apt-get install postgresql-{major}-pgvector)"
    if found is None:
        text = "the extension pgvector is not installed on the server, so vector collections cannot be used"
        yield warning("pgvector-missing", text, package)
        return
    installed, available = found
    if installed is None:
        yield warning(
            "pgvector-not-created",
            f"the extension pgvector {available} is not enabled in this database",
            "CREATE EXTENSION vector, as a superuser or as the owner of the database",
        )
    elif _parts(installed) < NEEDED_PGVECTOR:
        newer = _parts(available) >= NEEDED_PGVECTOR
        yield warning(
            "pgvector-old",
            f"pgvector {installed} is older than 0.8, and finds too little with filters",
            "ALTER EXTENSION vector UPDATE" if newer else f"{package}, then ALTER EXTENSION vector UPDATE",
        )
    else:
        yield ok("pgvector", f"pgvector {installed}")


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _one(connection: psycopg.Connection[Any], sql: str, params: list[Any] | None = None) -> tuple[Any, ...]:
    row = connection.execute(sql.encode(), params).fetchone()
    assert row is not None, sql
    return tuple(row)
