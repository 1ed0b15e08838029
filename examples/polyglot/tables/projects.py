"""What people work on."""

from __future__ import annotations

from dbadapter.schema import Column, ForeignKey, Index, Table
from dbadapter.schema import types as t

from .columns import belongs_to, created, details, identity, mentions, updated

TABLES = [
    Table(
        "projects",
        identity(),
        belongs_to("organizations"),
        Column("name", t.Varchar(200), nullable=False),
        Column("starts_on", t.Date()),
        Column("ends_on", t.Date()),
        # The two tables refer to each other; checked when the transaction ends.
        Column("main_task_id", t.BigInteger(), references="tasks.id", on_delete="set null", deferrable=True),
        created(),
        checks=["ends_on IS NULL OR starts_on <= ends_on"],
        unique=[("organization_id", "name")],
    ),
    Table(
        "project_members",
        belongs_to("projects"),
        Column("organization_id", t.BigInteger(), nullable=False),
        Column("user_id", t.BigInteger(), nullable=False),
        primary_key=["project_id", "user_id"],
        foreign_keys=[ForeignKey(["organization_id", "user_id"], "memberships", on_delete="cascade")],
    ),
    Table(
        "labels",
        identity(),
        belongs_to("projects"),
        Column("name", t.Varchar(50), nullable=False),
        Column("colour", t.Varchar(7), nullable=False, default="#888888", check="colour ~ '^#[0-9a-f]{6}$'"),
        unique=[("project_id", "name")],
    ),
    Table(
        "tasks",
        identity(),
        belongs_to("projects"),
        belongs_to("tasks", "parent_id", nullable=True),
        mentions("users", "assignee_id"),
        Column("title", t.Varchar(500), nullable=False),
        Column("state", t.Enum("open", "active", "done", "dropped"), nullable=False, default="open"),
        Column("priority", t.SmallInteger(), nullable=False, default=3, check="priority BETWEEN 1 AND 5"),
        Column("estimate", t.Interval()),
        Column("due_at", t.Timestamp(tz=True)),
        details(),
        created(),
        updated(),
        checks=["parent_id <> id"],
        indexes=[
            Index("project_id", "priority", "due_at", where="state IN ('open', 'active')"),
            "assignee_id",
        ],
        comment="Things to do; a task may have parts",
    ),
    Table("task_labels", belongs_to("tasks"), belongs_to("labels"), primary_key=["task_id", "label_id"]),
    Table(
        "task_comments",
        identity(),
        belongs_to("tasks"),
        mentions("users", "author_id"),
        Column("body", t.Text(), nullable=False, check="trim(body) <> ''"),
        created(),
        indexes=[Index("task_id", "created_at")],
    ),
]
