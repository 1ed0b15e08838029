"""Collections on Postgres: the catalog, the extension, and the tables of each."""

from __future__ import annotations

import warnings
from typing import Any

from ..errors import DatabaseAdapterError, UndefinedColumn, UndefinedTable, VectorError
from ..vectors.catalog import CollectionInfo, Reference
from ..vectors.postgres_tables import (
    CREATE_CATALOG,
    HAS_CATALOG,
    LOCK_CATALOG,
    PostgresParent,
    PostgresTables,
)

__all__ = ["AsyncPostgresDefinitions"]

_TOO_OLD, _OLD = (0, 8, 0), (0, 8, 4)


class AsyncPostgresDefinitions:
    """The tables of collections on Postgres, on an adapter or within a transaction."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor

    async def has_catalog(self) -> bool:
        """Whether there is a catalog of collections."""
        return bool(await self.executor.fetch_value(HAS_CATALOG))

    async def create_catalog(self) -> None:
        """Make the catalog, and the extension if it is missing. In a transaction."""
        await self.executor.fetch_value(LOCK_CATALOG)
        await self._create_extension()
        await self.executor.execute(CREATE_CATALOG)

    async def _create_extension(self) -> None:
        found = "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'vector'"
        version = await self.executor.fetch_value(found)
        if version is None:
            try:
                async with self.executor.transaction() as attempt:
                    await attempt.execute("CREATE EXTENSION IF NOT EXISTS vector")
            except DatabaseAdapterError as error:
                raise VectorError(await self._why_no_extension()) from error
            version = await self.executor.fetch_value(found)
        numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
        if numbers < _TOO_OLD:
            raise VectorError(f"pgvector {version} is too old: 0.8.0 or later is needed, best 0.8.4 or later")
        if numbers < _OLD:
            warnings.warn(
                f"pgvector {version} is in use; below 0.8.4 its searches have known faults: update it, then run"
                " ALTER EXTENSION vector UPDATE",
                stacklevel=2,
            )

    async def _why_no_extension(self) -> str:
        sql = "SELECT count(*) FROM pg_catalog.pg_available_extensions WHERE name = 'vector'"
        if not await self.executor.fetch_value(sql):
            return (
                "vector collections need pgvector, which is not installed on this server: install it (Debian: "
                "postgresql-NN-pgvector), then try again"
            )
        return (
            "vector collections need the extension pgvector, which this user may not create: "
            "have a superuser run CREATE EXTENSION vector in this database"
        )

    async def lock(self, uid: str, *, alone: bool) -> None:
        """Keep the collection from being deleted, or (alone) from being written to by others as well."""
        strength = "UPDATE" if alone else "SHARE"
        await self.executor.fetch_value(
            f"SELECT 1 FROM _dbadapter_collections WHERE uid = ? FOR {strength}", [uid]
        )

    async def create(self, info: CollectionInfo) -> None:
        """Make a collection's tables. In a transaction."""
        parent = None if info.reference is None else await self._parent(info.reference)
        for statement in PostgresTables(info).create(parent):
            await self.executor.execute(statement)

    async def drop(self, info: CollectionInfo) -> None:
        """Take a collection's tables away. In a transaction."""
        for statement in PostgresTables(info).drop():
            await self.executor.execute(statement)

    async def set_dimension(self, info: CollectionInfo) -> None:
        """Give the column of vectors its dimension. In a transaction."""
        await self.executor.execute(PostgresTables(info).set_dimension())

    async def _parent(self, reference: Reference) -> PostgresParent:
        quote = self.executor.dialect.quote
        schema, _, table = reference.table.rpartition(".")
        quoted = f"{quote(schema)}.{quote(table)}" if schema else quote(table)
        if await self.executor.fetch_value("SELECT to_regclass(?)", [quoted]) is None:
            raise UndefinedTable(f"references={str(reference)!r}: there is no table {reference.table!r}")
        sql = (
            "SELECT format_type(atttypid, NULL) FROM pg_catalog.pg_attribute"
            " WHERE attrelid = to_regclass(?) AND attname = ? AND attnum > 0 AND NOT attisdropped"
        )
        kind = await self.executor.fetch_value(sql, [quoted, reference.column])
        if kind is None:
            raise UndefinedColumn(f"references={str(reference)!r}: the table has no such column")
        unique = (
            "SELECT count(*) FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a"
            " ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = to_regclass(?)"
            " AND a.attname = ? AND i.indisunique AND i.indnkeyatts = 1 AND i.indpred IS NULL"
        )
        if not await self.executor.fetch_value(unique, [quoted, reference.column]):
            raise VectorError(f"references={str(reference)!r}: the column is neither primary key nor unique")
        return PostgresParent(quoted, quote(reference.column), kind)
