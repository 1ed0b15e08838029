"""A schema out of the rows of a live database's catalog."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._dialects import ACTIONS, Dialect, Rows, is_rowid_type
from . import types as t
from .constraints import Check, ForeignKey, Unique
from .drafts import ColumnDraft, Skipped, TableDraft, finish
from .read_index import read_index_text
from .read_table import read_definition
from .scan import scan, without_parentheses
from .script import Cursor
from .table import Table
from .type_names import postgresql_type

__all__ = ["read_catalog"]


def read_catalog(
    dialect: Dialect, rows: Mapping[str, Rows], others: Rows
) -> tuple[list[Table], list[Skipped]]:
    """The tables, and what is not kept of them and beside them.

    Args:
        dialect: the backend.
        rows: what its `catalog` queries gave, by part.
        others: what its `others` query gave: views, triggers and the like.
    """
    skipped = [
        Skipped(f"{row['kind']} {row['name']}", "not part of a table; create it with SQL of its own")
        for row in others
    ]
    drafts = {row["tbl"]: TableDraft(row["tbl"]) for row in rows["tables"]}
    if dialect.name == "sqlite":
        _sqlite(drafts, rows)
    else:
        _postgresql(drafts, rows)
    tables = [finish(draft, dialect.name, {}, skipped) for draft in drafts.values()]
    return [table for table in tables if table is not None], skipped


# -- PostgreSQL ----------------------------------------------------------------------------------------------


def _postgresql(drafts: dict[str, TableDraft], rows: Mapping[str, Rows]) -> None:
    for row in rows["tables"]:
        drafts[row["tbl"]].comment = row["comment"]
        if row["kind"] == "p":
            drafts[row["tbl"]].notes.append("its partitioning is not kept")
    for row in rows["columns"]:
        drafts[row["tbl"]].columns.append(_postgresql_column(drafts[row["tbl"]], row))
    for row in rows["constraints"]:
        _postgresql_constraint(drafts[row["tbl"]], row)
    for row in rows["indexes"]:
        if row["constraint_name"] is None:
            _index(drafts[row["tbl"]], row["sql"], fold=True)
            if not row["is_valid"]:
                drafts[row["tbl"]].notes.append(f"index {row['name']} is not valid in the database")


def _postgresql_column(draft: TableDraft, row: Mapping[str, Any]) -> ColumnDraft:
    text = row["base_type"] or row["type"]
    if row["base_type"]:
        draft.notes.append(f"column {row['name']}: the domain {row['type']} is kept as its base type {text}")
    kind: t.Type | None = None
    if row["labels"]:
        is_array = text.endswith("[]")
        kind = t.Enum(*row["labels"], name=row["typname"].removeprefix("_") if is_array else row["typname"])
        kind = t.Array(kind) if is_array else kind
    generated = without_parentheses(row["dflt"]) if row["generated"] else None
    return ColumnDraft(
        row["name"],
        text,
        kind=kind or postgresql_type(text, {}),
        not_null=row["not_null"],
        default=None if row["generated"] else row["dflt"],
        generated=generated,
        identity=bool(row["identity"]),
        comment=row["comment"],
    )


def _postgresql_constraint(draft: TableDraft, row: Mapping[str, Any]) -> None:
    columns, name = tuple(row["cols"]), row["name"]
    if row["kind"] == "p":
        draft.primary_key, draft.primary_key_name = columns, name
    elif row["kind"] == "u":
        draft.unique.append(Unique(columns, name))
        if row["is_deferrable"]:
            draft.notes.append(f"{name}: only foreign keys are kept deferrable")
    elif row["kind"] == "c":
        draft.checks.append(Check(without_parentheses(row["expression"]), name))
    elif row["kind"] == "f" and row["ref_same_schema"]:
        deferrable = None
        if row["is_deferrable"]:
            deferrable = "deferred" if row["is_deferred"] else "immediate"
        draft.foreign_keys.append(
            ForeignKey(
                columns,
                row["ref_tbl"],
                tuple(row["ref_cols"]),
                on_delete=ACTIONS[row["on_delete"]],
                on_update=ACTIONS[row["on_update"]],
                deferrable=deferrable,
                name=name,
            )
        )
    else:
        what = "it refers to another schema" if row["kind"] == "f" else "EXCLUDE is PostgreSQL's alone"
        draft.notes.append(f"{name} is not kept: {what}")
    if not row["is_validated"]:
        draft.notes.append(f"{name} is NOT VALID in the database")


def _index(draft: TableDraft, sql: str, *, fold: bool) -> None:
    try:
        _, index, notes = read_index_text(sql, fold=fold)
    except ValueError as error:
        draft.notes.append(f"not understood: {sql}: {error}")
        return
    draft.indexes.append(index)
    draft.notes += notes


# -- SQLite --------------------------------------------------------------------------------------------------


def _sqlite(drafts: dict[str, TableDraft], rows: Mapping[str, Rows]) -> None:
    for row in rows["tables"]:
        columns = [column for column in rows["columns"] if column["tbl"] == row["tbl"]]
        draft = _sqlite_table(row["tbl"], row["sql"], columns)
        if draft is None:
            draft = _sqlite_pragmas(row["tbl"], columns, rows)
        drafts[row["tbl"]] = draft
    seen = set()
    for row in rows["indexes"]:
        if row["origin"] == "c" and row["name"] not in seen:
            seen.add(row["name"])
            _index(drafts[row["tbl"]], row["sql"], fold=False)


def _sqlite_table(name: str, sql: str, columns: Rows) -> TableDraft | None:
    """What the statement says; None where it is not understood as SQLite understood it."""
    draft = TableDraft(name)
    tokens = scan(sql)
    cursor = Cursor(tokens, sql, fold=False)
    try:
        if not cursor.word("CREATE", "TABLE"):
            return None
        cursor.name()
        if not (opening := cursor.peek()) or not opening.is_op("("):
            return None
        read_definition(draft, cursor, tokens)
    except ValueError:
        return None
    found = [column.name for column in draft.columns]
    return draft if found == [column["name"] for column in columns] else None


def _sqlite_pragmas(name: str, columns: Rows, rows: Mapping[str, Rows]) -> TableDraft:
    """The table as the pragmas tell it: all but checks, names of constraints and generated columns."""
    draft = TableDraft(name, notes=["its CREATE TABLE was not understood: checks and comments are not kept"])
    for row in columns:
        draft.columns.append(
            ColumnDraft(row["name"], row["type"], not_null=bool(row["not_null"]), default=row["dflt"])
        )
        if row["hidden"]:
            draft.notes.append(f"column {row['name']}: it is generated, and kept as a plain column")
    key = {row["pk"]: row["name"] for row in columns if row["pk"]}
    draft.primary_key = tuple(key[place] for place in sorted(key))
    if len(key) == 1 and (column := draft.column(key[1])) and is_rowid_type(column.type):
        column.identity = True
    grouped: dict[Any, list[Mapping[str, Any]]] = {}
    for row in rows["foreign_keys"]:
        if row["tbl"] == name:
            grouped.setdefault(row["id"], []).append(row)
    for parts in grouped.values():
        ref_columns = tuple(part["ref_col"] for part in parts if part["ref_col"])
        draft.foreign_keys.append(
            ForeignKey(
                tuple(part["col"] for part in parts),
                parts[0]["ref_tbl"],
                ref_columns,
                on_delete=parts[0]["on_delete"],
                on_update=parts[0]["on_update"],
            )
        )
    unique: dict[str, list[str]] = {}
    for row in rows["indexes"]:
        if row["tbl"] == name and row["origin"] == "u":
            unique.setdefault(row["name"], []).append(row["col"])
    draft.unique += [Unique(tuple(names)) for names in unique.values()]
    return draft
