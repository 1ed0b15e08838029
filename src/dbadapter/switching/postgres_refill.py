"""Filling tables that a Postgres database has already: what would be in the way is set aside, and put back later.

Foreign keys would cascade, unique indexes see rows of different moments, triggers act on rows that are only moved.
Their definitions stand in a table until they are back, so that an attempt that was cut short loses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL

if TYPE_CHECKING:
    import psycopg

__all__ = ["INDEXES", "LAST", "put_back", "set_aside"]

_SAVED = "_dbadapter_saved"
INDEXES, LAST = "indexes", "last"

_FOUND = """
SELECT %(last)s, 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname),
    'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' '
        || pg_get_constraintdef(oid) || CASE WHEN convalidated THEN ' NOT VALID' ELSE '' END,
    CASE WHEN convalidated
        THEN 'ALTER TABLE ' || conrelid::regclass || ' VALIDATE CONSTRAINT ' || quote_ident(conname) END
FROM pg_constraint WHERE contype = 'f' AND (conrelid = ANY(%(ids)s) OR confrelid = ANY(%(ids)s)) AND conparentid = 0
UNION ALL
SELECT %(indexes)s, 'ALTER TABLE ' || conrelid::regclass || ' DROP CONSTRAINT ' || quote_ident(conname),
    'ALTER TABLE ' || conrelid::regclass || ' ADD CONSTRAINT ' || quote_ident(conname) || ' '
        || pg_get_constraintdef(oid), NULL
FROM pg_constraint WHERE contype IN ('u', 'x') AND conrelid = ANY(%(ids)s)
UNION ALL
SELECT %(indexes)s, 'DROP INDEX ' || indexrelid::regclass, pg_get_indexdef(indexrelid), NULL
FROM pg_index WHERE indisunique AND NOT indisprimary AND indrelid = ANY(%(ids)s)
    AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = indexrelid)
UNION ALL
SELECT %(last)s, 'ALTER TABLE ' || tgrelid::regclass || ' DISABLE TRIGGER ' || quote_ident(tgname),
    'ALTER TABLE ' || tgrelid::regclass || ' ENABLE TRIGGER ' || quote_ident(tgname), NULL
FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = ANY(%(ids)s) AND tgenabled <> 'D'
    AND NOT starts_with(tgname, '_dbadapter_')
"""


def set_aside(raw: psycopg.Connection[Any], tables: Sequence[str]) -> None:
    """Take foreign keys, unique indexes and triggers off `tables`; a transaction is open."""
    names = [POSTGRESQL.quote(table) for table in tables]
    raw.execute(
        f"CREATE TABLE IF NOT EXISTS {_SAVED} (n bigserial, step text, back text, check_ text)".encode()
    )
    found = raw.execute(
        "SELECT array_agg(to_regclass(n)::oid) FROM unnest(%s::text[]) n", (names,)
    ).fetchone()
    values = {"ids": found[0] if found else [], "last": LAST, "indexes": INDEXES}
    for step, away, back, check in raw.execute(_FOUND.encode(), values).fetchall():
        raw.execute(away.encode())
        raw.execute(
            f"INSERT INTO {_SAVED} (step, back, check_) VALUES (%s, %s, %s)".encode(), (step, back, check)
        )


def put_back(raw: psycopg.Connection[Any], step: str) -> list[str]:
    """Put back what was set aside for `step`; statements that check it, to be run when nobody waits any more."""
    row = raw.execute("SELECT to_regclass(%s) IS NOT NULL", (_SAVED,)).fetchone()
    if not row or not row[0]:
        return []
    saved = raw.execute(
        f"SELECT back, check_ FROM {_SAVED} WHERE step = %s ORDER BY n".encode(), (step,)
    ).fetchall()
    for back, _ in saved:
        raw.execute(back.encode())
    raw.execute(f"DELETE FROM {_SAVED} WHERE step = %s".encode(), (step,))
    if step == LAST:
        raw.execute(f"DROP TABLE {_SAVED}".encode())
    return [check for _, check in saved if check]
