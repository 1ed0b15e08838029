"""The AI platform example: the same app on both databases, on replicas, through a failover and a switch."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from fastapi import FastAPI

from dbadapter import DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from tests.servers import TEMP_DIR

SOURCE = Path(__file__).parents[2] / "examples" / "ai_platform" / "platform_app.py"
TOKEN = "for operators"
OPERATOR = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def example() -> Iterator[Any]:
    """The example's module."""
    spec = importlib.util.spec_from_file_location("platform_app", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pydantic looks for names in annotations
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del sys.modules[spec.name]


@asynccontextmanager
async def client_of(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser, while the app runs."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://platform") as client:
            yield client


async def make_agent(client: httpx.AsyncClient, name: str = "librarian") -> int:
    """A new agent's id."""
    answer = await client.post("/api/v1/agents", json={"name": name, "model": "small"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def test_agents_and_runs(example: Any, config: DatabaseConfig) -> None:
    """Made, listed, run, finished and counted; what makes no sense is told with a code that fits."""
    async with client_of(example.create_app(config, token=TOKEN)) as client:
        agent = await make_agent(client)
        assert [row["name"] for row in (await client.get("/api/v1/agents")).json()] == ["librarian"]
        twice = await client.post("/api/v1/agents", json={"name": "librarian", "model": "large"})
        assert twice.status_code == 409
        nobody = await client.post("/api/v1/agents/99/runs", json={"prompt": "?"})
        assert nobody.status_code == 409
        run = (await client.post(f"/api/v1/agents/{agent}/runs", json={"prompt": "What is WAL?"})).json()
        assert run["state"] == "waiting"
        done = {"state": "done", "answer": "A log.", "tokens": 12, "details": {"cached": False}}
        assert (await client.put(f"/api/v1/runs/{run['id']}", json=done)).json() == {"state": "done"}
        assert (await client.put(f"/api/v1/runs/{run['id']}", json=done)).status_code == 409
        assert (await client.put("/api/v1/runs/99", json=done)).status_code == 404
        (listed,) = (await client.get(f"/api/v1/agents/{agent}/runs")).json()
        assert listed == {"id": run["id"], "prompt": "What is WAL?", **done}
        assert (await client.get("/api/v1/usage")).json() == [{"model": "small", "runs": 1, "tokens": 12}]


async def test_what_is_for_operators(example: Any, config: DatabaseConfig) -> None:
    """The pool, the status and the switch want the token; without one set they stay closed."""
    async with client_of(example.create_app(config, token=TOKEN)) as client:
        for wrong in ({}, {"authorization": "Bearer guess"}, {"authorization": TOKEN}):
            for path in ("/api/v1/pool", "/api/v1/db/status", "/api/v1/db/metrics"):
                assert (await client.get(path, headers=wrong)).status_code == 401
            assert (
                await client.post("/api/v1/switch", json={"to": "sqlite"}, headers=wrong)
            ).status_code == 401
        stats = (await client.get("/api/v1/pool", headers=OPERATOR)).json()
        assert stats["max"] >= 1
        assert stats["nodes"][0]["role"] == "primary"
        assert (await client.get("/api/v1/db/health")).json()["status"] == "healthy"
        metrics = (await client.get("/api/v1/db/metrics", headers=OPERATOR)).text
        assert "dbadapter_pool_requests_total" in metrics
        foreign = await client.get("/api/v1/agents", headers={"cookie": f"{example.SEEN}=made-up"})
        assert foreign.status_code == 400
        assert "Max-Age=0" in foreign.headers["set-cookie"]
    async with client_of(example.create_app(config)) as client:
        assert (await client.get("/api/v1/pool", headers=OPERATOR)).status_code == 401


async def test_there_and_back(example: Any, both: DatabaseConfig) -> None:
    """Moved to PostgreSQL and back by an operator while runs are started: all of them are there."""
    async with client_of(example.create_app(both, token=TOKEN)) as client:
        agent = await make_agent(client)
        started: set[int] = set()
        ended = asyncio.Event()

        async def keep_starting() -> None:
            while not ended.is_set() and len(started) < 1000:  # so many are listed below
                answer = await client.post(f"/api/v1/agents/{agent}/runs", json={"prompt": "more"})
                assert answer.status_code == 201, answer.text
                started.add(answer.json()["id"])

        worker = asyncio.ensure_future(keep_starting())
        try:
            for target in ("postgresql", "sqlite"):
                while len(started) < 20:
                    assert not worker.done(), worker.result()
                    await asyncio.sleep(0.001)
                answer = await client.post("/api/v1/switch", json={"to": target}, headers=OPERATOR)
                assert answer.status_code == 200, answer.text
                assert answer.json()["target"] == target
                assert answer.json()["verified"]
                again = await client.post("/api/v1/switch", json={"to": target}, headers=OPERATOR)
                assert again.status_code == 409
        finally:
            ended.set()
            await worker
        listed = (await client.get(f"/api/v1/agents/{agent}/runs", params={"limit": 1000})).json()
        assert {row["id"] for row in listed} == started


@pytest.fixture
def servers() -> Iterator[EmbeddedPostgres]:
    """A primary with two replicas, the test's own."""
    with EmbeddedPostgres(replicas=2, temp_dir=TEMP_DIR) as servers:
        servers.wait_for_replicas()
        yield servers


async def test_replicas_and_a_failover(example: Any, servers: EmbeddedPostgres) -> None:
    """Reads run on replicas, as the pool's page shows; a replica takes over under load, and every run is there.

    No run that was answered with 201 is lost, and a caller always sees its own, in other processes of the app too.
    """
    config = attrs.evolve(servers.config, pool=attrs.evolve(servers.config.pool, connection_timeout=40.0))
    first, second = (example.create_app(config, token=TOKEN) for _ in range(2))
    async with client_of(first) as writing, client_of(second) as reading:
        agent = await make_agent(writing)
        started: set[int] = set()
        doubtful = 0
        ended = asyncio.Event()

        async def start() -> None:
            nonlocal doubtful
            answer = await writing.post(f"/api/v1/agents/{agent}/runs", json={"prompt": "more"})
            if answer.status_code != 201:
                assert answer.status_code == 503, answer.text
                doubtful += 1
                return
            number = answer.json()["id"]
            started.add(number)
            reading.cookies.set(example.SEEN, writing.cookies[example.SEEN])
            listed = (await reading.get(f"/api/v1/agents/{agent}/runs", params={"limit": 1})).json()
            assert listed[0]["id"] >= number

        async def keep_starting() -> None:
            while not ended.is_set():
                await start()

        async def until(count: int) -> None:
            while len(started) < count:
                assert not worker.done(), worker.result()
                await asyncio.sleep(0.001)

        async def read_from_replicas() -> None:
            while (await pool_of(reading))["reads"]["replica"] < 10:
                await reading.get("/api/v1/usage")

        worker = asyncio.ensure_future(keep_starting())
        try:
            await until(20)
            await read_from_replicas()
            await asyncio.to_thread(servers.promote, 0)
            await until(len(started) + 40)
        finally:
            ended.set()
            await worker
        stats = await pool_of(writing)
        assert {node["port"]: node["role"] for node in stats["nodes"]}[servers.port] == "primary"
        listed = (await writing.get(f"/api/v1/agents/{agent}/runs", params={"limit": 1000})).json()
        assert started <= {row["id"] for row in listed}
        assert len(listed) <= len(started) + doubtful


async def pool_of(client: httpx.AsyncClient) -> dict[str, Any]:
    """What operators see of the pool."""
    found: dict[str, Any] = (await client.get("/api/v1/pool", headers=OPERATOR)).json()
    return found
