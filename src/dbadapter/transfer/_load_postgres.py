"""Writing encoded rows to Postgres: COPY in groups, each group one transaction with the cursor of its last row.

What the server refuses in spite of the plan is found by the line it names, set aside, and the rest goes on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._dialects import POSTGRESQL
from ._bookkeeping import ORIGINALS, REJECTS, TABLES, SetAside
from ._encode import Encoded, RowEncoder
from ._endpoints import settings
from .conversions import escape

if TYPE_CHECKING:
    import psycopg
    from psycopg import Copy

__all__ = ["PostgresLoader", "copy_set_aside"]

_GROUP_BYTES = 4_000_000
_LINE = re.compile(r"line (\d+)(?:, column (.+?))?(?::|$)")


@define
class PostgresLoader:
    """Loads one table.

    A context manager: left by an exception, it takes back what was not committed.
    """

    raw: psycopg.Connection[Any]
    encoder: RowEncoder
    _waiting: list[Encoded] = field(factory=list)
    _size: int = 0
    _transaction: ExitStack = field(factory=ExitStack)
    _copying: ExitStack = field(factory=ExitStack)
    _copy: Copy | None = None

    def __enter__(self) -> PostgresLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import psycopg

        # A COPY left open would be closed by the driver later, with a warning in its log.
        if error is not None:
            with suppress(psycopg.Error):
                self._transaction.__exit__(kind, error, trace)

    def add(self, encoded: Encoded) -> None:
        """Send a batch to the server, which works while the next is made; every few megabytes are committed."""
        self._waiting.append(encoded)
        self._size += len(encoded.data)
        with self._mending():
            self._send(encoded.data)
            if self._size >= _GROUP_BYTES:
                self._commit()

    def flush(self) -> None:
        """Commit what was sent."""
        if self._waiting:
            with self._mending():
                self._commit()

    @contextmanager
    def _mending(self) -> Iterator[None]:
        """Where the server refuses something of the data, all that waits is written again, step by step."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            self._copy = None
            self._transaction.__exit__(type(error), error, error.__traceback__)
            if not _is_data_fault(error):
                raise
            self._waiting = [encoded.again() if encoded.again else encoded for encoded in self._waiting]
            with self.raw.transaction():
                settings(self.raw)
                for encoded in self._waiting:
                    self._write_piecewise(encoded)
                self._finish()
            self._clear()

    def _send(self, data: bytes) -> None:
        if not data:
            return
        if self._copy is None:
            self._transaction.enter_context(self.raw.transaction())
            self._copying = self._transaction.enter_context(ExitStack())
            settings(self.raw)
            cursor = self._copying.enter_context(self.raw.cursor())
            self._copy = self._copying.enter_context(cursor.copy(self._statement))
        self._copy.write(data)

    def _commit(self) -> None:
        if self._copy is None:  # all of it is rejected
            self._transaction.enter_context(self.raw.transaction())
        self._copy = None
        self._copying.close()
        self._finish()
        self._transaction.close()
        self._clear()

    def _clear(self) -> None:
        self._waiting, self._size = [], 0

    @property
    def _statement(self) -> bytes:
        table = self.encoder.table
        names = ", ".join(POSTGRESQL.quote(column.target) for column in self.encoder.columns)
        return f"COPY {POSTGRESQL.quote(table.target)} ({names}) FROM STDIN".encode()

    def _write(self, lines: bytes) -> None:
        with self.raw.cursor() as cursor, cursor.copy(self._statement) as copy:
            copy.write(lines)

    def _finish(self) -> None:
        """What belongs to the rows that were written: what was set aside of them, and how far the table has come."""
        copy_set_aside(self.raw, [each for encoded in self._waiting for each in encoded.set_aside])
        read = sum(encoded.read for encoded in self._waiting)
        self.raw.execute(
            f"UPDATE {TABLES} SET cursor = %s, rows = rows + %s WHERE tbl = %s".encode(),
            (self._waiting[-1].last, read, self.encoder.table.target),
        )

    def _write_piecewise(self, encoded: Encoded) -> None:
        """Write a batch, and set aside what the server refuses of it."""
        lines = encoded.data.split(b"\n")[:-1]
        rows = encoded.rows or []
        start = 0
        while start < len(lines):
            refusal = self._attempt(b"\n".join(lines[start:]) + b"\n")
            if refusal is None:
                return
            place = _LINE.search(refusal.diag.context or "")
            bad = start + int(place[1]) - 1 if place else start
            if bad > start:
                with self.raw.transaction():
                    self._write(b"\n".join(lines[start:bad]) + b"\n")
            message = refusal.diag.message_primary or str(refusal)
            self._mend(encoded, lines[bad], rows[bad], place[2] if place else None, message)
            start = bad + 1

    def _mend(
        self, encoded: Encoded, line: bytes, row: Sequence[Any], column: str | None, message: str
    ) -> None:
        """Set aside what is wrong with a line: the value of that column if that will do, else the row."""
        names = [found.target for found in self.encoder.columns]
        place = names.index(column) if column in names else None
        if place is not None and (without := self.encoder.without(line, row, place, message)):
            data, value = without
            if self._attempt(data) is None:
                encoded.set_aside.append(value)
                return
        key = self.encoder.key_of(row)
        # What was set aside of the row before is in the entries for the whole of it.
        encoded.set_aside = [each for each in encoded.set_aside if each.key != key]
        encoded.set_aside += self.encoder.reject_row(row, {0 if place is None else place: message})

    def _attempt(self, lines: bytes) -> psycopg.Error | None:
        """Write lines inside a savepoint; the error, if the server refuses something of the data."""
        import psycopg

        try:
            with self.raw.transaction():
                self._write(lines)
        except psycopg.Error as error:
            if not _is_data_fault(error):
                raise
            return error
        return None


def _is_data_fault(error: psycopg.Error) -> bool:
    """Whether a value, a constraint or a limit is the reason; anything else ends the transfer."""
    return (error.sqlstate or "")[:2] in ("22", "23", "54")


def copy_set_aside(raw: psycopg.Connection[Any], found: Sequence[SetAside]) -> None:
    """Write rejected values and original spellings to their tables."""
    for table, rejects in ((REJECTS, True), (ORIGINALS, False)):
        chosen = [each for each in found if (each.reason is not None) == rejects]
        if not chosen:
            continue
        lines = []
        for each in chosen:
            fields = [escape(each.table), escape(each.key), escape(each.column), each.storage]
            fields.append("\\N" if each.raw is None else "\\\\x" + each.raw.hex())
            if each.reason is not None:
                fields.append(escape(each.reason.replace("\0", "\\0")))
            lines.append("\t".join(fields) + "\n")
        with raw.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            copy.write("".join(lines))
