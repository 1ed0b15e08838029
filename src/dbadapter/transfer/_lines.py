"""COPY lines of a table that SQLite writes itself, a chunk of rows with each step.

Values that conform for certain become text inside SQLite, which runs without Python's lock and makes no object for
each value. Two readers share the work: one looks whether the rows of a chunk conform, the other writes the lines of
those that do. Other rows are converted by `RowEncoder`; so is a whole chunk that could not be understood as COPY
reads it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from threading import Lock

from attrs import define, field, frozen

from .._dialects import SQLITE
from ..errors import TransferError
from . import conversions as c
from ._encode import Encoded, RowEncoder
from ._pipeline import prefetched
from ._read import BEFORE_ALL, MOST_TERMS, Rows, next_chunk, read_batches, rows_for
from .conversions.in_sqlite import InSQLite, in_sqlite, install
from .plan import TablePlan

__all__ = ["COLLATIONS", "encoded_batches", "is_utf8"]

# Functions in SQLite take at most 127 arguments.
_ARGUMENTS = 100
_STRIKES = 3

COLLATIONS = {"BINARY", "NOCASE", "RTRIM"}
"""With others, which are the app's own, not even numbers can be compared."""


def encoded_batches(
    readers: Sequence[sqlite3.Connection],
    table: TablePlan,
    encoder: RowEncoder,
    *,
    after: int | None = None,
    utf16: str | None = None,
) -> Iterator[Encoded]:
    """The table's rows, encoded for COPY, in the order of the rowid where there is one.

    Args:
        readers: the source, seen at one moment; other threads may use them while this one waits.
        table: the table's plan.
        encoder: converts what SQLite does not.
        after: only rows with a greater rowid.
        utf16: see `read_batches`.
    """
    names = [column.name for column in table.copied]
    lock = Lock()
    if table.rowid is not None and utf16 is None and (lines := _Lines.of(readers, table, encoder, lock)):
        yield from lines.read(after)
        if lines.finished:
            return
        after = lines.last
    batches = read_batches(
        readers[0], table.name, names, rowid=table.rowid, after=after, row_bytes=table.row_bytes, utf16=utf16
    )
    while True:
        with lock:  # the thread that writes may be reading a chunk again
            rows = next(batches, None)
        if rows is None:
            return
        yield encoder.encode(rows)


@frozen
class _Chunk:
    """Some rows that follow each other by rowid, and how many of them conform.

    Attributes:
        after, upto: the rowids between which they are.
        rows: how many there are.
        sure: how many of them SQLite can write.
        backslashes: how many backslashes SQLite puts into the lines of those.
        nulls: whether there is a NULL in a column that is written as a number.
    """

    after: int | None
    upto: int
    rows: int
    sure: int
    backslashes: int
    nulls: bool


@define
class _Lines:
    """Reads one table, all of whose columns SQLite can write.

    Attributes:
        readers: see `encoded_batches`.
        table: the table's plan.
        encoder: converts the rows that SQLite does not.
        columns: how SQLite writes each column.
        lock: held while the first reader is used.
        size: how many rows a chunk has.
        last: the rowid of the last row that was given.
        finished: whether all rows were given.
    """

    readers: Sequence[sqlite3.Connection]
    table: TablePlan
    encoder: RowEncoder
    columns: list[InSQLite]
    lock: Lock
    size: int = 64
    last: int | None = None
    finished: bool = False
    _condition: str = field(init=False)
    _texts: dict[tuple[bool, bool], str] = field(factory=dict)

    @classmethod
    def of(
        cls, readers: Sequence[sqlite3.Connection], table: TablePlan, encoder: RowEncoder, lock: Lock
    ) -> _Lines | None:
        """For a table all of whose columns SQLite can write."""
        collations = {column.collation for column in table.copied}
        if len(table.copied) > MOST_TERMS or not collations <= COLLATIONS:
            return None
        found = [in_sqlite(c.load(column.conversion), SQLITE.quote(column.name)) for column in table.copied]
        columns = [column for column in found if column is not None]
        if not columns or len(columns) < len(found):
            return None
        for raw in readers:
            install(raw)
        return cls(readers, table, encoder, columns, lock)

    def __attrs_post_init__(self) -> None:
        conditions = []
        for plan, column in zip(self.table.copied, self.columns, strict=True):
            name = SQLITE.quote(plan.name)
            if plan.name == self.table.rowid and plan.identity:
                continue  # it cannot be but an integer
            conditions.append(
                f"({name} IS NULL OR {column.condition})" if plan.nullable else column.condition
            )
        self._condition = " AND ".join(conditions) or "1"

    def read(self, after: int | None) -> Iterator[Encoded]:
        """Chunk after chunk; it ends early, with `finished` false, where reading row by row promises more."""
        known = self.table.row_bytes >= 0
        if known:
            self.size = rows_for(self.table.row_bytes)
        escaping = not any(column.free for column in self.columns)
        strikes, self.last = 0, after
        alone = len(self.readers) == 1
        chunks = self._chunks(after) if alone else prefetched(lambda: self._chunks(after), depth=16)
        with closing(chunks):
            for chunk in chunks:
                data = self._written(chunk, escaping=escaping)
                if data is None and not escaping:
                    escaping = True
                    data = self._written(chunk, escaping=True)
                self.last = chunk.upto
                if data is None:
                    yield self._by_row(chunk)
                else:
                    yield self._encoded(chunk, data)
                    if not known:
                        self.size = min(rows_for(len(data) // max(chunk.sure, 1)), self.size * 4)
                strikes = strikes + 1 if data is None or chunk.sure * 2 < chunk.rows else 0
                if strikes == _STRIKES:
                    return
        self.finished = True

    def _chunks(self, after: int | None) -> Generator[_Chunk, None, None]:
        """What there is to write, looked at with the last of the readers."""
        raw = self.readers[-1]
        lock: AbstractContextManager[object] = self.lock if len(self.readers) == 1 else nullcontext()
        counted = [
            (plan, column)
            for plan, column in zip(self.table.copied, self.columns, strict=True)
            if plan.nullable or column.backslashes
        ]
        counts = "".join(f",count({SQLITE.quote(plan.name)})" for plan, _ in counted)
        rowid = self.table.rowid or ""
        name = SQLITE.quote(rowid)
        query = (
            f"SELECT count(*){counts} FROM {SQLITE.quote(self.table.name)} NOT INDEXED "
            f"WHERE {name}>? AND {name}<=? AND {self._condition}"
        )
        while True:
            with lock:
                chunk = next_chunk(raw, SQLITE.quote(self.table.name), rowid, after, self.size)
                if chunk is None:
                    return
                upto, rows = chunk
                sure, *filled = raw.execute(query, (BEFORE_ALL if after is None else after, upto)).fetchone()
            backslashes, nulls = 0, False
            for count, (plan, column) in zip(filled, counted, strict=True):
                backslashes += count * column.backslashes
                if plan.nullable:
                    backslashes += sure - count  # the one of each \N
                nulls = nulls or (count < sure and column.format != "%s")
            yield _Chunk(after, upto, rows, sure, backslashes, nulls)
            after = upto

    def _written(self, chunk: _Chunk, *, escaping: bool) -> bytes | None:
        """The lines of those rows of a chunk that SQLite writes; None if COPY would not read them as they are meant."""
        if not chunk.sure:
            return b""
        rowid = SQLITE.quote(self.table.rowid or "")
        query = (
            f"SELECT CAST(group_concat({self._line(chunk.nulls, escaping)},'') AS BLOB) "
            f"FROM {SQLITE.quote(self.table.name)} NOT INDEXED WHERE {rowid}>? AND {rowid}<=?"
        )
        if chunk.sure < chunk.rows:
            query += f" AND {self._condition}"
        try:
            with self.lock:
                place = (BEFORE_ALL if chunk.after is None else chunk.after, chunk.upto)
                data: bytes = self.readers[0].execute(query, place).fetchone()[0]
        except sqlite3.DataError:  # a string too big
            return None
        understood = (
            data.count(b"\t") == chunk.sure * (len(self.columns) - 1)
            and data.count(b"\n") == chunk.sure
            and b"\r" not in data
            # Each backslash that SQLite puts into a line is counted; one more is the user's.
            and (escaping or data.count(b"\\") == chunk.backslashes)
            and is_utf8(data)
        )
        return data if understood else None

    def _encoded(self, chunk: _Chunk, data: bytes) -> Encoded:
        """The lines that SQLite wrote, and with them the other rows of the chunk."""
        again = partial(self._by_row, chunk)
        found = Encoded(data, None, read=chunk.rows, last=chunk.upto, again=again)
        if chunk.sure < chunk.rows:
            # Not "NOT": of a value that makes the condition NULL that is not true either.
            others = self.encoder.encode(self._rows(chunk, f"({self._condition}) IS NOT 1"))
            if others.read != chunk.rows - chunk.sure:
                missing = chunk.rows - chunk.sure - others.read
                raise TransferError(f"{missing} rows of {self.table.name} were read by no query")
            found.data += others.data
            found.set_aside = others.set_aside
        return found

    def _by_row(self, chunk: _Chunk) -> Encoded:
        """The rows of a chunk, converted in Python."""
        return self.encoder.encode(self._rows(chunk, None))

    def _rows(self, chunk: _Chunk, where: str | None) -> Rows:
        """Rows of a chunk as values."""
        names = [column.name for column in self.table.copied]
        with self.lock:
            batches = read_batches(
                self.readers[0], self.table.name, names, rowid=self.table.rowid, after=chunk.after,
                upto=chunk.upto, where=where, row_bytes=0,
            )  # fmt: skip
            return [row for batch in batches for row in batch]

    def _line(self, nulls: bool, escaping: bool) -> str:
        """The expression for a row's line; without `nulls`, numbers are not asked whether they are NULL."""
        if (nulls, escaping) not in self._texts:
            self._texts[nulls, escaping] = _joined(
                [
                    _field(
                        SQLITE.quote(plan.name),
                        column,
                        nullable=plan.nullable and (nulls or column.format == "%s"),
                        escaping=escaping,
                    )
                    for plan, column in zip(self.table.copied, self.columns, strict=True)
                ]
            )
        return self._texts[nulls, escaping]


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
    """The fields with tabs between them and the line's end."""
    groups = [parts[at : at + _ARGUMENTS] for at in range(0, len(parts), _ARGUMENTS)]
    written = []
    for group in groups:
        format = "\t".join(format for format, _ in group) + ("\n" if group is groups[-1] else "")
        written.append(f"printf('{format}',{','.join(argument for _, argument in group)})")
    return "||char(9)||".join(written)


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are text."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
