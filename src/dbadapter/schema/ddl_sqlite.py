"""The model as SQLite's SQL."""

from __future__ import annotations

from collections.abc import Sequence

from .._dialects import SQLITE, datatype_constraint
from ..errors import ConfigError
from . import types as t
from .column import Column
from .constraints import Check, Index
from .ddl_constraints import foreign_key, primary_key, unique
from .expressions_to_sqlite import Kinds, kinds_of, to_sqlite
from .literals import sqlite_literal
from .sqlite_types import datatype_check, declared
from .table import Table

__all__ = ["NOW", "RANDOM_UUID", "statements"]

quote = SQLITE.quote

# Milliseconds in the form in which the adapter stores microseconds: six digits, and none if all are
# zero.
_FRACTION = "replace(strftime('{form}', 'now') || '000', '.000000', '')"
NOW: dict[type[t.Type], str] = {
    t.Timestamp: _FRACTION.format(form="%Y-%m-%d %H:%M:%f"),
    t.Time: _FRACTION.format(form="%H:%M:%f"),
    t.Date: "date('now')",
}
RANDOM_UUID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-' "
    "|| substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)


def statements(tables: Sequence[Table]) -> list[str]:
    """All statements that make the tables; SQLite lets a table refer to one made later."""
    made = [_create_table(table) for table in tables]
    for table in tables:
        made += [_create_index(table, index) for index in table.indexes if index.on_sqlite]
    return made


def _kinds(table: Table) -> Kinds:
    return kinds_of((column.name, column.type) for column in table.columns)


def _create_table(table: Table) -> str:
    try:
        lines = [*(_column(table, column) for column in table.columns), *_constraints(table)]
    except ConfigError as error:
        raise ConfigError(f"table {table.name!r}: {error}") from None
    # SQLite has no comments of its own but keeps the statement's text.
    opening = f" /* {_comment(table.comment)} */" if table.comment is not None else ""
    body = ",\n    ".join(lines)
    return f"CREATE TABLE {quote(table.name)} ({opening}\n    {body}\n)"


def _comment(text: str) -> str:
    """Comment text that cannot end the comment."""
    return text.replace("\\", "\\\\").replace("*/", "*\\/").replace("/*", "/\\*")


def _column(table: Table, column: Column) -> str:
    parts = [quote(column.name), declared(column.type)]
    if isinstance(column.type, t.Identity):
        parts.append(f"CONSTRAINT {quote(table.primary_key_name)} PRIMARY KEY")
        parts += ["AUTOINCREMENT"] if column.type.autoincrement else []
    elif not column.nullable:
        parts.append("NOT NULL")
    if column.generated is not None:
        parts.append(f"GENERATED ALWAYS AS ({to_sqlite(column.generated, _kinds(table))}) STORED")
    elif column.default is not None:
        parts.append(f"DEFAULT {_default(column)}")
    if condition := datatype_check(column.name, column.type):
        name = datatype_constraint(table.name, column.name)
        parts.append(f"CONSTRAINT {quote(name)} CHECK ({condition})")
    if column.comment is not None:
        parts.append(f"/* {_comment(column.comment)} */")
    return " ".join(parts)


def _default(column: Column) -> str:
    default, kind = column.default, column.type
    if isinstance(default, t.Sql):
        return f"({default.sqlite if default.sqlite is not None else to_sqlite(default.text)})"
    if isinstance(default, t.Now):
        return f"({NOW[type(kind)]})"
    if isinstance(default, t.RandomUuid):
        return f"({RANDOM_UUID})"
    return sqlite_literal(kind, default)


def _constraints(table: Table) -> list[str]:
    lines = []
    identity = any(isinstance(column.type, t.Identity) for column in table.columns)
    if table.primary_key and not identity:
        lines.append(primary_key(table))
    lines += map(unique, table.unique)
    lines += [line for item in table.checks if (line := _check(item, _kinds(table)))]
    return [*lines, *map(foreign_key, table.foreign_keys)]


def _check(check: Check, kinds: Kinds) -> str | None:
    if check.sqlite == "":
        return None
    try:
        text = check.sqlite if check.sqlite is not None else to_sqlite(check.expression, kinds)
    except ConfigError as error:
        raise ConfigError(f"check {check.name!r}: {error}") from None
    return f"CONSTRAINT {quote(check.name or '')} CHECK ({text})"


def _create_index(table: Table, index: Index) -> str:
    try:
        parts = []
        for part in index.parts:
            if part.expression is not None:
                text = f"({to_sqlite(part.expression, _kinds(table))})"
            else:
                text = quote(part.column or "")
            parts.append(text + (" DESC" if part.descending else ""))
        where = f" WHERE {to_sqlite(index.where, _kinds(table))}" if index.where is not None else ""
    except ConfigError as error:
        raise ConfigError(f"table {table.name!r}: index {index.name!r}: {error}") from None
    return (
        f"CREATE {'UNIQUE ' if index.unique else ''}INDEX {quote(index.name or '')} "
        f"ON {quote(table.name)} ({', '.join(parts)}){where}"
    )
