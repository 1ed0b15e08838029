# Generated from src/dbadapter/_async/vector_collection.py by tools/unasync.py; do not edit.
"""A collection: Chroma's verbs, and what Chroma has not: ordered matches, hybrid search, indexes, upkeep."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from ..errors import VectorError
from ..vectors.distance import Vectors, exact_distances
from ..vectors.indexes import check_index
from ..vectors.metadata import InvalidRecord
from ..vectors.records import as_matrix, check_limit
from ..vectors.results import Hit, Match, similarity
from ..vectors.selection import Selection, select
from ..vectors.text import fuse, query_words, rank_texts, word_weights
from .vector_records import RecordCollection

__all__ = ["Collection"]

_FUSED_AT_LEAST, _FUSED_PER_RESULT = 50, 4


class Collection(RecordCollection):
    """A collection of records: an id, a vector, and optionally a document, metadata and a uri.

    Code written for a Chroma collection runs on it unchanged. What is stricter: NaN, infinities in vectors,
    NUL characters and integers beyond 64 bits are refused instead of being lost.
    """

    # -- searching -------------------------------------------------------------------------------------

    def search(
        self,
        vector_or_text: Any,
        k: int = 10,
        *,
        where: Any = None,
        where_document: Any = None,
        min_similarity: float | None = None,
    ) -> list[Match]:
        """The k nearest records to a vector or a text, nearest first, ties by id.

        Args:
            vector_or_text: one vector; or one text, to be embedded.
            k: how many at most.
            where, where_document: only records that match these filters; such a search is exact, or says
                through `explain` that it was not.
            min_similarity: only records of at least this similarity (see `Match`).

        Raises `InvalidFilter`, `InvalidRecord`, `DimensionMismatch`.
        """
        wanted = check_limit(k, "k", least=1)
        query = self._query(vector_or_text)
        searched = self._nearest(query, wanted, select(None, where, where_document), vectors=False)
        matches = [self._match(hit) for hit in searched.hits[0]]
        if min_similarity is None:
            return matches
        least = _number(min_similarity, "min_similarity")
        return [each for each in matches if each.similarity is not None and each.similarity >= least]

    def _query(self, vector_or_text: Any) -> Vectors:
        if isinstance(vector_or_text, str):
            return self._embedded([vector_or_text], "texts", query=True)
        query = as_matrix(vector_or_text, "the query")
        if len(query) != 1:
            raise InvalidRecord(f"search() takes one vector, not {len(query)}; query() takes several")
        return query

    def _match(self, hit: Hit, score: float | None = None) -> Match:
        near = None if hit.distance is None else similarity(self._info.metric, hit.distance)
        return Match(hit.id, hit.distance, near, hit.document, hit.metadata, score)

    def hybrid_search(
        self, text: str, vector: Any = None, k: int = 10, *, where: Any = None, where_document: Any = None
    ) -> list[Match]:
        """The k records that full text and vectors together rank best.

        Both rankings are fused by rank (reciprocal rank fusion), ties by id. On first use the collection's
        documents are indexed; from then on the index is kept in step.

        Args:
            text: words, in any language.
            vector: what to search by meaning; None: the text, embedded, if there is an embedding function.
            k: how many at most.
            where, where_document: only records that match.

        Raises `InvalidFilter`, `InvalidRecord`, `DimensionMismatch`.
        """
        if not isinstance(text, str):
            raise InvalidRecord(f"hybrid_search() takes a text, not {type(text).__name__}")
        wanted = check_limit(k, "k", least=1)
        depth = max(_FUSED_AT_LEAST, _FUSED_PER_RESULT * wanted)
        selection = select(None, where, where_document)
        query = None
        if vector is not None:
            query = as_matrix(vector, "the vector")
        elif self._embed is not None and text:
            query = self._query(text)
        by_vector: list[str] = []
        if query is not None:
            searched = self._nearest(query, depth, selection, vectors=False)
            by_vector = [hit.id for hit in searched.hits[0]]
        by_text = self._by_text(text, depth, selection)
        fused = fuse([by_text, by_vector])[:wanted]
        return self._described(dict(fused), query)

    def _by_text(self, text: str, depth: int, selection: Selection) -> list[str]:
        words = query_words(text)
        if not words:
            return []
        if not self._info.has_text:
            self._index_text()
        engine = self._store.settled()
        with self._existing():
            documents, mean, containing = engine.text_figures(self._info, words)
            weights = word_weights(documents, containing)
            if not weights:
                return []
            found = engine.text_matches(self._info, weights, selection)
        return rank_texts(found, weights, mean, depth)

    def _index_text(self) -> None:
        """Make the full-text index, unless somebody did meanwhile."""
        with self._store.writing(self._info.uid, alone=True) as (engine, info):
            if not info.has_text:
                engine.create_text(info)
                info = evolve(info, has_text=True)
                self._store.write_row(engine, info)
        self._remember(info)

    def _described(self, scores: dict[str, float], query: Vectors | None) -> list[Match]:
        """The records of ids with their scores, in the order of these."""
        if not scores:
            return []
        selection = Selection(list(scores))
        with self._existing():
            hits = self._store.settled().fetch(self._info, selection, None, 0, vectors=query is not None)
        if query is not None:
            hits = [
                hit.at(float(exact_distances(self._info.metric, query[0], hit.vector[None])[0]))
                for hit in hits
            ]
        by_id = {hit.id: hit for hit in hits}
        return [self._match(by_id[each], score) for each, score in scores.items() if each in by_id]

    # -- indexes and upkeep ----------------------------------------------------------------------------

    def create_index(self, kind: str = "hnsw", **options: Any) -> None:
        """Make the index that approximate searches use, in the place of one that is there.

        On Postgres: "hnsw" (options ``m``, ``ef_construction``, ``ef_search``) or "ivfflat" (``lists``,
        ``probes``); what is not given is chosen by the collection's size. "fulltext" makes what
        `hybrid_search` needs. The local engine needs no index; there the options are checked and nothing
        else is done.

        Raises `VectorError` for an unknown kind or option.
        """
        chosen = check_index(kind, options)
        if kind == "fulltext":
            self._index_text()
            return
        with self._store.writing(self._info.uid, alone=True) as (engine, info):
            if info.dimension is None:
                raise VectorError(
                    f"collection {info.name!r} has no dimension yet: add vectors first, or create it with one"
                )
            engine.drop_index(info)
            info = evolve(info, options=engine.create_index(info, kind, chosen))
            self._store.write_row(engine, info)
        self._remember(info)

    def drop_index(self) -> None:
        """Take the index away: searches are exact from then on."""
        with self._store.writing(self._info.uid, alone=True) as (engine, info):
            engine.drop_index(info)
            info = evolve(info, options=None)
            self._store.write_row(engine, info)
        self._remember(info)

    def explain(
        self, vector_or_text: Any = None, k: int = 10, *, where: Any = None, where_document: Any = None
    ) -> dict[str, Any]:
        """How a search is answered.

        Args:
            vector_or_text, k, where, where_document: as for `search`; without a vector or text, only what is known of
                the collection is told.

        Returns:
            at least ``engine``, ``index``; with something to search for also ``path`` ("exact", "codes", "hnsw",
            "ivfflat"), ``exact`` (nothing can have been missed), ``compared`` (how many records were compared
            exactly) and ``matched`` (how many the filter let through, if anybody counted).
        """
        with self._existing():
            known = self._store.settled().explain(self._info)
        if vector_or_text is None:
            return known
        query = self._query(vector_or_text)
        selection = select(None, where, where_document)
        searched = self._nearest(query, check_limit(k, "k", least=1), selection, vectors=False)
        with self._existing():
            known = self._store.settled().explain(self._info)
        return {
            **known,
            "path": searched.path,
            "exact": searched.path == "exact",
            "compared": searched.compared,
            "matched": searched.matched,
            "found": len(searched.hits[0]),
        }

    def stats(self) -> dict[str, Any]:
        """Name, count, dimension, metric, sizes on disk and in memory, and the state of the index."""
        self._info = self._store.refreshed(self._info)
        with self._existing():
            return {
                "name": self._info.name,
                "count": self._store.settled().count(self._info),
                "dimension": self._info.dimension,
                "metric": self._info.metric,
                "model": self._info.model,
                "references": None if self._info.reference is None else str(self._info.reference),
                "fulltext": self._info.has_text,
                **self._store.settled().figures(self._info),
            }

    def vacuum(self) -> None:
        """Give the room that deleted records took back to the system. Not within a transaction."""
        if self._store.in_transaction:
            raise VectorError("vacuum() cannot run within a transaction: call it on adapter.vectors")
        with self._existing():
            self._store.settled().vacuum(self._info)

    def reindex(self) -> None:
        """Build the index anew, from the records as they are now. Raises `CollectionNotFound`."""
        with self._store.writing(self._info.uid, alone=True) as (engine, info):
            engine.reindex(info)

    def check_recall(self, samples: int = 50, k: int = 10) -> float:
        """The share (0 to 1) of true nearest neighbours that searches find: the mean over a sample.

        1.0 where searches are exact, or there is nothing to search; NaN where the vectors are not in memory.

        Args:
            samples: how many of the collection's own vectors are searched for.
            k: how many neighbours of each.
        """
        wanted, count = check_limit(samples, "samples", least=1), check_limit(k, "k", least=1)
        self._info = self._store.refreshed(self._info)
        if self._info.dimension is None:
            return 1.0
        with self._existing():
            return self._store.settled().recall(self._info, wanted, count)


def _number(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InvalidRecord(f"{what} must be a number, not {value!r}")
    return float(value)
