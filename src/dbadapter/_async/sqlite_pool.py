"""SQLite's connections: one that writes, several that read."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from .._concurrency._aio import TURN
from .._core.pool_stats import LaneFigures, NodeFigures
from ..config import DatabaseConfig, PoolConfig
from ..errors import ConfigError
from .lane import AsyncLane
from .pool import AsyncPool

if TYPE_CHECKING:
    from .connection import AsyncConnection

__all__ = ["AsyncSQLitePool"]

_FOREVER = float("inf")


class AsyncSQLitePool(AsyncPool):
    """One writer behind a fair queue, and readers that never wait for it (write-ahead log)."""

    def __init__(
        self,
        config: DatabaseConfig | PoolConfig | str | os.PathLike[str] | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        """A pool on the file of a `DatabaseConfig`, or on `path` with the limits of a `PoolConfig`.

        Args:
            config: a `DatabaseConfig`; or a `PoolConfig` for the limits; or the path itself.
            path: the file, or ":memory:", where `config` does not say it.
        """
        if isinstance(config, (str, os.PathLike)):
            config, path = None, config
        if isinstance(config, DatabaseConfig):
            path = config.sqlite_path if path is None else path
            config = config.pool
        super().__init__(PoolConfig() if config is None else config)
        described = DatabaseConfig() if path is None else DatabaseConfig(sqlite_path=path)
        self.path = described.sqlite_path

    @property
    def _is_alone(self) -> bool:
        """One connection does all: each to ":memory:" is a database of its own, and a limit of 1 allows no more."""
        return self.path == ":memory:" or self.config.max_connections == 1

    def _make_lanes(self) -> list[AsyncLane]:
        from .._drivers.sqlite_async import connect
        from .._drivers.sqlite_catalog import SQLiteCatalog

        catalog = SQLiteCatalog()

        def connecting(*, read_only: bool) -> Callable[[], Awaitable[AsyncConnection]]:
            async def opened() -> AsyncConnection:
                return await connect(
                    self.path,
                    catalog=catalog,
                    read_only=read_only,
                    busy_timeout=self.config.connection_timeout,
                    statement_timeout=self.config.statement_timeout,
                )

            return opened

        self.writer = self._lane(
            f"SQLite {self.path} (writer)", connecting(read_only=False), 1, 1, probe_after=_FOREVER, turn=TURN
        )
        if self.path == ":memory:":
            self.writer.state.idle_timeout = self.writer.state.max_lifetime = _FOREVER
            self.reader = self.writer
            return [self.writer]
        readers = self._lane(
            f"SQLite {self.path} (readers)",
            connecting(read_only=True),
            *self._reader_limits(),
            probe_after=_FOREVER,
        )
        readers.serves_writes = False
        self.reader = self.writer if self._is_alone else readers
        return [self.writer, readers]

    def _reader_limits(self) -> tuple[int, int]:
        readers = self.config.max_connections - 1
        return min(max(self.config.min_connections - 1, 0), readers), readers

    async def _resize_lanes(self) -> None:
        if self.path == ":memory:":
            raise ConfigError("a database in memory has one connection, and no more")
        readers = self._lanes[1]
        self.reader = self.writer if self._is_alone else readers
        await readers.resize(*self._reader_limits())

    def _nodes(self, figures: list[LaneFigures]) -> list[NodeFigures]:
        return [NodeFigures.of("primary", None, None, healthy=self._is_open, lanes=figures)]
