"""What the platform knows: documents in pieces, with their embeddings."""

from __future__ import annotations

from dbadapter.schema import Column, Index, Table
from dbadapter.schema import types as t

from .columns import belongs_to, created, details, identity, updated

TABLES = [
    Table(
        "sources",
        identity(),
        belongs_to("organizations"),
        Column("kind", t.Enum("upload", "web", "mail", "repository"), nullable=False),
        Column("uri", t.Text(), nullable=False),
        Column("fetch_every", t.Interval()),
        details(),
        created(),
        unique=[("organization_id", "uri")],
    ),
    Table(
        "documents",
        identity(),
        belongs_to("sources"),
        Column("title", t.Text(), nullable=False),
        Column("media_type", t.Varchar(100), nullable=False, default="text/plain"),
        Column("content", t.Bytes()),
        Column("sha256", t.Varchar(64), nullable=False, check="length(sha256) = 64"),
        Column("published_on", t.Date()),
        created(),
        updated(),
        unique=[("source_id", "sha256")],
    ),
    Table(
        "document_chunks",
        identity(),
        belongs_to("documents"),
        Column("place", t.Integer(), nullable=False, check="place >= 0"),
        Column("text", t.Text(), nullable=False),
        Column("length", t.Integer(), generated="length(text)"),
        Column("embedding", t.Vector(384), comment="all-MiniLM-L6-v2, normalized"),
        unique=[("document_id", "place")],
        indexes=[Index("embedding vector_cosine_ops", using="hnsw")],
    ),
    Table(
        "notes",
        identity(),
        belongs_to("users"),
        Column("title", t.Varchar(200), nullable=False),
        Column("body", t.Text(), nullable=False, default=""),
        Column("pinned", t.Boolean(), nullable=False, default=False),
        created(),
        updated(),
        indexes=[Index("user_id", where="pinned")],
    ),
    Table(
        "note_links",
        belongs_to("notes", "from_id"),
        belongs_to("notes", "to_id"),
        primary_key=["from_id", "to_id"],
        checks=["from_id <> to_id"],
    ),
    Table(
        "topics",
        identity(),
        belongs_to("topics", "parent_id", nullable=True),
        Column("name", t.Varchar(100), nullable=False, unique=True),
        Column("centre", t.Vector(384)),
    ),
]
