"""What the app keeps: one description for SQLite and Postgres."""

from __future__ import annotations

from dbadapter.schema import Column, Index, Schema, Table
from dbadapter.schema import types as t

SCHEMA = Schema(
    [
        Table(
            "projects",
            Column("id", t.Identity()),
            Column("name", t.Varchar(200), nullable=False, unique=True),
            Column("goal", t.Text()),
            Column("created_at", t.Timestamp(tz=True), nullable=False, default=t.now()),
        ),
        Table(
            "notes",
            Column("id", t.Identity()),
            Column("project_id", t.Integer(), references="projects.id", on_delete="cascade", nullable=False),
            Column("body", t.Text(), nullable=False),
            Column("mood", t.SmallInteger()),
            Column("created_at", t.Timestamp(tz=True), nullable=False, default=t.now()),
            indexes=[Index("project_id")],
        ),
        Table(
            "tasks",
            Column("id", t.Identity()),
            Column("project_id", t.Integer(), references="projects.id", on_delete="cascade", nullable=False),
            Column("note_id", t.Integer(), references="notes.id", on_delete="set null"),
            Column("title", t.Varchar(500), nullable=False),
            Column("status", t.Enum("pending", "done"), nullable=False, default="pending"),
            Column("due", t.Date()),
            indexes=[Index("project_id", "status")],
        ),
    ]
)
