"""An AI platform's back end: agents, their runs, and what they cost; on SQLite, or on PostgreSQL with replicas.

    uvicorn platform_app:app

The environment says which database; see ``.env.example``.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

import attrs
from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import ParameterError, SwitchError
from dbadapter.integrations.fastapi import Database, add_error_handlers
from dbadapter.schema import Column, Schema, Table
from dbadapter.schema import types as t
from dbadapter.web import create_app as create_status_app

SCHEMA = Schema(
    [
        Table(
            "agents",
            Column("id", t.Identity()),
            Column("name", t.Varchar(100), nullable=False, unique=True),
            Column("model", t.Varchar(100), nullable=False),
            Column("created_at", t.Timestamp(tz=True), default=t.now()),
        ),
        Table(
            "runs",
            Column("id", t.Identity()),
            Column("agent_id", t.BigInteger(), nullable=False, references="agents.id", on_delete="cascade"),
            Column("state", t.Enum("waiting", "done", "failed"), nullable=False, default="waiting"),
            Column("prompt", t.Text(), nullable=False),
            Column("answer", t.Text()),
            Column("tokens", t.Integer(), nullable=False, default=0),
            Column("details", t.Json()),
            Column("created_at", t.Timestamp(tz=True), default=t.now()),
        ),
    ]
)

# What a browser brings back, so that its next request sees what this one wrote, whichever process serves it.
SEEN = "platform_seen"
Seen = Annotated[str | None, Cookie(alias=SEEN)]


class NewAgent(BaseModel):
    """An agent to be made."""

    name: str = Field(min_length=1, max_length=100)
    model: str = Field(min_length=1, max_length=100)


class NewRun(BaseModel):
    """Something to ask an agent."""

    prompt: str = Field(min_length=1)


class Finished(BaseModel):
    """How a run has ended."""

    state: Literal["done", "failed"]
    answer: str | None = None
    tokens: int = Field(default=0, ge=0)
    details: dict[str, Any] = Field(default_factory=dict)


class Switch(BaseModel):
    """Where the data are to live from now on."""

    to: DatabaseType
    carry_data: bool = True


def create_app(config: DatabaseConfig | None = None, *, token: str | None = None) -> FastAPI:
    """The app.

    Args:
        config: both databases and the one to start on; default: what the environment says.
        token: what operators show; default: ``PLATFORM_TOKEN``, and without one their endpoints stay closed.
    """
    adapter = AsyncDatabaseAdapter(config or config_from_environment())
    token = token or os.environ.get("PLATFORM_TOKEN") or None
    db = Database(adapter)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with db.lifespan(app):
            await adapter.create_tables(SCHEMA)
            yield

    app = FastAPI(title="AI platform", lifespan=lifespan)
    app.state.adapter = adapter
    add_error_handlers(app)
    transaction = db.transaction()

    @app.exception_handler(ParameterError)
    async def foreign_cookie(_request: Request, _exc: ParameterError) -> JSONResponse:
        answer = JSONResponse({"detail": f"the cookie {SEEN} is not one of ours"}, 400)
        answer.delete_cookie(SEEN)
        return answer

    async def remember(response: Response) -> None:
        """Give the caller the token of what it has just written."""
        seen = await adapter.consistency_token()
        response.set_cookie(SEEN, seen, max_age=60, httponly=True, samesite="lax")

    # -- agents and runs: writes go to the primary, reads to a replica that shows what the caller has written

    @app.post("/api/v1/agents", status_code=201)
    async def create_agent(agent: NewAgent, response: Response) -> dict[str, Any]:
        row = await adapter.fetch_one(
            "INSERT INTO agents (name, model) VALUES (:name, :model) RETURNING id, name, model, created_at",
            agent.model_dump(),
        )
        await remember(response)
        return dict(row)

    @app.get("/api/v1/agents")
    async def list_agents(seen: Seen = None) -> list[dict[str, Any]]:
        return await adapter.fetch_all(
            "SELECT id, name, model, created_at FROM agents ORDER BY id", after=seen
        )

    @app.post("/api/v1/agents/{agent_id}/runs", status_code=201)
    async def start_run(agent_id: int, run: NewRun, response: Response) -> dict[str, Any]:
        row = await adapter.fetch_one(
            "INSERT INTO runs (agent_id, prompt) VALUES (?, ?) RETURNING id, state", (agent_id, run.prompt)
        )
        await remember(response)
        return dict(row)

    @app.put("/api/v1/runs/{run_id}")
    async def finish_run(run_id: int, finished: Finished, tx: Any = transaction) -> dict[str, str]:
        state = await tx.fetch_value("SELECT state FROM runs WHERE id = ?", (run_id,))
        if state is None:
            raise HTTPException(404, "no such run")
        if state != "waiting":
            raise HTTPException(409, f"the run is {state} already")
        await tx.execute(
            "UPDATE runs SET state = :state, answer = :answer, tokens = :tokens, details = :details WHERE id = :id",
            {"id": run_id, **finished.model_dump()},
        )
        return {"state": finished.state}

    @app.get("/api/v1/agents/{agent_id}/runs")
    async def list_runs(agent_id: int, limit: int = 50, seen: Seen = None) -> list[dict[str, Any]]:
        return await adapter.fetch_all(
            "SELECT id, state, prompt, answer, tokens, details FROM runs WHERE agent_id = ? ORDER BY id DESC LIMIT ?",
            (agent_id, max(1, min(limit, 1000))),
            after=seen,
        )

    @app.get("/api/v1/usage")
    async def usage() -> list[dict[str, Any]]:
        """Tokens by model. A report may be a moment old, so any replica will do."""
        return await adapter.fetch_all(
            """SELECT agents.model AS model, count(*) AS runs, sum(runs.tokens) AS tokens
               FROM runs JOIN agents ON agents.id = runs.agent_id GROUP BY agents.model ORDER BY agents.model""",
            consistency="eventual",
        )

    # -- for operators

    async def operator(authorization: Annotated[str, Header()] = "") -> None:
        if token is None or not secrets.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
            raise HTTPException(401, "operators show their token", {"WWW-Authenticate": "Bearer"})

    @app.get("/api/v1/pool", dependencies=[Depends(operator)])
    async def pool() -> dict[str, Any]:
        """Who uses which connections, and which server serves how much."""
        return adapter.get_stats()

    @app.post("/api/v1/switch", dependencies=[Depends(operator)])
    async def switch(wanted: Switch) -> dict[str, Any]:
        """Move to the other database while everybody goes on working."""
        try:
            report = await adapter.switch_database(wanted.to, carry_data=wanted.carry_data)
        except SwitchError as exc:
            raise HTTPException(409, str(exc)) from exc
        return attrs.asdict(report)

    if token is not None:
        app.mount("/api/v1/db", create_status_app(adapter, token=token))
    return app


def config_from_environment() -> DatabaseConfig:
    """The database to start on, and with ``PLATFORM_POSTGRES`` the server to move to later."""
    config = DatabaseConfig.from_env()
    if url := os.environ.get("PLATFORM_POSTGRES"):
        config = attrs.evolve(config, pool=DatabaseConfig.from_url(url).pool)
    return config


def __getattr__(name: str) -> FastAPI:
    """``app``, made when a server asks for it, so that importing this file needs no environment."""
    if name == "app":
        return create_app()
    raise AttributeError(name)
