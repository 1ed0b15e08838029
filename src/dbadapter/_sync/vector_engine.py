# Generated from src/dbadapter/_async/vector_engine.py by tools/unasync.py; do not edit.
"""What a vector engine does for collections, and which one a backend has."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from ..vectors.caches import Caches
from ..vectors.catalog import CollectionInfo
from ..vectors.distance import Vectors
from ..vectors.metadata import Metadata
from ..vectors.records import Records
from ..vectors.results import Hit, Searched
from ..vectors.selection import Selection
from ..vectors.text import TextMatch

__all__ = ["VectorEngine", "new_engine"]

Present = dict[str, tuple[int, Metadata | None]]


class VectorEngine(Protocol):
    """Collections on one backend, through an adapter or within a transaction.

    What changes anything expects to be in a transaction.

    Attributes:
        executor: that adapter or transaction.
    """

    executor: Any

    def has_catalog(self) -> bool:
        """Whether there is a catalog of collections."""

    def create_catalog(self) -> None:
        """Make the catalog, and whatever else the engine needs in the database."""

    def lock(self, uid: str, *, alone: bool) -> None:
        """Keep the collection from being deleted, or (alone) from being written to by others as well."""

    def create(self, info: CollectionInfo) -> None:
        """Make a collection's tables."""

    def drop(self, info: CollectionInfo) -> None:
        """Take a collection's tables away."""

    def set_dimension(self, info: CollectionInfo) -> None:
        """The collection's dimension is known now."""

    def insert(self, info: CollectionInfo, records: Records) -> list[int]:
        """Add records; returns the positions of those passed over, whose ids are there already."""

    def existing(self, info: CollectionInfo, ids: list[str]) -> Present:
        """Number and metadata of those of the ids that are there, held against changes by others."""

    def change(self, info: CollectionInfo, records: Records, present: Present) -> None:
        """Update records that are there; what is None stays, metadata is merged."""

    def delete(self, info: CollectionInfo, selection: Selection, limit: int | None) -> int:
        """Delete records, the first ``limit`` of them if there is one; how many."""

    def count(self, info: CollectionInfo) -> int:
        """How many records there are."""

    def fetch(
        self, info: CollectionInfo, selection: Selection, limit: int | None, offset: int, *, vectors: bool
    ) -> list[Hit]:
        """The selected records in the order they came."""

    def batch(self, info: CollectionInfo, after: int, limit: int, *, vectors: bool) -> list[Hit]:
        """The records that come after a number, in their order."""

    def numbered(self, info: CollectionInfo, seqs: list[int]) -> list[Hit]:
        """The records of these numbers, as far as they exist, with their vectors."""

    def between(self, info: CollectionInfo, after: int, upto: int | None) -> list[Hit]:
        """The records after a number, up to and including another (None: all), with their vectors."""

    def put(self, info: CollectionInfo, hits: list[Hit], gone: list[int]) -> None:
        """Write records under the numbers they have, in the place of any of these numbers or ids; delete others."""

    def nearest(
        self, info: CollectionInfo, queries: Vectors, k: int, selection: Selection, *, vectors: bool
    ) -> Searched:
        """The k nearest of the selected records to each query."""

    def create_text(self, info: CollectionInfo) -> None:
        """Make the full-text index and fill it."""

    def text_figures(self, info: CollectionInfo, words: list[str]) -> tuple[int, float, dict[str, int]]:
        """How many documents are indexed, their mean length in words, how many contain each word."""

    def text_matches(
        self, info: CollectionInfo, weights: dict[str, float], selection: Selection
    ) -> list[TextMatch]:
        """The selected records whose documents have one of the words."""

    def create_index(self, info: CollectionInfo, kind: str, options: dict[str, Any]) -> dict[str, Any] | None:
        """Make the index that approximate searches use; what to remember of it."""

    def drop_index(self, info: CollectionInfo) -> None:
        """Take the index away; searches are exact then."""

    def explain(self, info: CollectionInfo) -> dict[str, Any]:
        """What is known of how the collection is searched."""

    def figures(self, info: CollectionInfo) -> dict[str, Any]:
        """Sizes on disk and in memory, and the state of the index."""

    def recall(self, info: CollectionInfo, samples: int, k: int) -> float:
        """The share of true neighbours that searches find, from a sample of the vectors."""

    def vacuum(self, info: CollectionInfo) -> None:
        """Give room that deleted records took back. Not in a transaction."""

    def reindex(self, info: CollectionInfo) -> None:
        """Make the index anew."""

    def changing_tables(self, info: CollectionInfo) -> list[str]:
        """The tables of which one changes, at least, whenever a record does; its number is in their column ``seq``."""

    def forget(self, info: CollectionInfo) -> None:
        """The collection is gone."""


def new_engine(executor: Any, caches: Caches, *, in_transaction: bool) -> VectorEngine:
    """The engine of the backend that an adapter or transaction works on."""
    return _engine_of(executor.dialect.name)(executor, caches, in_transaction=in_transaction)


@cache
def _engine_of(dialect: str) -> Callable[..., VectorEngine]:
    """The class of a backend's engine, which is imported when it is first wanted."""

    def local() -> Callable[..., VectorEngine]:
        from .vector_local_engine import LocalEngine

        return LocalEngine

    def postgres() -> Callable[..., VectorEngine]:
        from .vector_postgres_engine import PostgresEngine

        return PostgresEngine

    return {"sqlite": local, "postgresql": postgres}[dialect]()
