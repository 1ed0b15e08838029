"""Leave out of a schema what one backend has no words for, and say so."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from ..errors import ConfigError
from . import types as t
from .column import Column
from .constraints import Index
from .drafts import Skipped
from .expressions import to_postgresql
from .expressions_to_sqlite import to_sqlite
from .table import Table

__all__ = ["adapted_table"]


def adapted_table(table: Table, dialect: str) -> tuple[Table, list[Skipped]]:
    """The table with what the dialect can say, and what was left out."""
    spell = to_sqlite if dialect == "sqlite" else to_postgresql
    skipped: list[Skipped] = []

    def sayable(what: str, *texts: str | None) -> bool:
        problem = _problem(spell, texts)
        if problem:
            skipped.append(Skipped(f"table {table.name}", f"{what} was left out: {problem}"))
        return problem is None

    def own_words(sqlite: str | None) -> bool:
        return dialect == "sqlite" and sqlite is not None

    columns = [_column(column, sayable, own_words) for column in table.columns]
    checks = [
        check
        for check in table.checks
        if own_words(check.sqlite) or sayable(f"the check {check.name}", check.expression)
    ]
    indexes = []
    for index in table.indexes:
        if dialect == "sqlite" and not index.on_sqlite:
            skipped.append(Skipped(f"table {table.name}", f"index {index.name}: SQLite has no {index.using}"))
        elif sayable(f"index {index.name}", *_texts(index)):
            indexes.append(index)
    if not skipped:
        return table, []
    return table.replace(columns=columns, checks=checks, indexes=indexes), skipped


def _texts(index: Index) -> list[str | None]:
    return [index.where, *(part.expression for part in index.parts)]


def _problem(spell: Callable[[str], str], texts: tuple[str | None, ...]) -> str | None:
    try:
        for text in texts:
            if text is not None:
                spell(text)
    except ConfigError as error:
        return str(error)
    return None


def _column(column: Column, sayable: Callable[..., bool], own_words: Callable[[str | None], bool]) -> Column:
    default = column.default
    if isinstance(default, t.Sql) and not own_words(default.sqlite):
        if not sayable(f"the default of column {column.name}", default.text):
            column = attrs.evolve(column, default=None)
    if column.generated is not None and not sayable(
        f"how column {column.name} is generated", column.generated
    ):
        column = attrs.evolve(column, generated=None)
    return column
