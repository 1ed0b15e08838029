"""A collection in plain Python: what both backends are compared with."""

from __future__ import annotations

import math
from typing import Any

from attrs import define, field

from dbadapter.vectors.filters import parse
from dbadapter.vectors.matching import matches

Record = dict[str, Any]


@define
class Oracle:
    """Records in the order they came, compared one by one."""

    metric: str
    records: dict[str, Record] = field(factory=dict)

    def add(
        self, ids: list[str], embeddings: list[list[float]], metadatas: list[Any], documents: list[Any]
    ) -> None:
        """Add what is not there."""
        for each, vector, metadata, document in zip(ids, embeddings, metadatas, documents, strict=True):
            kept = {key: value for key, value in (metadata or {}).items() if value is not None}
            self.records.setdefault(each, {"vector": vector, "metadata": kept or None, "document": document})

    def upsert(
        self, ids: list[str], embeddings: list[list[float]], metadatas: list[Any], documents: list[Any]
    ) -> None:
        """Add or update."""
        new = [at for at, each in enumerate(ids) if each not in self.records]
        old = [at for at, each in enumerate(ids) if each in self.records]
        for some, verb in ((new, self.add), (old, self.update)):
            verb(*([column[at] for at in some] for column in (ids, embeddings, metadatas, documents)))

    def update(
        self, ids: list[str], embeddings: list[list[float]], metadatas: list[Any], documents: list[Any]
    ) -> None:
        """Update what is there."""
        for each, vector, metadata, document in zip(ids, embeddings, metadatas, documents, strict=True):
            if (record := self.records.get(each)) is None:
                continue
            record["vector"] = vector
            if metadata is not None:
                merged = {**(record["metadata"] or {}), **metadata}
                record["metadata"] = {k: v for k, v in merged.items() if v is not None} or None
            if document is not None:
                record["document"] = document

    def delete(self, ids: list[str] | None, where: Any, where_document: Any) -> int:
        """Delete what matches."""
        doomed = [each for each in self.matching(where, where_document) if ids is None or each in ids]
        for each in doomed:
            del self.records[each]
        return len(doomed)

    def matching(self, where: Any, where_document: Any) -> list[str]:
        """The ids that match, in order."""
        tree = parse(where, where_document)
        return [
            each
            for each, record in self.records.items()
            if matches(tree, record["metadata"], record["document"])
        ]

    def nearest(self, query: list[float], k: int, where: Any, where_document: Any) -> list[tuple[str, float]]:
        """Ids and distances of the k nearest that match."""
        found = [
            (each, distance(self.metric, query, self.records[each]["vector"]))
            for each in self.matching(where, where_document)
        ]
        return sorted(found, key=lambda pair: (pair[1], pair[0]))[:k]


def distance(metric: str, a: list[float], b: list[float]) -> float:
    """The distance, summed exactly."""
    if metric == "l2":
        return math.fsum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    if metric == "ip":
        return 1.0 - dot
    lengths = math.sqrt(math.fsum(x * x for x in a) * math.fsum(y * y for y in b))
    if lengths == 0:
        return 1.0
    return round(1.0 - max(-1.0, min(1.0, dot / lengths)), 12) + 0.0
