"""What differs between the schema as it should be and as it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from attrs import frozen

from .column import Column
from .constraints import Check, ForeignKey, Index, Part, Unique
from .expressions import same_expression
from .table import Table

__all__ = ["Difference", "differences"]


@frozen
class Difference:
    """One thing that is not as the schema says.

    Attributes:
        kind: what it is about: ``missing_table``, ``missing_column``, ``extra_column``, ``type``,
            ``nullable``, ``default``, ``generated``, ``primary_key``, ``comment``, and ``missing_`` or
            ``extra_`` ``unique``, ``check``, ``foreign_key`` or ``index``.
        table: the table.
        column: the column, where it is about one.
        expected: what the schema says, or None.
        found: what the database has, or None.
    """

    kind: str
    table: str
    column: str | None = None
    expected: Any = None
    found: Any = None

    def __str__(self) -> str:
        place = self.table if self.column is None else f"{self.table}.{self.column}"
        if self.kind.startswith("missing_"):
            what = self.kind.removeprefix("missing_").replace("_", " ")
            return f"{place}: the {what} is missing" + ("" if self.expected is None else f": {self.expected}")
        if self.kind.startswith("extra_"):
            what = self.kind.removeprefix("extra_").replace("_", " ")
            return f"{place}: a {what} the schema does not have" + (
                "" if self.found is None else f": {self.found}"
            )
        what = self.kind.replace("_", " ")
        return f"{place}: {what} is {_shown(self.found)}, should be {_shown(self.expected)}"


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(str, value))})"
    return "none" if value is None else str(value)


def differences(expected: Iterable[Table], found: Iterable[Table], *, on_sqlite: bool) -> list[Difference]:
    """All differences, table by table; tables that only the database has are left out.

    Args:
        expected: the schema's tables.
        found: the database's.
        on_sqlite: whether to leave out what only PostgreSQL has (order of NULLs, index methods).
    """
    by_name = {table.name: table for table in found}
    result: list[Difference] = []
    for table in expected:
        other = by_name.get(table.name)
        if other is None:
            result.append(Difference("missing_table", table.name))
        else:
            result += _of_table(table, other, on_sqlite=on_sqlite)
    return result


def _of_table(expected: Table, found: Table, *, on_sqlite: bool) -> list[Difference]:
    name = expected.name
    result = _of_columns(expected, found)
    if expected.primary_key != found.primary_key:
        result.append(
            Difference(
                "primary_key", name, expected=expected.primary_key or None, found=found.primary_key or None
            )
        )
    result += _of_sets("unique", name, expected.unique, found.unique, _same_unique, _unique_text)
    result += _of_sets(
        "check", name, expected.checks, found.checks, _same_check, lambda check: check.expression
    )
    result += _of_sets("foreign_key", name, expected.foreign_keys, found.foreign_keys, _same_key, _key_text)
    wanted = [index for index in expected.indexes if index.on_sqlite or not on_sqlite]

    def same_index(one: Index, two: Index) -> bool:
        return _same_index(one, two, on_sqlite=on_sqlite)

    result += _of_sets("index", name, wanted, found.indexes, same_index, _index_text)
    if expected.comment != found.comment:
        result.append(Difference("comment", name, expected=expected.comment, found=found.comment))
    return result


def _of_columns(expected: Table, found: Table) -> list[Difference]:
    result = []
    there = {column.name: column for column in found.columns}
    for column in expected.columns:
        other = there.pop(column.name, None)
        if other is None:
            result.append(Difference("missing_column", expected.name, column.name, expected=column.type))
        else:
            result += _of_column(expected.name, column, other)
    result += [
        Difference("extra_column", expected.name, column.name, found=column.type) for column in there.values()
    ]
    return result


def _of_column(table: str, expected: Column, found: Column) -> list[Difference]:
    result = []
    for kind in ("type", "nullable", "default", "comment"):
        one, two = getattr(expected, kind), getattr(found, kind)
        if one != two:
            result.append(Difference(kind, table, expected.name, one, two))
    if not same_expression(expected.generated, found.generated):
        result.append(Difference("generated", table, expected.name, expected.generated, found.generated))
    return result


def _of_sets(
    kind: str,
    table: str,
    expected: Sequence[Part],
    found: Sequence[Part],
    same: Callable[[Part, Part], bool],
    text: Callable[[Part], str],
) -> list[Difference]:
    """Match each expected item with one found, whatever their names."""
    rest: list[Part] = list(found)
    missing: list[Part] = []
    for item in expected:
        match = next((other for other in rest if same(item, other)), None)
        if match is None:
            missing.append(item)
        else:
            rest.remove(match)
    return [
        *(Difference(f"missing_{kind}", table, _column_of(item), expected=text(item)) for item in missing),
        *(Difference(f"extra_{kind}", table, _column_of(item), found=text(item)) for item in rest),
    ]


def _column_of(item: object) -> str | None:
    return item.columns[0] if isinstance(item, (Unique, ForeignKey)) and len(item.columns) == 1 else None


def _same_unique(one: Unique, two: Unique) -> bool:
    return sorted(one.columns) == sorted(two.columns)


def _unique_text(item: Unique) -> str:
    return f"({', '.join(item.columns)})"


def _same_check(one: Check, two: Check) -> bool:
    return same_expression(one.expression, two.expression)


def _same_key(one: ForeignKey, two: ForeignKey) -> bool:
    return (
        sorted(zip(one.columns, one.ref_columns, strict=True))
        == sorted(zip(two.columns, two.ref_columns, strict=True))
        and one.table == two.table
        and (one.on_delete, one.on_update, one.deferrable) == (two.on_delete, two.on_update, two.deferrable)
    )


def _key_text(key: ForeignKey) -> str:
    text = f"({', '.join(key.columns)}) -> {key.table} ({', '.join(key.ref_columns)})"
    text += "" if key.on_delete == "NO ACTION" else f" on delete {key.on_delete.lower()}"
    text += "" if key.on_update == "NO ACTION" else f" on update {key.on_update.lower()}"
    return text + (f" deferrable {key.deferrable}" if key.deferrable else "")


def _same_index(one: Index, two: Index, *, on_sqlite: bool) -> bool:
    if (
        one.unique != two.unique
        or not same_expression(one.where, two.where)
        or len(one.parts) != len(two.parts)
    ):
        return False
    if not on_sqlite and one.using != two.using:
        return False
    for part, other in zip(one.parts, two.parts, strict=True):
        if part.column != other.column or part.descending != other.descending:
            return False
        if not same_expression(part.expression, other.expression):
            return False
        if not on_sqlite and (part.nulls, part.opclass) != (other.nulls, other.opclass):
            return False
    return True


def _index_text(index: Index) -> str:
    parts = [
        (part.column if part.column is not None else str(part.expression))
        + (" desc" if part.descending else "")
        for part in index.parts
    ]
    where = f" where {index.where}" if index.where is not None else ""
    return f"{'unique ' if index.unique else ''}{index.name} ({', '.join(parts)}){where}"
