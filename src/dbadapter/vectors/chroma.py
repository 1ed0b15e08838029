"""Importing a Chroma directory: every record arrives, or is in the report with the reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ConfigError, ForeignKeyViolation, VectorError
from .catalog import METRICS
from .chroma_cleaning import kept_metadata
from .chroma_records import CompleteRecord, complete_records
from .chroma_report import CollectionImport, ImportReport
from .chroma_source import ChromaDirectory, SourceCollection

if TYPE_CHECKING:
    from .._sync.adapter import DatabaseAdapter
    from .._sync.vector_collection import Collection

__all__ = ["import_chroma"]

Progress = Callable[[Mapping[str, Any]], None]


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
        entry.note(None, "index", f"its metric {collection.metric!r} is unknown")
        return
    metadata = kept_metadata(collection.metadata, None, entry)
    target = adapter.vectors.get_or_create_collection(
        entry.target,
        dimension=collection.dimension,
        metric=collection.metric,
        metadata=metadata,
        embedding_function=embedding_function,
    )
    before = target.count()
    pending: list[CompleteRecord] = []

    def write() -> None:
        if pending:
            entry.imported += _add(target, pending, entry)
            pending.clear()
            if progress is not None:
                progress({"collection": entry.name, "done": entry.imported, "found": entry.found})

    for each in complete_records(source, collection, entry):
        pending.append(each)
        if len(pending) >= batch_size:
            write()
    write()
    added = target.count() - before
    entry.present, entry.imported = entry.imported - added, added


def _add(target: Collection, records: list[CompleteRecord], entry: CollectionImport) -> int:
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
            entry.note(records[0][0].id, "record", reason)
            return 0
        middle = len(records) // 2
        return _add(target, records[:middle], entry) + _add(target, records[middle:], entry)
    return len(records)
