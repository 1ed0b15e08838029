"""Filters as SQL conditions over a collection's tables, every value bound.

SQLite compares values of the table of metadata values, which keeps their types apart: numbers compare
exactly, text by code point, and a bool is a one-byte BLOB, equal to bools only. Postgres compares jsonb,
whose numbers are exact decimals. A part that SQL cannot decide, or that is too large for it, is left out; then
the condition matches too much and says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attrs import frozen

from .filters import AllOf, AnyOf, Compare, Filter, HasItem, OneOf, Pattern, Scalar, Substring
from .metadata import scalar_json

__all__ = [
    "ANYTHING",
    "Condition",
    "both",
    "json_list",
    "postgres_condition",
    "sqlite_condition",
    "sqlite_value",
]

# What is larger is decided record by record: SQLite's parser takes expressions of a depth of 1,000 (a chain of ANDs is
# as deep as it is long) and a few dozen parentheses within each other; a statement takes 32,766 parameters.
_MOST_LEAVES, _MOST_LEVELS, _MOST_PARAMS = 400, 10, 10_000
_MANY_FLOATS = 1000
_FEW = 16
_SIGNS = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


@frozen
class Condition:
    """The text of a WHERE clause and its parameters.

    Attributes:
        exact: it matches precisely what its filter does; otherwise that and possibly more.
        leaves: how many conditions are joined in it.
        levels: how many parentheses stand within each other.
    """

    sql: str
    params: tuple[Any, ...] = ()
    exact: bool = True
    leaves: int = 1
    levels: int = 0


ANYTHING = Condition("TRUE")


def both(first: Condition, second: Condition) -> Condition:
    """The condition that both hold."""
    if first is ANYTHING or second is ANYTHING:
        return first if second is ANYTHING else second
    return Condition(
        f"{first.sql} AND {second.sql}", first.params + second.params, first.exact and second.exact
    )


def json_list(values: list[Any]) -> str:
    """Texts or integers as one JSON array, to be bound as one parameter however many they are."""
    return json.dumps(values, ensure_ascii=False)


def _combined(tree: AllOf | AnyOf, compiled: Callable[[Filter], Condition]) -> Condition:
    parts = [compiled(part) for part in tree.parts]
    word = " AND " if isinstance(tree, AllOf) else " OR "
    params = tuple(value for part in parts for value in part.params)
    leaves, levels = sum(part.leaves for part in parts), 1 + max(part.levels for part in parts)
    if leaves > _MOST_LEAVES or levels > _MOST_LEVELS or len(params) > _MOST_PARAMS:
        return Condition("TRUE", (), exact=False)
    sql = f"({word.join(part.sql for part in parts)})"
    return Condition(sql, params, all(part.exact for part in parts), leaves, levels)


# -- SQLite --------------------------------------------------------------------------------------------


def sqlite_value(value: Scalar) -> str | int | float | bytes:
    """A metadata value as the table of values holds it."""
    return (b"\x01" if value else b"\x00") if isinstance(value, bool) else value


def sqlite_condition(tree: Filter | None, values_table: str) -> Condition:
    """A condition on ``seq`` and ``document``.

    Args:
        tree: the filter.
        values_table: the quoted name of the collection's table of metadata values.
    """
    if tree is None:
        return ANYTHING
    if isinstance(tree, AllOf | AnyOf):
        return _combined(tree, lambda part: sqlite_condition(part, values_table))
    match tree:
        case Substring(text, negated):
            found = "ifnull(instr(document, ?), 0)"
            return Condition(f"{found} {'=' if negated else '>'} 0", (text,))
        case Pattern():
            return Condition("TRUE", (), exact=False)
        case Compare(key, order, value, negated):
            item, (test, params) = "item = 0", _sqlite_compare(order, value)
        case OneOf(key, values, negated):
            found_test = _sqlite_one_of(values)
            if found_test is None:
                return Condition("TRUE", (), exact=False)
            item, (test, params) = "item = 0", found_test
        case HasItem(key, value, negated):
            item, (test, params) = "item > 0", ("value = ?", (sqlite_value(value),))
    inside = f"SELECT seq FROM {values_table} WHERE key = ? AND {test} AND {item}"
    return Condition(f"seq {'NOT IN' if negated else 'IN'} ({inside})", (key, *params))


def _sqlite_compare(order: str, value: Scalar) -> tuple[str, tuple[Any, ...]]:
    if order == "eq":
        return "value = ?", (sqlite_value(value),)
    # Numbers sort before all text: below '' is nothing but numbers.
    return f"value {_SIGNS[order]} ? AND value < ''", (value,)


def _sqlite_one_of(values: tuple[Scalar, ...]) -> tuple[str, tuple[Any, ...]] | None:
    distinct = list(dict.fromkeys(values))
    kind = type(distinct[0])
    if kind in (str, int):
        return "value IN (SELECT value FROM json_each(?))", (json_list(distinct),)
    if len(distinct) > _MANY_FLOATS:
        return None
    marks = ", ".join("?" * len(distinct))
    return f"value IN ({marks})", tuple(map(sqlite_value, distinct))


# -- Postgres ------------------------------------------------------------------------------------------


def postgres_condition(tree: Filter | None) -> Condition:
    """A condition on ``metadata`` (jsonb) and ``document``; containment where a GIN index can serve it."""
    if tree is None:
        return ANYTHING
    if isinstance(tree, AllOf | AnyOf):
        return _combined(tree, postgres_condition)
    match tree:
        case Substring(text, negated):
            found = "coalesce(strpos(document, ?), 0)"
            return Condition(f"{found} {'=' if negated else '>'} 0", (text,))
        case Pattern():
            return Condition("TRUE", (), exact=False)
        case Compare(key, "eq", value, negated):
            positive, params = _contains(key, scalar_json(value))
        case Compare(key, order, value, negated):
            # jsonb orders its types as well, so the type has to be asked for.
            field = "(metadata -> CAST(? AS text))"
            positive = f"({field} {_SIGNS[order]} CAST(? AS jsonb) AND jsonb_typeof{field} = 'number')"
            params = (key, scalar_json(value), key)
        case OneOf(key, values, negated):
            positive, params = _postgres_one_of(key, values)
        case HasItem(key, value, negated):
            positive, params = _contains(key, f"[{scalar_json(value)}]")
    return Condition(f"({positive}) IS NOT TRUE" if negated else positive, params)


def _contains(key: str, value: str) -> tuple[str, tuple[Any, ...]]:
    return "metadata @> CAST(? AS jsonb)", (f"{{{json.dumps(key, ensure_ascii=False)}:{value}}}",)


def _postgres_one_of(key: str, values: tuple[Scalar, ...]) -> tuple[str, tuple[Any, ...]]:
    distinct = list(dict.fromkeys(values))
    if len(distinct) <= _FEW:
        tests = [_contains(key, scalar_json(value)) for value in distinct]
        return f"({' OR '.join(sql for sql, _ in tests)})", tuple(p for _, params in tests for p in params)
    listed = f"[{','.join(map(scalar_json, distinct))}]"
    inside = "SELECT jsonb_array_elements(CAST(? AS jsonb))"
    return f"(metadata -> CAST(? AS text)) IN ({inside})", (key, listed)
