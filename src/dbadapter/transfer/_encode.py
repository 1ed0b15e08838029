"""Rows of SQLite as COPY text for Postgres, with what is rejected and what is spelled otherwise set aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field

from . import conversions as c
from ._bookkeeping import SetAside, key_text, rowid_text, set_aside
from ._read import Rows
from .plan import TablePlan

__all__ = ["Encoded", "RowEncoder"]

_NULL = "\\N"

Troubles = dict[int, list[tuple[int, str | None]]]
"""By row the values that do not conform: the place of the column, and why it is refused; None: spelled otherwise."""


@define
class Encoded:
    """A batch, encoded.

    Attributes:
        data: lines of COPY's text format.
        rows: the rows these lines are made of; None where SQLite made them.
        set_aside: rejected values and original spellings.
        read: how many rows the batch had, those that were rejected included.
        last: the rowid of the last row, where the table has one.
        again: reads and encodes the batch once more, with its `rows`.
    """

    data: bytes
    rows: Rows | None
    set_aside: list[SetAside] = field(factory=list)
    read: int = 0
    last: int | None = None
    again: Callable[[], Encoded] | None = None


class RowEncoder:
    """Converts the rows of one table; the plan of a live switch uses it for single rows as well.

    Args:
        table: the table's plan.
        rowid_first: the rows begin with the rowid.
    """

    def __init__(self, table: TablePlan, *, rowid_first: bool) -> None:
        self.table = table
        self.columns = table.copied
        self._conversions = [c.load(column.conversion) for column in self.columns]
        self._first = int(rowid_first)
        self._key = table.key_places
        self._seen = 0

    def encode(self, rows: Rows) -> Encoded:
        """Encode a batch; rows have a value for each copied column of the plan, in its order."""
        found = Encoded(b"", rows, read=len(rows))
        columns = list(zip(*rows, strict=True))
        if self._first and rows:
            found.last = columns[0][-1]
        fields: list[Sequence[str]] = []
        troubles: Troubles = {}
        for place, values in enumerate(columns[self._first :]):
            texts = self._many(place, values)
            fields.append(texts if texts is not None else self._one_by_one(place, values, troubles))
        if troubles:
            fields, rows = self._without_refused(found, rows, fields, troubles)
            found.rows = rows
        self._seen += found.read
        if rows:
            found.data = ("\n".join(map("\t".join, zip(*fields, strict=True))) + "\n").encode()
        return found

    def _many(self, place: int, values: Sequence[Any]) -> Sequence[str] | None:
        """The fields of one column if all its values conform."""
        kinds = set(map(type, values))
        conversion = self._conversions[place]
        if type(None) not in kinds:
            return conversion.many(values, kinds)
        if not self.columns[place].nullable:
            return None
        kinds.discard(type(None))
        if not kinds:
            return [_NULL] * len(values)
        filled = [value for value in values if value is not None]
        texts = conversion.many(filled, kinds)
        if texts is None:
            return None
        if texts is filled:  # they are written as they stand
            return [_NULL if value is None else value for value in values]
        following = iter(texts)
        return [_NULL if value is None else next(following) for value in values]

    def _one_by_one(self, place: int, values: Sequence[Any], troubles: Troubles) -> list[str]:
        """The fields of one column, with NULL for what is refused; what does not conform goes to `troubles`."""
        texts = []
        for row, value in enumerate(values):
            if value is None:
                if not self.columns[place].nullable:
                    troubles.setdefault(row, []).append((place, "NULL in a column that is NOT NULL"))
                texts.append(_NULL)
                continue
            try:
                text, exact = self._conversions[place].one(value)
            except c.Refused as refusal:
                troubles.setdefault(row, []).append((place, str(refusal)))
                texts.append(_NULL)
            else:
                texts.append(c.escape(text))
                if not exact:
                    troubles.setdefault(row, []).append((place, None))
        return texts

    def _without_refused(
        self,
        found: Encoded,
        rows: Rows,
        fields: list[Sequence[str]],
        troubles: Troubles,
    ) -> tuple[list[Sequence[str]], Rows]:
        """The fields and rows without the rows that cannot arrive; what does not conform is set aside in `found`."""
        gone = set()
        for row, places in sorted(troubles.items()):
            values = rows[row]
            refused = {place: reason for place, reason in places if reason is not None}
            for place, reason in places:
                if reason is None and not self._key:
                    refused[place] = "spelled otherwise, and without a key its original cannot be kept"
            if refused and self._must_go(refused):
                gone.add(row)
                found.set_aside += self.reject_row(values, refused, self._seen + row)
                continue
            key = self.key_of(values, self._seen + row)
            for place, reason in places:
                value = values[self._first + place]
                found.set_aside.append(
                    set_aside(self.table.target, key, self.columns[place].name, value, reason)
                )
        if not gone:
            return fields, rows
        rows = [row for place, row in enumerate(rows) if place not in gone]
        return [[text for place, text in enumerate(texts) if place not in gone] for texts in fields], rows

    def _must_go(self, refused: dict[int, str]) -> bool:
        """Whether the row cannot arrive without these values."""
        if not self._key:
            return True
        return any(not self.columns[place].nullable or place in self._key for place in refused)

    def key_of(self, row: Sequence[Any], number: int = 0) -> str:
        """The row's key as it stands in the bookkeeping."""
        if self._key:
            return key_text([row[self._first + place] for place in self._key])
        return rowid_text(row[0] if self._first else number)

    def reject_row(self, row: Sequence[Any], reasons: dict[int, str], number: int = 0) -> list[SetAside]:
        """The entries for a row that is rejected as a whole: all its values, so that nothing is lost."""
        culprit = self.columns[next(iter(reasons))].name if reasons else "?"
        key = self.key_of(row, number)
        return [
            set_aside(
                self.table.target,
                key,
                column.name,
                row[self._first + place],
                reasons.get(place) or f"the row was rejected for its column {culprit}",
            )
            for place, column in enumerate(self.columns)
        ]

    def without(
        self, line: bytes, row: Sequence[Any], column: int, reason: str
    ) -> tuple[bytes, SetAside] | None:
        """A line with one field made NULL, and the value of that field set aside for that reason.

        None if the row cannot arrive without it.
        """
        if self._must_go({column: reason}):
            return None
        fields = line.split(b"\t")
        fields[column] = _NULL.encode()
        value = row[self._first + column]
        name = self.columns[column].name
        return b"\t".join(fields) + b"\n", set_aside(self.table.target, self.key_of(row), name, value, reason)
