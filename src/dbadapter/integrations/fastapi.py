"""FastAPI: an adapter for the life of the app, and a transaction for each request.

::

    db = Database(AsyncDatabaseAdapter(DatabaseConfig.from_env()))
    app = FastAPI(lifespan=db.lifespan)
    add_error_handlers(app)
    Tx = Annotated[AsyncTransaction, db.transaction()]

    @app.post("/notes")
    async def create(note: Note, tx: Tx) -> None:
        await tx.execute("INSERT INTO notes (title) VALUES (:title)", {"title": note.title})
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from ..errors import (
    DatabaseAdapterError,
    DatabaseUnavailable,
    DataError,
    IntegrityError,
    OutcomeUnknown,
    PoolClosed,
    PoolExhausted,
    RetryableError,
    StatementTimeout,
)

if TYPE_CHECKING:
    from .. import AsyncDatabaseAdapter, DatabaseAdapter

__all__ = ["Database", "add_error_handlers"]

logger = logging.getLogger("dbadapter.fastapi")


class Database:
    """An adapter, sync or async, in a FastAPI app.

    Args:
        adapter: not open yet; the app's life opens and closes it.
    """

    def __init__(self, adapter: AsyncDatabaseAdapter | DatabaseAdapter) -> None:
        self._adapter: Any = adapter
        self._is_async = inspect.iscoroutinefunction(type(adapter).fetch_all)

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """For ``FastAPI(lifespan=…)``: the adapter is open while the app runs."""
        await self._call(self._adapter.initialize)
        try:
            yield
        finally:
            await self._call(self._adapter.close)

    def adapter(self) -> Any:
        """A dependency: the adapter itself."""

        def give() -> Any:
            return self._adapter

        return Depends(give)

    def transaction(self, *, read_only: bool = False) -> Any:
        """A dependency: a transaction of the request's own.

        It is committed when the endpoint has returned and before the answer is sent, so that nobody is told of what is
        not there yet; an exception of the endpoint, an HTTPException too, rolls it back. Endpoints and dependencies of
        one request that name the same dependency object share it.

        Args:
            read_only: it only reads.
        """

        async def give() -> AsyncIterator[Any]:
            transaction = self._adapter.transaction(read_only=read_only)
            if self._is_async:
                async with transaction as tx:
                    yield tx
                return
            tx = await run_in_threadpool(transaction.__enter__)
            try:
                yield tx
            except BaseException as exc:
                await run_in_threadpool(transaction.__exit__, type(exc), exc, exc.__traceback__)
                raise
            await run_in_threadpool(transaction.__exit__, None, None, None)

        # In the scope of the request it would end after the answer was sent.
        return Depends(give, scope="function")

    async def _call(self, method: Any) -> None:
        if self._is_async:
            await method()
        else:
            await run_in_threadpool(method)


# What an error means to a caller of HTTP; the first class that fits decides.
_ANSWERS: tuple[tuple[type[DatabaseAdapterError], int, str], ...] = (
    (IntegrityError, 409, "this contradicts what is stored"),
    (DataError, 422, "a value cannot be stored"),
    (RetryableError, 503, "another change came in between; try again"),
    (PoolExhausted, 503, "too busy; try again later"),
    (StatementTimeout, 504, "this took too long"),
    (OutcomeUnknown, 503, "the connection was lost; look whether the change was made before trying again"),
    (DatabaseUnavailable, 503, "the database cannot be reached; try again later"),
    (PoolClosed, 503, "the app is shutting down"),
)


def add_error_handlers(app: FastAPI) -> None:
    """Answer errors of the database with the code that fits: 409, 422, 503 or 504, and 500 for the rest.

    The answer is ``{"detail": …}`` and tells nothing of statements or values; those are in the log
    (``dbadapter.fastapi``).
    """

    async def answer(request: Request, exc: Exception) -> JSONResponse:
        code, words = next(
            ((code, words) for kind, code, words in _ANSWERS if isinstance(exc, kind)),
            (500, "internal error"),
        )
        level = logging.ERROR if code == 500 else logging.WARNING
        logger.log(level, "%s %s: %s: %s", request.method, request.url.path, type(exc).__name__, exc)
        headers = {"retry-after": "1"} if code == 503 else None
        return JSONResponse({"detail": words}, code, headers)

    app.add_exception_handler(DatabaseAdapterError, answer)
