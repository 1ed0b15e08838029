"""What libpq is told when a connection is opened."""

from __future__ import annotations

import os
from typing import Any

from ..config import PoolConfig
from ..errors import ConfigError, DatabaseUnavailable

__all__ = ["connection_arguments", "why_refused", "without_password"]

# How soon a peer that has gone without a word is noticed: by probes on an idle connection, by data that nobody takes.
_KEEPALIVE_IDLE, _KEEPALIVE_INTERVAL, _KEEPALIVES = 10, 5, 3
_UNACKNOWLEDGED_MS = 25_000
_SHORTEST_TIMEOUT = 2  # seconds; libpq takes no less


def connection_arguments(host: str, port: int, config: PoolConfig, timeout: float) -> dict[str, Any]:
    """The arguments of ``psycopg.connect``; `timeout` is how many seconds the attempt may take.

    Raises `DatabaseUnavailable` when the function that gives the password fails, `ConfigError` when it gives none.
    """
    settings = {"TimeZone": "UTC"}
    if config.statement_timeout is not None:
        settings["statement_timeout"] = str(max(1, round(config.statement_timeout * 1000)))
    arguments: dict[str, Any] = {
        "host": host,
        "port": port,
        "dbname": config.database,
        "user": config.user,
        "password": _password(config),
        "application_name": config.application_name,
        "sslmode": config.sslmode,
        "sslrootcert": config.sslrootcert,
        "connect_timeout": max(_SHORTEST_TIMEOUT, round(timeout)),
        "keepalives_idle": _KEEPALIVE_IDLE,
        "keepalives_interval": _KEEPALIVE_INTERVAL,
        "keepalives_count": _KEEPALIVES,
        "tcp_user_timeout": _UNACKNOWLEDGED_MS,
        "options": None
        if config.pgbouncer
        else " ".join(f"-c {name}={value}" for name, value in settings.items()),
        "autocommit": True,
        "prepare_threshold": None if config.pgbouncer else 5,
    }
    if config.sslmode == "verify-full" and config.sslrootcert is None and not _has_own_root_certificates():
        arguments["sslrootcert"] = "system"
    return {
        name: value for name, value in arguments.items() if value is not None or name == "prepare_threshold"
    }


def why_refused(exc: Exception) -> str:
    """Why a connection was refused, in the server's words, and what to do where these do not tell."""
    words = str(exc).strip() or type(exc).__name__
    if "unsupported startup parameter" in words:
        words += "; that is a PgBouncer: set pgbouncer=True (in a URL: ?pgbouncer=true)"
    return words


def without_password(exc: Exception) -> Exception:
    """`exc`, raised while connecting, without what error reporters would print of it: psycopg attaches the connection's
    parameters, and the local variables of its frames hold them too."""
    from psycopg.errors import FinishedPGconn

    link: BaseException | None = exc
    while link is not None:
        link.__traceback__ = None
        connection = getattr(link, "pgconn", None)
        if isinstance(connection, FinishedPGconn):
            connection.password = b""
            connection.info = [option for option in connection.info if option.keyword != b"password"]
        link = link.__cause__ or link.__context__
    return exc


def _password(config: PoolConfig) -> str | None:
    try:
        return config.current_password()
    except ConfigError:
        raise
    except Exception as exc:
        # Its words may hold what is not to be shown; the chained exception is the host app's own affair.
        raise DatabaseUnavailable(
            f"the function given as password failed with {type(exc).__name__}", transient=True
        ) from exc


def _has_own_root_certificates() -> bool:
    return bool(os.environ.get("PGSSLROOTCERT")) or os.path.exists(
        os.path.expanduser("~/.postgresql/root.crt")
    )
