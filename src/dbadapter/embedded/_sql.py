"""Statements to our own servers, over their Unix-domain sockets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

from ..errors import DatabaseUnavailable
from ._datadir import DATABASE, SUPERUSER

if TYPE_CHECKING:
    import psycopg


@contextmanager
def connected(sockets: Path, port: int) -> Iterator[psycopg.Connection[Any]]:
    """A connection as superuser; the server's refusal is raised as DatabaseUnavailable."""
    import psycopg

    try:
        with psycopg.connect(
            host=str(sockets),
            port=port,
            user=SUPERUSER,
            dbname=DATABASE,
            application_name="dbadapter embedded",
            autocommit=True,
            connect_timeout=30,
            # Whatever PG* variables the host has for its own database must not reach this one.
            options="",
            sslmode="disable",
            channel_binding="disable",
            target_session_attrs="any",
        ) as connection:
            yield connection
    except psycopg.Error as exc:
        raise DatabaseUnavailable(f"embedded Postgres on port {port} refused: {exc}") from exc


def value(sockets: Path, port: int, statement: LiteralString, *parameters: object) -> Any:
    """The first column of the first row."""
    with connected(sockets, port) as connection:
        row = connection.execute(statement, parameters).fetchone()
        return row[0] if row else None


def set_password(sockets: Path, port: int, password: str) -> None:
    """Set the superuser's password; only its verifier is sent, so no log of the server can show it."""
    from psycopg import sql

    with connected(sockets, port) as connection:
        verifier = connection.pgconn.encrypt_password(
            password.encode(), SUPERUSER.encode(), b"scram-sha-256"
        ).decode()
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(SUPERUSER), sql.Literal(verifier))
        )
