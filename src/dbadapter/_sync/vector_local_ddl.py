# Generated from src/dbadapter/_async/vector_local_ddl.py by tools/unasync.py; do not edit.
"""Collections in the SQLite file: the catalog, and the tables of each."""

from __future__ import annotations

from typing import Any

from ..errors import UndefinedColumn, UndefinedTable, VectorError
from ..vectors.catalog import CollectionInfo, Reference
from ..vectors.sqlite_tables import CREATE_CATALOG, HAS_CATALOG, LocalTables, Parent

__all__ = ["LocalDefinitions"]


class LocalDefinitions:
    """The tables of local collections, on an adapter or within a transaction."""

    def __init__(self, executor: Any) -> None:
        self.executor = executor

    def has_catalog(self) -> bool:
        """Whether there is a catalog of collections."""
        return bool(self.executor.fetch_value(HAS_CATALOG))

    def create_catalog(self) -> None:
        """Make the catalog. In a transaction."""
        self.executor.execute(CREATE_CATALOG)

    def lock(self, uid: str, *, alone: bool) -> None:
        """Nothing to do: who writes to SQLite is alone."""

    def create(self, info: CollectionInfo) -> None:
        """Make a collection's tables. In a transaction."""
        parent = None if info.reference is None else self._parent(info.reference)
        for statement in LocalTables.of(info).create(parent):
            self.executor.execute(statement)

    def drop(self, info: CollectionInfo) -> None:
        """Take a collection's tables away. In a transaction."""
        for statement in LocalTables.of(info).drop(has_text=info.has_text):
            self.executor.execute(statement)

    def set_dimension(self, info: CollectionInfo) -> None:
        """Nothing to do: a BLOB has no declared length."""

    def _parent(self, reference: Reference) -> Parent:
        rows = self.executor.fetch_all(
            "SELECT name, type, pk FROM pragma_table_info(?)", [reference.table], row_type=tuple
        )
        if not rows:
            raise UndefinedTable(f"references={str(reference)!r}: there is no table {reference.table!r}")
        found = [row for row in rows if row[0].lower() == reference.column.lower()]
        if not found:
            raise UndefinedColumn(f"references={str(reference)!r}: the table has no such column")
        name, declared, position = found[0]
        is_key = position == 1 and sum(1 for row in rows if row[2]) == 1
        if not is_key and not self._is_unique(reference.table, name):
            raise VectorError(f"references={str(reference)!r}: the column is neither primary key nor unique")
        quote = self.executor.dialect.quote
        kind = "".join(each for each in declared if each.isalnum() or each in " (),") or "BLOB"
        return Parent(quote(reference.table), quote(name), kind, "INT" in declared.upper())

    def _is_unique(self, table: str, column: str) -> bool:
        sql = (
            'SELECT count(*) FROM pragma_index_list(?) AS i WHERE i."unique" AND NOT i.partial'
            " AND (SELECT group_concat(name) FROM pragma_index_info(i.name)) = ?"
        )
        return bool(self.executor.fetch_value(sql, [table, column]))
