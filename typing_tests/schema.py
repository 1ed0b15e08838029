"""What a type checker must know about schemas; checked by mypy, never run."""

from __future__ import annotations

import enum
from typing import assert_type

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter
from dbadapter.schema import Check, Column, Difference, ForeignKey, Index, Schema, Skipped, Table, Unique
from dbadapter.schema import types as t


class Status(enum.Enum):
    OPEN = "open"


schema = Schema(
    [
        Table(
            "tasks",
            Column("id", t.Identity()),
            Column("title", t.Varchar(500), nullable=False, check="title <> ''"),
            Column("status", t.Enum(Status), default=Status.OPEN),
            Column("tags", t.Array(t.Text()), default=["a"]),
            Column("project_id", t.Integer(), references="projects.id", on_delete="cascade", deferrable=True),
            Column("created_at", t.Timestamp(tz=True), default=t.now()),
            indexes=["title", Index("created_at DESC", where="status = 'open'", unique=True)],
            checks=["id > 0", Check("title <> 'x'", "named", sqlite="")],
            unique=["title", ("title", "status"), Unique(("id", "title"))],
            foreign_keys=[ForeignKey(("id",), "projects", on_delete="set null")],
            primary_key="id",
        )
    ]
)


def reading(adapter: DatabaseAdapter) -> None:
    assert_type(Schema.from_database(adapter), Schema)
    assert_type(schema.check(adapter), list[Difference])
    adapter.create_tables(schema)
    adapter.drop_tables(schema)


async def awaiting(adapter: AsyncDatabaseAdapter) -> None:
    assert_type(await Schema.from_database(adapter), Schema)
    assert_type(await schema.check(adapter), list[Difference])
    await adapter.create_tables(schema)


def parts() -> None:
    assert_type(Schema.from_sql("", dialect="sqlite"), Schema)
    assert_type(schema.to_sql("postgresql"), str)
    assert_type(schema["tasks"], Table)
    assert_type(schema["tasks"].column("id").type, t.Type)
    assert_type(schema.skipped, tuple[Skipped, ...])
    assert_type(schema.table_names, list[str])
    for table in schema:
        assert_type(table, Table)
