"""A page of a table's rows: the query that a URL asks for. Names come from the database, values are bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ..errors import DatabaseAdapterError
from ..types import ColumnInfo, TableInfo

if TYPE_CHECKING:
    from .._dialects import Dialect

__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT", "BadRequest", "RowsQuery", "rows_query"]

DEFAULT_LIMIT, MAX_LIMIT = 100, 1000
MAX_OFFSET = 2**63 - 1


class BadRequest(DatabaseAdapterError, ValueError):
    """The URL asks for something that cannot be; the message says what."""


@attrs.frozen
class RowsQuery:
    """A statement with its parameters, for a page of `limit` rows and one more, which tells whether there are more."""

    sql: str
    params: Mapping[str, Any]
    limit: int
    offset: int


def rows_query(dialect: Dialect, table: TableInfo, arguments: Sequence[tuple[str, str]]) -> RowsQuery:
    """The query for a page of `table`.

    Args:
        dialect: the backend's.
        table: as the database describes it.
        arguments: of the URL: ``limit``, ``offset``, and columns with the value they are to have.

    Raises `BadRequest`.
    """
    given: dict[str, str] = {}
    for name, text in arguments:
        if name in given:
            raise BadRequest(f"{name} is given twice")
        given[name] = text
    limit = _number("limit", given.pop("limit", str(DEFAULT_LIMIT)), 1, MAX_LIMIT)
    offset = _number("offset", given.pop("offset", "0"), 0, MAX_OFFSET)
    columns = {column.name: column for column in table.columns}
    conditions: list[str] = []
    params: dict[str, Any] = {"limit": limit + 1, "offset": offset}
    for index, (name, text) in enumerate(given.items()):
        if name not in columns:
            known = ", ".join(columns)
            raise BadRequest(f"{table.name} has no column {name!r}; its columns are {known}")
        conditions.append(f"{dialect.quote(name)} = :filter{index}")
        params[f"filter{index}"] = _value(dialect, columns[name], text)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    order = f" ORDER BY {', '.join(map(dialect.quote, table.primary_key))}" if table.primary_key else ""
    selected = ", ".join(dialect.quote(name) for name in columns)
    sql = f"SELECT {selected} FROM {dialect.quote(table.name)}{where}{order} LIMIT :limit OFFSET :offset"
    return RowsQuery(sql, params, limit, offset)


def _number(name: str, text: str, low: int, high: int) -> int:
    # int() would take "1_0", " 1 " and digits of other scripts.
    if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
        raise BadRequest(f"{name} must be an integer from {low} to {high}, not {text[:40]!r}")
    return int(text)


def _value(dialect: Dialect, column: ColumnInfo, text: str) -> Any:
    """The text of a URL as a value of the column's type."""
    from ..schema import types as t
    from ..schema.literal_values import value_from_text
    from ..schema.type_names import postgresql_type, sqlite_type

    readers: dict[str, Callable[[str], t.Type]] = {
        "sqlite": sqlite_type,
        "postgresql": lambda declared: postgresql_type(declared, {}),
    }
    kind = readers[dialect.name](column.type)
    if isinstance(kind, (t.Json, t.Array, t.Vector, t.Bytes)):
        raise BadRequest(
            f"{column.name} is {column.type or 'binary'}: its values cannot be compared with text"
        )
    try:
        return value_from_text(kind, text)
    except (ValueError, ArithmeticError):
        raise BadRequest(f"{column.name} is {column.type}, and {text[:40]!r} is no value of it") from None
