"""What a Postgres database consists of, read from its catalogs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._dialects import POSTGRESQL
from .._dialects.base import BOOKKEEPING_PREFIX

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "PostgresColumn",
    "PostgresTable",
    "catalog_rows",
    "column_names",
    "empty_tables",
    "has_vectors",
    "index_names",
    "read_others",
    "read_tables",
    "system_relations",
    "type_names",
]


@define
class PostgresColumn:
    """A column; `type` is what ``format_type`` says, a domain's base type in `base`."""

    name: str
    type: str
    not_null: bool
    default: str | None
    identity: bool
    generated: bool
    base: str | None
    labels: list[str] | None
    comment: str | None


@define
class PostgresTable:
    """A table with its rows of `POSTGRESQL.catalog`."""

    name: str
    comment: str | None
    columns: list[PostgresColumn] = field(factory=list)
    constraints: list[dict[str, Any]] = field(factory=list)
    indexes: list[dict[str, Any]] = field(factory=list)

    @property
    def primary_key(self) -> list[str]:
        """The columns of the primary key."""
        return next((list(row["cols"]) for row in self.constraints if row["kind"] == "p"), [])


def _rows(raw: psycopg.Connection[Any], query: str) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with raw.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode()).fetchall()


def catalog_rows(raw: psycopg.Connection[Any]) -> dict[str, list[dict[str, Any]]]:
    """What the queries of `POSTGRESQL.catalog` give for all tables of the current schema but the library's own."""
    return {
        name: _rows(raw, query.replace("CAST(:tbl AS text)", "CAST(NULL AS text)"))
        for name, query in POSTGRESQL.catalog.items()
    }


def read_tables(raw: psycopg.Connection[Any]) -> dict[str, PostgresTable]:
    """The tables of the current schema but the library's own, by name."""
    parts = catalog_rows(raw)
    tables = {row["tbl"]: PostgresTable(row["tbl"], row["comment"]) for row in parts["tables"]}
    for row in parts["columns"]:
        serial = (row["dflt"] or "").startswith("nextval(")
        tables[row["tbl"]].columns.append(
            PostgresColumn(
                name=row["name"],
                type=row["type"],
                not_null=row["not_null"],
                default=None if serial or row["generated"] else row["dflt"],
                identity=bool(row["identity"]) or serial,
                generated=bool(row["generated"]),
                base=row["base_type"],
                labels=row["labels"],
                comment=row["comment"],
            )
        )
    for row in parts["constraints"]:
        tables[row["tbl"]].constraints.append(row)
    for row in parts["indexes"]:
        tables[row["tbl"]].indexes.append(row)
    return tables


def column_names(raw: psycopg.Connection[Any], table: str) -> set[str]:
    """The names of a table's columns; none if there is no such table."""
    query = (
        "SELECT attname::text FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    return {name for (name,) in raw.execute(query.encode(), (POSTGRESQL.quote(table),)).fetchall()}


def empty_tables(raw: psycopg.Connection[Any], names: list[str]) -> set[str]:
    """Those of the tables that have no row."""
    found = set()
    for name in names:
        row = raw.execute(f"SELECT EXISTS (SELECT FROM {POSTGRESQL.quote(name)})".encode()).fetchone()
        if row and not row[0]:
            found.add(name)
    return found


def has_vectors(raw: psycopg.Connection[Any]) -> bool:
    """Whether pgvector is there or can be had."""
    row = raw.execute("SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'vector')").fetchone()
    return bool(row and row[0])


def type_names(raw: psycopg.Connection[Any]) -> set[str]:
    """The names of all types that a column can have, as ``format_type`` writes them."""
    query = "SELECT format_type(oid, NULL) FROM pg_type WHERE typtype IN ('b', 'd', 'e', 'r', 'm', 'c')"
    return {name for (name,) in raw.execute(query.encode()).fetchall()}


def system_relations(raw: psycopg.Connection[Any]) -> set[str]:
    """The names of the server's own tables, views and indexes."""
    query = "SELECT relname::text FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"
    return {name for (name,) in raw.execute(query.encode()).fetchall()}


def index_names(raw: psycopg.Connection[Any]) -> dict[str, str]:
    """The names of the current schema's indexes, each with its table."""
    query = (
        "SELECT c.relname::text, t.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "JOIN pg_class t ON t.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace"
    )
    return dict(raw.execute(query.encode()).fetchall())


_OTHERS = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
        ELSE 'sequence' END, c.relname::text, '',
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) ELSE '' END
FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm', 'f', 'S')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.deptype IN ('e', 'a', 'i'))
UNION ALL
SELECT 'function', p.proname::text, '', ''
FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.deptype = 'e')
UNION ALL
SELECT 'trigger', t.tgname::text, c.relname::text, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'policy', p.polname::text, c.relname::text, ''
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
WHERE c.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT 'schema', n.nspname::text, '', count(*)::text || ' tables'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname <> current_schema()
    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg\\_temp%'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
        AND d.deptype = 'e')
GROUP BY n.nspname
ORDER BY 1, 2"""


def read_others(raw: psycopg.Connection[Any]) -> list[tuple[str, str, str, str]]:
    """Everything that is no table of the current schema, as (kind, name, table, SQL)."""
    # A function with several signatures is one entry.
    others = {(kind, name, table): sql or "" for kind, name, table, sql in raw.execute(_OTHERS).fetchall()}
    return [(*key, sql) for key, sql in others.items() if not key[1].startswith(BOOKKEEPING_PREFIX)]
