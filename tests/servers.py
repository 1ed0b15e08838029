"""Servers for the tests: one PostgreSQL per test process, and an empty database on it per test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import psycopg
import pytest
from psycopg import sql

from dbadapter.config import DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server with pgvector, for the whole test process; stop and kill only your own."""
    with EmbeddedPostgres(settings={"max_connections": "200"}) as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseConfig]:
    """An empty database of the test's own on the shared server."""
    with fresh_database(postgres_server) as config:
        yield config


@contextmanager
def fresh_database(server: EmbeddedPostgres) -> Iterator[DatabaseConfig]:
    """An empty database on a server, dropped afterwards even when connections are left in it."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield attrs.evolve(server.config, pool=attrs.evolve(server.config.pool, database=name))
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
