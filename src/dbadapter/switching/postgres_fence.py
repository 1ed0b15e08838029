"""The fence of a Postgres database whose data have moved: the server refuses every write, whoever makes it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .._core.switching import FENCE, OPEN_FENCE
from .._dialects import POSTGRESQL
from ..errors import SwitchAborted
from .postgres_between import between
from .records import read_postgres
from .sqlite_fence import MESSAGE

if TYPE_CHECKING:
    import psycopg

__all__ = ["SQLSTATE", "fence", "open_fence", "pass_fence", "remove_fence"]

SQLSTATE = "DBMOV"
_PASS = "dbadapter.passes_fence"


def fence(raw: psycopg.Connection[Any], tables: Sequence[str], where: str) -> None:
    """Refuse all writes to `tables` from the end of this transaction on."""
    text = f"{MESSAGE}: the data of this database live in {where} now; it takes no more writes"
    body = f"""BEGIN
    IF current_setting('{_PASS}', true) IS DISTINCT FROM 'yes' THEN
        RAISE EXCEPTION USING MESSAGE = {POSTGRESQL.literal(text)}, ERRCODE = '{SQLSTATE}';
    END IF;
    RETURN NULL;
END"""
    raw.execute(
        f"CREATE OR REPLACE FUNCTION {FENCE}() RETURNS trigger LANGUAGE plpgsql AS {POSTGRESQL.literal(body)}".encode()
    )
    for table in sorted(set(tables) - set(_fenced(raw))):
        raw.execute(
            f"CREATE TRIGGER {FENCE} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {POSTGRESQL.quote(table)} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {FENCE}()".encode()
        )


def pass_fence(raw: psycopg.Connection[Any]) -> None:
    """Be let through for the length of the transaction that is open: who keeps the old home up to date is."""
    raw.execute(f"SET LOCAL {_PASS} = 'yes'".encode())


def open_fence(raw: psycopg.Connection[Any]) -> None:
    """Let everybody write again, from the end of this transaction on; nothing happens where there is no fence."""
    if _is_there(raw):
        raw.execute(OPEN_FENCE.encode())


def remove_fence(raw: psycopg.Connection[Any]) -> None:
    """Take an open fence away, one table after the other between the app's transactions.

    Raises `SwitchAborted` where those do not end, or the data have moved on; then it stays as it is.
    """

    def drop(what: str) -> None:
        raw.execute(what.encode())
        # With the table's lock: who closes the fence has to wait for it, or has done so by now.
        if (record := read_postgres(raw)) is not None and record.state != "here":
            raise SwitchAborted("another switch has begun")

    for table in _fenced(raw):
        name = POSTGRESQL.quote(table)
        take = partial(drop, f"DROP TRIGGER IF EXISTS {FENCE} ON {name}")
        between(raw, take, f"a transaction that uses {table}", name)
    between(raw, partial(drop, f"DROP FUNCTION IF EXISTS {FENCE}()"), "a transaction that uses the fence")


def _is_there(raw: psycopg.Connection[Any]) -> bool:
    row = raw.execute("SELECT to_regproc(%s) IS NOT NULL", (FENCE,)).fetchone()
    return bool(row and row[0])


def _fenced(raw: psycopg.Connection[Any]) -> list[str]:
    """The tables that have the fence's trigger."""
    found = raw.execute(
        "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
        "WHERE t.tgname = %s AND c.relnamespace = current_schema()::regnamespace ORDER BY 1",
        (FENCE,),
    )
    return [name for (name,) in found.fetchall()]
