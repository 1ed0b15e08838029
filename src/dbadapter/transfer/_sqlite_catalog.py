"""What an SQLite database consists of, read with its pragmas and from its schema table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import pairwise

from attrs import define, field

from .._dialects import SQLITE
from .._dialects.base import BOOKKEEPING_PREFIX
from ._sqlite_ddl import ColumnText, TableText, read_create_table

__all__ = [
    "SQLiteColumn",
    "SQLiteForeignKey",
    "SQLiteIndex",
    "SQLiteObject",
    "SQLiteTable",
    "column_names",
    "read_catalog",
]


@define
class SQLiteColumn:
    """A column; `generated` is the expression of a computed one."""

    name: str
    declared: str
    not_null: bool
    default: str | None
    generated: str | None = None
    collation: str = "BINARY"


@define
class SQLiteForeignKey:
    """A foreign key; `ref_columns` is empty where it goes to the primary key."""

    columns: list[str]
    ref_table: str
    ref_columns: list[str]
    on_update: str
    on_delete: str
    deferrable: str | None = None


@define
class SQLiteIndex:
    """An index or UNIQUE constraint; a part is (column or None, descending, collation)."""

    name: str
    unique: bool
    constraint: bool
    parts: list[tuple[str | None, bool, str]]
    sql: str | None


@define
class SQLiteTable:
    """A table, or a virtual table whose rows can be read."""

    name: str
    sql: str
    columns: list[SQLiteColumn] = field(factory=list)
    primary_key: list[str] = field(factory=list)
    rowid_alias: str | None = None
    has_rowid: bool = True
    autoincrement: bool = False
    foreign_keys: list[SQLiteForeignKey] = field(factory=list)
    indexes: list[SQLiteIndex] = field(factory=list)
    checks: list[tuple[str | None, str]] = field(factory=list)
    virtual: str | None = None

    @property
    def rowid_name(self) -> str | None:
        """A name under which the rowid can be read; None where there is none."""
        if self.rowid_alias is not None:
            return self.rowid_alias
        if not self.has_rowid:
            return None
        taken = {column.name.lower() for column in self.columns}
        return next((name for name in ("rowid", "_rowid_", "oid") if name not in taken), None)


@define
class SQLiteObject:
    """Something that is no table: a view, a trigger, a virtual table; `reason` says why it stays behind."""

    kind: str
    name: str
    table: str
    sql: str
    reason: str


@define
class Catalog:
    """All of a database."""

    tables: list[SQLiteTable] = field(factory=list)
    others: list[SQLiteObject] = field(factory=list)


# What ``pragma_table_xinfo`` says of generated columns, virtual and stored, in the column "hidden".
_GENERATED = (2, 3)

# Search indexes over rows of their own: those rows are data.
_READABLE_MODULES = ("fts3", "fts4", "fts5", "rtree", "rtree_i32", "geopoly")
_SHADOWS = {
    "fts": ("data", "idx", "content", "docsize", "config", "segments", "segdir", "stat"),
    "rtr": ("node", "parent", "rowid"),
    "geo": ("node", "parent", "rowid"),
}


def read_catalog(raw: sqlite3.Connection) -> Catalog:
    """Read everything but the rows; objects that cannot be read are listed, with the reason."""
    found = Catalog()
    rows = raw.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid").fetchall()
    virtual = {name: sql for kind, name, _, sql in rows if kind == "table" and _is_virtual(sql)}
    shadows = _shadow_names(raw, virtual)
    for kind, name, table, sql in rows:
        if name.startswith(("sqlite_", BOOKKEEPING_PREFIX)) or kind == "index" or name in shadows:
            continue
        if kind == "table" and name in virtual:
            _virtual_table(raw, name, sql, found)
        elif kind == "table":
            found.tables.append(_table(raw, name, sql))
        else:
            reason = {"view": "views are queries of their database", "trigger": "triggers are code"}[kind]
            found.others.append(
                SQLiteObject(kind, name, table, sql or "", f"{reason}; rewrite it for the target")
            )
    return found


def column_names(raw: sqlite3.Connection, table: str) -> set[str]:
    """The names of a table's columns, and of the rowid; none if there is no such table."""
    found = {name for (name,) in raw.execute("SELECT name FROM pragma_table_xinfo(?)", (table,))}
    return found | {"rowid"} if found else found


def _is_virtual(sql: str | None) -> bool:
    return (sql or "").lstrip()[:20].upper().startswith("CREATE VIRTUAL TABLE")


def _module(sql: str) -> str:
    from ..schema.scan import scan

    tokens = scan(sql)
    for token, after in pairwise(tokens):
        if token.is_word("USING"):
            return after.text.lower()
    return ""


def _shadow_names(raw: sqlite3.Connection, virtual: dict[str, str]) -> set[str]:
    """The tables in which virtual tables keep their content."""
    if sqlite3.sqlite_version_info >= (3, 37):
        query = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'"
        return {row[0] for row in raw.execute(query)}
    return {f"{name}_{part}" for name, sql in virtual.items() for part in _SHADOWS.get(_module(sql)[:3], ())}


def _virtual_table(raw: sqlite3.Connection, name: str, sql: str, found: Catalog) -> None:
    module = _module(sql)
    reason = None
    if module not in _READABLE_MODULES:
        reason = f"a virtual table of the module {module!r}, which has no rows of its own"
    elif "content" in "".join(sql.lower().split()) and _content_elsewhere(sql):
        reason = "a search index over another table's rows, which are moved with that table"
    else:
        try:
            raw.execute(f"SELECT * FROM {SQLITE.quote(name)} LIMIT 1").fetchone()
        except sqlite3.Error as error:
            reason = f"it cannot be read: {error}"
    if reason:
        found.others.append(SQLiteObject("virtual table", name, name, sql, reason))
        return
    table = _table(raw, name, sql, shown=(0,))
    table.virtual = module
    if module.startswith("fts") and "rowid" not in {column.name.lower() for column in table.columns}:
        # Other tables refer to a search index's rows by their rowid.
        table.columns.insert(0, SQLiteColumn("rowid", "INTEGER", True, None))
        table.primary_key, table.rowid_alias = ["rowid"], "rowid"
    found.tables.append(table)
    what = "spatial index" if module.startswith(("rtree", "geo")) else "search index"
    reason = f"its rows are moved as a plain table; the {what} itself cannot be"
    found.others.append(SQLiteObject("virtual table", name, name, sql, reason))


def _content_elsewhere(sql: str) -> bool:
    from ..schema.scan import scan

    tokens = scan(sql)
    return any(token.is_word("CONTENT") and after.is_op("=") for token, after in pairwise(tokens))


def _table(
    raw: sqlite3.Connection, name: str, sql: str, shown: tuple[int, ...] = (0, *_GENERATED)
) -> SQLiteTable:
    text = TableText() if _is_virtual(sql) else read_create_table(sql)
    table = SQLiteTable(name, sql, checks=text.checks)
    keys: dict[int, str] = {}
    rows = raw.execute(
        'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)', (name,)
    )
    for column, declared, not_null, default, pk, hides in rows.fetchall():
        if hides not in shown:
            continue
        said = text.columns.get(column.lower(), ColumnText())
        table.columns.append(
            SQLiteColumn(
                name=column,
                declared=declared,
                not_null=bool(not_null),
                default=None if hides else default,
                generated=(said.generated or None) if hides in _GENERATED else None,
                collation=said.collation or "BINARY",
            )
        )
        table.autoincrement |= said.autoincrement
        if pk:
            keys[pk] = column
    table.primary_key = [keys[place] for place in sorted(keys)]
    table.has_rowid = _has_rowid(raw, name)
    table.indexes = list(_indexes(raw, name))
    by_name = {column.name: column for column in table.columns}
    if len(keys) == 1 and table.has_rowid and by_name[table.primary_key[0]].declared.upper() == "INTEGER":
        # A key declared INTEGER ... DESC has an index of its own and is no rowid, by an old accident.
        origins = raw.execute("SELECT origin FROM pragma_index_list(?)", (name,)).fetchall()
        if ("pk",) not in origins:
            table.rowid_alias = table.primary_key[0]
    table.foreign_keys = _foreign_keys(raw, name, text)
    return table


def _has_rowid(raw: sqlite3.Connection, name: str) -> bool:
    columns = {row[0].lower() for row in raw.execute("SELECT name FROM pragma_table_info(?)", (name,))}
    for rowid in ("rowid", "_rowid_", "oid"):
        if rowid not in columns:
            try:
                raw.execute(f"SELECT {rowid} FROM {SQLITE.quote(name)} LIMIT 0")
            except sqlite3.OperationalError:
                return False
            return True
    return False  # all three names are taken, so it cannot be asked for


def _indexes(raw: sqlite3.Connection, table: str) -> Iterator[SQLiteIndex]:
    query = 'SELECT name, "unique", origin FROM pragma_index_list(?) ORDER BY seq DESC'
    for name, unique, origin in raw.execute(query, (table,)).fetchall():
        if origin == "pk":
            continue
        parts = raw.execute(
            'SELECT name, "desc", coll FROM pragma_index_xinfo(?) WHERE "key" ORDER BY seqno', (name,)
        ).fetchall()
        sql = raw.execute(
            "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?", (name,)
        ).fetchone()
        yield SQLiteIndex(
            name=name,
            unique=bool(unique),
            constraint=origin == "u",
            parts=[
                (column, bool(descending), (collation or "BINARY").upper())
                for column, descending, collation in parts
            ],
            sql=sql[0] if sql else None,
        )


def _foreign_keys(raw: sqlite3.Connection, table: str, text: TableText) -> list[SQLiteForeignKey]:
    query = (
        'SELECT id, "table", "from", "to", on_update, on_delete FROM pragma_foreign_key_list(?) '
        "ORDER BY id DESC, seq"
    )
    found: dict[int, SQLiteForeignKey] = {}
    for number, ref_table, column, ref_column, on_update, on_delete in raw.execute(
        query, (table,)
    ).fetchall():
        key = found.setdefault(number, SQLiteForeignKey([], ref_table, [], on_update, on_delete))
        key.columns.append(column)
        if ref_column is not None:
            key.ref_columns.append(ref_column)
    keys = list(found.values())
    if len(keys) == len(text.deferrable):
        for key, deferrable in zip(keys, text.deferrable, strict=True):
            key.deferrable = deferrable
    return keys
