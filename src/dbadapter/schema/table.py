"""A table, as a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import attrs
from attrs import field, frozen

from .._dialects import constraint_name
from ..errors import ConfigError
from .column import Column, check_name
from .constraints import Check, ForeignKey, Index, Unique, names_of
from .table_parts import TableParts

__all__ = ["Table"]


def _by_name(items: tuple[Any, ...]) -> list[Any]:
    return sorted(items, key=lambda item: item.name)


@frozen(init=False)
class Table:
    """A table: its columns, and what holds for them.

    Tables are equal when their columns are, in order, and their constraints and indexes, in any order.

    Args:
        name: the table's name, taken literally.
        columns: the columns, in order.
        primary_key: the key's columns, where it is not written at the columns.
        primary_key_name: the key constraint's name; ``{name}_pkey`` if left out.
        unique: groups of columns (or `Unique` values) whose values together never repeat.
        checks: conditions as SQL, or `Check` values.
        foreign_keys: `ForeignKey` values, for keys of several columns.
        indexes: `Index` values, or column names.
        comment: a description, kept in the database.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    primary_key_name: str
    unique: tuple[Unique, ...] = field(eq=_by_name)
    checks: tuple[Check, ...] = field(eq=_by_name)
    foreign_keys: tuple[ForeignKey, ...] = field(eq=_by_name)
    indexes: tuple[Index, ...] = field(eq=_by_name)
    comment: str | None

    def __init__(
        self,
        name: str,
        *columns: Column,
        primary_key: str | Iterable[str] = (),
        primary_key_name: str | None = None,
        unique: Iterable[str | Iterable[str] | Unique] = (),
        checks: Iterable[str | Check] = (),
        foreign_keys: Iterable[ForeignKey] = (),
        indexes: Iterable[str | Index] = (),
        comment: str | None = None,
    ) -> None:
        check_name("table", name)
        try:
            parts = TableParts(name, columns)
            key = parts.primary_key(names_of(primary_key))
            self.__attrs_init__(
                name,
                tuple(
                    attrs.evolve(column, nullable=False) if column.name in key else column
                    for column in columns
                ),
                key,
                primary_key_name or constraint_name(name, (), "pkey"),
                parts.unique(key, unique),
                parts.checks(checks),
                parts.foreign_keys(foreign_keys),
                parts.indexes(indexes),
                comment or None,
            )
        except ConfigError as error:
            raise ConfigError(f"table {name!r}: {error}") from None

    def column(self, name: str) -> Column:
        """The column of that name; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def replace(
        self,
        *,
        columns: Iterable[Column] | None = None,
        primary_key_name: str | None = None,
        unique: Iterable[Unique] | None = None,
        checks: Iterable[Check] | None = None,
        foreign_keys: Iterable[ForeignKey] | None = None,
        indexes: Iterable[Index] | None = None,
    ) -> Table:
        """The table with other columns, constraints or indexes; what is not given stays."""
        plain = [
            attrs.evolve(
                column, primary_key=False, unique=False, check=None, references=None,
                on_delete=None, on_update=None, deferrable=False,
            )
            for column in (self.columns if columns is None else columns)
        ]  # fmt: skip
        return Table(
            self.name,
            *plain,
            primary_key=self.primary_key,
            primary_key_name=primary_key_name or self.primary_key_name,
            unique=self.unique if unique is None else unique,
            checks=self.checks if checks is None else checks,
            foreign_keys=self.foreign_keys if foreign_keys is None else foreign_keys,
            indexes=self.indexes if indexes is None else indexes,
            comment=self.comment,
        )

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """Column groups that a foreign key may refer to: the primary key and what is unique."""
        groups = [self.primary_key] if self.primary_key else []
        groups += [unique.columns for unique in self.unique]
        for index in self.indexes:
            names = [part.column for part in index.parts]
            if index.unique and index.where is None and None not in names:
                groups.append(tuple(str(name) for name in names))
        return groups
