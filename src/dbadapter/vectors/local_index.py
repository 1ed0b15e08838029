"""The search cache of one local collection.

It never holds the only copy of anything: it is filled from the database, brought up to date from the log of
changes, and thrown away at will.

Two ways to search. Going through every row is exact. Going through the codes, and comparing exactly only the
rows whose codes are nearest (re-ranking), is some ten times faster and may miss a neighbour. How many rows have to
be compared is not guessed: the first queries, and some later ones, are answered exactly, and where their true
neighbours stood among the codes tells. Where codes tell too little, every query is answered exactly.

Readers take no lock. Rows are appended behind what a reader knows of; what changes under a reader's eyes (an
updated vector, a deleted row) is announced by `version`, a sequence lock: who finds it changed looks again, under
the lock.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from .blocks import Block, Mask, Rows, Seqs
from .codes import differing_bits, encode_signs, pick_candidates
from .distance import Distances, Vectors, exact_distances, is_tame, nearest, rough_bound, rough_distances

__all__ = ["Found", "LocalIndex", "sampled_recall"]

# Up to so many numbers in all, going through them exactly is as fast as anything.
_EXACT_UP_TO = 3_000_000
_GATHER_SHARE = 8  # with fewer rows than 1/8 of a block wanted, copying them out beats passing over the block
_FIRST_EXACT, _THEN_EXACT_EVERY = 16, 512
_SHALLOWEST, _SAFETY, _SHARE_FOUND = 256, 1.8, 0.99
_WORTHWHILE = 16  # codes pay while at most 1/16 of the rows have to be compared
_BLIND_DEPTH = 640  # without vectors in memory nothing can be learnt
_BEYOND = np.iinfo(np.uint16).max

T = TypeVar("T")


@frozen
class Found:
    """What a search found: the k nearest and all that tie with the last of them, unordered.

    Attributes:
        seqs: sequence numbers.
        distances: exact distances; None where the vectors are not in memory and have yet to be compared.
        path: "exact" (every row was compared) or "codes" (the rows with the most similar codes were).
        compared: how many rows were compared exactly.
    """

    seqs: Seqs
    distances: Distances | None
    path: str
    compared: int


@define(eq=False)
class LocalIndex:
    """The rows of one collection, and how to search them.

    Attributes:
        metric: the collection's.
        rows: what is searched.
        stamp: which state of the database this is; whoever changes the rows sets it.
        version: a sequence lock: odd while rows are being changed in place, and another number afterwards.
        lock: held by whoever changes rows.
    """

    metric: str
    rows: Rows
    stamp: Any = None
    version: int = 0
    lock: threading.Lock = field(factory=threading.Lock)
    _queries: int = 0
    _depths: deque[tuple[int, int]] = field(factory=lambda: deque(maxlen=2000))
    _known_depths: dict[int, int] = field(factory=dict)

    def __len__(self) -> int:
        return self.rows.count - self.rows.dead

    @property
    def top(self) -> int:
        """The highest number of a row, deleted or not."""
        return self.rows.top

    def fork(self) -> LocalIndex:
        """A copy that can be changed on its own; vectors are shared until then."""
        with self.lock:
            return LocalIndex(
                self.metric,
                self.rows.fork(),
                stamp=self.stamp,
                queries=self._queries,
                depths=deque(self._depths, maxlen=self._depths.maxlen),
            )

    @property
    def wasteful(self) -> bool:
        """So many rows are deleted that filling a new index is better than keeping this one."""
        return self.rows.dead > 10_000 and self.rows.dead * 2 > self.rows.count

    def change(self, seqs: Seqs, vectors: Vectors) -> None:
        """Put new vectors in the place of old ones. Under the lock."""
        self.version += 1
        self.rows.change(seqs, vectors)
        self.version += 1

    def remove(self, seqs: Seqs) -> None:
        """Delete rows. Under the lock."""
        self.version += 1
        self.rows.remove(seqs)
        self.version += 1

    # -- searching -------------------------------------------------------------------------------------

    def search(self, query: Vectors, k: int, mask: Mask | None = None) -> Found:
        """The nearest rows; with a mask (true where a row may be found) those are found exactly."""
        if not self.rows.keep_vectors:
            return self._read_consistently(lambda: self._similar(query, k, mask))
        if mask is None and (depth := self._depth_for(k)):
            return self._read_consistently(lambda: self._by_codes(query, k, depth))
        found = self._read_consistently(lambda: self._by_all(query, k, mask))
        if mask is None and self.rows.mean is not None:
            self._read_consistently(lambda: self._learn(query, found))
        return found

    def search_exactly(self, query: Vectors, k: int) -> Found:
        """The nearest rows, every row compared; the vectors have to be in memory."""
        return self._read_consistently(lambda: self._by_all(query, k, None))

    def _read_consistently(self, look: Callable[[], T]) -> T:
        """What `look` finds in rows that nobody changes meanwhile: without the lock, or under it if somebody did."""
        before = self.version
        if before % 2 == 0:
            result = look()
            if self.version == before:
                return result
        with self.lock:
            return look()

    # -- how deep to look ------------------------------------------------------------------------------

    def _depth_for(self, k: int) -> int:
        """How many rows to compare for the k nearest; 0: all."""
        count = self.rows.count
        if count * self.rows.dimension <= _EXACT_UP_TO or not self.rows.tame:
            return 0
        self._queries += 1
        if self._queries == 1:
            return 0
        if self.rows.mean is None:
            with self.lock:
                if self.rows.mean is None:
                    self.rows.make_codes()
        if self._queries <= _FIRST_EXACT or self._queries % _THEN_EXACT_EVERY == 0 or not self._depths:
            return 0
        depth = self.depth(k)
        return depth if depth * _WORTHWHILE <= count else 0

    def depth(self, k: int) -> int:
        """Among how many nearest codes the k nearest rows are found, as far as is known."""
        known = self._known_depths.get(k)
        if known is None:
            seen = [depth * max(1.0, k / of) for depth, of in list(self._depths)]
            deep = int(np.quantile(seen, _SHARE_FOUND) * _SAFETY) if seen else 0
            known = self._known_depths[k] = max(_SHALLOWEST, 4 * k, deep) if seen else 0
        return known

    def _learn(self, query: Vectors, found: Found) -> None:
        """Note how many codes are as near as that of each row truly found."""
        bits = self._differing(query)
        rows = self.rows.rows_of(np.sort(found.seqs))
        below = np.bincount(bits).cumsum()
        self._depths.extend((int(depth), len(rows)) for depth in below[bits[rows[rows < len(bits)]]])
        self._known_depths = {}

    # -- the ways --------------------------------------------------------------------------------------

    def _differing(self, query: Vectors) -> NDArray[np.uint16]:
        """The differing bits of every row, deleted ones beyond all."""
        rows = self.rows
        assert rows.mean is not None
        words = encode_signs(query[None], rows.mean)[:, 0]
        bits = np.empty(rows.count, np.uint16)
        for start, block in rows.each(len(bits)):
            part = bits[start : start + block.count]
            assert block.codes is not None
            differing_bits(block.codes, len(part), words, part)
            if rows.dead:
                part[~block.alive[: len(part)]] = _BEYOND
        return bits

    def _by_codes(self, query: Vectors, k: int, depth: int) -> Found:
        bits = self._differing(query)
        picked = pick_candidates(bits, depth)
        if self.rows.dead:
            picked = picked[bits[picked] < _BEYOND]
        return self._settle(query, k, *self.rows.gather(picked), "codes")

    def _similar(self, query: Vectors, k: int, mask: Mask | None) -> Found:
        """Without vectors: the rows worth comparing, all of the mask's if there is one."""
        wanted = self.rows.alive()
        if mask is not None:
            wanted = wanted[: len(mask)] & mask
        picked = np.flatnonzero(wanted)
        path = "exact"
        if mask is None and len(picked) > max(_BLIND_DEPTH, 40 * k):
            bits = self._differing(query)
            picked, path = pick_candidates(bits, max(_BLIND_DEPTH, 40 * k)), "codes"
            picked = picked[bits[picked] < _BEYOND]
        return Found(self.rows.sequence_numbers()[picked], None, path, len(picked))

    def _by_all(self, query: Vectors, k: int, mask: Mask | None) -> Found:
        """Every row of the mask: of each block those that can be among the nearest go on."""
        count = self.rows.count if mask is None else len(mask)
        tame = self._is_tame_with(query)
        parts = []
        compared = 0
        for start, block in self.rows.each(count):
            size = min(block.count, count - start)
            wanted = block.alive[:size] if mask is None else block.alive[:size] & mask[start : start + size]
            matching = int(np.count_nonzero(wanted))
            compared += matching
            if matching and block.vectors is not None:
                rows = self._contenders(query, k, block, wanted, matching, tame)
                parts.append((block.seqs[rows], block.vectors[rows], block.lengths[rows]))
        if not parts:
            return Found(np.empty(0, np.int64), np.empty(0), "exact", 0)
        seqs, vectors, lengths = (np.concatenate(column) for column in zip(*parts, strict=True))
        found = self._settle(query, k, seqs, vectors, lengths, "exact")
        return Found(found.seqs, found.distances, "exact", compared)

    def _contenders(
        self, query: Vectors, k: int, block: Block, wanted: Mask, matching: int, tame: bool
    ) -> NDArray[np.intp]:
        size = len(wanted)
        if matching <= k or not tame or matching * _GATHER_SHARE < size:
            return np.flatnonzero(wanted)
        assert block.vectors is not None
        rough = rough_distances(self.metric, query, block.vectors[:size], block.lengths[:size])
        if matching < size:
            rough[~wanted] = np.inf
        return nearest(rough, k, 2 * rough_bound(self.metric, query, self.rows.longest))

    def _settle(
        self, query: Vectors, k: int, seqs: Seqs, vectors: Vectors, lengths: NDArray[np.float32], path: str
    ) -> Found:
        """The nearest of the given rows, by exact distances."""
        compared = len(seqs)
        if compared > k and self._is_tame_with(query):
            rough = rough_distances(self.metric, query, vectors, lengths)
            kept = nearest(rough, k, 2 * rough_bound(self.metric, query, self.rows.longest))
            seqs, vectors = seqs[kept], vectors[kept]
        distances = exact_distances(self.metric, query, vectors)
        best = nearest(distances, k)
        return Found(seqs[best], distances[best], path, compared)

    def _is_tame_with(self, query: Vectors) -> bool:
        return self.rows.tame and is_tame(np.asarray([np.linalg.norm(query)]))


def sampled_recall(index: LocalIndex, samples: int, k: int) -> float:
    """The share of true nearest neighbours that searches find, from evenly spread rows as queries.

    Where vectors are not in memory nothing can be told, and the answer is NaN.
    """
    if not index.rows.keep_vectors:
        return float("nan")
    rows = np.flatnonzero(index.rows.alive())
    if not len(rows):
        return 1.0
    _, queries, _ = index.rows.gather(rows[:: max(1, len(rows) // samples)][:samples])
    shares = []
    for query in queries:
        truth, found = index.search_exactly(query, k), index.search(query, k)
        assert truth.distances is not None
        assert found.distances is not None
        # Of ties any will do, so distances are compared, not numbers.
        least = min(k, len(truth.seqs))
        last = np.sort(truth.distances)[least - 1]
        shares.append(min(1.0, np.count_nonzero(found.distances <= last) / least))
    return float(np.mean(shares))
