"""Servers for the tests: one PostgreSQL per test process, and an empty database on it per test."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import attrs
import psycopg
import pytest
from psycopg import sql

from dbadapter.config import DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from tests.pgbouncer import PgBouncer, running_pgbouncer
from tests.proxy import Proxy

# Servers for tests live in memory where there is plenty: they start several times faster than on some disks.
RAM_DISK = "/dev/shm"
_roomy = os.access(RAM_DISK, os.W_OK) and shutil.disk_usage(RAM_DISK).free > 4 * 2**30
TEMP_DIR = RAM_DISK if _roomy else None

# A client that hangs while it logs in blocks every CREATE and DROP DATABASE of the server until it is thrown out.
SETTINGS = {"max_connections": "200", "authentication_timeout": "5s"}


def connect(config: DatabaseConfig, **more: Any) -> psycopg.Connection[Any]:
    """A plain psycopg connection to a config's primary, as its user; `more` goes to psycopg."""
    pool = config.pool
    return psycopg.connect(
        host=pool.host,
        port=pool.port,
        dbname=pool.database,
        user=pool.user,
        password=pool.current_password(),
        sslmode=pool.sslmode,
        **more,
    )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL server with pgvector, for the whole test process; stop and kill only your own."""
    with EmbeddedPostgres(settings=SETTINGS, temp_dir=TEMP_DIR) as server:
        yield server


@pytest.fixture
def postgres_database(postgres_server: EmbeddedPostgres) -> Iterator[DatabaseConfig]:
    """An empty database of the test's own on the shared server."""
    with fresh_database(postgres_server) as config:
        yield config


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[EmbeddedPostgres]:
    """A primary with two replicas, for the whole test process; stop and kill only your own."""
    with EmbeddedPostgres(replicas=2, settings=SETTINGS, temp_dir=TEMP_DIR) as server:
        yield server


@pytest.fixture
def postgres_proxy(postgres_server: EmbeddedPostgres) -> Iterator[Proxy]:
    """A fault-injecting proxy of the test's own in front of the shared server."""
    with Proxy("127.0.0.1", postgres_server.port) as proxy:
        yield proxy


@pytest.fixture
def pgbouncer(postgres_server: EmbeddedPostgres) -> Iterator[PgBouncer]:
    """A PgBouncer of the test's own in transaction mode in front of the shared server."""
    with running_pgbouncer(postgres_server.config) as bouncer:
        yield bouncer


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


@contextmanager
def standing_still(cluster: EmbeddedPostgres) -> Iterator[None]:
    """The replicas show no further commit."""
    with ExitStack() as stack:
        for replica in cluster.replicas:
            connection = stack.enter_context(psycopg.connect(replica.url, autocommit=True))
            connection.execute("SELECT pg_wal_replay_pause()")
            stack.callback(connection.execute, "SELECT pg_wal_replay_resume()")
        yield
