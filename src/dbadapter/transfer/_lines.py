"""COPY lines of a table that SQLite writes itself, a chunk of rows with each step.

Values that conform for certain become text inside SQLite, which runs without Python's lock and makes no object for
each value. A row with any other value is left out, and converted by `RowEncoder`; so is a whole chunk that could not
be understood as COPY reads it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from threading import Lock

from attrs import define, frozen

from .._dialects import SQLITE
from ..errors import TransferError
from . import conversions as c
from ._encode import Encoded, RowEncoder
from ._read import MOST_TERMS, Rows, read_batches, rows_for
from .conversions.in_sqlite import InSQLite, in_sqlite, install
from .plan import TablePlan

__all__ = ["encoded_batches"]

# Functions in SQLite take at most 127 arguments.
_ARGUMENTS = 100
_STRIKES = 3
# Less than the least rowid, which is an integer of 64 bits.
_BEFORE_ALL = -1e19
# With others, which are the app's own, not even numbers can be compared.
_COLLATIONS = {"BINARY", "NOCASE", "RTRIM"}


def encoded_batches(
    raw: sqlite3.Connection,
    table: TablePlan,
    encoder: RowEncoder,
    *,
    after: int | None = None,
    utf16: str | None = None,
) -> Iterator[Encoded]:
    """The table's rows, encoded for COPY, in the order of the rowid where there is one.

    Args:
        raw: the source; other threads may use it while this one waits.
        table: the table's plan.
        encoder: converts what SQLite does not.
        after: only rows with a greater rowid.
        utf16: see `read_batches`.
    """
    names = [column.name for column in table.copied]
    lock = Lock()
    if table.rowid is not None and utf16 is None and (lines := _Lines.of(raw, table, encoder, lock)):
        yield from lines.read(after)
        if lines.finished:
            return
        after = lines.last
    batches = read_batches(
        raw, table.name, names, rowid=table.rowid, after=after, row_bytes=table.row_bytes, utf16=utf16
    )
    while True:
        with lock:  # the thread that writes may be reading a chunk again
            rows = next(batches, None)
        if rows is None:
            return
        yield encoder.encode(rows)


@frozen
class _Statement:
    """The query for a chunk.

    Attributes:
        condition: true of the rows which it writes.
        separators: how many tabs a line has.
        bare: a row with NULL in a column of numbers is not written, which spares all others the question.
        escaping: special characters are escaped; otherwise their number tells whether there are any.
    """

    query: str
    condition: str
    separators: int
    bare: bool
    escaping: bool


@define
class _Lines:
    """Reads one table."""

    raw: sqlite3.Connection
    table: TablePlan
    encoder: RowEncoder
    columns: list[InSQLite]
    lock: Lock
    last: int | None = None
    finished: bool = False

    @classmethod
    def of(cls, raw: sqlite3.Connection, table: TablePlan, encoder: RowEncoder, lock: Lock) -> _Lines | None:
        """For a table all of whose columns SQLite can write."""
        collations = {column.collation for column in table.copied}
        if len(table.copied) > MOST_TERMS or not collations <= _COLLATIONS:
            return None
        found = [in_sqlite(c.load(column.conversion), SQLITE.quote(column.name)) for column in table.copied]
        columns = [column for column in found if column is not None]
        if not columns or len(columns) < len(found):
            return None
        install(raw)
        return cls(raw, table, encoder, columns, lock)

    def read(self, after: int | None) -> Iterator[Encoded]:
        """Chunk after chunk; it ends early, with `finished` false, where reading row by row promises more."""
        known = self.table.row_bytes >= 0
        size = rows_for(self.table.row_bytes) if known else 64
        statement = self._statement(bare=True, escaping=not any(column.free for column in self.columns))
        strikes, self.last = 0, after
        while strikes < _STRIKES:
            chunk = self._chunk(statement, size)
            if chunk is None and not statement.escaping:
                statement = self._statement(bare=statement.bare, escaping=True)
                chunk = self._chunk(statement, size)
            if chunk is None:
                strikes += 1
                yield from self._row_by_row(size)
                continue
            data, rows, written, last = chunk
            if rows == 0:
                self.finished = True
                return
            found = self._encoded(data, rows, written, last, statement.condition)
            self.last = last
            yield found
            if written * 10 < rows * 9 and statement.bare:
                statement = self._statement(bare=False, escaping=statement.escaping)
            elif written * 2 < rows:
                strikes += 1
            else:
                strikes = 0
            if not known:
                size = min(rows_for(len(data) // max(written, 1)), size * 4)

    def _chunk(self, statement: _Statement, size: int) -> tuple[bytes, int, int, int] | None:
        """The next rows: (lines, rows, lines written, last rowid); None if they are not as COPY must have them."""
        try:
            with self.lock:
                data, rows, written, marks, last = self.raw.execute(
                    statement.query, (_BEFORE_ALL if self.last is None else self.last, size)
                ).fetchone()
        except sqlite3.DataError:  # a string too big
            return None
        if not written:
            return b"", rows, 0, last
        data += b"\n"
        understood = (
            data.count(b"\t") == written * statement.separators
            and data.count(b"\n") == written
            and b"\r" not in data
            and (statement.escaping or data.count(b"\\") == marks)
            and _is_utf8(data)
        )
        return (data, rows, written, last) if understood else None

    def _encoded(self, data: bytes, rows: int, written: int, last: int, condition: str) -> Encoded:
        first = self.last

        def again() -> Encoded:
            return self.encoder.encode(self._rows(first, last, None))

        found = Encoded(data, None, read=rows, count=written, last=last, again=again)
        if written < rows:
            # Not "NOT": of a value that makes the condition NULL that is not true either.
            odd = self.encoder.encode(self._rows(first, last, f"({condition}) IS NOT 1"))
            if odd.read != rows - written:
                raise TransferError(
                    f"{rows - written - odd.read} rows of {self.table.name} were read by no query"
                )
            found.data += odd.data
            found.count += odd.count
            found.odd, found.dropped = odd.odd, odd.dropped
        return found

    def _row_by_row(self, size: int) -> Iterator[Encoded]:
        """The next rows, converted in Python."""
        rows = self._rows(self.last, None, None, limit=size)
        if rows:
            found = self.encoder.encode(rows)
            self.last = found.last
            yield found

    def _rows(self, after: int | None, upto: int | None, where: str | None, limit: int = -1) -> Rows:
        """Rows of a chunk as values."""
        names = [column.name for column in self.table.copied]
        with self.lock:
            batches = read_batches(
                self.raw, self.table.name, names, rowid=self.table.rowid, after=after, upto=upto, where=where,
                limit=limit, row_bytes=0,
            )  # fmt: skip
            return [row for batch in batches for row in batch]

    def _statement(self, *, bare: bool, escaping: bool) -> _Statement:
        conditions, marks, parts = [], [], []
        for plan, column in zip(self.table.copied, self.columns, strict=True):
            name = SQLITE.quote(plan.name)
            nullable = plan.nullable and not (bare and column.format != "%s")
            conditions.append(f"({name} IS NULL OR {column.condition})" if nullable else column.condition)
            if nullable:
                marks.append(f"({name} IS NULL)")
            if column.backslashes:
                marks.append(f"{column.backslashes}*({name} IS NOT NULL)")
            parts.append(_field(name, column, nullable=nullable, escaping=escaping))
        condition = " AND ".join(conditions)
        rowid = SQLITE.quote(self.table.rowid or "")
        # Each backslash that SQLite puts into a line is counted; one more is the user's.
        count = "0" if escaping else "+".join(marks) or "0"
        query = (
            "SELECT CAST(group_concat(_line,char(10)) AS BLOB), count(*), count(_line), "
            "sum(CASE WHEN _line IS NOT NULL THEN _marks END), max(_key) FROM ("
            f"SELECT {rowid} AS _key, {count} AS _marks, CASE WHEN {condition} THEN {_joined(parts)} END AS _line "
            f"FROM {SQLITE.quote(self.table.name)} AS _rows WHERE {rowid}>? ORDER BY _rows.{rowid} LIMIT ?)"
        )
        return _Statement(query, condition, len(parts) - 1, bare, escaping)


def _field(name: str, column: InSQLite, *, nullable: bool, escaping: bool) -> tuple[str, str]:
    """A field as a format and its argument."""
    text = column.text
    if escaping and column.free:
        for char, escaped in (
            ("'\\'", "'\\\\'"),
            ("char(10)", "'\\n'"),
            ("char(13)", "'\\r'"),
            ("char(9)", "'\\t'"),
        ):
            text = f"replace({text},{char},{escaped})"
    if not nullable:
        return column.format, text
    if column.format not in ("%s", "%d"):
        text = f"printf('{column.format}',{text})"
    elif text == name:
        return "%s", f"coalesce({text},'\\N')"
    return "%s", f"CASE WHEN {name} IS NULL THEN '\\N' ELSE {text} END"


def _joined(parts: list[tuple[str, str]]) -> str:
    """The fields with tabs between them."""
    groups = [parts[at : at + _ARGUMENTS] for at in range(0, len(parts), _ARGUMENTS)]
    written = []
    for group in groups:
        format = "\t".join(format for format, _ in group)
        written.append(f"printf('{format}',{','.join(argument for _, argument in group)})")
    return "||char(9)||".join(written)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
