"""Rows: from a driver's tuples to what the caller asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import attrs

from ..errors import ParameterError

__all__ = ["NO_COLUMNS", "Columns", "RowSet"]

RowMaker = Callable[[tuple[Any, ...]], Any]


# A row has as many values as its result has columns, and `zip` takes half the time without `strict`: hence the noqas.


class Columns:
    """The column names of a result, and the functions that make rows of them (one for each type asked for)."""

    __slots__ = ("_makers", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._makers: dict[type, RowMaker] = {}

    def row(self, row_type: type, values: tuple[Any, ...]) -> Any:
        """One row as `row_type`: dict, tuple, an attrs class, a dataclass or a named tuple."""
        if row_type is dict:
            return dict(zip(self.names, values))  # noqa: B905
        return self.maker(row_type)(values)

    def rows(self, row_type: type, values: list[tuple[Any, ...]]) -> list[Any]:
        """All rows as `row_type`."""
        if row_type is tuple:
            return values
        if row_type is dict:
            names = self.names
            return [dict(zip(names, row)) for row in values]  # noqa: B905
        return list(map(self.maker(row_type), values))

    def maker(self, row_type: type) -> RowMaker:
        """The function that makes one row. Raises `ParameterError` if the type's fields do not fit the columns."""
        made = self._makers.get(row_type)
        if made is None:
            made = self._makers[row_type] = self._new_maker(row_type)
        return made

    def _new_maker(self, row_type: type) -> RowMaker:
        names = self.names
        if row_type is dict:
            return lambda values: dict(zip(names, values))  # noqa: B905
        if row_type is tuple:
            return tuple
        if attrs.has(row_type):
            arguments = {
                field.name: field.alias or field.name for field in attrs.fields(row_type) if field.init
            }
            required = {
                field.name
                for field in attrs.fields(row_type)
                if field.init and field.default is attrs.NOTHING
            }
        elif dataclasses.is_dataclass(row_type):
            fields = [field for field in dataclasses.fields(row_type) if field.init]
            arguments = {field.name: field.name for field in fields}
            missing = dataclasses.MISSING
            required = {f.name for f in fields if f.default is missing and f.default_factory is missing}
        elif isinstance(row_type, type) and issubclass(row_type, tuple) and hasattr(row_type, "_fields"):
            arguments = {name: name for name in row_type._fields}
            required = set(row_type._fields).difference(row_type._field_defaults)  # type: ignore[attr-defined]
        else:
            raise ParameterError(
                "row_type must be dict, tuple, an attrs class, a dataclass or a named tuple, "
                f"not {row_type!r}",
                sqlstate="22023",
            )
        if surplus := [name for name in names if name not in arguments]:
            raise ParameterError(f"row_type {row_type.__name__} has no field for column {', '.join(surplus)}")
        if lacking := sorted(required.difference(names)):
            raise ParameterError(f"the result has no column for {row_type.__name__}.{', '.join(lacking)}")
        keywords = tuple(arguments[name] for name in names)
        return lambda values: row_type(**dict(zip(keywords, values, strict=True)))


NO_COLUMNS = Columns(())

RowSet = tuple[Columns, list[tuple[Any, ...]]]
"""What a driver gives: the columns of a result, and rows as tuples of their values."""
