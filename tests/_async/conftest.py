"""One adapter on each backend, open, with an empty database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from tests.conftest import other
from tests.samples import CREATE


@pytest.fixture
async def adapter(config: DatabaseConfig) -> AsyncIterator[AsyncDatabaseAdapter]:
    """An open adapter; every test that takes it runs once on SQLite and once on Postgres."""
    async with AsyncDatabaseAdapter(config) as adapter:
        yield adapter


@pytest.fixture
async def values(adapter: AsyncDatabaseAdapter) -> AsyncDatabaseAdapter:
    """The adapter with the table ``v``: a column for each type."""
    await adapter.execute(CREATE)
    return adapter


@pytest.fixture
async def people(adapter: AsyncDatabaseAdapter, identity: str) -> AsyncDatabaseAdapter:
    """The adapter with a table of people (numbered by the database) and one of their pets."""
    await adapter.execute(
        f"CREATE TABLE people (id {identity}, name TEXT NOT NULL, age BIGINT,"
        " email TEXT UNIQUE, CONSTRAINT adult CHECK (age >= 18))"
    )
    await adapter.execute(
        "CREATE TABLE pets (owner_id BIGINT NOT NULL REFERENCES people (id), name TEXT, kind TEXT,"
        " PRIMARY KEY (owner_id, name))"
    )
    return adapter


@pytest.fixture
async def roomy(both: DatabaseConfig) -> AsyncIterator[AsyncDatabaseAdapter]:
    """An open adapter on SQLite that knows a Postgres as well, with an empty table ``ledger`` on both."""
    async with AsyncDatabaseAdapter(both) as adapter:
        for _ in range(2):
            await adapter.execute("CREATE TABLE ledger (writer BIGINT, n BIGINT, PRIMARY KEY (writer, n))")
            await adapter.switch_database(other(adapter.db_type))
        yield adapter
