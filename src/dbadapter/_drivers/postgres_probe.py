"""A connection that watches a server: it is asked where it stands, and answers when it can; nobody waits on it.

One for both halves: questions and answers are single packets, so nothing here blocks or awaits.
"""

from __future__ import annotations

from time import perf_counter
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

from .._core.topology import Sample
from ..errors import ConnectionLost
from .postgres_positions import POSITION, WHOLE, read_sample

__all__ = ["Probe"]

_PREPARED = b"dbadapter_position"
PREPARE = f"PREPARE {_PREPARED.decode()} AS {POSITION}"


class Probe:
    """One watched server.

    Attributes:
        descriptor: the socket on which it answers.
        asked_at: when the question was sent that is not answered yet; None if there is none.
    """

    def __init__(self, raw: Any, *, is_shared: bool) -> None:
        """`raw` is an open psycopg connection, sync or async, on which `PREPARE` was run unless it `is_shared`."""
        self._raw = raw
        self._pgconn = raw.pgconn
        self.descriptor: int = raw.fileno()
        self._is_shared = is_shared
        self._connected = perf_counter()
        self._server, self._system = "", 0
        self._asks_whole = True
        self._fields: list[Any] = []
        self.asked_at: float | None = None

    def ask(self, *, whole: bool) -> None:
        """Send the question, unless one is open; `whole`: also for timeline and identity. Raises `ConnectionLost`."""
        if self.asked_at is not None:
            return
        self._asks_whole = whole or not self._system
        self.asked_at = perf_counter()
        try:
            if self._asks_whole:
                self._pgconn.send_query(WHOLE.encode())
            elif self._is_shared:
                self._pgconn.send_query(POSITION.encode())
            else:
                self._pgconn.send_query_prepared(_PREPARED, [])
            self._pgconn.flush()
        except psycopg.Error as exc:
            raise ConnectionLost(f"the connection to Postgres was lost: {exc}", transient=True) from exc

    def receive(self) -> Sample | None:
        """The answer, as far as it is there. Raises `ConnectionLost`."""
        pgconn = self._pgconn
        problem = ""
        try:
            pgconn.consume_input()
            while not pgconn.is_busy():
                result = pgconn.get_result()
                if result is None:
                    break
                if result.status == ExecStatus.TUPLES_OK:
                    self._fields = [result.get_value(0, column) for column in range(result.nfields)]
                else:
                    problem = result.get_error_message()
            else:
                return None
        except psycopg.Error as exc:
            problem = str(exc)
        started, self.asked_at = self.asked_at, None
        if problem or started is None or not self._fields:
            raise ConnectionLost(problem or "the server said something unasked", transient=True)
        fields, self._fields = [None if field is None else field.decode() for field in self._fields], []
        return self._read(fields, started)

    def _read(self, fields: list[Any], started: float) -> Sample:
        row = [fields[0] == "t", *fields[1:]]
        if self._asks_whole:
            self._system = int(fields[4])
            self._server = "" if self._is_shared else fields[3]
            row[3:5] = self._server, self._system
        return read_sample(
            row, started=started, connected=self._connected, server=self._server, system=self._system
        )

    def close(self) -> None:
        """End the connection."""
        self._pgconn.finish()
