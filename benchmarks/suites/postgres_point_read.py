"""Postgres: one row by its key, as a dict, one caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
from psycopg_pool import ConnectionPool

from benchmarks.harness import Contender, Suite, Target
from benchmarks.postgres import SQL, repeated, server
from dbadapter import DatabaseAdapter


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Read from one server with every contender."""
    with ExitStack() as stack:
        pg = stack.enter_context(server())
        adapter = stack.enter_context(DatabaseAdapter(pg.config))
        raw = stack.enter_context(psycopg.connect(pg.url, autocommit=True))
        pool = stack.enter_context(ConnectionPool(pg.url, min_size=2, kwargs={"autocommit": True}))
        engine = sqlalchemy.create_engine(pg.url.replace("postgresql:", "postgresql+psycopg:"))
        stack.callback(engine.dispose)
        native = SQL.replace("?", "%s")
        statement = sqlalchemy.text(SQL.replace("?", ":key"))

        def with_raw(key: int) -> Any:
            cursor = raw.execute(native, (key,))
            return dict(
                zip(
                    [column.name for column in cursor.description or ()], cursor.fetchone() or (), strict=True
                )
            )

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
            "psycopg, autocommit, one connection": with_raw,
            "psycopg_pool getconn/putconn": with_pool,
            "SQLAlchemy Core": with_core,
        }
        yield Suite(
            title="Postgres: point read by key, one caller",
            unit="one row of three columns, by its primary key, as a dict",
            contenders=[Contender(name, repeated(fetch)) for name, fetch in contenders.items()],
            targets=[Target("psycopg, autocommit, one connection", 1.2)],
            one_core=True,
        )
