"""Vector collections on their way: copied like rows, followed by the numbers of the records that change.

A collection's tables differ between the backends, so records go through the vector engines (see `vectors.copy`), each
on the mover's own connection. What notes a change is the capture of the tables that hold the records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import evolve, frozen

from ..errors import SwitchAborted, VectorError, VerificationFailed
from ..vectors.catalog import CATALOG, CollectionInfo
from ..vectors.copy import (
    bring_up_to_date,
    copy_collections,
    copy_records,
    describe_alike,
    verify_collections,
)
from ..vectors.executor import ConnectionExecutor

__all__ = ["Captured", "MovedCollections", "drop_collections", "has_collections"]


@frozen
class Captured:
    """A table whose changes are noted: its name, its key, and the collection it belongs to (None: the catalog)."""

    table: str
    key: str
    uid: str | None


def captured_tables(executor: ConnectionExecutor) -> list[Captured]:
    """The tables to be captured for a database's collections, in an order that does not change with their names."""
    if not executor.vectors.engine.has_catalog():
        return []
    return [
        Captured(CATALOG, "uid", None),
        *(
            Captured(table, "seq", info.uid)
            for info in sorted(_infos(executor), key=lambda info: info.uid)
            for table in executor.vectors.engine.changing_tables(info)
        ),
    ]


class MovedCollections:
    """The collections of one move.

    Attributes:
        first: the number that the first of the captured tables has in the change log.
        captured: the source's tables whose changes are noted, numbered from `first`.
        is_filled: the target has them all, so that changes are to be carried over.
        index_options: of the indexes that the target had before, by uid, for collections whose source has none.
    """

    def __init__(self, source: ConnectionExecutor, target: ConnectionExecutor, first: int) -> None:
        self._source, self._target = source, target
        self.first = first
        self.captured = captured_tables(source)
        self.is_filled = False
        self.index_options: Mapping[str, dict[str, Any]] = {}

    @property
    def tables(self) -> list[str]:
        """The names of the captured tables."""
        return [captured.table for captured in self.captured]

    @property
    def arrived(self) -> list[Captured]:
        """The target's tables that would be captured if it were the source."""
        return captured_tables(self._target)

    def make(self) -> None:
        """Create the collections in the target, empty."""
        for info in _infos(self._source):
            self._target.vectors.create_from(evolve(info, has_text=False, options=None))

    def fill(self, telling: Callable[[str], Callable[[int], None]]) -> None:
        """Copy all records, and make the indexes; `telling` gives what is told how many of a collection are there."""
        for info in _infos(self._source):
            tell = telling(info.name)
            copy_collections(
                self._source,
                self._target,
                names=[info.name],
                progress=lambda figures, tell=tell: tell(figures["done"]),  # type: ignore[misc]
            )
            kept = self.index_options.get(info.uid)
            if kept and info.options is None and info.dimension is not None:
                collection = self._target.vectors.get_collection(info.name)
                collection.create_index(kept["kind"], **{k: v for k, v in kept.items() if k != "kind"})
        self.is_filled = True

    def apply(self, noted: Iterable[tuple[int, Any]]) -> int:
        """Carry over what was noted as (number of the table, key); a key of None is a table that was emptied.

        The source is as it was at the moment of the last note, and a transaction is open on the target.
        """
        if not self.is_filled:
            return 0
        touched: dict[str, set[int]] = {}
        emptied: set[str] = set()
        described = False
        for number, key in noted:
            uid = self.captured[number - self.first].uid
            if uid is None:
                described = True
            elif key is None:
                emptied.add(uid)
            else:
                touched.setdefault(uid, set()).add(int(key))
        if not (touched or emptied or described):
            return 0
        there = self._descriptions(described)
        for uid in emptied:
            bring_up_to_date(self._source, self._target, there[uid])
        for uid, seqs in touched.items():
            copy_records(self._source, self._target, there[uid], sorted(seqs))
        return sum(map(len, touched.values())) + len(emptied)

    def _descriptions(self, changed: bool) -> dict[str, CollectionInfo]:
        """The collections in the target, by uid, described as in the source."""
        there = {info.uid: info for info in _infos(self._target)}
        if not changed:
            return there
        wanted = {info.uid: info for info in _infos(self._source)}
        if wanted.keys() != there.keys():
            raise SwitchAborted("vector collections were created or deleted during the switch; try again")
        renamed = [uid for uid, info in wanted.items() if info.name != there[uid].name]
        for uid in renamed:  # out of each other's way: names may have been exchanged
            self._target.execute(f"UPDATE {CATALOG} SET name = ? WHERE uid = ?", [f"moving {uid}", uid])
        return {uid: describe_alike(self._target.vectors, info) for uid, info in wanted.items()}

    def verify(self) -> None:
        """Compare every record, bit for bit. Raises `SwitchAborted`."""
        try:
            verify_collections(self._source, self._target)
        except (VerificationFailed, VectorError) as error:
            raise SwitchAborted(f"the target's vectors differ from the source: {error}") from error


def _infos(executor: ConnectionExecutor) -> list[CollectionInfo]:
    return [collection.info for collection in executor.vectors.list_collections()]


def has_collections(executor: ConnectionExecutor) -> bool:
    """Whether there is any collection."""
    return bool(executor.vectors.count_collections())


def drop_collections(executor: ConnectionExecutor) -> dict[str, dict[str, Any]]:
    """Delete all collections and their catalog; the options of the indexes they had, by uid.

    Tables are dropped, never emptied: a fence that is closed stays so for everybody else.
    """
    if not executor.vectors.engine.has_catalog():
        return {}
    infos = _infos(executor)
    with executor.transaction():
        for info in infos:
            executor.vectors.engine.drop(info)
        executor.execute(f"DROP TABLE {CATALOG}")
    return {info.uid: info.options for info in infos if info.options is not None}
