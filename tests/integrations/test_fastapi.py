"""A FastAPI app on an adapter: its life, a transaction for each request, and what errors become."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import attrs
import fastapi
import httpx
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig
from dbadapter.integrations.fastapi import Database, add_error_handlers
from dbadapter.web import create_app


def make_app(adapter: Any, seen: list[int]) -> fastapi.FastAPI:
    """An app with one table; `seen` gets the number of rows at the moment when the answer's body is sent."""
    db = Database(adapter)
    app = fastapi.FastAPI(lifespan=db.lifespan)
    add_error_handlers(app)
    app.mount("/api/v1/db", create_app(adapter))
    transaction, reading = db.transaction(), db.transaction(read_only=True)
    is_async = isinstance(adapter, AsyncDatabaseAdapter)

    async def done(result: Any) -> Any:
        return await result if is_async else result

    async def also(tx: Any = transaction) -> Any:
        return tx

    shared_one = fastapi.Depends(also)
    the_adapter = db.adapter()

    @app.post("/notes/{key}")
    async def create(
        key: int,
        after: fastapi.BackgroundTasks,
        fail: str = "",
        tx: Any = transaction,
        shared: Any = shared_one,
    ) -> dict[str, bool]:
        await done(tx.execute("INSERT INTO notes VALUES (:key)", {"key": key}))
        if fail == "http":
            raise fastapi.HTTPException(418)
        if fail == "bug":
            raise RuntimeError("a bug")

        async def look() -> None:
            seen.append(await done(adapter.fetch_value("SELECT count(*) FROM notes")))

        after.add_task(look)
        return {"shared": shared is tx}

    @app.get("/notes")
    async def count(tx: Any = reading) -> int:
        found: int = await done(tx.fetch_value("SELECT count(*) FROM notes"))
        return found

    @app.post("/wrong")
    async def wrong(tx: Any = reading) -> None:
        await done(tx.execute("INSERT INTO notes VALUES (99)"))

    @app.get("/adapter")
    async def whole(found: Any = the_adapter) -> bool:
        return found is adapter

    return app


@attrs.frozen
class Running:
    """A running app: a client of it, and what its background tasks saw."""

    http: httpx.AsyncClient
    seen: list[int]


@pytest.fixture(params=[DatabaseAdapter, AsyncDatabaseAdapter])
async def running(request: pytest.FixtureRequest, config: DatabaseConfig) -> AsyncIterator[Running]:
    """A running app, with an adapter of each kind on each backend."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute("CREATE TABLE notes (id BIGINT NOT NULL PRIMARY KEY)")
    seen: list[int] = []
    app = make_app(request.param(config), seen)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://x") as http,
    ):
        yield Running(http, seen)


async def test_a_request_is_a_transaction(running: Running) -> None:
    """What succeeds is committed, what fails is rolled back, whether by an HTTPException or a bug."""
    assert (await running.http.post("/notes/1")).status_code == 200
    assert (await running.http.post("/notes/2?fail=http")).status_code == 418
    assert (await running.http.post("/notes/3?fail=bug")).status_code == 500
    assert (await running.http.get("/notes")).json() == 1


async def test_it_is_committed_before_the_answer_is_sent(running: Running) -> None:
    """What runs after the answer sees the row: nobody is told of what is not there yet."""
    await running.http.post("/notes/1")
    await running.http.post("/notes/2")
    assert running.seen == [1, 2]


async def test_one_request_has_one_transaction(running: Running) -> None:
    """An endpoint and its dependencies share it."""
    assert (await running.http.post("/notes/1")).json() == {"shared": True}


async def test_errors_become_answers_that_tell_no_values(running: Running) -> None:
    """A duplicate is 409, a write where only reads are allowed is a fault of the app; neither shows statements."""
    await running.http.post("/notes/4711")
    duplicate = await running.http.post("/notes/4711")
    assert duplicate.status_code == 409
    assert "4711" not in duplicate.text
    assert "INSERT" not in duplicate.text
    assert (await running.http.post("/wrong")).status_code == 500


async def test_the_adapter_and_its_interface(running: Running) -> None:
    """The adapter itself is a dependency, and its HTTP interface can be mounted."""
    assert (await running.http.get("/adapter")).json() is True
    assert (await running.http.get("/api/v1/db/health")).json()["status"] == "healthy"


async def test_the_adapter_lives_as_long_as_the_app(sqlite_database: DatabaseConfig) -> None:
    """It is opened when the app starts and closed when it ends."""
    adapter = DatabaseAdapter(sqlite_database)
    app = make_app(adapter, [])
    async with app.router.lifespan_context(app):
        assert adapter.status()["open"]
    assert not adapter.status()["open"]
