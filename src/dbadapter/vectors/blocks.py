"""A collection's rows in memory: numbers, vectors and sign codes, in blocks that never move.

Rows keep the order they came in. A row's sequence number in the database never changes, so the numbers ascend
with the rows. Deleted rows stay in place, marked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from .codes import Codes, encode_signs, words_for
from .distance import Vectors, is_tame, norms

__all__ = ["BLOCK", "Block", "Mask", "Rows", "Seqs"]

BLOCK = 32_768
_ENCODED_AT_ONCE = 4096

Seqs = NDArray[np.int64]
Mask = NDArray[np.bool_]


@define
class Block:
    """Up to `BLOCK` rows; what lies beyond ``count`` is not there yet.

    Attributes:
        is_shared: its vectors belong to somebody else, and are copied before they are changed.
    """

    seqs: Seqs
    lengths: NDArray[np.float32]
    alive: Mask
    vectors: Vectors | None
    codes: Codes | None = None
    count: int = 0
    is_shared: bool = False

    def copy(self) -> Block:
        """A copy in memory of its own."""
        return Block(
            self.seqs.copy(),
            self.lengths.copy(),
            self.alive.copy(),
            None if self.vectors is None else _copy_rows(self.vectors, self.count),
            None if self.codes is None else self.codes.copy(),
            self.count,
        )

    def own(self) -> None:
        """Copy what is shared, so that it can be changed."""
        mine = self.copy()
        self.lengths, self.vectors, self.codes = mine.lengths, mine.vectors, mine.codes
        self.is_shared = False


@define(eq=False)
class Rows:
    """All rows of one collection; whoever changes them holds the index's lock.

    Attributes:
        dimension: numbers in a vector.
        keep_vectors: hold the vectors; otherwise only their codes.
        count: how many rows there are, deleted ones included.
        dead: how many of them are deleted.
        longest: no vector is longer.
        tame: all vectors can be compared in single precision.
        mean: what the codes are centred on; None until there are codes.
    """

    dimension: int
    keep_vectors: bool
    count: int = 0
    dead: int = 0
    longest: float = 0.0
    tame: bool = True
    mean: Vectors | None = None
    blocks: list[Block] = field(factory=list)

    @property
    def top(self) -> int:
        """The highest number of a row; 0 without rows."""
        return int(self.blocks[-1].seqs[self.blocks[-1].count - 1]) if self.count else 0

    def fork(self) -> Rows:
        """A copy that can be changed on its own; vectors are shared until then. The index's lock is held."""
        fork = evolve(self, blocks=[evolve(block, is_shared=True) for block in self.blocks])
        if fork.blocks:
            fork.blocks[-1] = fork.blocks[-1].copy()  # both will append to the last one
        for block in fork.blocks:
            block.alive = block.alive.copy()
        return fork

    @property
    def size(self) -> int:
        """Bytes in use."""
        codes = 0 if self.mean is None else words_for(self.dimension) * 8
        return self.count * (13 + codes + (self.dimension * 4 if self.keep_vectors else 0))

    # -- changing --------------------------------------------------------------------------------------

    def append(self, seqs: Seqs, vectors: Vectors) -> None:
        """Add rows; their numbers ascend and lie above all present ones."""
        start = 0
        while start < len(seqs):
            if not self.blocks or self.blocks[-1].count == BLOCK:
                self.blocks.append(self._new_block())
            block = self.blocks[-1]
            taken = min(BLOCK - block.count, len(seqs) - start)
            rows = slice(block.count, block.count + taken)
            self._write(block, rows, vectors[start : start + taken])
            block.seqs[rows] = seqs[start : start + taken]
            block.alive[rows] = True
            block.count += taken
            self.count += taken
            start += taken

    def change(self, seqs: Seqs, vectors: Vectors) -> None:
        """Put new vectors in the place of old ones; numbers that are not there are passed over."""
        for block, rows, which in self._locate(seqs):
            self._write(block, rows, vectors[which])
            self.dead -= int(np.count_nonzero(~block.alive[rows]))
            block.alive[rows] = True

    def remove(self, seqs: Seqs) -> None:
        """Mark rows as deleted; numbers that are not there are passed over."""
        for block, rows, _ in self._locate(seqs):
            self.dead += int(np.count_nonzero(block.alive[rows]))
            block.alive[rows] = False

    def make_codes(self) -> None:
        """Give every row its code, from now on."""
        sample = np.concatenate([block.vectors[:1024] for block in self.blocks if block.vectors is not None])
        mean = _mean(sample[: self.count])
        for block in self.blocks:
            assert block.vectors is not None
            codes = np.empty((words_for(self.dimension), BLOCK), np.uint64)
            for start in range(0, block.count, _ENCODED_AT_ONCE):
                rows = slice(start, min(start + _ENCODED_AT_ONCE, block.count))
                codes[:, rows] = encode_signs(block.vectors[rows], mean)
            block.codes = codes
        self.mean = mean

    def _new_block(self) -> Block:
        # Memory that is not written to yet is not taken from the system either.
        return Block(
            seqs=np.empty(BLOCK, np.int64),
            lengths=np.empty(BLOCK, np.float32),
            alive=np.zeros(BLOCK, np.bool_),
            vectors=np.empty((BLOCK, self.dimension), np.float32) if self.keep_vectors else None,
            codes=None if self.mean is None else np.empty((words_for(self.dimension), BLOCK), np.uint64),
        )

    def _write(self, block: Block, rows: Any, vectors: Vectors) -> None:
        if block.is_shared:
            block.own()
        lengths = norms(vectors)
        self.longest = max(self.longest, float(lengths.max(initial=0.0)))
        self.tame = self.tame and is_tame(lengths)
        block.lengths[rows] = lengths
        if block.vectors is not None:
            block.vectors[rows] = vectors
        elif self.mean is None:
            self.mean = _mean(vectors)
            block.codes = np.empty((words_for(self.dimension), BLOCK), np.uint64)
        if block.codes is not None and self.mean is not None:
            block.codes[:, rows] = encode_signs(vectors, self.mean)

    # -- finding ---------------------------------------------------------------------------------------

    def _locate(self, seqs: Seqs) -> Iterator[tuple[Block, NDArray[np.intp], NDArray[np.intp]]]:
        """For each block its rows that have one of the (ascending) numbers, and which of them."""
        for block in list(self.blocks):
            known = block.seqs[: block.count]
            rows, which = _common(known, seqs)
            if len(rows):
                yield block, rows, which

    def rows_of(self, seqs: Seqs) -> NDArray[np.intp]:
        """The rows that have one of the (ascending) numbers, in their order."""
        found = [np.empty(0, np.intp)]
        for start, block in self.each(self.count):
            rows, _ = _common(block.seqs[: block.count], seqs)
            found.append(rows + start)
        return np.concatenate(found)

    def mask_of(self, seqs: Seqs) -> Mask:
        """A mask over all rows that is true for the given (ascending) numbers."""
        count = self.count
        mask = np.zeros(count, np.bool_)
        rows = self.rows_of(seqs)
        mask[rows[rows < count]] = True
        return mask

    def each(self, count: int) -> Iterator[tuple[int, Block]]:
        """The blocks of the first ``count`` rows, each with the number of its first row."""
        return zip(range(0, count, BLOCK), list(self.blocks), strict=False)

    def sequence_numbers(self) -> Seqs:
        """The number of every row, deleted ones included."""
        return np.concatenate([np.empty(0, np.int64), *(block.seqs[: block.count] for block in self.blocks)])

    def alive(self) -> Mask:
        """Which rows are not deleted."""
        return np.concatenate([np.empty(0, np.bool_), *(block.alive[: block.count] for block in self.blocks)])

    def gather(self, rows: NDArray[np.intp]) -> tuple[Seqs, Vectors, NDArray[np.float32]]:
        """Numbers, vectors and lengths of ascending rows."""
        seqs = np.empty(len(rows), np.int64)
        vectors = np.empty((len(rows), self.dimension), np.float32)
        lengths = np.empty(len(rows), np.float32)
        done = 0
        for start, block in self.each(self.count):
            end = int(np.searchsorted(rows, start + BLOCK))
            if end > done and block.vectors is not None:
                inside = rows[done:end] - start
                seqs[done:end], lengths[done:end] = block.seqs[inside], block.lengths[inside]
                np.take(block.vectors, inside, axis=0, out=vectors[done:end], mode="clip")
                done = end
        return seqs, vectors, lengths


def _copy_rows(vectors: Vectors, count: int) -> Vectors:
    """A copy that takes no memory for rows that are not there yet."""
    copy = np.empty_like(vectors)
    copy[:count] = vectors[:count]
    return copy


def _mean(vectors: Vectors) -> Vectors:
    mean: Vectors = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def _common(known: Seqs, seqs: Seqs) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where two ascending sequences have the same number: positions in the one and in the other."""
    if not len(known):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    low, high = np.searchsorted(seqs, [known[0], known[-1] + 1])
    rows = np.searchsorted(known, seqs[low:high])
    hit = known[rows] == seqs[low:high]
    return rows[hit], np.flatnonzero(hit) + low
