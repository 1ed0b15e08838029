"""What a driver's connection offers to the shells. Neither driver knows of this; mypy compares both with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from typing import Any, Protocol

from .._core.pool_state import PooledConnection
from .._core.rows import RowSet
from .._core.statement import Parameters, Statement
from .._core.topology import Sample
from ..types import Result

__all__ = ["AsyncConnection", "AsyncServerConnection"]


class AsyncConnection(PooledConnection, Protocol):
    """A connection in autocommit mode; used by one caller at a time.

    What fails raises an error of ours: a `QueryError` where the database refuses a statement, `DatabaseUnavailable`
    where it does not answer, `ConnectionLost` where the connection broke while a statement was under way.

    Attributes:
        held_since: when its lane handed it out last, in seconds of `perf_counter`.
        where: the place in the caller's code that took it, if that was noted.
        begins_late: BEGIN locks nothing, so it may be put off until a transaction's first statement.
        was_standby: when it was opened, the server was a standby.
    """

    held_since: float
    where: str | None
    begins_late: bool
    was_standby: bool

    @property
    def raw(self) -> Any:
        """The driver's own connection (sqlite3's or psycopg's)."""

    # -- statements ------------------------------------------------------------------------------------------------

    async def fetch(self, statement: Statement, params: Parameters, limit: int | None) -> RowSet:
        """The first `limit` rows (None: all)."""

    async def execute(self, statement: Statement, params: Parameters) -> Result:
        """Run a statement for its effect."""

    async def execute_many(self, statement: Statement, rows: Iterable[Parameters]) -> int:
        """Run a statement once for each of `rows`, all or nothing; the number of rows affected."""

    async def insert_many(
        self, table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]], on_conflict: str | None
    ) -> int:
        """Insert rows in bulk, all or nothing; the number of rows affected."""

    def stream(
        self, statement: Statement, params: Parameters, batch_size: int
    ) -> AsyncGenerator[RowSet, None]:
        """The rows in batches of `batch_size`, read as they are asked for."""

    async def columns_of(self, table: str) -> list[str]:
        """The columns of `table` that can be written, in order. Raises `UndefinedTable`."""

    async def run(self, sql: str) -> None:
        """Run a statement of the library's own, without parameters or rows: a savepoint, say."""

    # -- transactions ----------------------------------------------------------------------------------------------

    async def begin(
        self, *, read_only: bool = False, isolation: str | None = None, writes: bool = ...
    ) -> None:
        """Begin a transaction; with `writes`, one whose next statement may write."""

    async def learn_id(self) -> None:
        """Before a transaction's first write: note what tells its fate if the answer to COMMIT gets lost."""

    async def commit(self) -> None:
        """Commit. Raises `CommitInDoubt` when the connection is lost before the answer comes."""

    async def rollback(self) -> None:
        """Roll back the transaction, if one is open."""

    async def token(self) -> str:
        """A consistency token: it stands for everything that is committed by now."""

    # -- its life --------------------------------------------------------------------------------------------------

    def is_alive(self) -> bool:
        """The other end has not hung up, as far as can be told without a round trip."""

    def is_clean(self) -> bool:
        """Its last user left no transaction open, so that it needs no `reset`."""

    async def reset(self) -> bool:
        """Roll back what its last user left open; False if the connection cannot be used any more."""

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""

    async def is_standby(self) -> bool:
        """Ask the server whether it is a standby, which refuses writes."""

    async def lend(self) -> Any:
        """The driver's own connection, for the app to use as it likes until `forget_session`."""

    async def forget_session(self) -> None:
        """After `lend`: put the connection's settings back; if that fails, close it."""

    def disown(self, *, in_use: bool) -> bool:
        """In a forked child: let go of what is the parent's. False if that cannot be done safely."""

    async def close(self) -> None:
        """Close the connection; closing again does nothing."""


class AsyncServerConnection(AsyncConnection, Protocol):
    """A connection to a server, which can be asked for its role, its position, and what became of a commit."""

    async def sample(self) -> Sample:
        """Which server it is, its role, and its position in the log."""

    async def fate(self, transaction_id: str, server: str) -> str | None:
        """What became of a transaction begun on `server`: "committed", "aborted", "in progress"; None: unknown."""

    async def end_backend(self, pid: int) -> None:
        """Have the server end the process of another connection of ours."""

    def abort(self) -> None:
        """Make whoever waits for an answer on it fail at once; may be called from any thread."""
