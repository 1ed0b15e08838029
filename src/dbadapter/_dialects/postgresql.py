"""PostgreSQL: the queries of its catalog, and how their rows are read."""

from __future__ import annotations

from collections.abc import Mapping

from ..types import ColumnInfo, ForeignKeyInfo, IndexInfo, TableInfo
from .base import BOOKKEEPING_PREFIX, Dialect, Rows

__all__ = ["ACTIONS", "POSTGRESQL", "beside_parameters"]


def beside_parameters(sql: str) -> str:
    """SQL that stands in a statement with psycopg's ``%s``: a ``%`` in it (of a name, a literal) is none of those."""
    return sql.replace("%", "%%")


ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

# Partitions are parts of their table, and tables of an extension belong to the extension.
_OWN = f"""n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND left(c.relname, {len(BOOKKEEPING_PREFIX)}) <> '{BOOKKEEPING_PREFIX}'
    AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
        AND e.objid = c.oid AND e.deptype = 'e')"""
_CHOSEN = f"""(n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname = CAST(:tbl AS text)
    OR CAST(:tbl AS text) IS NULL AND {_OWN})"""
_FROM = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"

LIST_TABLES = f"""
SELECT c.relname::text AS name {_FROM}
WHERE {_OWN}
ORDER BY c.relname::text COLLATE "C\""""

COLUMNS = f"""
SELECT c.relname::text AS tbl, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS not_null, pg_get_expr(d.adbin, d.adrelid) AS dflt, a.attidentity::text AS identity,
    a.attgenerated::text AS generated, col_description(c.oid, a.attnum) AS comment,
    t.typname::text AS typname,
    CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base_type,
    (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
        WHERE e.enumtypid IN (t.oid, t.typelem)) AS labels,
    EXISTS (SELECT 1 FROM pg_constraint p WHERE p.conrelid = c.oid AND p.contype = 'p'
        AND a.attnum = ANY (p.conkey)) AS pk
{_FROM}
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE {_CHOSEN}
ORDER BY c.relname::text COLLATE "C", a.attnum"""

_NAMES = """ARRAY(SELECT a.attname::text FROM unnest({key}) WITH ORDINALITY k (num, place)
        JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = k.num ORDER BY k.place)"""

CONSTRAINTS = f"""
SELECT c.relname::text AS tbl, o.conname::text AS name, o.contype::text AS kind,
    {_NAMES.format(key="o.conkey", table="o.conrelid")} AS cols,
    r.relname::text AS ref_tbl, {_NAMES.format(key="o.confkey", table="o.confrelid")} AS ref_cols,
    o.confdeltype::text AS on_delete, o.confupdtype::text AS on_update, o.confmatchtype::text AS match_type,
    o.condeferrable AS is_deferrable, o.condeferred AS is_deferred, o.convalidated AS is_validated,
    pg_get_expr(o.conbin, o.conrelid) AS expression, r.relnamespace = c.relnamespace AS ref_same_schema
{_FROM}
JOIN pg_constraint o ON o.conrelid = c.oid AND o.contype IN ('p', 'u', 'f', 'c', 'x')
LEFT JOIN pg_class r ON r.oid = o.confrelid
WHERE {_CHOSEN}
ORDER BY c.relname::text COLLATE "C", o.conkey, o.conname::text COLLATE "C\""""

INDEXES = f"""
SELECT c.relname::text AS tbl, i.relname::text AS name, x.indisunique AS is_unique,
    x.indisprimary AS is_primary, m.amname::text AS method, pg_get_expr(x.indpred, x.indrelid) AS predicate,
    ARRAY(SELECT (SELECT a.attname::text FROM pg_attribute a
            WHERE a.attrelid = x.indrelid AND a.attnum = x.indkey[k - 1] AND a.attnum <> 0)
        FROM generate_series(1, x.indnkeyatts) k ORDER BY k) AS cols,
    o.conname::text AS constraint_name,
    x.indisvalid AS is_valid, pg_get_indexdef(x.indexrelid) AS sql
{_FROM}
JOIN pg_index x ON x.indrelid = c.oid
JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_am m ON m.oid = i.relam
LEFT JOIN pg_constraint o ON o.conindid = i.oid AND o.conrelid = c.oid AND o.contype IN ('p', 'u', 'x')
WHERE {_CHOSEN}
ORDER BY c.relname::text COLLATE "C", i.relname::text COLLATE "C\""""

TABLES = f"""
SELECT c.relname::text AS tbl, c.relkind::text AS kind, obj_description(c.oid, 'pg_class') AS comment
{_FROM}
WHERE {_CHOSEN}
ORDER BY c.relname::text COLLATE "C\""""


# What stands beside the tables: views, triggers, functions, types; for the record.
OTHERS = """
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'foreign table' END AS kind,
    c.relname::text AS name
FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm', 'f')
    AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass
        AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT 'trigger', g.tgname || ' on ' || c.relname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
WHERE c.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal
    AND left(c.relname, {size}) <> '{prefix}' AND left(g.tgname, {size}) <> '{prefix}'
UNION ALL
SELECT 'function', p.proname::text FROM pg_proc p
WHERE p.pronamespace = current_schema()::regnamespace AND left(p.proname, {size}) <> '{prefix}'
    AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_proc'::regclass
        AND e.objid = p.oid AND e.deptype = 'e')
ORDER BY 1, 2""".format(size=len(BOOKKEEPING_PREFIX), prefix=BOOKKEEPING_PREFIX)

# Enumeration types, with the tables that use each of them.
ENUMS = """
SELECT t.typname::text AS name,
    (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
        WHERE e.enumtypid = t.oid) AS labels,
    ARRAY(SELECT DISTINCT c.relname::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE a.atttypid IN (t.oid, t.typarray) AND NOT a.attisdropped AND c.relkind <> 'i') AS users
FROM pg_type t WHERE t.typtype = 'e' AND t.typnamespace = current_schema()::regnamespace
ORDER BY t.typname::text COLLATE "C\""""


def read_table(table: str, rows: Mapping[str, Rows]) -> TableInfo:
    """Read one table's rows of the catalog queries."""
    columns = tuple(
        ColumnInfo(
            name=row["name"],
            type=row["type"],
            nullable=not row["not_null"],
            default=None if row["generated"] else row["dflt"],
            primary_key=row["pk"],
            generated=bool(row["generated"]),
        )
        for row in rows["columns"]
    )
    keys = [row for row in rows["constraints"] if row["kind"] == "p"]
    return TableInfo(
        name=table,
        columns=columns,
        primary_key=tuple(keys[0]["cols"]) if keys else (),
        foreign_keys=tuple(
            ForeignKeyInfo(
                columns=tuple(row["cols"]),
                ref_table=row["ref_tbl"],
                ref_columns=tuple(row["ref_cols"]),
                on_delete=ACTIONS[row["on_delete"]],
                on_update=ACTIONS[row["on_update"]],
                name=row["name"],
            )
            for row in rows["constraints"]
            if row["kind"] == "f"
        ),
        indexes=tuple(
            IndexInfo(
                name=row["name"],
                columns=tuple(row["cols"]),
                unique=row["is_unique"],
                partial=row["predicate"] is not None,
            )
            for row in rows["indexes"]
            if not row["is_primary"]
        ),
    )


POSTGRESQL = Dialect(
    name="postgresql",
    list_tables=LIST_TABLES,
    catalog={"tables": TABLES, "columns": COLUMNS, "constraints": CONSTRAINTS, "indexes": INDEXES},
    others=OTHERS,
    enums=ENUMS,
    vectors="SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'vector')",
    serialize="SELECT pg_advisory_xact_lock(7211, hashtext('dbadapter.create_tables'))",
    ignores_case=False,
    keeps_text=False,
    drops_circles=True,
    read=read_table,
)
