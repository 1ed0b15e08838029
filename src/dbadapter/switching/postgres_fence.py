"""The fence of a Postgres database whose data have moved: the server refuses every write, whoever makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL
from .sqlite_fence import MESSAGE

if TYPE_CHECKING:
    import psycopg

__all__ = ["SQLSTATE", "fence", "pass_fence", "remove_fence"]

SQLSTATE = "DBMOV"
_NAME = "_dbadapter_fence"
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
    remove_fence(raw)  # one that a switch could not take away
    raw.execute(
        f"CREATE OR REPLACE FUNCTION {_NAME}() RETURNS trigger LANGUAGE plpgsql AS {POSTGRESQL.literal(body)}".encode()
    )
    for table in tables:
        raw.execute(
            f"CREATE TRIGGER {_NAME} BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON {POSTGRESQL.quote(table)} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_NAME}()".encode()
        )


def pass_fence(raw: psycopg.Connection[Any]) -> None:
    """Be let through for the length of the transaction that is open: who keeps the old home up to date is."""
    raw.execute(f"SET LOCAL {_PASS} = 'yes'".encode())


def remove_fence(raw: psycopg.Connection[Any]) -> None:
    """Take the fence away, with everything that hangs on it; nothing happens where there is none."""
    raw.execute(f"DROP FUNCTION IF EXISTS {_NAME}() CASCADE".encode())
