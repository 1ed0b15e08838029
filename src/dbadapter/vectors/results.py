"""What searches return: a record found, a match, and Chroma's dictionaries of lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen

from .metadata import InvalidRecord, Metadata

__all__ = [
    "Hit",
    "Match",
    "Searched",
    "check_include",
    "get_result",
    "hit_order",
    "query_result",
    "similarity",
]

_INCLUDABLE = ("documents", "embeddings", "metadatas", "distances", "uris", "data")


@define(eq=False)
class Hit:
    """A stored record that was found; `distance` is None where nothing was measured.

    Nobody changes one. It is not frozen since a search makes a dozen, and to make a frozen one takes twice as long.
    """

    seq: int
    id: str
    document: str | None
    uri: str | None
    metadata: Metadata | None
    distance: float | None = None
    vector: Any = None

    def at(self, distance: float) -> Hit:
        """This record at that distance."""
        return Hit(self.seq, self.id, self.document, self.uri, self.metadata, distance, self.vector)


@frozen(eq=False)
class Searched:
    """What a search found, and how.

    Attributes:
        hits: for each query the nearest records, in order.
        path: "exact", "codes" (the local engine's sign codes) or an index ("hnsw", "ivfflat").
        compared: how many records were compared exactly, for the last query.
        matched: how many records the filter let through; None without a filter, or where nobody counted.
    """

    hits: list[list[Hit]]
    path: str
    compared: int
    matched: int | None


@frozen
class Match:
    """A record that `search` or `hybrid_search` found.

    Attributes:
        id: the record's.
        distance: by the collection's metric; None where a hybrid search had no vector to measure from.
        similarity: 1 - distance for cosine and ip, 1 / (1 + distance) for l2.
        document, metadata: as stored.
        score: a hybrid search's fused score, by which it is sorted; otherwise None.
    """

    id: str
    distance: float | None
    similarity: float | None
    document: str | None
    metadata: Metadata | None
    score: float | None = field(default=None)


def hit_order(hit: Hit) -> tuple[float, str]:
    """The order of results: by distance, ties by id in code point order."""
    assert hit.distance is not None
    return hit.distance, hit.id


def similarity(metric: str, distance: float) -> float:
    """How alike: the greater the nearer."""
    return 1.0 / (1.0 + distance) if metric == "l2" else 1.0 - distance


def check_include(include: Any, *, distances: bool) -> list[str]:
    """What a caller wants in a result. Raises `InvalidRecord`."""
    if isinstance(include, str) or not isinstance(include, Sequence):
        raise InvalidRecord(f"include must be a list, not {include!r:.100}")
    allowed = [name for name in _INCLUDABLE if distances or name != "distances"]
    for name in include:
        if name not in allowed:
            raise InvalidRecord(f"include takes {', '.join(allowed)}, not {name!r:.100}")
    if "data" in include:
        raise InvalidRecord("include=['data'] needs a data loader, which is not supported; include 'uris'")
    return list(include)


def get_result(hits: Sequence[Hit], include: list[str]) -> dict[str, Any]:
    """The result of ``get`` and ``peek``."""
    return {
        "ids": [hit.id for hit in hits],
        "embeddings": _matrix(hits) if "embeddings" in include else None,
        "documents": [hit.document for hit in hits] if "documents" in include else None,
        "uris": [hit.uri for hit in hits] if "uris" in include else None,
        "included": include,
        "data": None,
        "metadatas": [_metadata(hit) for hit in hits] if "metadatas" in include else None,
    }


def query_result(found: Sequence[Sequence[Hit]], include: list[str]) -> dict[str, Any]:
    """The result of ``query``: a list for each query."""

    def each(name: str, of: Callable[[Sequence[Hit]], Any]) -> list[Any] | None:
        return [of(hits) for hits in found] if name in include else None

    return {
        "ids": [[hit.id for hit in hits] for hits in found],
        "embeddings": each("embeddings", _matrix),
        "documents": each("documents", lambda hits: [hit.document for hit in hits]),
        "uris": each("uris", lambda hits: [hit.uri for hit in hits]),
        "included": include,
        "data": None,
        "metadatas": each("metadatas", lambda hits: [_metadata(hit) for hit in hits]),
        "distances": each("distances", lambda hits: [hit.distance for hit in hits]),
    }


def _metadata(hit: Hit) -> Metadata | None:
    """A record's metadata as Chroma returns them: where there is nothing but a uri, they are there, and empty."""
    return {} if hit.metadata is None and hit.uri is not None else hit.metadata


def _matrix(hits: Sequence[Hit]) -> Any:
    import numpy as np

    return np.stack([hit.vector for hit in hits]) if hits else np.empty((0, 0), np.float32)
