"""Capture on Postgres: triggers that note the key of every row that changes, and every TRUNCATE.

Each table has a log of its own, whose columns have the key's types. A round reads and empties it in one transaction of
one snapshot: numbers of a sequence are not in the order of the commits, so that a cursor over them would lose what
commits late.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "count_changes",
    "empty_log",
    "functions",
    "install_log",
    "install_triggers",
    "log_columns",
    "log_of",
    "remove_capture",
    "remove_triggers",
    "take_truncations",
]

_TRUNCATIONS = "_dbadapter_changes"
_LOG = "_dbadapter_changes_"
_NAME = "_dbadapter_capture"

quote, literal = POSTGRESQL.quote, POSTGRESQL.literal


def log_of(number: int) -> str:
    """The log of the table that is called by this number: a row per change, with the key's columns."""
    return f"{_LOG}{number}"


def log_columns(width: int) -> list[str]:
    """The columns of a log, for a key of so many."""
    return [f"_dbadapter_k{place}" for place in range(width)]


def install_log(raw: psycopg.Connection[Any]) -> None:
    """Make the log of the tables that were emptied by TRUNCATE: their numbers."""
    raw.execute(f"CREATE TABLE {_TRUNCATIONS} (tbl int NOT NULL)".encode())


def install_triggers(raw: psycopg.Connection[Any], number: int, table: str, key: Sequence[str]) -> None:
    """Make a table's log and triggers, in a transaction of their own; it waits for those that write to the table."""
    function = quote(f"{_NAME}_{number}")
    row = raw.execute("SELECT quote_ident(current_schema())").fetchone()
    schema = row[0] if row else "public"
    columns = ", ".join(
        f"{quote(name)} AS {noted}" for name, noted in zip(key, log_columns(len(key)), strict=True)
    )
    raw.execute(
        f"CREATE TABLE {log_of(number)} AS SELECT {columns} FROM {quote(table)} WITH NO DATA".encode()
    )

    def note(which: str) -> str:
        values = ", ".join(f"{which}.{quote(name)}" for name in key)
        return f"INSERT INTO {schema}.{log_of(number)} VALUES ({values});"

    # By their text: another spelling of an equal key is another key to SQLite.
    same = " AND ".join(
        f"(OLD.{quote(name)}::text OPERATOR(pg_catalog.=) NEW.{quote(name)}::text) IS TRUE" for name in key
    )
    body = f"""BEGIN
    IF TG_OP = 'INSERT' THEN {note("NEW")}
    ELSIF TG_OP = 'DELETE' THEN {note("OLD")}
    ELSIF TG_OP = 'TRUNCATE' THEN INSERT INTO {schema}.{_TRUNCATIONS} VALUES ({number});
    ELSE
        {note("NEW")}
        IF NOT ({same}) THEN {note("OLD")} END IF;
    END IF;
    RETURN NULL;
END"""
    # With the owner's rights, whoever writes.
    raw.execute(
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER "
        f"AS {literal(body)}".encode()
    )
    steps = []
    for name, event, each in (
        (_NAME, "INSERT OR UPDATE OR DELETE", "ROW"),
        (f"{_NAME}_all", "TRUNCATE", "STATEMENT"),
    ):
        when = f"AFTER {event} ON {quote(table)} FOR EACH {each}"
        steps += [
            f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {function}()",
            f"ALTER TABLE {quote(table)} ENABLE ALWAYS TRIGGER {name}",
        ]
    raw.execute("; ".join(steps).encode())  # at one go: from the first on, writers wait


def count_changes(raw: psycopg.Connection[Any], numbers: Iterable[int]) -> dict[int, int]:
    """How many rows the tables' logs have, of those that have any."""
    counts = [f"SELECT {number}, count(*) FROM {log_of(number)}" for number in numbers]
    if not counts:
        return {}
    rows = raw.execute(" UNION ALL ".join(counts).encode()).fetchall()
    return {number: count for number, count in rows if count}


def empty_log(raw: psycopg.Connection[Any], number: int) -> None:
    """Take out of a log what the transaction that is open has seen of it: its isolation is REPEATABLE READ."""
    raw.execute(f"DELETE FROM {log_of(number)}".encode())


def take_truncations(raw: psycopg.Connection[Any]) -> set[int]:
    """Take out of the log which tables were emptied."""
    return {number for (number,) in raw.execute(f"DELETE FROM {_TRUNCATIONS} RETURNING tbl".encode())}


def functions(raw: psycopg.Connection[Any]) -> list[tuple[str, str | None]]:
    """The triggers' functions, each with its table."""
    return raw.execute(
        "SELECT p.oid::regprocedure::text, (SELECT min(t.tgrelid::regclass::text) FROM pg_trigger t "
        "WHERE t.tgfoid = p.oid) FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace "
        "AND starts_with(p.proname, %s)",
        (_NAME,),
    ).fetchall()


def remove_triggers(raw: psycopg.Connection[Any], function: str) -> None:
    """Drop a table's triggers with their function."""
    raw.execute(f"DROP FUNCTION IF EXISTS {function} CASCADE".encode())


def remove_capture(raw: psycopg.Connection[Any]) -> None:
    """Drop the logs and every capture trigger; nothing happens where there are none."""
    for function, _ in functions(raw):
        remove_triggers(raw, function)
    logs = raw.execute(
        "SELECT c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace "
        "AND c.relkind = 'r' AND starts_with(c.relname, %s)",
        (_TRUNCATIONS,),
    ).fetchall()
    if logs:
        raw.execute(f"DROP TABLE {', '.join(name for (name,) in logs)}".encode())
