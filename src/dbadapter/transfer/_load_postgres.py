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
from ._bookkeeping import ORIGINALS, REJECTS, TABLES, Odd
from ._encode import Encoded, RowEncoder
from ._endpoints import settings
from .conversions import escape

if TYPE_CHECKING:
    import psycopg
    from psycopg import Copy

__all__ = ["PostgresLoader", "copy_odd"]

_GROUP_BYTES = 4_000_000
# The data's fault: a value, a constraint, a limit. Anything else ends the transfer.
_DATA_FAULTS = ("22", "23", "54")
_LINE = re.compile(r"line (\d+)(?:, column (.+?))?(?::|$)")


@define
class PostgresLoader:
    """Loads one table; `copied`, `rejected` and `kept` count rows that arrived, values and rows set aside.

    A context manager: left by an exception, it takes back what was not committed.
    """

    raw: psycopg.Connection[Any]
    encoder: RowEncoder
    copied: int = 0
    read: int = 0
    dropped: int = 0
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

        if (
            error is not None
        ):  # a COPY left open would be closed by the driver later, with a warning in its log
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
            if (error.sqlstate or "")[:2] not in _DATA_FAULTS:
                raise
            self._waiting = [encoded.again() if encoded.again else encoded for encoded in self._waiting]
            with self.raw.transaction():
                settings(self.raw)
                for encoded in self._waiting:
                    self._write_piecewise(encoded)
                self._finish(self._waiting)
            self._count()

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
        self._finish(self._waiting)
        self._transaction.close()
        self._count()

    def _count(self) -> None:
        for encoded in self._waiting:
            self.copied += encoded.count
            self.read += encoded.read
            self.dropped += encoded.dropped
        self._waiting, self._size = [], 0

    @property
    def _statement(self) -> bytes:
        table = self.encoder.table
        names = ", ".join(POSTGRESQL.quote(column.target) for column in self.encoder.columns)
        return f"COPY {POSTGRESQL.quote(table.target)} ({names}) FROM STDIN".encode()

    def _write(self, lines: bytes) -> None:
        with self.raw.cursor() as cursor, cursor.copy(self._statement) as copy:
            copy.write(lines)

    def _finish(self, group: Sequence[Encoded]) -> None:
        copy_odd(self.raw, [odd for encoded in group for odd in encoded.odd])
        read = sum(encoded.read for encoded in group)
        self.raw.execute(
            f"UPDATE {TABLES} SET cursor = %s, rows = rows + %s WHERE tbl = %s".encode(),
            (group[-1].last, read, self.encoder.table.target),
        )

    def _write_piecewise(self, encoded: Encoded) -> None:
        import psycopg

        lines = encoded.data.split(b"\n")[:-1]
        rows = encoded.rows or []
        arrived, start = 0, 0
        while start < len(lines):
            try:
                with self.raw.transaction():
                    self._write(b"\n".join(lines[start:]) + b"\n")
                arrived += len(lines) - start
                break
            except psycopg.Error as error:
                if (error.sqlstate or "")[:2] not in _DATA_FAULTS:
                    raise
                place = _LINE.search(error.diag.context or "")
                bad = start + int(place[1]) - 1 if place else start
                message = error.diag.message_primary or str(error)
                column = place[2] if place else None
            if bad > start:
                with self.raw.transaction():
                    self._write(b"\n".join(lines[start:bad]) + b"\n")
                arrived += bad - start
            if self._mend(encoded, lines[bad], rows[bad], column, message):
                arrived += 1
            else:
                encoded.dropped += 1
            start = bad + 1
        encoded.count = arrived

    def _mend(
        self, encoded: Encoded, line: bytes, row: Sequence[Any], column: str | None, message: str
    ) -> bool:
        """Set aside what is wrong with a line: its value if that will do, else the row. True if the row arrived."""
        import psycopg

        names = [found.target for found in self.encoder.columns]
        place = names.index(column) if column in names else None
        if place is not None and (without := self.encoder.without(line, row, place)):
            data, odd = without
            try:
                with self.raw.transaction():
                    self._write(data)
            except psycopg.Error as error:
                if (error.sqlstate or "")[:2] not in _DATA_FAULTS:
                    raise
            else:
                encoded.odd.append(Odd(odd.table, odd.key, odd.column, odd.storage, odd.raw, message))
                return True
        key = self.encoder.key_of(row)
        # What was set aside of the row before is in the entries for the whole of it.
        encoded.odd = [odd for odd in encoded.odd if odd.key != key]
        encoded.odd += self.encoder.reject_row(row, {0 if place is None else place: message})
        return False


def copy_odd(raw: psycopg.Connection[Any], found: Sequence[Odd]) -> None:
    """Write rejected values and original spellings to their tables."""
    for table, rejects in ((REJECTS, True), (ORIGINALS, False)):
        chosen = [odd for odd in found if (odd.reason is not None) == rejects]
        if not chosen:
            continue
        lines = []
        for odd in chosen:
            fields = [escape(odd.table), escape(odd.key), escape(odd.column), odd.storage]
            fields.append("\\N" if odd.raw is None else "\\\\x" + odd.raw.hex())
            if odd.reason is not None:
                fields.append(escape(odd.reason.replace("\0", "\\0")))
            lines.append("\t".join(fields) + "\n")
        with raw.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            copy.write("".join(lines))
