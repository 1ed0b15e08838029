"""Talks to a driver's own connection, whichever it is."""

from __future__ import annotations

from inspect import isawaitable
from typing import Any


async def driver(outcome: Any) -> Any:
    """What a method of the driver gives: psycopg's async ones are awaited, sqlite3 has none."""
    return await outcome if isawaitable(outcome) else outcome


async def ask(raw: Any, sql: str) -> list[tuple[Any, ...]]:
    """The rows that a statement gives on a driver's connection."""
    cursor = await driver(raw.execute(sql))
    return [] if cursor.description is None else list(await driver(cursor.fetchall()))
