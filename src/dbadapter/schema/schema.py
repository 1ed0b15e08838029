"""A schema: an app's tables, from Python, a script or a database, as SQL for either backend."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, overload

from attrs import field, frozen

from ..errors import ConfigError
from .adapting import adapted_table
from .compare import Difference
from .drafts import Skipped
from .order import creation_order
from .references import resolved, resolved_leniently
from .table import Table

if TYPE_CHECKING:
    from .. import AsyncDatabaseAdapter, DatabaseAdapter

__all__ = ["Schema"]

DIALECTS = {"postgresql": "postgresql", "postgres": "postgresql", "sqlite": "sqlite"}


def dialect_name(dialect: str) -> str:
    """``postgresql`` or ``sqlite``; ConfigError for anything else."""
    if not isinstance(dialect, str) or dialect.lower() not in DIALECTS:
        raise ConfigError(f"dialect must be 'postgresql' or 'sqlite', not {dialect!r}")
    return DIALECTS[dialect.lower()]


@frozen(init=False)
class Schema:
    """Tables that belong together.

    Two schemas are equal when they have equal tables, in any order.

    Args:
        tables: the tables; what their foreign keys refer to must be among them.
        skipped: what a script or database had that is not kept here.

    Raises ConfigError, naming table and column, where something does not fit together.
    """

    tables: tuple[Table, ...] = field(eq=lambda tables: sorted(tables, key=lambda table: table.name))
    skipped: tuple[Skipped, ...] = field(default=(), eq=False)

    def __init__(self, tables: Iterable[Table] = (), *, skipped: Iterable[Skipped] = ()) -> None:
        if not isinstance(tables, Iterable):
            raise ConfigError(f"tables must be a list of Table values, not {tables!r}")
        found = tuple(tables)
        for table in found:
            if not isinstance(table, Table):
                raise ConfigError(f"tables must be Table values, not {table!r}")
        self.__attrs_init__(resolved(found), tuple(skipped))

    def __iter__(self) -> Iterator[Table]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)

    def __getitem__(self, name: str) -> Table:
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(table.name == name for table in self.tables)

    @property
    def table_names(self) -> list[str]:
        """The tables' names, in the order given."""
        return [table.name for table in self.tables]

    @classmethod
    def _read(cls, tables: Iterable[Table], skipped: list[Skipped]) -> Schema:
        """A schema out of tables that were read: what does not fit is reported, never fatal."""
        fitting = resolved_leniently(tuple(tables), skipped)
        return cls(fitting, skipped=skipped)

    @classmethod
    def from_sql(cls, text: str, dialect: str = "postgresql") -> Schema:
        """Read a script of CREATE TABLE, TYPE, INDEX, ALTER TABLE and COMMENT statements.

        What is no table (data, functions, triggers, views, rights) or cannot be kept is listed in ``skipped``
        with the reason. Read from PostgreSQL's words, a schema can be made on SQLite, and the other way
        round.

        Args:
            text: the script.
            dialect: whose SQL it is, ``"postgresql"`` or ``"sqlite"``.

        Raises ConfigError only for arguments that are none: what is not understood is skipped.
        """
        from .from_sql import ScriptReader

        if not isinstance(text, str):
            raise ConfigError(f"the script must be text, not {type(text).__name__}")
        return cls._read(*ScriptReader(text, dialect_name(dialect)).read())

    @overload
    @classmethod
    def from_database(cls, adapter: DatabaseAdapter) -> Schema: ...

    @overload
    @classmethod
    def from_database(cls, adapter: AsyncDatabaseAdapter) -> Awaitable[Schema]: ...

    @classmethod
    def from_database(cls, adapter: Any) -> Any:
        """Read the tables of a live database (on PostgreSQL: of the current schema).

        The library's own tables are left out; what the model cannot hold is listed in ``skipped``. With an
        async adapter, await the result.

        Args:
            adapter: an open adapter.

        Raises ConfigError for what is no adapter, DatabaseUnavailable if the database cannot be reached.
        """
        return _shell(adapter).read_schema(adapter)

    def to_sql(self, dialect: str) -> str:
        """The schema as plain SQL, in an order that works: for psql, for sqlite3, for code generators.

        Args:
            dialect: ``"postgresql"`` or ``"sqlite"``.

        Raises ConfigError where that backend cannot hold the schema, naming the table.
        """
        return "".join(f"{statement};\n\n" for statement in self.statements(dialect)).rstrip("\n") + "\n"

    def statements(self, dialect: str) -> list[str]:
        """The statements of `to_sql`, in order and without semicolons; argument and errors as there."""
        from .render import create_statements

        return create_statements(self.in_creation_order(), dialect_name(dialect))

    def adapted(self, dialect: str) -> Schema:
        """The schema without the checks, defaults, indexes and generated columns that a backend has no words
        for.

        `create_tables` and `to_sql` refuse such a schema; this one they take. What was left out is listed in
        ``skipped``.

        Args:
            dialect: the backend, ``"postgresql"`` or ``"sqlite"``.
        """
        dialect = dialect_name(dialect)
        tables, skipped = [], list(self.skipped)
        for table in self.tables:
            kept, left_out = adapted_table(table, dialect)
            tables.append(kept)
            skipped += left_out
        return Schema(tables, skipped=skipped)

    def in_creation_order(self) -> list[Table]:
        """The tables, each after those it refers to where that is possible."""
        return creation_order(self.tables)

    @overload
    def check(self, adapter: DatabaseAdapter) -> list[Difference]: ...

    @overload
    def check(self, adapter: AsyncDatabaseAdapter) -> Awaitable[list[Difference]]: ...

    def check(self, adapter: Any) -> Any:
        """Compare the schema with the live database: what is missing there or differs; empty if nothing does.

        Tables that only the database has are passed over. With an async adapter, await the result.

        Args:
            adapter: an open adapter.

        Raises ConfigError for what is no adapter, DatabaseUnavailable if the database cannot be reached.
        """
        return _shell(adapter).check_schema(adapter, self)


def _shell(adapter: Any) -> Any:
    """The module that does the asking, in the adapter's own world."""
    from .. import AsyncDatabaseAdapter, DatabaseAdapter

    if isinstance(adapter, AsyncDatabaseAdapter):
        from .._async import schema as async_shell

        return async_shell
    if isinstance(adapter, DatabaseAdapter):
        from .._sync import schema as sync_shell

        return sync_shell
    raise ConfigError(f"adapter must be a DatabaseAdapter, not {type(adapter).__name__}")
