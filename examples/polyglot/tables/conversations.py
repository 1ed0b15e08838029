"""What is said."""

from __future__ import annotations

from dbadapter.schema import Column, Index, Table
from dbadapter.schema import types as t

from .columns import belongs_to, created, details, identity, mentions, updated

TABLES = [
    Table(
        "conversations",
        identity(),
        belongs_to("users"),
        mentions("projects", "project_id"),
        Column("title", t.Varchar(300)),
        Column("status", t.Enum("active", "archived"), nullable=False, default="active"),
        details(),
        created(),
        updated(),
        indexes=[Index("user_id", "updated_at DESC NULLS LAST")],
    ),
    Table(
        "messages",
        identity(),
        belongs_to("conversations"),
        Column("role", t.Enum("system", "user", "assistant", "tool"), nullable=False),
        Column("text", t.Text(), nullable=False),
        Column("tokens", t.Integer(), nullable=False, default=0, check="tokens >= 0"),
        created(),
        indexes=[Index("conversation_id", "id")],
    ),
    Table(
        "message_contexts",
        belongs_to("messages"),
        belongs_to("document_chunks"),
        Column("similarity", t.Float(), nullable=False, check="similarity >= -1 AND similarity <= 1"),
        primary_key=["message_id", "document_chunk_id"],
        comment="The pieces of documents an answer was made from",
    ),
    Table(
        "attachments",
        identity(),
        belongs_to("messages"),
        Column("name", t.Varchar(255), nullable=False),
        Column("size", t.BigInteger(), nullable=False, check="size > 0"),
        Column("content", t.Bytes()),
    ),
    Table(
        "feedback",
        belongs_to("messages"),
        belongs_to("users"),
        Column("score", t.SmallInteger(), nullable=False, check="score IN (-1, 1)"),
        Column("remark", t.Text()),
        created(),
        primary_key=["message_id", "user_id"],
    ),
    Table(
        "prompts",
        identity(),
        belongs_to("organizations", nullable=True),
        Column("name", t.Varchar(100), nullable=False),
        Column("version", t.Integer(), nullable=False, default=1),
        Column("template", t.Text(), nullable=False),
        Column("parameters", t.Json(), nullable=False, default=[]),
        created(),
        unique=[("organization_id", "name", "version")],
    ),
]
