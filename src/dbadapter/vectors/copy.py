"""Moving collections between databases: bit for bit, in batches, and again from where it stopped.

A copy has its source's identity: the same uid, the same numbers, so that objects opened before a move work
after it. A batch is compared with what the target has in its range of numbers, and only what differs is
written. So a copy that was interrupted is simply run again, and a copy of a collection that has changed is
brought up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, evolve, field, frozen

from ..errors import CollectionExists, CollectionNotFound, VerificationFailed
from .catalog import CollectionInfo
from .metadata import exact_json
from .records import check_limit
from .results import Hit

if TYPE_CHECKING:
    from .._sync.vectors import VectorStore

__all__ = [
    "CollectionCopy",
    "CopyReport",
    "bring_up_to_date",
    "copy_collections",
    "copy_records",
    "describe_alike",
    "verify_collections",
]

_BATCH = 1000


class End(Protocol):
    """One end of a copy: an adapter, a transaction, or what has their verbs."""

    @property
    def vectors(self) -> VectorStore:
        """The vector collections."""

    def transaction(self) -> AbstractContextManager[Any]:
        """A transaction, or a savepoint within one."""


Progress = Callable[[Mapping[str, Any]], None]


@define
class CollectionCopy:
    """One collection.

    Attributes:
        name: its name.
        records: how many the source has.
        written: how many of them were written; the others were there, bit for bit.
        deleted: how many the target had beyond these.
    """

    name: str
    records: int = 0
    written: int = 0
    deleted: int = 0


@define
class CopyReport:
    """What a copy did: one entry for each collection."""

    collections: list[CollectionCopy] = field(factory=list)

    @property
    def records(self) -> int:
        """How many records the collections have in all."""
        return sum(each.records for each in self.collections)

    @property
    def written(self) -> int:
        """How many records were written in all."""
        return sum(each.written for each in self.collections)


def copy_collections(
    source: End,
    target: End,
    *,
    names: Sequence[str] | None = None,
    batch_size: int = _BATCH,
    progress: Progress | None = None,
) -> CopyReport:
    """Copy collections to another database, or bring earlier copies up to date.

    Rows that a collection references have to be in the target before.

    Args:
        source, target: open adapters, on any backends.
        names: which collections; default: all.
        batch_size: how many records are compared and written at once, in one transaction.
        progress: called with a mapping of ``collection``, ``done`` and ``records``.

    Raises:
        CollectionNotFound: the source has no collection of one of the names.
        CollectionExists: the target has another collection of that name.
        ForeignKeyViolation, UndefinedTable: a row or table that is referenced is missing.
    """
    size = check_limit(batch_size, "batch_size", least=1)
    report = CopyReport()
    for info in _chosen(source.vectors, names):
        entry = CollectionCopy(info.name)
        report.collections.append(entry)
        present = _prepare(target.vectors, info)
        _copy(source.vectors, target, present, entry, size, progress)
        _finish(target, info)
    return report


def copy_records(source: End, target: End, info: CollectionInfo, seqs: Sequence[int]) -> None:
    """Make some records in the target what they are in the source, by their numbers; what is gone goes.

    Args:
        source: an adapter or transaction.
        target: a transaction.
        info: the collection's description in the target.
        seqs: the numbers of the records.
    """
    wanted = list(dict.fromkeys(seqs))
    found = source.vectors.engine.numbered(info, wanted)
    present = {hit.seq for hit in found}
    target.vectors.engine.put(info, found, [seq for seq in wanted if seq not in present])


def verify_collections(
    source: End,
    target: End,
    *,
    names: Sequence[str] | None = None,
    batch_size: int = _BATCH,
) -> int:
    """Compare collections bit for bit; how many records were compared.

    Args:
        source, target: open adapters, on any backends.
        names: which collections; default: all of the source.
        batch_size: how many records are compared at once.

    Raises:
        VerificationFailed: a record, which is named, or the description of a collection differs.
        CollectionNotFound: an end has no collection of one of the names.
    """
    compared = 0
    for info in _chosen(source.vectors, names):
        there = target.vectors.get_collection(info.name).info
        if _essence(info) != _essence(there):
            raise VerificationFailed(f"collection {info.name!r} is described otherwise in the target")
        for batch in _batches(source.vectors, target.vectors, there, batch_size):
            compared += len(batch.hits)
            wrong = [*batch.differing, *batch.gone]
            if wrong:
                raise VerificationFailed(f"collection {info.name!r}: record {wrong[0].id!r} differs")
    return compared


def _chosen(store: VectorStore, names: Sequence[str] | None) -> list[CollectionInfo]:
    found = [each.info for each in store.list_collections()]
    if names is None:
        return found
    missing = set(names) - {info.name for info in found}
    if missing:
        raise CollectionNotFound(f"there is no collection {', '.join(sorted(missing))}")
    return [info for info in found if info.name in names]


def _essence(info: CollectionInfo) -> CollectionInfo:
    """A description without what is the backend's own."""
    return evolve(info, has_text=False, options=None)


def _prepare(store: VectorStore, info: CollectionInfo) -> CollectionInfo:
    """The collection's description in the target, where it is created if need be."""
    by_uid = {each.id: each.info for each in store.list_collections()}
    there = by_uid.get(info.uid)
    if there is None:
        if any(each.name == info.name for each in by_uid.values()):
            raise CollectionExists(f"the target has another collection of the name {info.name!r}")
        there = _essence(info)
        store.create_from(there)
        return there
    return describe_alike(store, info)


def describe_alike(store: VectorStore, info: CollectionInfo) -> CollectionInfo:
    """Describe a copy as its source is described now, but for its indexes; its description."""
    with store.writing(info.uid, alone=True) as (engine, present):
        changed = evolve(info, has_text=present.has_text, options=present.options)
        if changed != present:
            store.write_row(engine, changed)
            if present.dimension is None and changed.dimension is not None:
                engine.set_dimension(changed)
    return changed


def bring_up_to_date(source: End, target: End, info: CollectionInfo) -> None:
    """Make all records of a copy what they are in the source, by comparing them.

    Args:
        source: an adapter or transaction.
        target: an adapter or transaction.
        info: the collection's description in the target.
    """
    _copy(source.vectors, target, info, CollectionCopy(info.name), _BATCH, None)


def _copy(
    source: VectorStore,
    target: End,
    info: CollectionInfo,
    entry: CollectionCopy,
    batch_size: int,
    progress: Progress | None,
) -> None:
    for batch in _batches(source, target.vectors, info, batch_size):
        entry.records += len(batch.hits)
        if batch.differing or batch.gone:
            with target.transaction() as tx:
                tx.vectors.engine.put(info, batch.differing, [hit.seq for hit in batch.gone])
            entry.written += len(batch.differing)
            entry.deleted += len(batch.gone)
        if progress is not None:
            progress({"collection": info.name, "done": entry.records, "records": entry.records})


@frozen(eq=False)
class _Compared:
    """Records of the source, compared with what the target has in their range of numbers.

    Attributes:
        hits: the source's records.
        differing: those that the target has not, or not so.
        gone: records of the target that the source has not.
    """

    hits: list[Hit]
    differing: list[Hit]
    gone: list[Hit]


def _batches(
    source: VectorStore, target: VectorStore, info: CollectionInfo, batch_size: int
) -> Iterator[_Compared]:
    """All records of both ends, batch by batch of the source's."""
    after = -1
    while True:
        hits = source.engine.batch(info, after, batch_size, vectors=True)
        upto = hits[-1].seq if hits else None
        present = {hit.seq: hit for hit in target.engine.between(info, after, upto)}
        wanted = {hit.seq for hit in hits}
        yield _Compared(
            hits,
            differing=[hit for hit in hits if not _is_same(hit, present.get(hit.seq))],
            gone=[hit for seq, hit in present.items() if seq not in wanted],
        )
        if upto is None:
            return
        after = upto


def _is_same(hit: Hit, other: Hit | None) -> bool:
    """Bit for bit, types of metadata included."""
    return other is not None and _bits(hit) == _bits(other)


def _bits(hit: Hit) -> tuple[Any, ...]:
    ordered = None if hit.metadata is None else dict(sorted(hit.metadata.items()))
    return hit.id, hit.document, hit.uri, exact_json(ordered), hit.vector.astype("<f4").tobytes()


def _finish(target: End, info: CollectionInfo) -> None:
    """Give the copy the indexes that its source has."""
    copy = target.vectors.get_collection(info.name)
    if info.has_text and not copy.info.has_text:
        copy.create_index("fulltext")
    if info.options is not None and copy.info.options is None and info.dimension is not None:
        options = {name: value for name, value in info.options.items() if name != "kind"}
        copy.create_index(info.options["kind"], **options)
