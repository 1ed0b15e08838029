"""SQLAlchemy (and Alembic) on an adapter's own connections; extra ``dbadapter[sqlalchemy]``.

::

    with engine(adapter).begin() as connection:
        connection.execute(text("SELECT 1"))

What SQLAlchemy uses counts in the adapter's pool, and a switch waits for it as for any other work in flight.
"""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.pool import NullPool

from ..config import DatabaseType
from ..errors import ConfigError, SwitchError

if TYPE_CHECKING:
    from .. import DatabaseAdapter

__all__ = ["engine"]

_NAMES = {DatabaseType.SQLITE: "sqlite+dbadapter://", DatabaseType.POSTGRESQL: "postgresql+dbadapter://"}


class _Checkouts:
    """The adapter's connections that SQLAlchemy has at the moment."""

    def __init__(self, adapter: DatabaseAdapter) -> None:
        self._adapter = adapter
        self._kind = adapter.db_type
        self._open: dict[int, AbstractContextManager[Any]] = {}
        self.autocommit: set[int] = set()  # those for which SQLAlchemy asked not to begin transactions

    def take(self) -> Any:
        """A connection of the adapter's. Raises `SwitchError` if that is of another kind by now."""
        holding = self._adapter.connection()
        raw = holding.__enter__()
        if self._adapter.db_type is not self._kind:
            holding.__exit__(None, None, None)
            raise SwitchError(
                f"this engine speaks {self._kind.value}, and the adapter has switched to "
                f"{self._adapter.db_type.value}: ask dbadapter.integrations.sqlalchemy.engine(adapter) again"
            )
        self._open[id(raw)] = holding
        return raw

    def give_back(self, raw: Any) -> None:
        """Give a connection back; the adapter rolls back what is left, and puts its settings back."""
        self.autocommit.discard(id(raw))
        holding = self._open.pop(id(raw), None)
        if holding is not None:
            holding.__exit__(None, None, None)


class SQLiteDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's SQLite, on connections that we lend it."""

    driver = "dbadapter"
    supports_statement_cache = True

    def __init__(self, adapter: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._checkouts = _Checkouts(adapter)

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Borrow one."""
        return self._checkouts.take()

    def do_close(self, dbapi_connection: Any) -> None:
        """Give it back."""
        self._checkouts.give_back(dbapi_connection)

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Give it back."""
        self._checkouts.give_back(dbapi_connection)

    def do_begin(self, dbapi_connection: Any) -> None:
        """Begin a transaction: our connections are in autocommit mode, and ours is the right to write already."""
        if not self.detect_autocommit_setting(dbapi_connection):
            dbapi_connection.cursor().execute("BEGIN IMMEDIATE")

    def set_isolation_level(self, dbapi_connection: Any, level: Any) -> None:
        """Note whether to begin transactions: the driver's own setting of that stays as the adapter needs it."""
        if level == "AUTOCOMMIT":
            self._checkouts.autocommit.add(id(dbapi_connection))
        else:
            self._checkouts.autocommit.discard(id(dbapi_connection))
            super(SQLiteDialect_pysqlite, self).set_isolation_level(dbapi_connection, level)

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        """Whether each statement is to be a transaction of its own."""
        return id(getattr(dbapi_conn, "dbapi_connection", dbapi_conn)) in self._checkouts.autocommit


class PostgresDialect(PGDialect_psycopg):
    """SQLAlchemy's psycopg, on connections that we lend it."""

    driver = "dbadapter"
    supports_statement_cache = True

    def __init__(self, adapter: Any = None, **options: Any) -> None:
        # Looking for hstore would change how the connection reads values, also for its next user.
        super().__init__(**{"use_native_hstore": False, **options})  # type: ignore[no-untyped-call]
        self._checkouts = _Checkouts(adapter)

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """Borrow one, and have it begin transactions by itself, as SQLAlchemy expects."""
        raw = self._checkouts.take()
        raw.set_autocommit(False)
        return raw

    def do_close(self, dbapi_connection: Any) -> None:
        """Give it back."""
        self._checkouts.give_back(dbapi_connection)

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Give it back."""
        self._checkouts.give_back(dbapi_connection)


registry.register("sqlite.dbadapter", __name__, "SQLiteDialect")
registry.register("postgresql.dbadapter", __name__, "PostgresDialect")

_engines: weakref.WeakKeyDictionary[Any, dict[DatabaseType, sqlalchemy.Engine]] = weakref.WeakKeyDictionary()


def engine(adapter: DatabaseAdapter) -> sqlalchemy.Engine:
    """The engine on an adapter's connections, for the backend in use now; ask again after a switch.

    It has no pool of its own. On SQLite a connection is the one writer: a thread that has one open and asks for
    another one gets `PoolExhausted`.

    Args:
        adapter: an open sync adapter.

    Raises:
        ConfigError: it is none.
    """
    from .. import DatabaseAdapter

    if not isinstance(adapter, DatabaseAdapter):
        raise ConfigError(f"adapter must be an open DatabaseAdapter, not {type(adapter).__name__}")
    made = _engines.setdefault(adapter, {})
    kind = adapter.db_type
    if kind not in made:
        made[kind] = sqlalchemy.create_engine(_NAMES[kind], adapter=adapter, poolclass=NullPool)
    return made[kind]
