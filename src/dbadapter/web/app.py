"""`create_app`: an adapter's state over HTTP, read-only."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router

from .._jsonable import jsonable
from ..errors import (
    ConfigError,
    DatabaseAdapterError,
    DatabaseUnavailable,
    DataError,
    PoolClosed,
    PoolExhausted,
    StatementTimeout,
    UndefinedTable,
)
from ..querylog import slowest_statements
from .asking import HealthProbe, Inquirer
from .document import openapi_document
from .guard import Guard, WithHeaders
from .live import live_page
from .prometheus import CONTENT_TYPE, exposition
from .rows import BadRequest, rows_query

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from .. import AsyncDatabaseAdapter, DatabaseAdapter

__all__ = ["create_app"]

logger = logging.getLogger("dbadapter.web")

# What an error means to a caller of HTTP; the first class that fits decides.
_STATUS: tuple[tuple[type[BaseException], int], ...] = (
    (BadRequest, 400),
    (DataError, 400),
    (UndefinedTable, 404),
    (StatementTimeout, 504),
    (DatabaseUnavailable, 503),
    (PoolExhausted, 503),
    (PoolClosed, 503),
    (DatabaseAdapterError, 502),  # the database gave what cannot be passed on
)


def create_app(adapter: DatabaseAdapter | AsyncDatabaseAdapter, *, token: str | None = None) -> Starlette:
    """An ASGI app that shows an adapter's state, to be mounted by the host app or run by itself.

    It answers ``GET status health stats tables tables/{name} tables/{name}/rows metrics openapi.json``, and shows a
    live page at ``/``. It only reads.

    Args:
        adapter: an open adapter, sync (it is then called in threads) or async; the host app closes it.
        token: what ``Authorization: Bearer …`` must hold for everything but ``health``; None: everyone may read.

    Raises:
        ConfigError: the token is empty, or `adapter` is not an adapter.
    """
    if token is not None and (not isinstance(token, str) or not token.strip()):
        raise ConfigError("token must be text that is not empty, or None for an app that everyone may read")
    from .. import AsyncDatabaseAdapter, DatabaseAdapter

    if not isinstance(adapter, DatabaseAdapter | AsyncDatabaseAdapter):
        raise ConfigError(
            f"adapter must be a DatabaseAdapter or an AsyncDatabaseAdapter, not {type(adapter).__name__}"
        )
    pages = _Pages(adapter)
    routes = [
        Route("/", pages.live),
        Route("/status", _answering(pages.status)),
        Route("/stats", _answering(pages.stats)),
        Route("/tables", _answering(pages.tables)),
        Route("/tables/{name:path}/rows", _answering(pages.rows)),
        Route("/tables/{name:path}", _answering(pages.table)),
        Route("/metrics", _answering(pages.metrics)),
        Route("/openapi.json", _answering(pages.openapi)),
        # For its 405: a method that the outer route does not take is passed on to the mount.
        Route("/health", _answering(pages.health)),
    ]
    guarded: Any = Router(routes, default=_not_found, redirect_slashes=False)
    if token is not None:
        guarded = Guard(guarded, token=token, refuse=_refuse)
    app = Starlette(
        routes=[Route("/health", _answering(pages.health)), Mount("/", guarded)],
        exception_handlers={HTTPException: _http_error},
    )
    app.add_middleware(WithHeaders)
    return app


class _Pages:
    """The endpoints."""

    def __init__(self, adapter: DatabaseAdapter | AsyncDatabaseAdapter) -> None:
        self._inquirer = Inquirer(adapter)
        self._probe = HealthProbe(self._inquirer)
        self._adapter: Any = adapter

    async def health(self, _request: Request) -> Response:
        found = await self._probe.health()
        return JSONResponse(jsonable(found), 503 if found["status"] == "unhealthy" else 200)

    async def status(self, _request: Request) -> Response:
        return JSONResponse(jsonable(await self._inquirer.ask("status")))

    async def stats(self, _request: Request) -> Response:
        return JSONResponse(
            jsonable({**self._adapter.get_stats(), "slowest": slowest_statements(self._adapter)})
        )

    async def metrics(self, _request: Request) -> Response:
        text = exposition(self._adapter.get_stats(), await self._probe.health())
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def tables(self, _request: Request) -> Response:
        return JSONResponse({"tables": await self._inquirer.ask("list_tables")})

    async def table(self, request: Request) -> Response:
        return JSONResponse(jsonable(await self._describe(request)))

    async def rows(self, request: Request) -> Response:
        table = await self._describe(request)
        query = rows_query(self._adapter.dialect, table, request.query_params.multi_items())
        found = await self._inquirer.ask("fetch_all", query.sql, query.params, row_type=tuple)
        return JSONResponse(
            {
                "table": table.name,
                "columns": [column.name for column in table.columns],
                "rows": jsonable(found[: query.limit]),
                "limit": query.limit,
                "offset": query.offset,
                "more": len(found) > query.limit,
            }
        )

    async def _describe(self, request: Request) -> Any:
        """The table of the path, if it is one of those that are listed."""
        name = request.path_params["name"]
        if name not in await self._inquirer.ask("list_tables"):
            raise UndefinedTable(f"there is no table {name!r}")
        return await self._inquirer.ask("describe_table", name)

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(openapi_document(request.scope.get("root_path", "")))

    async def live(self, _request: Request) -> Response:
        return live_page()


Endpoint = Callable[[Request], Awaitable[Response]]


def _answering(endpoint: Endpoint) -> Endpoint:
    """The endpoint with every exception turned into an answer."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except DatabaseAdapterError as exc:
            code = next(code for kind, code in _STATUS if isinstance(exc, kind))
            return _error(code, " ".join(str(exc).split()))
        except Exception:
            logger.exception("%s failed", request.url.path)
            return _error(500, "internal error; the log of the server tells more")

    return answer


def _error(code: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": message}, code, headers)


async def _http_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return _error(exc.status_code, exc.detail, dict(exc.headers or {}))


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await _error(404, "there is nothing here; openapi.json tells what there is")(scope, receive, send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """401; a browser gets the page with it, which holds no data and asks for the token."""
    request = Request(scope)
    headers = {"www-authenticate": 'Bearer realm="dbadapter"'}
    wants_page = "text/html" in request.headers.get("accept", "") and request.method == "GET"
    response: Response
    if wants_page:
        response = live_page(401, headers)
    else:
        response = _error(401, "this needs the header Authorization: Bearer TOKEN", headers)
    await response(scope, receive, send)
