"""SQLite: the queries of its catalog, and how their rows are read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from ..types import ColumnInfo, ForeignKeyInfo, IndexInfo, TableInfo
from .base import BOOKKEEPING_PREFIX, Dialect, Rows

__all__ = ["SQLITE", "is_rowid_type"]

# A virtual table keeps its content in shadow tables named after it: nobody's to list. Asking by names
# rather than by `pragma_table_list` works with every SQLite and with virtual tables whose module is missing.
_FTS = ("data", "idx", "content", "docsize", "config", "segments", "segdir", "stat")
_RTREE = ("node", "parent", "rowid")
_SHADOWS = ", ".join(f"v.name || '_{part}'" for part in _FTS + _RTREE)
_OWN = f"""m.type = 'table' AND substr(m.name, 1, 7) <> 'sqlite_'
    AND substr(m.name, 1, {len(BOOKKEEPING_PREFIX)}) <> '{BOOKKEEPING_PREFIX}'"""
_NO_SHADOW = f"""NOT EXISTS (SELECT 1 FROM sqlite_master v WHERE v.type = 'table'
        AND v.sql LIKE 'CREATE VIRTUAL TABLE%' AND m.name IN ({_SHADOWS}))"""

# Pragmas on a virtual table load its module, which may be missing: unasked, they are left alone (rootpage 0).
_CHOSEN = f"""(m.type = 'table' AND m.name = :tbl
    OR :tbl IS NULL AND {_OWN} AND m.rootpage > 0 AND {_NO_SHADOW})"""

LIST_TABLES = f"SELECT m.name AS name FROM sqlite_master m WHERE {_OWN} AND {_NO_SHADOW} ORDER BY m.name"

COLUMNS = f"""
SELECT m.name AS tbl, c.name AS name, c.type AS type, c."notnull" AS not_null, c.dflt_value AS dflt,
    c.pk AS pk, c.hidden AS hidden
FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c
WHERE {_CHOSEN} AND c.hidden <> 1
ORDER BY m.name, c.cid"""

FOREIGN_KEYS = f"""
SELECT m.name AS tbl, f.id AS id, f."from" AS col, f."table" AS ref_tbl, f."to" AS ref_col,
    f.on_update AS on_update, f.on_delete AS on_delete,
    (SELECT p.name FROM pragma_table_info(f."table") p WHERE p.pk = f.seq + 1) AS implied
FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f
WHERE {_CHOSEN}
ORDER BY m.name, f.id DESC, f.seq"""

INDEXES = f"""
SELECT m.name AS tbl, i.name AS name, i."unique" AS is_unique, i.origin AS origin, i.partial AS partial,
    x.name AS col, x."desc" AS is_desc, x.coll AS coll,
    (SELECT s.sql FROM sqlite_master s WHERE s.type = 'index' AND s.name = i.name) AS sql
FROM sqlite_master m JOIN pragma_index_list(m.name) i JOIN pragma_index_xinfo(i.name) x
WHERE {_CHOSEN} AND x."key" = 1
ORDER BY m.name, i.name, x.seqno"""

TABLES = f"SELECT m.name AS tbl, m.sql AS sql FROM sqlite_master m WHERE {_CHOSEN} ORDER BY m.name"


# What stands beside the tables, for the record.
OTHERS = f"""
SELECT CASE m.type WHEN 'table' THEN 'virtual table' ELSE m.type END AS kind,
    m.name || CASE m.type WHEN 'trigger' THEN ' on ' || m.tbl_name ELSE '' END AS name
FROM sqlite_master m
WHERE (m.type IN ('view', 'trigger') OR m.type = 'table' AND m.rootpage = 0)
    AND substr(m.name, 1, {len(BOOKKEEPING_PREFIX)}) <> '{BOOKKEEPING_PREFIX}'
ORDER BY 1, 2"""


def read_table(table: str, rows: Mapping[str, Rows]) -> TableInfo:
    """Read one table's rows of the catalog queries."""
    key = {row["pk"]: row["name"] for row in rows["columns"] if row["pk"]}
    columns = tuple(
        ColumnInfo(
            name=row["name"],
            type=row["type"],
            # The rowid alias is never NULL; other key columns of SQLite may be unless they say NOT NULL.
            nullable=not row["not_null"] and not (row["pk"] and len(key) == 1 and is_rowid_type(row["type"])),
            default=row["dflt"],
            primary_key=bool(row["pk"]),
            generated=row["hidden"] in (2, 3),
        )
        for row in rows["columns"]
    )
    return TableInfo(
        name=table,
        columns=columns,
        primary_key=tuple(key[place] for place in sorted(key)),
        foreign_keys=_foreign_keys(rows["foreign_keys"]),
        indexes=_indexes(rows["indexes"]),
    )


def is_rowid_type(declared: str) -> bool:
    """Whether a lone primary key of that declared type is another name of the rowid."""
    return declared.upper() == "INTEGER"


def _foreign_keys(rows: Rows) -> tuple[ForeignKeyInfo, ...]:
    keys: dict[int, list[Mapping[str, object]]] = defaultdict(list)
    for row in rows:
        keys[row["id"]].append(row)
    return tuple(
        ForeignKeyInfo(
            columns=tuple(str(row["col"]) for row in key),
            ref_table=str(key[0]["ref_tbl"]),
            ref_columns=tuple(str(row["ref_col"] or row["implied"] or "") for row in key),
            on_delete=str(key[0]["on_delete"]),
            on_update=str(key[0]["on_update"]),
        )
        for key in keys.values()
    )


def _indexes(rows: Rows) -> tuple[IndexInfo, ...]:
    indexes: dict[str, list[Mapping[str, object]]] = defaultdict(list)
    for row in rows:
        if row["origin"] != "pk":
            indexes[row["name"]].append(row)
    return tuple(
        IndexInfo(
            name=name,
            columns=tuple(None if row["col"] is None else str(row["col"]) for row in parts),
            unique=bool(parts[0]["is_unique"]),
            partial=bool(parts[0]["partial"]),
        )
        for name, parts in indexes.items()
    )


SQLITE = Dialect(
    name="sqlite",
    list_tables=LIST_TABLES,
    catalog={"tables": TABLES, "columns": COLUMNS, "foreign_keys": FOREIGN_KEYS, "indexes": INDEXES},
    others=OTHERS,
    enums=None,
    vectors=None,
    serialize=None,
    ignores_case=True,
    keeps_text=True,
    drops_circles=False,
    read=read_table,
)
