"""The records of a Chroma collection, complete: as its segments have them, changed as its queue says since."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .chroma_cleaning import clean
from .chroma_index import SegmentIndex, UnreadableIndex, open_index
from .chroma_report import CollectionImport
from .chroma_source import ChromaDirectory, Queued, SourceCollection, SourceRecord
from .distance import Vectors

__all__ = ["CompleteRecord", "complete_records"]

CompleteRecord = tuple[SourceRecord, Vectors]
"""A record with its vector."""


def complete_records(
    source: ChromaDirectory, collection: SourceCollection, entry: CollectionImport
) -> Iterator[CompleteRecord]:
    """The records with their vectors, as far as they can be had; the others are noted."""
    index = _index(source, collection, entry)
    moved = _queued_vectors(source, collection, index)
    known = {} if index is None else index.rows
    spare: dict[str, Vectors] | None = None
    seen: set[str] = set()
    for records in _records(source, collection):
        entry.found += len(records)
        indexed = [each.id for each in records if each.id in known and each.id not in moved]
        vectors = {} if index is None else dict(zip(indexed, index.vectors(indexed), strict=True))
        for record in records:
            seen.add(record.id)
            vector = moved[record.id] if record.id in moved else vectors.get(record.id)
            if vector is None:
                spare = _spare_vectors(source, collection) if spare is None else spare
                vector = spare.get(record.id)
            problem = _vector_problem(vector, collection.dimension)
            if problem is not None:
                entry.note(record.id, "vector", problem)
            elif clean(record, entry):
                assert vector is not None
                yield record, vector
    orphans = [each for each in known if each not in seen and moved.get(each, 0) is not None]
    if orphans:
        shown = ", ".join(map(repr, orphans[:5])) + (", …" if len(orphans) > 5 else "")
        reason = f"{len(orphans)} vectors belong to no record: {shown}"
        entry.note(None, "record", reason)


def _vector_problem(vector: Vectors | None, dimension: int | None) -> str | None:
    """Why a record cannot arrive with that vector; None if it can."""
    if vector is None:
        return "it is neither in the index nor in the queue; did two processes write to the directory?"
    if dimension is not None and len(vector) != dimension:
        return f"it has {len(vector)} dimensions, not {dimension}"
    return None if np.isfinite(vector).all() else "it holds NaN or an infinity"


def _index(
    source: ChromaDirectory, collection: SourceCollection, entry: CollectionImport
) -> SegmentIndex | None:
    if collection.vector_segment is None:
        return None
    folder = source.folder(collection.vector_segment)
    try:
        index = open_index(folder, collection.dimension, normalized=collection.metric == "cosine")
    except UnreadableIndex as error:
        entry.note(None, "index", str(error))
        return None
    if index is not None:
        for problem in index.problems:
            entry.note(None, "index", problem)
    return index


# -- the queue -----------------------------------------------------------------------------------------


def _queued_vectors(
    source: ChromaDirectory, collection: SourceCollection, index: SegmentIndex | None
) -> dict[str, Vectors | None]:
    """Vectors that the queue has beyond the index; None for those it deletes."""
    after = source.taken_in(collection.vector_segment)
    if index is None:
        after = -1
    elif index.max_seq is not None:
        after = max(after, index.max_seq)
    known = set() if index is None else set(index.rows)
    moved: dict[str, Vectors | None] = {}
    for entry in source.queue(collection.id, after):
        there = moved[entry.id] is not None if entry.id in moved else entry.id in known
        if entry.operation == "delete":
            moved[entry.id] = None
        elif (vector := _vector(entry)) is not None and (
            entry.operation == "upsert" or there is (entry.operation == "update")
        ):
            moved[entry.id] = vector
    return moved


def _spare_vectors(source: ChromaDirectory, collection: SourceCollection) -> dict[str, Vectors]:
    """The last vector of every id that the queue still has, for records whose index has lost theirs."""
    last: dict[str, Vectors] = {}
    for entry in source.queue(collection.id, -1):
        vector = _vector(entry)
        if vector is not None and not (entry.operation == "add" and entry.id in last):
            last[entry.id] = vector
    return last


def _vector(entry: Queued) -> Vectors | None:
    if entry.vector is None:
        return None
    kind = "<i4" if entry.encoding == "INT32" else "<f4"
    if len(entry.vector) % 4:
        return None
    vector: Vectors = np.frombuffer(entry.vector, kind).astype(np.float32)
    return vector


def _records(source: ChromaDirectory, collection: SourceCollection) -> Iterator[list[SourceRecord]]:
    """All records: what the metadata segment has, as the queue has changed it since."""
    segment = collection.metadata_segment
    changed: dict[str, SourceRecord | None] = {}
    for entry in source.queue(collection.id, source.taken_in(segment)):
        present = changed[entry.id] if entry.id in changed else source.record(segment, entry.id)
        changed[entry.id] = _changed(entry, present)
    for records in source.records(segment):
        yield [
            now
            for each in records
            if (now := changed.pop(each.id) if each.id in changed else each) is not None
        ]
    yield [record for record in changed.values() if record is not None]


def _changed(entry: Queued, present: SourceRecord | None) -> SourceRecord | None:
    if entry.operation == "delete":
        return None
    if (present is None) is (entry.operation == "update"):
        return present
    if present is not None and entry.operation == "add":
        return present
    record = present or SourceRecord(entry.id, None, None, {})
    for key, value in (entry.metadata or {}).items():
        if key == "chroma:document":
            record.document = value
        elif key == "chroma:uri":
            record.uri = value
        elif value is None:
            record.metadata.pop(key, None)
        else:
            record.metadata[key] = value
    return record
