"""The two backends side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import DatabaseAdapterError, IntegrityError, QueryError

Pair = tuple[DatabaseAdapter, DatabaseAdapter]


@pytest.fixture
def pair(sqlite_database: DatabaseConfig, postgres_database: DatabaseConfig) -> Iterator[Pair]:
    """An open adapter on SQLite and one on Postgres, both empty."""
    with DatabaseAdapter(sqlite_database) as lite, DatabaseAdapter(postgres_database) as post:
        yield lite, post


def outcome(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[Any, ...]:
    """What a call gave, or what is promised to be alike about its error."""
    try:
        return ("gave", exact(fn(*args, **kwargs)))
    except DatabaseAdapterError as error:
        told: list[Any] = ["raised", type(error).__name__]
        if isinstance(error, QueryError):
            told += [error.sqlstate, error.statement]
        if isinstance(error, IntegrityError):
            told += [error.table, error.columns, error.constraint]
        return tuple(told)


def exact(value: Any) -> Any:
    """A value in a form whose equality minds the types, all the way down."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [exact(item) for item in value]
    return (type(value).__name__, value, getattr(value, "tzinfo", None))
