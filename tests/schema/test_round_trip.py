"""A schema comes back from wherever it was put."""

from __future__ import annotations

from hypothesis import given, note, settings

from dbadapter import DatabaseAdapter
from dbadapter.schema import Schema
from tests.schema.strategies import schemas


@given(schema=schemas())
@settings(max_examples=40)
def test_through_a_database(sync_adapter: DatabaseAdapter, schema: Schema) -> None:
    """What create_tables made is what from_database reads, and check finds no difference."""
    note(schema.to_sql(sync_adapter.dialect.name))
    sync_adapter.create_tables(schema)
    try:
        found = Schema.from_database(sync_adapter)
        assert found.skipped == ()
        assert found == schema
        assert schema.check(sync_adapter) == []
    finally:
        sync_adapter.drop_tables(schema)
    assert sync_adapter.list_tables() == []


@given(schema=schemas())
def test_through_sql_of_postgresql(schema: Schema) -> None:
    """What to_sql wrote for PostgreSQL is what from_sql reads."""
    found = Schema.from_sql(schema.to_sql("postgresql"))
    assert found.skipped == ()
    assert found == schema


@given(schema=schemas())
def test_through_sql_of_sqlite(schema: Schema) -> None:
    """What to_sql wrote for SQLite is what from_sql reads."""
    note(schema.to_sql("sqlite"))
    found = Schema.from_sql(schema.to_sql("sqlite"), "sqlite")
    assert found.skipped == ()
    assert found == schema
