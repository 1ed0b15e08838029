"""Keys, indexes and checks of an SQLite table in Postgres."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from .._dialects import POSTGRESQL, SQLITE, constraint_name
from ..errors import ConfigError
from ..schema.scan import Token, scan
from ._expressions import is_datatype_check, postgres_expression
from ._sqlite_catalog import Catalog, SQLiteForeignKey, SQLiteIndex, SQLiteTable
from ._types import canonical, family
from .plan import ColumnPlan, ForeignKeyPlan, IndexPlan, TablePlan

if TYPE_CHECKING:
    from ._plan_sqlite import _Planning

__all__ = ["plan_foreign_keys", "plan_indexes_and_checks", "referring_columns"]

_COMPARABLE = {
    "smallint": "integer", "bigint": "integer", "character varying": "text", "character": "text",
    "real": "double precision",
}  # fmt: skip


def _find(catalog: Catalog, name: str) -> SQLiteTable | None:
    return next((table for table in catalog.tables if table.name.lower() == name.lower()), None)


def _referred(key: SQLiteForeignKey, parent: SQLiteTable) -> list[str]:
    """The parent's columns that a foreign key goes to, as they are spelled there; [] where there are none such."""
    wanted = key.ref_columns or parent.primary_key
    names = {column.name.lower(): column.name for column in parent.columns}
    found = [names.get(name.lower(), "") for name in wanted]
    return found if len(found) == len(key.columns) and all(found) else []


def referring_columns(tables: Sequence[SQLiteTable], catalog: Catalog) -> set[tuple[str, str]]:
    """The (table, column) pairs that are foreign keys to columns declared integers."""
    found = set()
    for table in tables:
        for key in table.foreign_keys:
            parent = _find(catalog, key.ref_table)
            for column, referred in zip(key.columns, _referred(key, parent) if parent else (), strict=False):
                assert parent
                declared = next(item.declared for item in parent.columns if item.name == referred)
                if family(declared) == "integer":
                    found.add((table.name, column))
    return found


# -- foreign keys --------------------------------------------------------------------------------------------------


def plan_foreign_keys(planning: _Planning, table: SQLiteTable, *, profile: bool) -> None:
    """Plan a table's foreign keys; all tables are planned already."""
    planned = planning.plan.table(table.name)
    for key in table.foreign_keys:
        try:
            planned.foreign_keys.append(_foreign_key(planning, table, planned, key, profile=profile))
        except ConfigError as error:
            name = f"({', '.join(key.columns)}) → {key.ref_table}"
            planning.drop("foreign key", name, str(error), table.name)


def _foreign_key(
    planning: _Planning, table: SQLiteTable, planned: TablePlan, key: SQLiteForeignKey, *, profile: bool
) -> ForeignKeyPlan:
    parent = _find(planning.catalog, key.ref_table)
    if parent is None:
        raise ConfigError(f"there is no table {key.ref_table}")
    referred = _referred(key, parent)
    if not referred:
        raise ConfigError(f"{parent.name} has no such columns, or no primary key of as many")
    if not _is_unique(parent, referred):
        raise ConfigError(f"{parent.name} ({', '.join(referred)}) is not unique, so it cannot be referred to")
    mine = _columns(planned, key.columns)
    parent_plan = next((item for item in planning.plan.tables if item.name == parent.name), None)
    if parent_plan is None:
        if planning.names[parent.name] not in planning.target.tables:
            raise ConfigError(f"{parent.name} is neither in this transfer nor in the target")
        ref_columns = referred
    else:
        theirs = _columns(parent_plan, referred)
        for column, other in zip(mine, theirs, strict=True):
            if _comparison(column) != _comparison(other):
                raise ConfigError(
                    f"{column.name} is {column.type} and {other.name} is {other.type} in the target"
                )
        ref_columns = [column.target for column in theirs]
    orphans = _orphans(planning, table, parent, key, referred) if profile else 0
    return ForeignKeyPlan(
        columns=[column.target for column in mine],
        ref_table=planning.names[parent.name],
        ref_columns=ref_columns,
        on_delete=key.on_delete,
        on_update=key.on_update,
        deferrable=key.deferrable,
        orphans=orphans,
        valid=orphans == 0,
    )


def _columns(planned: TablePlan, names: Sequence[str]) -> list[ColumnPlan]:
    by_name = {column.name.lower(): column for column in planned.columns}
    try:
        return [by_name[name.lower()] for name in names]
    except KeyError as error:
        raise ConfigError(f"the column {error.args[0]} is not moved") from None


def _comparison(column: ColumnPlan) -> str:
    kind = canonical(column.type)[0]
    return _COMPARABLE.get(kind, kind)


def _is_unique(parent: SQLiteTable, columns: Sequence[str]) -> bool:
    wanted = {name.lower() for name in columns}
    if {name.lower() for name in parent.primary_key} == wanted:
        return True
    for index in parent.indexes:
        plain = all(name is not None for name, _, _ in index.parts)
        partial = index.sql is not None and _where(index.sql) is not None
        if (
            index.unique
            and plain
            and not partial
            and {(n or "").lower() for n, _, _ in index.parts} == wanted
        ):
            return True
    return False


def _orphans(
    planning: _Planning,
    table: SQLiteTable,
    parent: SQLiteTable,
    key: SQLiteForeignKey,
    referred: Sequence[str],
) -> int:
    quote = SQLITE.quote
    present = " AND ".join(f"c.{quote(name)} IS NOT NULL" for name in key.columns)
    same = " AND ".join(
        f"p.{quote(theirs)} = c.{quote(mine)}" for mine, theirs in zip(key.columns, referred, strict=True)
    )
    query = (
        f"SELECT count(*) FROM {quote(table.name)} c WHERE {present} "
        f"AND NOT EXISTS (SELECT 1 FROM {quote(parent.name)} p WHERE {same})"
    )
    try:
        return int(planning.raw.execute(query).fetchone()[0])
    except sqlite3.OperationalError as error:  # a collation of the app's own
        planning.plan.notes.append(
            f"orphans of {table.name} ({', '.join(key.columns)}) cannot be counted: {error}"
        )
        return 0


# -- indexes and checks --------------------------------------------------------------------------------------------


def plan_indexes_and_checks(
    planning: _Planning, table: SQLiteTable, planned: TablePlan, checked: Collection[str]
) -> None:
    """Plan a table's unique constraints, indexes and checks."""
    columns = {column.name.lower(): column for column in planned.columns}
    if planned.primary_key == [] and table.primary_key:
        key = [columns[name.lower()].target for name in table.primary_key]
        name = planning.relation(constraint_name(planned.target, key, "key"))
        planned.indexes.append(
            IndexPlan(name=name, parts=[POSTGRESQL.quote(part) for part in key], unique=True, constraint=True)
        )
    folded = [name for name in table.primary_key if _fold(columns[name.lower()]) is not None]
    if folded:
        _add_folded(planning, planned, [columns[name.lower()] for name in table.primary_key])
    for index in table.indexes:
        try:
            _index(planning, planned, index, columns)
        except ConfigError as error:
            kind = "unique constraint" if index.constraint else "index"
            planning.drop(kind, index.name, str(error), table.name, index.sql or "")
    _checks(planning, table, planned, columns, checked)


def _fold(column: ColumnPlan, collation: str | None = None) -> str | None:
    """The expression that is equal where SQLite's collation says so; None for BINARY, and for what is no text."""
    collation = collation or column.collation
    name = POSTGRESQL.quote(column.target)
    if canonical(column.type)[0] not in ("text", "character varying", "character"):
        return None
    # In the collation C only ASCII letters have a case, as in NOCASE.
    return {"NOCASE": f'lower({name} COLLATE "C")', "RTRIM": f"rtrim({name}, ' ')"}.get(collation)


def _add_folded(planning: _Planning, planned: TablePlan, columns: Sequence[ColumnPlan]) -> None:
    name = constraint_name(planned.target, [column.target for column in columns], "idx")
    parts = [_fold(column) or POSTGRESQL.quote(column.target) for column in columns]
    planned.indexes.append(IndexPlan(name=planning.relation(name), parts=parts, unique=True))


def _index(
    planning: _Planning, planned: TablePlan, index: SQLiteIndex, columns: dict[str, ColumnPlan]
) -> None:
    parts, folded = [], False
    texts = _index_parts(index.sql) if index.sql else []
    for place, (name, descending, collation) in enumerate(index.parts):
        if name is None:
            text = f"({postgres_expression(texts[place], columns)})"
        else:
            column = columns.get(name.lower())
            if column is None:
                raise ConfigError(f"the column {name} is not moved")
            fold = _fold(column, collation)
            folded |= fold is not None
            if collation not in ("BINARY", "NOCASE", "RTRIM"):
                raise ConfigError(f"the collation {collation} is the app's own")
            text = fold or POSTGRESQL.quote(column.target)
        parts.append(text + (" DESC" if descending else ""))
    where = _where(index.sql) if index.sql else None
    if where is not None:
        where = postgres_expression(where, columns, condition=True)
    if index.constraint:
        names = [columns[(name or "").lower()].target for name, _, _ in index.parts]
        if folded:
            # A foreign key can refer to plain columns only, so those are kept unique as well.
            _add_folded(planning, planned, [columns[(name or "").lower()] for name, _, _ in index.parts])
        name = planning.relation(constraint_name(planned.target, names, "key"))
        plain = [POSTGRESQL.quote(target) for target in names]
        planned.indexes.append(IndexPlan(name=name, parts=plain, unique=True, constraint=True))
        return
    planned.indexes.append(
        IndexPlan(name=planning.relation(index.name), parts=parts, unique=index.unique, where=where)
    )


def _index_parts(sql: str) -> list[str]:
    """The expressions between the parentheses of CREATE INDEX, without COLLATE, ASC and DESC."""
    tokens = [token for token in scan(sql) if token.kind != "comment"]
    start = next((place for place, token in enumerate(tokens) if token.is_op("(")), None)
    if start is None:
        return []
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[start:]:
        depth += token.is_op("(") - token.is_op(")")
        if depth == 0:
            break
        if depth == 1 and token.is_op(","):
            parts.append([])
        elif not (depth == 1 and token.is_op("(") and not parts[-1] and token is tokens[start]):
            parts[-1].append(token)
    texts = []
    for part in parts:
        while part and part[-1].is_word("ASC", "DESC"):
            part.pop()
        if len(part) > 2 and part[-2].is_word("COLLATE"):
            del part[-2:]
        texts.append(sql[part[0].start : part[-1].end] if part else "")
    return texts


def _where(sql: str) -> str | None:
    """The condition of a partial index."""
    depth = 0
    for token in scan(sql):
        depth += token.is_op("(") - token.is_op(")")
        if depth == 0 and token.is_word("WHERE"):
            return sql[token.end :].strip()
    return None


def _checks(
    planning: _Planning,
    table: SQLiteTable,
    planned: TablePlan,
    columns: dict[str, ColumnPlan],
    checked: Collection[str],
) -> None:
    taken: set[str] = set()
    for name, expression in table.checks:
        if any(is_datatype_check(name, table.name, column) for column in checked):
            continue  # the column's type says the same
        if _implied(expression, columns):
            continue
        try:
            text = postgres_expression(expression, columns, condition=True)
        except ConfigError as error:
            planning.drop("check", name or expression, str(error), table.name, expression)
            continue
        if name is None or name in taken:
            mentioned = [c.target for c in columns.values() if _mentions(expression, c.name)]
            name = constraint_name(planned.target, mentioned if len(mentioned) == 1 else (), "check", taken)
        taken.add(name)
        planned.checks.append({"name": name, "expression": text, "source": expression})


def _mentions(expression: str, column: str) -> bool:
    return any(
        token.kind in ("name", "word") and token.text.lower() == column.lower() for token in scan(expression)
    )


def _implied(expression: str, columns: dict[str, ColumnPlan]) -> bool:
    """``json_valid(x)`` of a column that is JSON in Postgres, with or without ``x IS NULL``."""
    tokens = [token for token in scan(expression) if token.kind in ("word", "name")]
    words = {token.text.lower() for token in tokens}
    if "json_valid" not in words or "and" in words or "not" in words:
        return False
    named = words - {"json_valid", "or", "is", "null"}
    return len(named) == 1 and columns.get(named.pop(), _NONE).conversion["kind"] == "json"


_NONE = ColumnPlan(name="", target="", declared="", type="", conversion={"kind": ""})
