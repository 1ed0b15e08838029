"""Logging in, and why it fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..config import PoolConfig
from .findings import Finding, error, joined
from .tls import root_certificates

if TYPE_CHECKING:
    import psycopg

__all__ = ["check_login"]

_MAINTENANCE = ("postgres", "template1")

# (words of the server, code, remedy); a server that speaks another language is understood by
# `_database_is_missing`, or its own words are passed on.
_REFUSALS = (
    ("password authentication failed|SASL authentication failed", "wrong-password",
     "correct user and password; no server tells which of the two is wrong, and if both are right, another "
     "server may have the port (one in a container beside one of the machine, say)"),
    ("no password supplied|fe_sendauth", "no-password", "give a password: in the URL, DB_PASSWORD or PGPASSWORD"),
    ("role .* does not exist|no such user", "wrong-user", "correct the user, or make it: CREATE ROLE … LOGIN"),
    ("is not permitted to log in", "wrong-user", "ALTER ROLE … LOGIN"),
    ("peer authentication failed|ident authentication failed", "wrong-user",
     "the socket lets in the operating system's user of that name only: use host=localhost with a password"),
    ("database .* does not exist|no such database", "wrong-database", "correct the database's name, or create it"),
    ("permission denied for database|does not have CONNECT", "no-right-to-connect", "GRANT CONNECT ON DATABASE … TO …"),
    ("no pg_hba.conf entry|pg_hba.conf rejects", "not-admitted",
     "add a line for this user, database and address to pg_hba.conf (hostssl if it says that encryption is missing)"),
    ("too many clients|too many connections|remaining connection slots|no more connections", "too-many-connections",
     "lower max_connections of the pools, raise the server's, or put a PgBouncer in between"),
    ("starting up|shutting down|in recovery mode|not accepting connections|not yet accepting", "not-ready",
     "wait until the server is ready; its log tells what it is doing"),
    ("authentication method .* not supported|SCRAM authentication requires", "driver-refused",
     "the client library is too old for the server's passwords: pip install --upgrade 'psycopg[binary]'"),
)  # fmt: skip


def check_login(
    host: str, port: int, config: PoolConfig, timeout: float
) -> Iterator[Finding | psycopg.Connection[Any]]:
    """A connection, or the finding that tells why there is none."""
    import psycopg

    try:
        yield connect(host, port, config, timeout)
        return
    except psycopg.Error as exc:
        words = " ".join(str(exc).split())
    if names := _other_databases(host, port, config, timeout):
        yield error(
            "wrong-database",
            f"there is no database {config.database!r} at {host}:{port}",
            f"correct the name (there are {joined(names)}), or create it: createdb, or create_database=True",
        )
        return
    for pattern, code, remedy in _REFUSALS:
        if re.search(pattern, words, re.IGNORECASE):
            yield error(
                code, f"{host}:{port} refuses the user {config.user or 'of this session'}: {words}", remedy
            )
            return
    yield error(
        "login-failed", f"cannot log in at {host}:{port}: {words}", "the log of the server may tell more"
    )


def connect(
    host: str, port: int, config: PoolConfig, timeout: float, database: str | None = None
) -> psycopg.Connection[Any]:
    """A connection as the adapter would make it. Raises psycopg's error."""
    import psycopg

    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "dbname": database or config.database,
        "user": config.user,
        "password": config.current_password(),
        "application_name": config.application_name,
        "sslmode": config.sslmode,
        "sslrootcert": root_certificates(config),
        "connect_timeout": max(2, round(timeout)),
    }
    arguments = {name: value for name, value in given.items() if value is not None}
    # Nothing is prepared, so that a pooler in between does not matter.
    return psycopg.connect(autocommit=True, prepare_threshold=None, **arguments)


def _other_databases(host: str, port: int, config: PoolConfig, timeout: float) -> list[str]:
    """The server's databases, if only the database's name is wrong: the same user can log in to another one."""
    import psycopg

    for database in _MAINTENANCE:
        try:
            with connect(host, port, config, timeout, database) as connection:
                found = connection.execute(
                    "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
                )
                names = [row[0] for row in found]
        except psycopg.Error:
            continue
        return names if config.database not in names else []
    return []
