"""The vectors of a Chroma segment: hnswlib's files, and the pickle that maps ids to labels.

Everything is read from what the files say of themselves and checked against their sizes, so that a file cut
short still gives the records it has.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from .distance import Vectors

__all__ = ["SegmentIndex", "UnreadableIndex", "open_index"]

# Version, then level-0 offset, capacity, elements, bytes per element, where its label and its vector begin.
_HEADER = struct.Struct("<iQQQQQQ")
_DELETED = 1


class UnreadableIndex(Exception):
    """A segment's index cannot be read at all; the message says which file and why."""


class _Persisted:
    """Stands for the one class of Chroma's that its pickles name."""

    def __init__(self, *_: Any) -> None:
        self.__dict__: dict[str, Any] = {}


class _Unpickler(pickle.Unpickler):
    """Reads plain data and Chroma's own record; any other class or function is refused, unexecuted."""

    def find_class(self, module: str, name: str) -> Any:
        if name == "PersistentData" and module.startswith("chromadb."):
            return _Persisted
        raise pickle.UnpicklingError(f"it names {module}.{name}, which has no place in it")


@frozen(eq=False)
class SegmentIndex:
    """The vectors of one segment.

    Attributes:
        rows: for each id the number of its element.
        max_seq: up to where in the queue it goes, if the pickle tells.
        problems: what is wrong with the files.
    """

    rows: Mapping[str, int]
    max_seq: int | None
    problems: Sequence[str]
    _elements: NDArray[np.uint8]
    _vector_at: int
    _label_at: int
    _lengths: NDArray[np.float32] | None

    def vectors(self, ids: Sequence[str]) -> Vectors:
        """The vectors of ids that are in `rows`."""
        at = np.asarray([self.rows[each] for each in ids], np.intp)
        raw = np.ascontiguousarray(self._elements[at, self._vector_at : self._label_at])
        vectors: Vectors = raw.view("<f4").astype(np.float32)
        if self._lengths is not None:
            vectors *= self._lengths[at, None]
        return vectors


def open_index(folder: Path, dimension: int | None, *, normalized: bool) -> SegmentIndex | None:
    """The index in a segment's folder; None if the segment never wrote one.

    Args:
        folder: the segment's.
        dimension: the collection's, if known.
        normalized: vectors are stored with length 1, and their lengths apart (cosine).

    Raises `UnreadableIndex`.
    """
    if not (folder / "index_metadata.pickle").exists() and _is_unused(folder / "header.bin"):
        return None
    persisted = _read_pickle(folder / "index_metadata.pickle")
    labels = persisted.get("id_to_label")
    if not isinstance(labels, dict):
        raise UnreadableIndex(f"{folder.name}/index_metadata.pickle has no map of ids to labels")
    max_seq = persisted.get("max_seq_id")
    if not labels:
        return SegmentIndex({}, _whole(max_seq), [], np.empty((0, 8), np.uint8), 0, 0, None)
    count, size, label_at, vector_at = _read_header(folder / "header.bin", dimension)
    problems: list[str] = []
    elements = _read_elements(folder / "data_level0.bin", count, size, problems)
    stored = np.ascontiguousarray(elements[:, label_at : label_at + 8]).view("<u8")[:, 0]
    alive = (elements[:, 2] & _DELETED) == 0
    by_label = {int(label): row for row, label in enumerate(stored.tolist()) if alive[row]}
    rows = {
        each: by_label[label] for each, label in labels.items() if isinstance(each, str) and label in by_label
    }
    missing = len(labels) - len(rows)
    if missing:
        problems.append(f"{missing} of {len(labels)} ids have no element in data_level0.bin")
    lengths = _read_lengths(folder / "length.bin", len(elements), problems) if normalized else None
    return SegmentIndex(rows, _whole(max_seq), problems, elements, vector_at, label_at, lengths)


def _is_unused(header: Path) -> bool:
    """There is no header, or it says that no element was written yet."""
    try:
        return int(_HEADER.unpack_from(header.read_bytes())[3]) == 0
    except (OSError, struct.error):
        return not header.exists()


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            found = _Unpickler(file).load()
    except FileNotFoundError:
        raise UnreadableIndex(f"{path.parent.name}/{path.name} is missing") from None
    except Exception as error:
        # A damaged pickle fails in any way that a program can.
        raise UnreadableIndex(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    if isinstance(found, _Persisted):
        return dict(vars(found))
    if not isinstance(found, dict):
        raise UnreadableIndex(f"{path.parent.name}/{path.name} holds no map of ids to labels")
    return found


def _read_header(path: Path, dimension: int | None) -> tuple[int, int, int, int]:
    """How many elements, bytes per element, where the label and where the vector begins."""
    name = f"{path.parent.name}/{path.name}"
    try:
        data = path.read_bytes()
        version, _, _, count, size, label_at, vector_at = _HEADER.unpack_from(data)
    except (OSError, struct.error) as error:
        raise UnreadableIndex(f"{name} cannot be read: {error}") from error
    width = label_at - vector_at
    sane = version == 1 and 0 < vector_at < label_at and size == label_at + 8 and size < 2**24
    if not sane or width % 4 or (dimension is not None and width != dimension * 4):
        raise UnreadableIndex(f"{name} is not what hnswlib writes for {dimension or 'any'} dimensions")
    return count, size, label_at, vector_at


def _read_elements(path: Path, count: int, size: int, problems: list[str]) -> NDArray[np.uint8]:
    name = f"{path.parent.name}/{path.name}"
    try:
        present = path.stat().st_size // size
    except OSError as error:
        raise UnreadableIndex(f"{name} cannot be read: {error}") from error
    if present < count:
        problems.append(f"{name} is cut short: it has {present} of {count} elements")
    count = min(count, present)
    if not count:
        return np.empty((0, size), np.uint8)
    return np.memmap(path, np.uint8, "r", shape=(count, size))


def _read_lengths(path: Path, count: int, problems: list[str]) -> NDArray[np.float32] | None:
    name = f"{path.parent.name}/{path.name}"
    try:
        lengths = np.fromfile(path, "<f4", count).astype(np.float32)
    except OSError:
        problems.append(f"{name} is missing: vectors are taken as of length 1")
        return None
    if len(lengths) < count:
        problems.append(f"{name} is cut short: the last vectors are taken as of length 1")
        lengths = np.concatenate([lengths, np.ones(count - len(lengths), np.float32)])
    return lengths
