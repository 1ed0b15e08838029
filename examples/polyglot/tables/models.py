"""Which models answer, and how well."""

from __future__ import annotations

from dbadapter.schema import Column, Index, Table
from dbadapter.schema import types as t

from .columns import belongs_to, created, details, identity, mentions

PRICE = t.Decimal(20, 10)

TABLES = [
    Table(
        "models",
        identity(),
        Column("name", t.Varchar(100), nullable=False, unique=True),
        Column("kind", t.Enum("chat", "embedding", "rerank"), nullable=False),
        Column("dimension", t.Integer()),
        checks=["kind <> 'embedding' OR dimension > 0"],
    ),
    Table(
        "model_prices",
        belongs_to("models"),
        Column("valid_from", t.Date(), nullable=False),
        Column("per_input_token", PRICE, nullable=False, check="per_input_token >= 0"),
        Column("per_output_token", PRICE, nullable=False, check="per_output_token >= 0"),
        primary_key=["model_id", "valid_from"],
    ),
    Table(
        "runs",
        identity(),
        belongs_to("messages", nullable=True),
        mentions("models", "model_id"),
        mentions("prompts", "prompt_id"),
        Column("state", t.Enum("queued", "running", "succeeded", "failed"), nullable=False, default="queued"),
        Column("started_at", t.Timestamp(tz=True)),
        Column("took", t.Interval()),
        Column("error", t.Text()),
        details(),
        created(),
        checks=["(state = 'failed') = (error IS NOT NULL)"],
        indexes=[Index("created_at", where="state = 'queued'")],
    ),
    Table(
        "run_steps",
        belongs_to("runs"),
        Column("place", t.SmallInteger(), nullable=False),
        Column("tool", t.Varchar(100), nullable=False),
        Column("input", t.Json(), nullable=False),
        Column("output", t.Json()),
        primary_key=["run_id", "place"],
    ),
    Table(
        "evaluations",
        identity(),
        belongs_to("models"),
        Column("suite", t.Varchar(100), nullable=False),
        Column("at", t.Timestamp(), nullable=False, default=t.now(), comment="UTC"),
        unique=[("model_id", "suite", "at")],
    ),
    Table(
        "evaluation_scores",
        belongs_to("evaluations"),
        Column("metric", t.Varchar(50), nullable=False),
        Column("score", t.Float(), nullable=False),
        primary_key=["evaluation_id", "metric"],
    ),
]
