"""Postgres: one row by its key, 16 threads on 4 connections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy
from psycopg_pool import ConnectionPool

from benchmarks.harness import Contender, Suite, Target
from benchmarks.postgres import READS, SQL, crowded, server
from dbadapter import DatabaseAdapter

THREADS, CONNECTIONS = 16, 4


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Read from one server with every contender."""
    with ExitStack() as stack:
        pg = stack.enter_context(server())
        limits = attrs.evolve(pg.config.pool, min_connections=CONNECTIONS, max_connections=CONNECTIONS)
        adapter = stack.enter_context(DatabaseAdapter(attrs.evolve(pg.config, pool=limits)))
        pool = stack.enter_context(
            ConnectionPool(pg.url, min_size=CONNECTIONS, max_size=CONNECTIONS, kwargs={"autocommit": True})
        )
        url = pg.url.replace("postgresql:", "postgresql+psycopg:")
        engine = sqlalchemy.create_engine(url, pool_size=CONNECTIONS, max_overflow=0)
        stack.callback(engine.dispose)
        native = SQL.replace("?", "%s")
        statement = sqlalchemy.text(SQL.replace("?", ":key"))

        def with_pool(key: int) -> Any:
            connection = pool.getconn()
            try:
                cursor = connection.execute(native, (key,))
                names = [column.name for column in cursor.description or ()]
                return dict(zip(names, cursor.fetchone() or (), strict=True))
            finally:
                pool.putconn(connection)

        def with_core(key: int) -> Any:
            with engine.connect() as connection:
                return connection.execute(statement, {"key": key}).mappings().one()

        contenders = {
            "dbadapter": lambda key: adapter.fetch_one(SQL, [key]),
            "psycopg_pool getconn/putconn": with_pool,
            "SQLAlchemy Core": with_core,
        }
        yield Suite(
            title=f"Postgres: point reads, {THREADS} threads on {CONNECTIONS} connections",
            unit=f"{THREADS * READS:,} rows of three columns, by their primary key, as dicts",
            contenders=[
                Contender(name, crowded(fetch, threads=THREADS)) for name, fetch in contenders.items()
            ],
            targets=[Target("psycopg_pool getconn/putconn", 1 / 0.95), Target("SQLAlchemy Core", 1 / 2.5)],
        )
