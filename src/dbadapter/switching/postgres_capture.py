"""Capture on Postgres: triggers that note the key of every row that changes, and every TRUNCATE.

The log is consumed with ``DELETE … RETURNING``: numbers of a sequence are not in the order of the commits, so that a
cursor over them would lose what commits late.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL

if TYPE_CHECKING:
    import psycopg

__all__ = ["CHANGES", "install_log", "install_triggers", "remove_capture", "take_changes"]

CHANGES = "_dbadapter_changes"
_NAME = "_dbadapter_capture"

quote, literal = POSTGRESQL.quote, POSTGRESQL.literal


def install_log(raw: psycopg.Connection[Any]) -> None:
    """Make the change log: the table's number and the key's columns as text; a NULL key is a TRUNCATE."""
    raw.execute(f"CREATE TABLE {CHANGES} (seq bigserial, tbl int NOT NULL, key text[])".encode())


def install_triggers(raw: psycopg.Connection[Any], number: int, table: str, key: Sequence[str]) -> None:
    """Make a table's capture triggers, in a transaction of their own; it waits for those that write to the table."""
    function = quote(f"{_NAME}_{number}")
    row = raw.execute("SELECT quote_ident(current_schema())").fetchone()
    log = f"{row[0] if row else 'public'}.{CHANGES}"

    def note(which: str) -> str:
        values = ", ".join(f"{which}.{quote(name)}::text" for name in key)
        return f"INSERT INTO {log} (tbl, key) VALUES ({number}, ARRAY[{values}]);"

    same = " AND ".join(f"OLD.{quote(name)} IS NOT DISTINCT FROM NEW.{quote(name)}" for name in key)
    body = f"""BEGIN
    IF TG_OP = 'TRUNCATE' THEN INSERT INTO {log} (tbl, key) VALUES ({number}, NULL);
    ELSIF TG_OP = 'DELETE' THEN {note("OLD")}
    ELSIF TG_OP = 'INSERT' THEN {note("NEW")}
    ELSE
        {note("NEW")}
        IF NOT ({same}) THEN {note("OLD")} END IF;
    END IF;
    RETURN NULL;
END"""
    # With the owner's rights, whoever writes; and with the spelling of values that the mover reads.
    raw.execute(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        f"SET DateStyle = 'ISO, YMD' SET TimeZone = 'UTC' SET IntervalStyle = 'postgres' SET bytea_output = 'hex' "
        f"SET extra_float_digits = 1 AS {literal(body)}".encode()
    )
    for name, event, each in (
        (_NAME, "INSERT OR UPDATE OR DELETE", "ROW"),
        (f"{_NAME}_all", "TRUNCATE", "STATEMENT"),
    ):
        when = f"AFTER {event} ON {quote(table)} FOR EACH {each}"
        raw.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}()".encode())
        raw.execute(f"ALTER TABLE {quote(table)} ENABLE ALWAYS TRIGGER {name}".encode())


def take_changes(raw: psycopg.Connection[Any]) -> list[tuple[int, list[str] | None]]:
    """Take what the log has out of it: (table's number, key); once if it was noted several times."""
    query = f"WITH taken AS (DELETE FROM {CHANGES} RETURNING tbl, key) SELECT DISTINCT tbl, key FROM taken"
    return raw.execute(query.encode()).fetchall()


def remove_capture(raw: psycopg.Connection[Any]) -> None:
    """Drop the change log and every capture trigger; nothing happens where there are none."""
    functions = raw.execute(
        "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace "
        "AND starts_with(p.proname, %s)",
        (_NAME,),
    ).fetchall()
    for (function,) in functions:
        raw.execute(f"DROP FUNCTION {function} CASCADE".encode())
    raw.execute(f"DROP TABLE IF EXISTS {CHANGES}".encode())
