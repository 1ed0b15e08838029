"""What a type checker must know about pools; checked by mypy, never run."""

from __future__ import annotations

from typing import Any, assert_type

from dbadapter import AsyncPostgresPool, AsyncSQLitePool, PoolConfig, PostgresPool, SQLitePool


def alone(pool: PostgresPool | SQLitePool) -> None:
    pool.open()
    with pool.get_connection(read_only=True) as connection:
        connection.execute("SELECT 1")
    assert_type(pool.get_stats(), dict[str, Any])
    pool.close()


def made() -> None:
    with PostgresPool(PoolConfig(host="/run/postgresql")) as pool:
        alone(pool)


async def awaiting(pool: AsyncPostgresPool | AsyncSQLitePool) -> None:
    await pool.open()
    async with pool.get_connection() as connection:
        print(connection)
    assert_type(pool.get_stats(), dict[str, Any])
    await pool.close()
