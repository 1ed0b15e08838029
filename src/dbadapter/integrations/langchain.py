"""LangChain: a vector store on an adapter's collections (extra: ``langchain``).

With a `DatabaseAdapter` the synchronous methods work, and LangChain runs them in a thread for its asynchronous
ones; with an `AsyncDatabaseAdapter` the asynchronous methods work, without a thread.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from ..errors import ConfigError
from ..vectors.metadata import InvalidRecord
from ..vectors.results import Match, similarity

if TYPE_CHECKING:
    from .. import AsyncDatabaseAdapter, DatabaseAdapter

__all__ = ["AdapterVectorStore"]

Filter = Mapping[str, Any] | None


class AdapterVectorStore(VectorStore):  # type: ignore[misc, unused-ignore]  # without LangChain it is Any
    """Documents in a collection of vectors.

    ``filter`` is a metadata filter in Chroma's grammar, ``where_document`` one on the text. A score is a distance:
    the smaller the nearer; a relevance score is a similarity, 1 for the same.
    """

    def __init__(
        self,
        adapter: DatabaseAdapter | AsyncDatabaseAdapter,
        *,
        embedding: Embeddings,
        collection_name: str = "langchain",
        metric: str = "cosine",
        references: str | None = None,
    ) -> None:
        """A store that has not looked at the database yet.

        Args:
            adapter: an open adapter.
            embedding: turns texts into vectors.
            collection_name: the collection; created on first use.
            metric: "cosine", "l2" or "ip".
            references: "table.column", see `VectorStore.create_collection`.
        """
        from .. import AsyncDatabaseAdapter, DatabaseAdapter

        if not isinstance(adapter, DatabaseAdapter | AsyncDatabaseAdapter):
            raise ConfigError(f"adapter must be an open adapter, not {type(adapter).__name__}")
        self._adapter: Any = adapter
        self._is_async = isinstance(adapter, AsyncDatabaseAdapter)
        self._embedding = embedding
        self._name = collection_name
        self._metric = metric
        self._references = references

    @property
    def embeddings(self) -> Embeddings:
        """What turns texts into vectors."""
        return self._embedding

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        return lambda distance: similarity(self._metric, distance)

    # -- the collection --------------------------------------------------------------------------------

    def _collection(self, executor: Any = None) -> Any:
        if self._is_async:
            raise ConfigError("this store is on an AsyncDatabaseAdapter: use its asynchronous methods")
        store = (executor or self._adapter).vectors
        return store.get_or_create_collection(self._name, metric=self._metric, references=self._references)

    async def _acollection(self, executor: Any = None) -> Any:
        store = (executor or self._adapter).vectors
        return await store.get_or_create_collection(
            self._name, metric=self._metric, references=self._references
        )

    def delete_collection(self) -> None:
        """Delete the collection and all that is in it."""
        self._collection()
        self._adapter.vectors.delete_collection(self._name)

    async def adelete_collection(self) -> None:
        """See `delete_collection`."""
        if not self._is_async:
            await self._in_executor(self.delete_collection)
            return
        await self._acollection()
        await self._adapter.vectors.delete_collection(self._name)

    async def _in_executor(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        from langchain_core.runnables.config import run_in_executor

        return await run_in_executor(None, function, *args, **kwargs)

    # -- writing ---------------------------------------------------------------------------------------

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Add documents, in the place of those that have the same ids; returns the ids."""
        _refuse(kwargs)
        given = list(texts)
        if not given:
            return []
        columns = _columns(given, metadatas, ids)
        vectors = self._embedding.embed_documents(given)
        self._collection()
        with self._adapter.transaction() as tx:
            collection = self._collection(tx)
            collection.delete(ids=columns["ids"])
            collection.add(embeddings=vectors, **columns)
        return list(columns["ids"])

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """See `add_texts`."""
        _refuse(kwargs)
        given = list(texts)
        if not given:
            return []
        if not self._is_async:
            added: list[str] = await self._in_executor(self.add_texts, given, metadatas, ids=ids)
            return added
        columns = _columns(given, metadatas, ids)
        vectors = await self._embedding.aembed_documents(given)
        await self._acollection()
        async with self._adapter.transaction() as tx:
            collection = await self._acollection(tx)
            await collection.delete(ids=columns["ids"])
            await collection.add(embeddings=vectors, **columns)
        return list(columns["ids"])

    def delete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """Delete documents by id; ids that are not there are passed over."""
        _refuse(kwargs)
        if _has_some(ids):
            self._collection().delete(ids=ids)
        return True

    async def adelete(self, ids: list[str] | None = None, **kwargs: Any) -> bool:
        """See `delete`."""
        _refuse(kwargs)
        if _has_some(ids):
            if not self._is_async:
                return bool(await self._in_executor(self.delete, ids))
            await (await self._acollection()).delete(ids=ids)
        return True

    # -- reading ---------------------------------------------------------------------------------------

    def get_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """The documents of ids, as far as they are there."""
        return _by_ids(self._collection().get(ids=list(dict.fromkeys(ids)))) if ids else []

    async def aget_by_ids(self, ids: Sequence[str], /) -> list[Document]:
        """See `get_by_ids`."""
        if not self._is_async:
            found: list[Document] = await self._in_executor(self.get_by_ids, ids)
            return found
        return _by_ids(await (await self._acollection()).get(ids=list(dict.fromkeys(ids)))) if ids else []

    def similarity_search(
        self, query: str, k: int = 4, filter: Filter = None, where_document: Filter = None, **kwargs: Any
    ) -> list[Document]:
        """The k nearest documents to a text."""
        return _documents(self.similarity_search_with_score(query, k, filter, where_document, **kwargs))

    async def asimilarity_search(
        self, query: str, k: int = 4, filter: Filter = None, where_document: Filter = None, **kwargs: Any
    ) -> list[Document]:
        """See `similarity_search`."""
        return _documents(
            await self.asimilarity_search_with_score(query, k, filter, where_document, **kwargs)
        )

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter = None, where_document: Filter = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """The k nearest documents to a text, with their distances."""
        _refuse(kwargs)
        vector = self._embedding.embed_query(query)
        found = self._collection().search(vector, k, where=filter, where_document=where_document)
        return [_scored(match) for match in found]

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, filter: Filter = None, where_document: Filter = None, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """See `similarity_search_with_score`."""
        _refuse(kwargs)
        if not self._is_async:
            scored: list[tuple[Document, float]] = await self._in_executor(
                self.similarity_search_with_score, query, k, filter, where_document
            )
            return scored
        vector = await self._embedding.aembed_query(query)
        collection = await self._acollection()
        found = await collection.search(vector, k, where=filter, where_document=where_document)
        return [_scored(match) for match in found]

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter = None, **kwargs: Any
    ) -> list[Document]:
        """The k nearest documents to a vector."""
        _refuse(kwargs)
        return [_scored(match)[0] for match in self._collection().search(embedding, k, where=filter)]

    async def asimilarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: Filter = None, **kwargs: Any
    ) -> list[Document]:
        """See `similarity_search_by_vector`."""
        _refuse(kwargs)
        if not self._is_async:
            found: list[Document] = await self._in_executor(
                self.similarity_search_by_vector, embedding, k, filter
            )
            return found
        collection = await self._acollection()
        return [_scored(match)[0] for match in await collection.search(embedding, k, where=filter)]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter = None,
        **kwargs: Any,
    ) -> list[Document]:
        """k documents near a text that differ from each other.

        ``fetch_k`` are looked at; ``lambda_mult`` is 1 for the nearest, 0 for the most different.
        """
        vector = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, filter, **kwargs)

    async def amax_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter = None,
        **kwargs: Any,
    ) -> list[Document]:
        """See `max_marginal_relevance_search`."""
        vector = await self._embedding.aembed_query(query)
        return await self.amax_marginal_relevance_search_by_vector(
            vector, k, fetch_k, lambda_mult, filter, **kwargs
        )

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter = None,
        **kwargs: Any,
    ) -> list[Document]:
        """k documents near a vector that differ from each other; see `max_marginal_relevance_search`."""
        _refuse(kwargs)
        found = self._collection().query([embedding], n_results=fetch_k, where=filter, include=_DIVERSE)
        return _diverse(found, embedding, k, lambda_mult)

    async def amax_marginal_relevance_search_by_vector(
        self,
        embedding: list[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        filter: Filter = None,
        **kwargs: Any,
    ) -> list[Document]:
        """See `max_marginal_relevance_search_by_vector`."""
        _refuse(kwargs)
        if not self._is_async:
            documents: list[Document] = await self._in_executor(
                self.max_marginal_relevance_search_by_vector, embedding, k, fetch_k, lambda_mult, filter
            )
            return documents
        collection = await self._acollection()
        found = await collection.query([embedding], n_results=fetch_k, where=filter, include=_DIVERSE)
        return _diverse(found, embedding, k, lambda_mult)

    # -- making one ------------------------------------------------------------------------------------

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        adapter: DatabaseAdapter | None = None,
        collection_name: str = "langchain",
        metric: str = "cosine",
        **kwargs: Any,
    ) -> AdapterVectorStore:
        """A store with these texts added; ``adapter`` is needed."""
        _refuse(kwargs)
        store = cls(_needed(adapter), embedding=embedding, collection_name=collection_name, metric=metric)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    @classmethod
    async def afrom_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        adapter: DatabaseAdapter | AsyncDatabaseAdapter | None = None,
        collection_name: str = "langchain",
        metric: str = "cosine",
        **kwargs: Any,
    ) -> AdapterVectorStore:
        """See `from_texts`."""
        _refuse(kwargs)
        store = cls(_needed(adapter), embedding=embedding, collection_name=collection_name, metric=metric)
        await store.aadd_texts(texts, metadatas, ids=ids)
        return store


_DIVERSE = ["embeddings", "documents", "metadatas"]


def _refuse(surplus: Mapping[str, Any]) -> None:
    """LangChain's signatures take any further argument; one that would do nothing is a mistake."""
    if surplus:
        raise TypeError(f"unexpected argument {', '.join(surplus)}")


def _needed(adapter: Any) -> Any:
    if adapter is None:
        raise ConfigError("adapter= is needed: the open adapter whose database holds the collection")
    return adapter


def _has_some(ids: list[str] | None) -> bool:
    if ids is None:
        raise InvalidRecord("delete() needs ids; delete_collection() deletes everything")
    return bool(ids)


def _columns(
    texts: list[str], metadatas: list[dict[str, Any]] | None, ids: Sequence[str | None] | None
) -> dict[str, Any]:
    """Arguments of ``add``: ids made up where there are none, no metadata in the place of empty ones."""
    names = [each or str(uuid.uuid4()) for each in (ids or [None] * len(texts))]
    return {
        "ids": names,
        "documents": texts,
        "metadatas": None if metadatas is None else [each or None for each in metadatas],
    }


def _document(name: str, text: str | None, metadata: dict[str, Any] | None) -> Document:
    return Document(id=name, page_content=text or "", metadata=metadata or {})


def _scored(match: Match) -> tuple[Document, float]:
    assert match.distance is not None
    return _document(match.id, match.document, match.metadata), match.distance


def _documents(scored: list[tuple[Document, float]]) -> list[Document]:
    return [document for document, _ in scored]


def _by_ids(found: dict[str, Any]) -> list[Document]:
    rows = zip(found["ids"], found["documents"], found["metadatas"], strict=True)
    return [_document(*row) for row in rows]


def _diverse(found: dict[str, Any], embedding: list[float], k: int, lambda_mult: float) -> list[Document]:
    rows = zip(found["ids"][0], found["documents"][0], found["metadatas"][0], strict=True)
    documents = [_document(*row) for row in rows]
    if not documents:
        return []
    query = np.asarray(embedding, np.float32)
    chosen = maximal_marginal_relevance(query, list(found["embeddings"][0]), lambda_mult, k)
    return [documents[at] for at in chosen]
