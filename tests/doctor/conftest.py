"""Servers and roles to diagnose."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import attrs
import psycopg
import pytest
from psycopg import sql

from dbadapter import DatabaseConfig
from dbadapter.doctor import Report, diagnose
from tests.servers import connect

MakeRole = Callable[..., DatabaseConfig]


def with_pool(config: DatabaseConfig, **changes: Any) -> DatabaseConfig:
    """The same config with another pool."""
    return attrs.evolve(config, pool=attrs.evolve(config.pool, **changes))


def codes(config: DatabaseConfig) -> tuple[str, ...]:
    """What is found to be wrong; every finding must name a remedy, and hold no password."""
    return judged(config, diagnose(config))


def judged(config: DatabaseConfig, report: Report) -> tuple[str, ...]:
    """The codes of a report whose form is right."""
    password = config.pool.current_password()
    for finding in (*report.errors, *report.warnings):
        assert finding.remedy, finding
        assert not password or password not in finding.text + finding.remedy
    assert report.healthy == (not report.errors)
    return report.codes


def admin(config: DatabaseConfig) -> psycopg.Connection[Any]:
    """A connection of the config's own user, in autocommit mode."""
    return connect(config, autocommit=True)


@pytest.fixture
def make_role(postgres_database: DatabaseConfig) -> Iterator[MakeRole]:
    """Make a role that may log in, with more words for CREATE ROLE; it is dropped at the end."""
    with ExitStack() as stack:
        connection = stack.enter_context(admin(postgres_database))

        def drop(role: sql.Identifier) -> None:
            connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role))

        def make(words: str = "") -> DatabaseConfig:
            name, password = f"role_{uuid.uuid4().hex}", uuid.uuid4().hex
            role = sql.Identifier(name)
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} " + words)  # type: ignore[arg-type]
            connection.execute(create.format(role, sql.Literal(password)))
            stack.callback(drop, role)
            return with_pool(postgres_database, user=name, password=password)

        yield make
