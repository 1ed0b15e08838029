"""A schema's statements for one backend, and the limits of that backend."""

from __future__ import annotations

from collections.abc import Sequence

from .._dialects import MAX_NAME_BYTES
from ..errors import ConfigError
from . import ddl_postgresql, ddl_sqlite
from .constraints import Check, ForeignKey, Unique
from .table import Table

__all__ = ["create_statements", "drop_statements", "require_fit"]


def create_statements(
    tables: Sequence[Table], dialect: str, *, existing_enums: Sequence[str] = (), has_vectors: bool = False
) -> list[str]:
    """The statements that make the tables, which come in creation order.

    Args:
        tables: the tables.
        dialect: ``postgresql`` or ``sqlite``.
        existing_enums: enumeration types the PostgreSQL database has already.
        has_vectors: whether the database has pgvector already.
    """
    require_fit(tables, dialect)
    if dialect == "sqlite":
        return ddl_sqlite.statements(tables)
    return ddl_postgresql.statements(tables, skip_enums=existing_enums, with_extension=not has_vectors)


def drop_statements(tables: Sequence[Table], dialect: str, *, keep_enums: Sequence[str] = ()) -> list[str]:
    """The statements that drop the tables, which come in creation order, and the types made for them."""
    if dialect == "sqlite":
        return [f"DROP TABLE IF EXISTS {ddl_sqlite.quote(table.name)}" for table in reversed(tables)]
    if not tables:
        return []
    quote = ddl_postgresql.quote
    names = ", ".join(quote(table.name) for table in reversed(tables))
    types = [
        f"DROP TYPE IF EXISTS {quote(name)}"
        for name in ddl_postgresql.enums(tables)
        if name not in keep_enums
    ]
    return [f"DROP TABLE IF EXISTS {names}", *types]


def require_fit(tables: Sequence[Table], dialect: str) -> None:
    """ConfigError for names that the backend would mistake for each other or refuse."""
    for table in tables:
        names = {"table": [table.name], "column": list(table.column_names)}
        constraints: list[Unique | Check | ForeignKey] = [*table.unique, *table.checks, *table.foreign_keys]
        names["constraint"] = [item.name or "" for item in constraints]
        names["index"] = [item.name or "" for item in table.indexes]
        if dialect == "postgresql":
            _short(table, names)
        else:
            _distinct_in_any_case(f"table {table.name!r}: columns", table.column_names)
            if table.name.lower().startswith("sqlite_"):
                raise ConfigError(
                    f"table {table.name!r}: SQLite keeps names that begin with sqlite_ for itself"
                )
    if dialect == "sqlite":
        _distinct_in_any_case("tables", [table.name for table in tables])


def _short(table: Table, names: dict[str, list[str]]) -> None:
    for kind, found in names.items():
        for name in found:
            if len(name.encode()) > MAX_NAME_BYTES:
                raise ConfigError(
                    f"table {table.name!r}: the {kind} name {name!r} is longer than PostgreSQL's "
                    f"{MAX_NAME_BYTES} bytes"
                )


def _distinct_in_any_case(where: str, names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        # SQLite folds ASCII letters only.
        folded = name.encode().lower().decode()
        if folded in seen:
            raise ConfigError(
                f"{where} {seen[folded]!r} and {name!r} differ only by case, which SQLite ignores"
            )
        seen[folded] = name
