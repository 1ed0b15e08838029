"""Re-ranking: records that a server found are measured again, for exact distances in the exact order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import define

from .binary_copy import read_vectors
from .distance import Vectors, exact_distances, rough_bound
from .metadata import read_each
from .results import Hit

__all__ = ["Measured", "measure"]


@define(eq=False)
class Measured:
    """Records that were fetched, and in which order they belong.

    Attributes:
        rows: of `postgres_searches.COLUMNS` and possibly more. They become records where these are wanted: some are
            fetched for their distances only.
        vectors: of the rows.
        order: exact distance, id and position of each row, nearest first, ties by id.
    """

    rows: Sequence[Any]
    vectors: Vectors
    order: list[tuple[float, str, int]]

    def __len__(self) -> int:
        return len(self.order)

    def distance(self, place: int) -> float:
        """The distance of the record in that place of the order."""
        return self.order[place][0]

    def hits(self, k: int, *, vectors: bool) -> list[Hit]:
        """The k nearest records, with their vectors if these are wanted."""
        chosen = [(far, *self.rows[at][:5], at) for far, _, at in self.order[:k]]
        metadatas = read_each([each[5] for each in chosen])
        return [
            Hit(
                seq,
                name,
                document,
                uri,
                metadata,
                far,
                self.vectors[at].astype(np.float32) if vectors else None,
            )
            for (far, seq, name, document, uri, _, at), metadata in zip(chosen, metadatas, strict=True)
        ]

    def is_settled(self, metric: str, query: Vectors, k: int, asked: int) -> bool:
        """Whether no other record can belong among the first k, as exactly as the server computes.

        The server was asked for more than k records, the nearest as far as it can tell.
        """
        if len(self) < asked:
            return True
        longest = float(np.linalg.norm(self.vectors.astype(np.float64), axis=1).max())
        return self.distance(-1) - self.distance(k - 1) > 2 * rough_bound(metric, query, longest)


def measure(metric: str, query: Vectors, rows: Sequence[Any]) -> Measured:
    """Measure the records of rows, no two of which are of one record."""
    if not rows:
        return Measured(rows, query[:0], [])
    vectors = read_vectors([row[5] for row in rows])
    distances = exact_distances(metric, query, vectors).tolist()
    order = sorted([(far, row[1], at) for at, (far, row) in enumerate(zip(distances, rows, strict=True))])
    return Measured(rows, vectors, order)
