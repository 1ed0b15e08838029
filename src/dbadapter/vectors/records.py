"""What callers pass in, checked before anything is written: ids, vectors, documents, metadata."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve, frozen

from ..errors import DimensionMismatch, DuplicateID
from .distance import Vectors
from .metadata import InvalidRecord, Metadata, check_metadata, merge_metadata

__all__ = ["Records", "as_ids", "as_matrix", "as_texts", "check_dimension", "check_limit", "make_records"]

MAX_ID_BYTES = 2000  # what fits into an index entry on Postgres


@frozen(eq=False)
class Records:
    """A batch of records by column; what was not given is None.

    Attributes:
        ids: unique texts.
        vectors: float32, a row for each id.
        metadatas: may hold None, and in updates None for a key to delete.
    """

    ids: list[str]
    vectors: Vectors | None = None
    metadatas: list[Metadata | None] | None = None
    documents: list[str | None] | None = None
    uris: list[str | None] | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, positions: Sequence[int]) -> Records:
        """The records at these positions."""
        if len(positions) == len(self.ids):
            return self

        def some(values: list[Any] | None) -> list[Any] | None:
            return None if values is None else [values[at] for at in positions]

        return Records(
            [self.ids[at] for at in positions],
            None if self.vectors is None else self.vectors[np.asarray(positions, np.intp)],
            some(self.metadatas),
            some(self.documents),
            some(self.uris),
        )

    def part(self, start: int, stop: int) -> Records:
        """The records from one position up to another."""
        if start == 0 and stop >= len(self.ids):
            return self
        some = slice(start, stop)
        return Records(
            self.ids[some],
            None if self.vectors is None else self.vectors[some],
            None if self.metadatas is None else self.metadatas[some],
            None if self.documents is None else self.documents[some],
            None if self.uris is None else self.uris[some],
        )

    def without_deletions(self) -> Records:
        """These records as new ones, whose metadata have no keys to be deleted."""
        if self.metadatas is None:
            return self
        return evolve(self, metadatas=[merge_metadata(None, each) for each in self.metadatas])

    def with_vectors(self, vectors: Vectors) -> Records:
        """These records with these vectors."""
        return evolve(self, vectors=vectors)


def make_records(
    ids: Any,
    embeddings: Any,
    metadatas: Any,
    documents: Any,
    uris: Any,
    *,
    partial: bool,
    integer_ids: bool,
) -> Records:
    """Check one call's records; single values stand for lists of one.

    Args:
        ids, embeddings, metadatas, documents, uris: as the caller passed them.
        partial: metadata is merged into a record's, so that None deletes a key.
        integer_ids: integers are taken for their decimal text.

    Raises `InvalidRecord` naming the record, `DuplicateID`, `DimensionMismatch` (vectors of different
    length).
    """
    names = as_ids(ids, integers=integer_ids)
    vectors = None if embeddings is None else as_matrix(embeddings, "embeddings")
    texts = None if documents is None else as_texts(documents, "documents", optional=True)
    places = None if uris is None else as_texts(uris, "uris", optional=True)
    metadata = None if metadatas is None else _as_metadatas(metadatas, partial=partial)
    for what, values in (
        ("embeddings", vectors),
        ("metadatas", metadata),
        ("documents", texts),
        ("uris", places),
    ):
        if values is not None and len(values) != len(names):
            raise InvalidRecord(f"{len(names)} ids but {len(values)} {what}; there must be one for each id")
    return Records(names, vectors, metadata, texts, places)


def as_ids(ids: Any, *, integers: bool = False, what: str = "ids") -> list[str]:
    """Ids as a list of unique texts; a single text stands for a list of one."""
    given = [ids] if isinstance(ids, str) or (integers and _is_int(ids)) else ids
    if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        raise InvalidRecord(f"{what} must be a list of texts, not {type(ids).__name__}")
    listed = [str(int(each)) if integers and _is_int(each) else each for each in given]
    if not listed:
        raise InvalidRecord(f"{what} is empty")
    for position, each in enumerate(listed):
        if type(each) is not str or not each.isascii() or not each or "\0" in each or len(each) > 500:
            listed[position] = _checked_id(each, f"{what}[{position}]")
    if len(set(listed)) != len(listed):
        doubled = [each for each, times in Counter(listed).items() if times > 1]
        shown = ", ".join(map(repr, doubled[:5])) + (", …" if len(doubled) > 5 else "")
        raise DuplicateID(f"{what} are unique within a call, but these occur more than once: {shown}")
    return listed


def _is_int(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _checked_id(given: Any, place: str) -> str:
    if not isinstance(given, str):
        raise InvalidRecord(f"{place} must be text, not {type(given).__name__}: {given!r:.100}")
    text = _clean(given, place)
    if not text:
        raise InvalidRecord(f"{place} is empty")
    if len(text.encode()) > MAX_ID_BYTES:
        raise InvalidRecord(f"{place} is longer than {MAX_ID_BYTES} bytes; Postgres could not index it")
    return text


def _clean(text: str, place: str) -> str:
    text = str.__str__(text)
    if "\0" in text:
        raise InvalidRecord(f"{place} has a NUL character, which Postgres cannot hold")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidRecord(f"{place} has a lone surrogate, which is no valid Unicode") from None
    return text


def as_texts(texts: Any, what: str, *, optional: bool) -> list[str | None]:
    """Documents (or uris) as a list; a single text stands for a list of one."""
    given = [texts] if isinstance(texts, str) else texts
    if isinstance(given, Mapping | bytes) or not isinstance(given, Iterable):
        raise InvalidRecord(f"{what} must be a list of texts, not {type(texts).__name__}")
    checked: list[str | None] = []
    for position, each in enumerate(given):
        if isinstance(each, str):
            checked.append(_clean(each, f"{what}[{position}]"))
        elif each is None and optional:
            checked.append(None)
        else:
            raise InvalidRecord(f"{what}[{position}] must be text, not {type(each).__name__}")
    if not checked:
        raise InvalidRecord(f"{what} is empty")
    return checked


def _as_metadatas(metadatas: Any, *, partial: bool) -> list[Metadata | None]:
    given = [metadatas] if isinstance(metadatas, Mapping) else metadatas
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidRecord(f"metadatas must be a list of mappings, not {type(metadatas).__name__}")
    return [
        check_metadata(each, f"metadatas[{position}]", partial=partial) for position, each in enumerate(given)
    ]


def as_matrix(embeddings: Any, what: str) -> Vectors:
    """Vectors as a two-dimensional float32 array; a single vector stands for a list of one.

    Raises `InvalidRecord` for what is no number, NaN, infinite or empty; `DimensionMismatch` for vectors of
    different length.
    """
    rows = embeddings if isinstance(embeddings, np.ndarray) else _as_list(embeddings, what)
    try:
        array = np.asarray(rows)
    except (ValueError, TypeError):
        raise _ragged(rows, what) from None
    if array.dtype.kind not in "fiu":
        raise _ragged(rows, what) if array.dtype.kind == "O" else _no_numbers(array, what)
    if array.ndim and not len(array):
        raise InvalidRecord(f"{what} is empty")
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or not array.size:
        raise InvalidRecord(f"{what} must be vectors of at least one number, not of shape {array.shape}")
    if array.dtype != np.float32:
        with np.errstate(over="ignore"):
            array = array.astype(np.float32)
    matrix: Vectors = np.ascontiguousarray(array)
    finite = np.isfinite(matrix)
    if not finite.all():
        position = int(np.argmin(finite.all(axis=1)))
        raise InvalidRecord(f"{what}[{position}] holds NaN, an infinity or a number beyond single precision")
    return matrix


def _as_list(embeddings: Any, what: str) -> list[Any]:
    if isinstance(embeddings, str | bytes | Mapping) or not isinstance(embeddings, Iterable):
        raise InvalidRecord(f"{what} must be a list of vectors, not {type(embeddings).__name__}")
    rows = list(embeddings)
    if not rows:
        raise InvalidRecord(f"{what} is empty")
    return rows


def _no_numbers(array: np.ndarray[Any, Any], what: str) -> InvalidRecord:
    return InvalidRecord(f"{what} must hold numbers, not {array.dtype.type.__name__.rstrip('_')}")


def _ragged(rows: Any, what: str) -> Exception:
    """The error for rows that make no rectangle of numbers."""
    lengths = []
    for position, row in enumerate(rows):
        try:
            array = np.asarray(row)
        except (ValueError, TypeError):
            return InvalidRecord(f"{what}[{position}] is no vector: {row!r:.100}")
        if array.dtype.kind not in "fiu" or array.ndim > 1:
            return InvalidRecord(f"{what}[{position}] is no vector of numbers: {row!r:.100}")
        lengths.append(array.size)
        if lengths[-1] != lengths[0]:
            return DimensionMismatch(
                f"{what}[{position}] has {lengths[-1]} numbers, but {what}[0] has {lengths[0]}"
            )
    return InvalidRecord(f"{what} must be a list of vectors")


def check_dimension(vectors: Vectors, dimension: int | None, name: str, what: str = "embeddings") -> None:
    """Raise `DimensionMismatch` unless vectors are as long as the collection's."""
    if dimension is not None and vectors.shape[1] != dimension:
        raise DimensionMismatch(
            f"collection {name!r} holds vectors of {dimension} dimensions, but {what} have "
            f"{vectors.shape[1]}; if you changed the embedding model, store.reembed_collection() re-embeds it"
        )


def check_limit(value: Any, what: str, *, least: int) -> int:
    """A count that a caller passed. Raises `InvalidRecord`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidRecord(f"{what} must be an integer of at least {least}, not {value!r}")
    if value >= 2**63:
        raise InvalidRecord(f"{what} is {value}, beyond 64 bits")
    return int(value)
