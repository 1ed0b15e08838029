"""Importing a Chroma directory: every record arrives, or is in the report with the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define, field

from ..errors import ConfigError, ForeignKeyViolation, VectorError
from .catalog import METRICS
from .chroma_index import SegmentIndex, UnreadableIndex, open_index
from .chroma_source import ChromaDirectory, Queued, SourceCollection, SourceRecord
from .distance import Vectors
from .metadata import InvalidRecord, check_metadata
from .records import as_ids, as_texts

if TYPE_CHECKING:
    from .._sync.adapter import DatabaseAdapter
    from .._sync.vector_collection import Collection

__all__ = ["CollectionImport", "ImportReport", "Problem", "import_chroma"]

Progress = Callable[[Mapping[str, Any]], None]
Complete = tuple[SourceRecord, Any]  # a record with its vector


@define
class Problem:
    """Something that did not arrive.

    Attributes:
        id: the record's; None where it concerns more than one.
        what: "record", "vector", "document", "uri", "metadata KEY" or "index".
        reason: why.
    """

    id: str | None
    what: str
    reason: str


@define
class CollectionImport:
    """One collection.

    Attributes:
        name, target: its name in the directory and here.
        metric, dimension: as found.
        found: how many records there are in the directory.
        imported: how many were added.
        present: how many were here already, and were left as they were.
        problems: what did not arrive.
    """

    name: str
    target: str
    metric: str
    dimension: int | None
    found: int = 0
    imported: int = 0
    present: int = 0
    problems: list[Problem] = field(factory=list)


@define
class ImportReport:
    """What an import did.

    Attributes:
        directory: what was read.
        collections: one entry each.
        problems: what is wrong with the directory as a whole.
    """

    directory: str
    collections: list[CollectionImport] = field(factory=list)
    problems: list[str] = field(factory=list)

    @property
    def imported(self) -> int:
        """How many records were added in all."""
        return sum(each.imported for each in self.collections)

    @property
    def complete(self) -> bool:
        """Everything arrived."""
        return not self.problems and not any(each.problems for each in self.collections)


def import_chroma(
    directory: str | Path,
    adapter: DatabaseAdapter,
    *,
    collections: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    embedding_function: Any = None,
    batch_size: int = 2000,
    progress: Progress | None = None,
) -> ImportReport:
    """Import the collections of a Chroma directory (0.4 to 1.5), which is only read; chromadb is not needed.

    Records that are here already are left as they are, so an import that was interrupted can be run again. Into a
    collection that is here and tied to a table (``references=``), records come whose row is there; the report has the
    others.

    Args:
        directory: what was given to ``chromadb.PersistentClient``.
        adapter: an open adapter; its database receives the collections.
        collections: the names of those to import; default: all.
        names: what to call them here, by their name there.
        embedding_function: the function that made the vectors, to be stored with the collections as theirs.
        batch_size: how many records are written in one transaction.
        progress: called with a mapping of ``collection``, ``done`` and ``found``.

    Raises `VectorError` if it is no such directory, or a collection asked for is not in it; `ConfigError` for arguments
    of another kind.
    """
    _check_arguments(directory, adapter, collections, names)
    report = ImportReport(str(directory))
    with ChromaDirectory(Path(directory)) as source:
        found = source.collections()
        wanted = _chosen(found, collections, directory)
        targets = _target_names(wanted, names or {})
        for each in wanted:
            entry = CollectionImport(each.name, targets[each.id], each.metric, each.dimension)
            report.collections.append(entry)
            _import(source, each, entry, adapter, embedding_function, batch_size, progress)
        report.problems = list(dict.fromkeys(source.problems))
    return report


def _check_arguments(directory: object, adapter: object, collections: object, names: object) -> None:
    from .. import DatabaseAdapter

    if not isinstance(directory, str | Path):
        raise ConfigError(f"directory must be the path of a Chroma directory, not {directory!r}")
    if not isinstance(adapter, DatabaseAdapter):
        raise ConfigError(f"adapter must be an open DatabaseAdapter, not {type(adapter).__name__}")
    if isinstance(collections, str) or not isinstance(collections, Iterable | None):
        raise ConfigError(f"collections must be a list of names, or None for all, not {collections!r}")
    if not isinstance(names, Mapping | None):
        raise ConfigError(f"names must be a mapping of names there to names here, not {names!r}")


def _chosen(
    found: list[SourceCollection], names: Sequence[str] | None, directory: str | Path
) -> list[SourceCollection]:
    if names is None:
        return found
    missing = set(names) - {each.name for each in found}
    if missing:
        known = ", ".join(sorted({each.name for each in found})) or "none"
        raise VectorError(f"{directory} has no collection {', '.join(sorted(missing))}; it has: {known}")
    return [each for each in found if each.name in names]


def _target_names(found: list[SourceCollection], names: Mapping[str, str]) -> dict[str, str]:
    """What to call each collection; those of one name in several databases are called by the database too."""
    targets: dict[str, str] = {}
    for each in found:
        name = names.get(each.name, each.name)
        if name in targets.values():
            name = f"{each.database}.{name}"
        if name in targets.values():
            name = f"{each.tenant}.{name}"
        targets[each.id] = name
    return targets


def _import(
    source: ChromaDirectory,
    collection: SourceCollection,
    entry: CollectionImport,
    adapter: DatabaseAdapter,
    embedding_function: Any,
    batch_size: int,
    progress: Progress | None,
) -> None:
    if collection.metric not in METRICS:
        entry.problems.append(Problem(None, "index", f"its metric {collection.metric!r} is unknown"))
        return
    metadata = _kept_metadata(collection.metadata, None, entry)
    target = adapter.vectors.get_or_create_collection(
        entry.target,
        dimension=collection.dimension,
        metric=collection.metric,
        metadata=metadata,
        embedding_function=embedding_function,
    )
    before = target.count()
    pending: list[Complete] = []

    def write() -> None:
        if pending:
            entry.imported += _add(target, pending, entry)
            pending.clear()
            if progress is not None:
                progress({"collection": entry.name, "done": entry.imported, "found": entry.found})

    for each in _complete(source, collection, entry):
        pending.append(each)
        if len(pending) >= batch_size:
            write()
    write()
    added = target.count() - before
    entry.present, entry.imported = entry.imported - added, added


def _add(target: Collection, records: list[Complete], entry: CollectionImport) -> int:
    """Add records, and note those whose row is missing where ids are tied to a table; how many are there now."""
    try:
        target.add(
            ids=[record.id for record, _ in records],
            embeddings=np.stack([vector for _, vector in records]),
            documents=[record.document for record, _ in records],
            uris=[record.uri for record, _ in records],
            metadatas=[record.metadata or None for record, _ in records],
        )
    except ForeignKeyViolation:
        if len(records) == 1:
            reason = f"its id is no key of {target.info.reference}"
            entry.problems.append(Problem(records[0][0].id, "record", reason))
            return 0
        middle = len(records) // 2
        return _add(target, records[:middle], entry) + _add(target, records[middle:], entry)
    return len(records)


def _complete(
    source: ChromaDirectory, collection: SourceCollection, entry: CollectionImport
) -> Iterator[Complete]:
    """The records with their vectors, as far as they can be had; the others are noted."""
    index = _index(source, collection, entry)
    moved = _queued_vectors(source, collection, index)
    known = {} if index is None else index.rows
    spare: dict[str, Vectors] | None = None
    seen: set[str] = set()
    dimension = collection.dimension
    for records in _records(source, collection):
        entry.found += len(records)
        indexed = [each.id for each in records if each.id in known and each.id not in moved]
        vectors = {} if index is None else dict(zip(indexed, index.vectors(indexed), strict=True))
        for record in records:
            seen.add(record.id)
            vector = moved[record.id] if record.id in moved else vectors.get(record.id)
            if vector is None:
                spare = _last_vectors(source, collection) if spare is None else spare
                vector = spare.get(record.id)
            if vector is None:
                reason = (
                    "it is neither in the index nor in the queue; did two processes write to the directory?"
                )
                entry.problems.append(Problem(record.id, "vector", reason))
            elif dimension is not None and len(vector) != dimension:
                reason = f"it has {len(vector)} dimensions, not {dimension}"
                entry.problems.append(Problem(record.id, "vector", reason))
            elif not np.isfinite(vector).all():
                entry.problems.append(Problem(record.id, "vector", "it holds NaN or an infinity"))
            elif _clean(record, entry):
                yield record, vector
    orphans = [each for each in known if each not in seen and moved.get(each, 0) is not None]
    if orphans:
        shown = ", ".join(map(repr, orphans[:5])) + (", …" if len(orphans) > 5 else "")
        reason = f"{len(orphans)} vectors belong to no record: {shown}"
        entry.problems.append(Problem(None, "record", reason))


def _index(
    source: ChromaDirectory, collection: SourceCollection, entry: CollectionImport
) -> SegmentIndex | None:
    if collection.vector_segment is None:
        return None
    folder = source.folder(collection.vector_segment)
    try:
        index = open_index(folder, collection.dimension, normalized=collection.metric == "cosine")
    except UnreadableIndex as error:
        entry.problems.append(Problem(None, "index", str(error)))
        return None
    if index is not None:
        entry.problems.extend(Problem(None, "index", each) for each in index.problems)
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


def _last_vectors(source: ChromaDirectory, collection: SourceCollection) -> dict[str, Vectors]:
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


# -- what can be kept ----------------------------------------------------------------------------------


def _clean(record: SourceRecord, entry: CollectionImport) -> bool:
    """Leave out of a record what cannot be held here, and note it; False if that is the record itself."""
    try:
        as_ids([record.id])
    except InvalidRecord as error:
        entry.problems.append(Problem(_printable(record.id), "record", str(error)))
        return False
    for name in ("document", "uri"):
        try:
            as_texts([getattr(record, name)], name, optional=True)
        except InvalidRecord as error:
            entry.problems.append(Problem(record.id, name, str(error)))
            setattr(record, name, None)
    record.metadata = _kept_metadata(record.metadata, record.id, entry) or {}
    return True


def _kept_metadata(
    metadata: Mapping[str, Any] | None, record: str | None, entry: CollectionImport
) -> dict[str, Any] | None:
    kept = {}
    for key, value in (metadata or {}).items():
        try:
            kept.update(check_metadata({key: value}, "metadata") or {})
        except InvalidRecord as error:
            entry.problems.append(Problem(record, f"metadata {_printable(key)}", str(error)))
    return kept or None


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
