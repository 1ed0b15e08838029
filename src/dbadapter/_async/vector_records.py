"""A collection's records: Chroma's verbs, with Chroma's arguments and results."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .._concurrency._aio import beside
from ..errors import ConfigError
from ..vectors.catalog import CollectionInfo
from ..vectors.distance import Vectors
from ..vectors.existing import Existing
from ..vectors.metadata import InvalidRecord
from ..vectors.records import (
    Records,
    as_matrix,
    as_texts,
    check_dimension,
    check_limit,
    make_records,
)
from ..vectors.results import Searched, check_include, get_result, query_result
from ..vectors.selection import Selection, select

if TYPE_CHECKING:
    from .vectors import AsyncVectorStore

__all__ = ["AsyncRecordCollection"]

_DEFAULT_GET = ("metadatas", "documents")
_DEFAULT_QUERY = ("metadatas", "documents", "distances")


class AsyncRecordCollection:
    """A collection of records: an id, a vector, and optionally a document, metadata and a uri.

    Code written for a Chroma collection runs on it unchanged. What is stricter: NaN, infinities in vectors,
    NUL characters and integers beyond 64 bits are refused instead of being lost.
    """

    def __init__(self, store: AsyncVectorStore, info: CollectionInfo, embedding_function: Any) -> None:
        self._store = store
        self._info = info
        self._embed = embedding_function

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self._info.name!r})"

    @property
    def info(self) -> CollectionInfo:
        """The collection's description, as this object knows it."""
        return self._info

    @property
    def id(self) -> str:
        """What identifies the collection for good, while its name may change."""
        return self._info.uid

    @property
    def name(self) -> str:
        """The collection's name."""
        return self._info.name

    @property
    def metadata(self) -> dict[str, Any] | None:
        """The collection's own metadata."""
        return self._info.metadata

    @property
    def metric(self) -> str:
        """How distances are measured: "cosine", "l2" or "ip"."""
        return self._info.metric

    @property
    def embedding_function(self) -> Any:
        """What turns texts into vectors here; None if nothing does."""
        return self._embed

    @property
    def dimension(self) -> int | None:
        """How many numbers a vector has; None until the first one is added."""
        return self._info.dimension

    # -- writing ---------------------------------------------------------------------------------------

    async def add(
        self,
        ids: Any,
        embeddings: Any = None,
        metadatas: Any = None,
        documents: Any = None,
        uris: Any = None,
    ) -> None:
        """Add records; those whose ids are there already are left as they are, silently.

        Args:
            ids: unique texts; one text stands for a list of one, here and below.
            embeddings: a vector for each id, as lists or as an array of (ids, dimension); without them the documents
                are embedded.
            metadatas: for each id a mapping of text to str, int, float, bool or a list of one of these, or None.
            documents: a text for each id, or None.
            uris: a text for each id, or None.

        Raises `InvalidRecord`, `DuplicateID`, `DimensionMismatch`, `CollectionNotFound`; nothing is written
        then.
        """
        records = await self._complete(self._records(ids, embeddings, metadatas, documents, uris))
        await self._insert(records, replace=False)

    async def upsert(
        self,
        ids: Any,
        embeddings: Any = None,
        metadatas: Any = None,
        documents: Any = None,
        uris: Any = None,
    ) -> None:
        """Add records, and update those that are there; arguments and errors as for `add`.

        Metadata is merged into a record's; a key given as None is deleted. A document given as None stays.
        """
        given = self._records(ids, embeddings, metadatas, documents, uris, partial=True)
        await self._insert(await self._complete(given), replace=True)

    async def update(
        self,
        ids: Any,
        embeddings: Any = None,
        metadatas: Any = None,
        documents: Any = None,
        uris: Any = None,
    ) -> None:
        """Update records that are there; other ids are passed over, silently.

        Arguments and errors are as for `add`, and what is None stays as for `upsert`. New documents without
        embeddings are embedded.
        """
        records = self._records(ids, embeddings, metadatas, documents, uris, partial=True)
        if records.vectors is None and records.documents is not None:
            records = await self._complete(records)
        if records.vectors is not None:
            check_dimension(records.vectors, self._info.dimension, self._info.name)
        async with self._store.writing(self._info.uid) as (engine, info):
            if records.vectors is not None:
                check_dimension(records.vectors, info.dimension, info.name)
            present = await engine.existing(info, records.ids)
            known = [at for at, each in enumerate(records.ids) if each in present]
            if known:
                await engine.change(info, records.take(known), present)

    async def delete(
        self, ids: Any = None, where: Any = None, where_document: Any = None, limit: int | None = None
    ) -> dict[str, int]:
        """Delete the records that have one of the ids and match the filters.

        Args:
            ids: texts; None: any.
            where: a metadata filter.
            where_document: a filter on documents.
            limit: at most how many, the first that were added; None: all.

        Returns ``{"deleted": how many}``. Raises `InvalidFilter`, `InvalidRecord`, `CollectionNotFound`.
        """
        if ids is None and where is None and where_document is None:
            raise InvalidRecord("delete() needs ids, where or where_document; delete_collection() drops all")
        selection = self._selection(ids, where, where_document)
        most = None if limit is None else check_limit(limit, "limit", least=0)
        async with self._store.writing(self._info.uid) as (engine, info):
            return {"deleted": await engine.delete(info, selection, most)}

    async def modify(self, name: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Rename the collection, or replace its metadata; what is None stays.

        Raises `CollectionExists`, `CollectionNotFound`, `VectorError` for metadata that name another metric.
        """
        self._info = await self._store.rename(self._info.uid, name, metadata)

    def _records(
        self,
        ids: Any,
        embeddings: Any,
        metadatas: Any,
        documents: Any,
        uris: Any,
        *,
        partial: bool = False,
    ) -> Records:
        return make_records(
            ids,
            embeddings,
            metadatas,
            documents,
            uris,
            partial=partial,
            integer_ids=self._info.reference is not None,
        )

    async def _complete(self, records: Records) -> Records:
        """The records with vectors: given, or made of the documents."""
        if records.vectors is not None:
            return records
        if records.documents is None:
            raise InvalidRecord("records need embeddings, or documents to make them of")
        missing = [at for at, text in enumerate(records.documents) if text is None]
        if missing:
            raise InvalidRecord(f"documents[{missing[0]}] is None and there are no embeddings to use instead")
        texts = [text for text in records.documents if text is not None]
        vectors = await self._embedded(texts, "documents", query=False)
        if len(vectors) != len(records):
            raise InvalidRecord(f"the embedding function made {len(vectors)} vectors of {len(records)} texts")
        return records.with_vectors(vectors)

    async def _embedded(self, texts: list[str], what: str, *, query: bool) -> Vectors:
        if self._embed is None:
            raise ConfigError(
                f"collection {self._info.name!r} has no embedding function here, so {what} cannot be embedded: "
                "pass embedding_function= when you get the collection, or pass vectors"
            )
        function = getattr(self._embed, "embed_query", self._embed) if query else self._embed
        return as_matrix(await beside(function, texts), "the embedding function's result")

    async def _insert(self, records: Records, *, replace: bool) -> None:
        assert records.vectors is not None
        check_dimension(records.vectors, self._info.dimension, self._info.name)
        first = self._info.dimension is None
        async with self._store.writing(self._info.uid, alone=first) as (engine, info):
            if info.dimension is None:
                info = evolve(info, dimension=records.vectors.shape[1])
                await self._store.write_row(engine, info)
                await engine.set_dimension(info)
            check_dimension(records.vectors, info.dimension, info.name)
            passed = await engine.insert(info, records.without_deletions())
            if passed and replace:
                again = records.take(passed)
                await engine.change(info, again, await engine.existing(info, again.ids))
        self._remember(info)

    def _remember(self, info: CollectionInfo) -> None:
        """Go by this description from now on; not where a transaction may still be rolled back."""
        if not self._store.in_transaction:
            self._info = info

    # -- reading ---------------------------------------------------------------------------------------

    async def count(self) -> int:
        """How many records there are."""
        with self._existing():
            return await (await self._store.settled()).count(self._info)

    async def get(
        self,
        ids: Any = None,
        where: Any = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: Any = None,
        include: Sequence[str] = _DEFAULT_GET,
    ) -> dict[str, Any]:
        """The records that have one of the ids and match the filters, in the order they were added.

        Args:
            ids: texts; None: any.
            where: a metadata filter.
            limit, offset: at most how many, and how many to skip before.
            where_document: a filter on documents.
            include: of "metadatas", "documents", "embeddings" and "uris" those wanted.

        Returns:
            ``{"ids": [...], "metadatas": [...] or None, …}``, embeddings as a two-dimensional array.

        Raises `InvalidFilter`, `InvalidRecord`.
        """
        wanted = check_include(include, distances=False)
        selection = self._selection(ids, where, where_document)
        most = None if limit is None else check_limit(limit, "limit", least=0)
        first = check_limit(offset or 0, "offset", least=0)
        vectors = "embeddings" in wanted
        with self._existing():
            hits = await (await self._store.settled()).fetch(
                self._info, selection, most, first, vectors=vectors
            )
        return get_result(hits, wanted)

    async def peek(self, limit: int = 10) -> dict[str, Any]:
        """The first records, with their embeddings; see `get`."""
        return await self.get(limit=limit, include=["metadatas", "documents", "embeddings"])

    async def query(
        self,
        query_embeddings: Any = None,
        query_texts: Any = None,
        n_results: int = 10,
        where: Any = None,
        where_document: Any = None,
        include: Sequence[str] = _DEFAULT_QUERY,
        ids: Any = None,
    ) -> dict[str, Any]:
        """The nearest records to each of several vectors or texts, nearest first, ties by id.

        Args:
            query_embeddings: one vector, or several as lists or as an array of (queries, dimension).
            query_texts: one text or several, to be embedded; used where there are no vectors.
            n_results: at most how many records for each.
            where, where_document, ids: only records that match, as for `get`.
            include: as for `get`, and "distances".

        Returns:
            ``{"ids": [[...], …], "distances": [[...], …], …}``: a list for each query.

        Raises `InvalidFilter`, `InvalidRecord`, `DimensionMismatch`.
        """
        wanted = check_include(include, distances=True)
        k = check_limit(n_results, "n_results", least=1)
        queries = await self._queries(query_embeddings, query_texts)
        nobody = isinstance(ids, list | tuple) and not ids
        selection = Selection([]) if nobody else self._selection(ids, where, where_document)
        searched = await self._nearest(queries, k, selection, vectors="embeddings" in wanted)
        return query_result(searched.hits, wanted)

    async def _queries(self, embeddings: Any, texts: Any) -> Vectors:
        if embeddings is None and texts is None:
            raise InvalidRecord("query() needs query_embeddings, or query_texts to make them of")
        if embeddings is not None:
            return as_matrix(embeddings, "query_embeddings")
        given = [text for text in as_texts(texts, "query_texts", optional=False) if text is not None]
        return await self._embedded(given, "texts", query=True)

    def _selection(self, ids: Any, where: Any, where_document: Any) -> Selection:
        return select(ids, where, where_document, integer_ids=self._info.reference is not None)

    async def _nearest(self, queries: Vectors, k: int, selection: Selection, *, vectors: bool) -> Searched:
        if self._info.dimension is None:
            self._info = await self._store.refreshed(self._info)
        if self._info.dimension is None or (selection.ids is not None and not selection.ids):
            return Searched([[] for _ in queries], "exact", 0, None)
        check_dimension(queries, self._info.dimension, self._info.name, "the query's vectors")
        with self._existing():
            return await (await self._store.settled()).nearest(
                self._info, queries, k, selection, vectors=vectors
            )

    def _existing(self) -> Existing:
        """Around what fails where the collection was deleted meanwhile."""
        return Existing(self._info.name)
