# Generated from src/dbadapter/_async/vectors.py by tools/unasync.py; do not edit.
"""The store of vector collections, of an adapter or within a transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import evolve

from .._concurrency._threads import Lock
from ..errors import CollectionExists, CollectionNotFound, DimensionMismatch, UniqueViolation, VectorError
from ..vectors.caches import Caches, caches_of
from ..vectors.catalog import (
    CATALOG,
    COLUMNS,
    DEFAULT_METRIC,
    CollectionInfo,
    check_collection_name,
    named_metric,
    new_info,
    parse_reference,
)
from ..vectors.embedding import check_same_model, identity_of
from ..vectors.metadata import check_metadata
from ..vectors.records import check_limit
from .vector_collection import Collection
from .vector_engine import VectorEngine, new_engine

__all__ = ["Collection", "VectorStore"]


class VectorStore:
    """The collections of a database.

    ``adapter.vectors`` commits each call; ``tx.vectors`` commits with the transaction's rows.
    """

    def __init__(self, executor: Any) -> None:
        self._executor = executor
        # A transaction belongs to an adapter; both share what is cached of the adapter's open database.
        adapter = getattr(executor, "_adapter", None)
        self.in_transaction = adapter is not None
        self._adapter = executor if adapter is None else adapter

    @property
    def _caches(self) -> Caches:
        return caches_of(self._adapter.pool, Lock)

    @property
    def engine(self) -> VectorEngine:
        """The engine of the backend in use."""
        return self._engine_on(self._executor, in_transaction=self.in_transaction)

    def settled(self) -> VectorEngine:
        """The engine, once it is certain which backend is in use: another process may have moved the data."""
        self._executor._settle()
        return self.engine

    def on(self, tx: Any) -> VectorStore:
        """The same store within a transaction."""
        return VectorStore(tx)

    def _engine_on(self, executor: Any, *, in_transaction: bool) -> VectorEngine:
        return new_engine(executor, self._caches, in_transaction=in_transaction)

    @property
    def memory_limit(self) -> int:
        """Bytes of memory that local search caches may take for vectors.

        A collection that alone needs more is searched through its codes, a thirtieth of that size, and its
        vectors are read from the file.
        """
        return self._caches.memory

    @memory_limit.setter
    def memory_limit(self, value: int) -> None:
        self._caches.memory = check_limit(value, "memory_limit", least=0)

    # -- collections -----------------------------------------------------------------------------------

    def create_collection(
        self,
        name: str,
        *,
        dimension: int | None = None,
        metric: str | None = None,
        embedding_function: Any = None,
        metadata: dict[str, Any] | None = None,
        references: str | None = None,
        configuration: dict[str, Any] | None = None,
        get_or_create: bool = False,
    ) -> Collection:
        """Create a collection.

        Args:
            name: 1 to 512 characters, unique in the database.
            dimension: how many numbers a vector has; None: as many as the first one added.
            metric: "cosine" (default), "l2" (squared) or "ip"; Chroma's ``metadata["hnsw:space"]`` and
                ``configuration["hnsw"]["space"]`` are understood as well.
            embedding_function: turns texts into vectors, see `dbadapter.vectors.EmbeddingFunction`.
            metadata: the collection's own.
            references: "table.column", a key that ids are tied to: an id is the text of a key that exists, and
                deleting the row deletes its vector.
            configuration: Chroma's; only the metric is taken from it.
            get_or_create: return the collection if there is one of that name.

        Raises:
            CollectionExists: there is one of that name, and `get_or_create` is not set.
            VectorError: an argument is not what it may be, or pgvector cannot be had.
            UndefinedTable, UndefinedColumn: what `references` names is not there.
        """
        if get_or_create:
            return self.get_or_create_collection(
                name,
                dimension=dimension,
                metric=metric,
                embedding_function=embedding_function,
                metadata=metadata,
                references=references,
                configuration=configuration,
            )
        info = new_info(
            name,
            dimension=dimension,
            metric=named_metric(metric, metadata, configuration) or DEFAULT_METRIC,
            metadata=metadata,
            model=identity_of(embedding_function),
            references=references,
        )
        self.create_from(info)
        return Collection(self, info, embedding_function)

    def create_from(self, info: CollectionInfo) -> None:
        """Create the collection that ``info`` describes. Raises `CollectionExists`."""
        with self._executor.transaction() as tx:
            tx._settle()
            engine = self._engine_on(tx, in_transaction=True)
            engine.create_catalog()
            marks = ", ".join("?" * len(info.row()))
            try:
                tx.execute(f"INSERT INTO {CATALOG} ({COLUMNS}) VALUES ({marks})", list(info.row()))
            except UniqueViolation as error:
                raise CollectionExists(f"there is a collection {info.name!r} already") from error
            engine.create(info)

    def get_or_create_collection(
        self,
        name: str,
        *,
        dimension: int | None = None,
        metric: str | None = None,
        embedding_function: Any = None,
        metadata: dict[str, Any] | None = None,
        references: str | None = None,
        configuration: dict[str, Any] | None = None,
    ) -> Collection:
        """The collection of that name, created if need be; arguments as for `create_collection`.

        Raises `DimensionMismatch` or `VectorError` if there is one with another dimension, model, metric or
        reference. The metadata of a collection that exists is left as it is.
        """
        for _ in range(3):
            found = self._find(name)
            if found is not None:
                _check_alike(found, dimension, named_metric(metric, metadata, configuration))
                if references is not None and parse_reference(references) != found.reference:
                    raise VectorError(
                        f"collection {name!r} references {found.reference or 'nothing'}, not {references}"
                    )
                return self._opened(found, embedding_function)
            try:
                return self.create_collection(
                    name,
                    dimension=dimension,
                    metric=metric,
                    embedding_function=embedding_function,
                    metadata=metadata,
                    references=references,
                    configuration=configuration,
                )
            except CollectionExists:
                continue  # somebody was faster
        raise CollectionExists(f"collection {name!r} is being created and deleted by others")

    def get_collection(self, name: str, *, embedding_function: Any = None) -> Collection:
        """The collection of that name.

        Raises `CollectionNotFound`; `DimensionMismatch` if it was filled by another model than
        ``embedding_function``.
        """
        found = self._find(name)
        if found is None:
            raise CollectionNotFound(f"there is no collection {name!r}")
        return self._opened(found, embedding_function)

    def list_collections(self, limit: int | None = None, offset: int | None = None) -> list[Collection]:
        """Collections in the order of their names (by code point).

        Args:
            limit: at most so many; None: all.
            offset: how many to skip before.
        """
        if not self._has_catalog():
            return []
        sql = f"SELECT {COLUMNS} FROM {CATALOG} ORDER BY name"
        rows = self._executor.fetch_all(sql, row_type=tuple)
        first = check_limit(offset or 0, "offset", least=0)
        last = None if limit is None else first + check_limit(limit, "limit", least=0)
        return [self._opened(CollectionInfo.from_row(row), None) for row in rows[first:last]]

    def count_collections(self) -> int:
        """How many collections there are."""
        if not self._has_catalog():
            return 0
        return int(self._executor.fetch_value(f"SELECT count(*) FROM {CATALOG}"))

    def delete_collection(self, name: str) -> None:
        """Delete a collection and all its records. Raises `CollectionNotFound`."""
        found = self.get_collection(name).info
        with self.writing(found.uid, alone=True) as (engine, info):
            engine.drop(info)
            engine.executor.execute(f"DELETE FROM {CATALOG} WHERE uid = ?", [info.uid])
        self.engine.forget(found)

    def rename(self, uid: str, name: str | None, metadata: Any) -> CollectionInfo:
        """Change a collection's name or metadata; what is None stays."""
        with self.writing(uid, alone=True) as (engine, info):
            changed = info
            if name is not None:
                changed = evolve(changed, name=check_collection_name(name))
            if metadata is not None:
                kept = check_metadata(metadata, "metadata")
                space = (kept or {}).get("hnsw:space", info.metric)
                if space != info.metric:
                    raise VectorError(
                        f"collection {info.name!r} is measured by {info.metric}, which cannot become {space}"
                    )
                changed = evolve(changed, metadata=kept)
            self.write_row(engine, changed)
        return changed

    def write_row(self, engine: VectorEngine, info: CollectionInfo) -> None:
        """Store a collection's changed description. In a transaction. Raises `CollectionExists`."""
        uid, *values = info.row()
        columns = [name.strip() for name in COLUMNS.split(",")][1:]
        changes = ", ".join(f"{name} = ?" for name in columns)
        try:
            engine.executor.execute(f"UPDATE {CATALOG} SET {changes} WHERE uid = ?", [*values, uid])
        except UniqueViolation as error:
            raise CollectionExists(f"there is a collection {info.name!r} already") from error

    def reembed_collection(self, name: str, *, embedding_function: Any, batch_size: int = 256) -> Collection:
        """Change a collection's model: all its documents are embedded anew.

        The collection can be read and written meanwhile; a new one takes its place at the end, with its name,
        metadata and indexes. Every record needs a document.

        Args:
            name: the collection.
            embedding_function: the new model, see `dbadapter.vectors.EmbeddingFunction`.
            batch_size: how many documents are embedded and written at once.

        Raises `CollectionNotFound`, `InvalidRecord` naming a record without a document; then the collection is as it
        was.
        """
        from .vector_reembed import reembed

        return reembed(self, name, embedding_function, check_limit(batch_size, "batch_size", least=1))

    # -- finding ---------------------------------------------------------------------------------------

    def _opened(self, info: CollectionInfo, embedding_function: Any) -> Collection:
        check_same_model(info.name, info.model, identity_of(embedding_function))
        return Collection(self, info, embedding_function)

    def _has_catalog(self) -> bool:
        engine, caches = self.settled(), self._caches
        if not caches.has_catalog or self.in_transaction:
            found = engine.has_catalog()
            # Within a transaction it may be the transaction's own, and go with it.
            caches.has_catalog = caches.has_catalog or (found and not self.in_transaction)
            return found
        return True

    def _find(self, name: str) -> CollectionInfo | None:
        check_collection_name(name)
        if not self._has_catalog():
            return None
        return self._row("name", name)

    def _row(self, key: str, value: str) -> CollectionInfo | None:
        sql = f"SELECT {COLUMNS} FROM {CATALOG} WHERE {key} = ?"
        row = self._executor.fetch_one(sql, [value], row_type=tuple)
        return None if row is None else CollectionInfo.from_row(row)

    def refreshed(self, info: CollectionInfo) -> CollectionInfo:
        """A collection's present description. Raises `CollectionNotFound`."""
        found = self._row("uid", info.uid) if self._has_catalog() else None
        if found is None:
            raise CollectionNotFound(f"collection {info.name!r} does not exist any more")
        return found

    @contextmanager
    def writing(self, uid: str, *, alone: bool = False) -> Iterator[tuple[VectorEngine, CollectionInfo]]:
        """A transaction (or savepoint) to change a collection in: the engine within it, and the present description.

        Args:
            uid: the collection's.
            alone: nobody else may write to it meanwhile.

        Raises `CollectionNotFound`.
        """
        with self._executor.transaction() as tx:
            tx._settle()
            engine = self._engine_on(tx, in_transaction=True)
            engine.lock(uid, alone=alone)
            row = tx.fetch_one(f"SELECT {COLUMNS} FROM {CATALOG} WHERE uid = ?", [uid], row_type=tuple)
            if row is None:
                raise CollectionNotFound("the collection does not exist any more")
            yield engine, CollectionInfo.from_row(row)


def _check_alike(found: CollectionInfo, dimension: int | None, metric: str | None) -> None:
    """Raise unless an existing collection is what the caller asked for."""
    if dimension is not None and found.dimension not in (None, dimension):
        raise DimensionMismatch(
            f"collection {found.name!r} has {found.dimension} dimensions, not {dimension}; to change the "
            f"model, re-embed it: store.reembed_collection({found.name!r}, embedding_function=...)"
        )
    if metric is not None and metric != found.metric:
        raise VectorError(f"collection {found.name!r} is measured by {found.metric}, not by {metric}")
