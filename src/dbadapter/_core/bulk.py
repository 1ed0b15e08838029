"""Bulk loads: the caller's rows as tuples, and what to do with a row that is there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any

from ..errors import ConfigError, ParameterError

__all__ = ["bulk_rows", "check_conflict_rule", "check_name", "checked_rows", "conflict_clause"]


def check_conflict_rule(on_conflict: str | None) -> None:
    """Raise `ConfigError` unless `on_conflict` is one of the rules."""
    if on_conflict not in (None, "ignore", "update"):
        raise ConfigError(f"on_conflict must be None, 'ignore' or 'update', not {on_conflict!r}")


def conflict_clause(
    on_conflict: str | None, columns: Sequence[str], key: Sequence[str], quote: Callable[[str], str]
) -> str:
    """The ON CONFLICT clause of a bulk insert, in words that both backends understand.

    Args:
        on_conflict: None (a duplicate is an error), "ignore" or "update".
        columns: the columns being loaded.
        key: the table's primary key, or its only unique constraint; may be empty.
        quote: quotes an identifier.
    """
    if on_conflict is None:
        return ""
    if on_conflict == "ignore":
        return " ON CONFLICT DO NOTHING"
    if not key or not set(key) <= set(columns):
        wanted = ", ".join(key) or "a primary key or unique constraint, and the table has none"
        raise ParameterError(
            f"on_conflict='update' finds the row to update by its key, so the rows need {wanted}"
        )
    target = ", ".join(map(quote, key))
    changes = ", ".join(f"{quote(name)} = excluded.{quote(name)}" for name in columns if name not in key)
    return (
        f" ON CONFLICT ({target}) DO UPDATE SET {changes}"
        if changes
        else f" ON CONFLICT ({target}) DO NOTHING"
    )


def bulk_rows(
    rows: Iterable[Mapping[str, Any] | Sequence[Any]], table_columns: Sequence[str]
) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """The column names of a bulk load, and its rows as tuples in their order, read one by one.

    Args:
        rows: mappings with the same keys (in any order), or sequences in the order of the table's columns.
        table_columns: those columns; needed for sequences only.

    Raises `ParameterError` naming the row (from 1) and the column that is missing or surplus; so may the iterator.
    """
    iterator = checked_rows(rows)
    head = list(islice(iterator, 1))
    if not head:
        return (), iter(())
    if isinstance(head[0], Mapping):
        names = tuple(head[0])
        if not names:
            raise ParameterError("row 1 has no columns")
        for name in names:
            check_name("a column of row 1", name)
        return names, _from_mappings(names, chain(head, iterator))
    names = tuple(table_columns)
    return names, _from_sequences(names, chain(head, iterator))


def check_name(what: str, name: object) -> None:
    """Raise `ParameterError` for what no table or column can be called."""
    try:
        fits = isinstance(name, str) and name != "" and "\0" not in name and name.encode() is not None
    except UnicodeEncodeError:
        fits = False
    if not fits:
        raise ParameterError(
            f"the name of {what} must be text that is not empty, without NUL or lone surrogates, not {name!r}",
            sqlstate="42602",
        )


def checked_rows(rows: Iterable[Any]) -> Iterator[Any]:
    """The rows one by one. Raises `ParameterError` for what holds none."""
    if not isinstance(rows, Iterable) or isinstance(rows, (str, bytes, Mapping)):
        raise ParameterError(
            f"rows must be a list or an iterator of rows, not a {type(rows).__name__}", sqlstate="22023"
        )
    return iter(rows)


def _from_mappings(names: tuple[str, ...], rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    pick: Callable[[Any], tuple[Any, ...]] = (
        itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    )
    count = len(names)
    for number, row in enumerate(rows, 1):
        try:
            values = pick(row)
        except (KeyError, TypeError, IndexError):
            raise _misfit(number, row, names) from None
        if len(row) != count:
            raise _misfit(number, row, names)
        yield values


def _from_sequences(names: tuple[str, ...], rows: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    count = len(names)
    for number, row in enumerate(rows, 1):
        if type(row) is not tuple:
            if isinstance(row, (str, bytes, Mapping)) or not isinstance(row, Sequence):
                raise ParameterError(f"row {number} is a {type(row).__name__}; the first one was a sequence")
            row = tuple(row)
        if len(row) != count:
            raise ParameterError(f"row {number} has {len(row)} values for {count} columns")
        yield row


def _misfit(number: int, row: Any, names: tuple[str, ...]) -> ParameterError:
    if not isinstance(row, Mapping):
        return ParameterError(f"row {number} is a {type(row).__name__}; the first one was a mapping")
    if missing := [name for name in names if name not in row]:
        return ParameterError(f"row {number} lacks the column {', '.join(missing)} that the first row has")
    surplus = [str(name) for name in row if name not in names]
    return ParameterError(f"row {number} has the column {', '.join(surplus)} that the first row lacks")
