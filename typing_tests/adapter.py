"""What a type checker must know about adapters, transactions and configs; checked by mypy, never run."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_type

from dbadapter import (
    AsyncDatabaseAdapter,
    DatabaseAdapter,
    DatabaseConfig,
    DatabaseType,
    PoolConfig,
    Result,
    SwitchReport,
    TableInfo,
)


@dataclass
class Note:
    id: int
    title: str


def configured() -> DatabaseConfig:
    assert_type(DatabaseConfig.from_url("sqlite:///app.db"), DatabaseConfig)
    assert_type(DatabaseConfig.from_env({"DB_TYPE": "postgres"}), DatabaseConfig)
    assert_type(DatabaseConfig().pool, PoolConfig)
    DatabaseConfig("app.db")  # type: ignore[call-arg]  # keywords only
    DatabaseConfig(sqlite_path=1)  # type: ignore[arg-type]
    return DatabaseConfig(
        db_type="sqlite",
        sqlite_path="app.db",
        pool=PoolConfig(password=lambda: "rotated", read_hosts=["a", "b:5433"], max_waiting=None),
    )


def working(config: DatabaseConfig) -> None:
    with DatabaseAdapter(config) as adapter:
        assert_type(adapter, DatabaseAdapter)
        assert_type(adapter.db_type, DatabaseType)
        assert_type(adapter.execute("DELETE FROM notes WHERE id = :id", {"id": 1}), Result)
        assert_type(adapter.execute("DELETE FROM notes WHERE id = ?", [1]).last_id, int | None)
        assert_type(adapter.execute_many("DELETE FROM notes WHERE id = ?", [(1,), (2,)]), int)
        assert_type(adapter.insert_many("notes", ({"id": n} for n in range(3)), on_conflict="update"), int)
        notes: list[Note] = adapter.fetch_all("SELECT * FROM notes", row_type=Note)
        note: Note | None = adapter.fetch_one("SELECT * FROM notes", row_type=Note)
        row: dict[str, Any] = adapter.fetch_one("SELECT * FROM notes WHERE id = ?", [notes[0].id])
        assert_type(adapter.consistency_token(), str)
        adapter.fetch_value("SELECT 1", consistency="strong", after="token")
        for streamed in adapter.stream("SELECT * FROM notes", batch_size=10):
            print(streamed, note, row)
        with adapter.transaction(read_only=True, isolation="serializable") as tx:
            assert_type(tx.execute("SELECT 1").rowcount, int)
            with tx.transaction() as inner:
                inner.insert_many("notes", [(1, "x")])
        assert_type(adapter.run_transaction(lambda tx: tx.execute("SELECT 1"), retries=1), Result)
        with adapter.connection() as raw:
            driver: sqlite3.Connection = raw
            driver.execute("SELECT 1")
        assert_type(adapter.describe_table("notes"), TableInfo)
        assert_type(adapter.list_tables(), list[str])
        assert_type(adapter.health(), dict[str, Any])
        assert_type(adapter.status(), dict[str, Any])
        assert_type(adapter.get_stats(), dict[str, Any])
        adapter.fetch_all(1)  # type: ignore[arg-type]


def switching(adapter: DatabaseAdapter, config: DatabaseConfig) -> None:
    def told(progress: Mapping[str, Any]) -> None:
        print(progress["phase"])

    assert_type(
        adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True, progress=told), SwitchReport
    )
    assert_type(adapter.rehearse_switch(config).rows_copied, int)
    adapter.switch_database("postgresql")  # type: ignore[arg-type]


async def awaiting(config: DatabaseConfig) -> None:
    async with AsyncDatabaseAdapter(config) as adapter:
        assert_type(await adapter.execute("SELECT 1"), Result)
        async for row in adapter.stream("SELECT * FROM notes"):
            print(row)
        async with adapter.transaction() as tx:
            assert_type(await tx.execute_many("DELETE FROM notes WHERE id = ?", [[1]]), int)
        assert_type(await adapter.list_tables(), list[str])
        assert_type(await AsyncDatabaseAdapter.get_instance(), AsyncDatabaseAdapter)
        assert_type(await adapter.switch_database(config), SwitchReport)
        adapter.execute("SELECT 1").rowcount  # type: ignore[attr-defined]  # it is to be awaited
