"""What a chat back end keeps: one description for SQLite and Postgres."""

from __future__ import annotations

from dbadapter.schema import Column, Index, Schema, Table
from dbadapter.schema import types as t

SCHEMA = Schema(
    [
        Table(
            "conversations",
            Column("id", t.Identity()),
            Column("title", t.Varchar(200), nullable=False),
            Column("status", t.Enum("open", "closed"), nullable=False, default="open"),
            Column("settings", t.Json()),
            Column("created_at", t.Timestamp(tz=True), nullable=False, default=t.now()),
        ),
        Table(
            "messages",
            Column("id", t.Identity()),
            Column(
                "conversation_id",
                t.Integer(),
                references="conversations.id",
                on_delete="cascade",
                nullable=False,
            ),
            Column("role", t.Enum("user", "assistant", "system"), nullable=False),
            Column("content", t.Text(), nullable=False),
            Column("metadata", t.Json()),
            Column("created_at", t.Timestamp(tz=True), nullable=False, default=t.now()),
            indexes=[Index("conversation_id", "id", name="messages_of_conversation")],
        ),
        # What the client shows below a message: its kind, and what that kind of component takes.
        Table(
            "ui_components",
            Column("id", t.Identity()),
            Column("message_id", t.Integer(), references="messages.id", on_delete="cascade", nullable=False),
            Column("kind", t.Enum("sources", "card", "form"), nullable=False),
            Column("props", t.Json(), nullable=False),
        ),
        # What answers are drawn from; the vectors are in a collection of the same name, tied to these rows.
        Table(
            "rag_contexts",
            Column("id", t.Identity()),
            Column("source", t.Varchar(200), nullable=False),
            Column("body", t.Text(), nullable=False),
            Column("metadata", t.Json()),
        ),
        # Which of them an answer was drawn from, and how near they were.
        Table(
            "message_contexts",
            Column("message_id", t.Integer(), references="messages.id", on_delete="cascade", nullable=False),
            Column(
                "context_id", t.Integer(), references="rag_contexts.id", on_delete="cascade", nullable=False
            ),
            Column("similarity", t.Float(), nullable=False),
            primary_key=("message_id", "context_id"),
        ),
    ]
)
