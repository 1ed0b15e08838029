# Generated from tests/_async/conftest.py by tools/unasync.py; do not edit.
"""One adapter on each backend, open, with an empty database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from tests.conftest import other
from tests.samples import CREATE


@pytest.fixture
def adapter(config: DatabaseConfig) -> Iterator[DatabaseAdapter]:
    """An open adapter; every test that takes it runs once on SQLite and once on Postgres."""
    with DatabaseAdapter(config) as adapter:
        yield adapter


@pytest.fixture
def values(adapter: DatabaseAdapter) -> DatabaseAdapter:
    """The adapter with the table ``v``: a column for each type."""
    adapter.execute(CREATE)
    return adapter


@pytest.fixture
def people(adapter: DatabaseAdapter, identity: str) -> DatabaseAdapter:
    """The adapter with a table of people (numbered by the database) and one of their pets."""
    adapter.execute(
        f"CREATE TABLE people (id {identity}, name TEXT NOT NULL, age BIGINT,"
        " email TEXT UNIQUE, CONSTRAINT adult CHECK (age >= 18))"
    )
    adapter.execute(
        "CREATE TABLE pets (owner_id BIGINT NOT NULL REFERENCES people (id), name TEXT, kind TEXT,"
        " PRIMARY KEY (owner_id, name))"
    )
    return adapter


@pytest.fixture
def roomy(both: DatabaseConfig) -> Iterator[DatabaseAdapter]:
    """An open adapter on SQLite that knows a Postgres as well, with an empty table ``ledger`` on both."""
    with DatabaseAdapter(both) as adapter:
        for _ in range(2):
            adapter.execute("CREATE TABLE ledger (writer BIGINT, n BIGINT, PRIMARY KEY (writer, n))")
            adapter.switch_database(other(adapter.db_type))
        yield adapter
