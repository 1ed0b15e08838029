"""Keeping a local collection's search cache in step with the database.

A cache bears the state of the database it shows: the highest number of a record, and the end of the log of
changes. On an adapter it only ever shows what was committed. Within a transaction that has changed the
collection it is forked, and the fork, which shows the transaction's own view, ends with the transaction.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._concurrency._aio import Lock, beside
from ..vectors.blocks import Rows
from ..vectors.caches import Caches, Slot, caches_of
from ..vectors.catalog import CollectionInfo
from ..vectors.columns import MAX_CHANGES, ColumnCache
from ..vectors.filter_sql import json_list
from ..vectors.local_index import LocalIndex
from ..vectors.metadata import read_json
from ..vectors.parts import parts_of, stacked
from ..vectors.sqlite_tables import LocalTables

__all__ = ["AsyncLocalIndexes", "State"]

# Highest number of a record; the log's last number and its nonce.
State = tuple[int, int, int]

_AT_ONCE = 8192
_LISTED = "seq IN (SELECT value FROM json_each(?))"


class AsyncLocalIndexes:
    """The search caches of local collections, as an adapter or a transaction sees them."""

    def __init__(self, executor: Any, caches: Caches, *, in_transaction: bool) -> None:
        self.executor = executor
        self.caches = caches
        self.in_transaction = in_transaction

    async def state(self, info: CollectionInfo) -> State:
        """The collection's present state."""
        row: State = await self.executor.fetch_one(LocalTables.of(info).state, row_type=tuple)
        return row

    async def current(self, info: CollectionInfo, *, check: bool) -> Slot:
        """The collection's cache, filled; brought up to date if ``check``, or if it is a transaction's."""
        slot = self.caches.slot(info.uid)
        if slot.index is not None and not check and not self.in_transaction:
            return slot
        state = await self.state(info)
        if slot.index is not None and slot.index.stamp == state:
            return slot
        if self.in_transaction:
            return await self._own(info, slot, state)
        async with slot.loading:
            await self._bring_up(info, slot, state)
        return slot

    async def _own(self, info: CollectionInfo, shared: Slot, state: State) -> Slot:
        """This transaction's own cache: a fork of the shared one, or filled anew."""
        own = caches_of(self.executor, Lock).slot(info.uid)
        if own.index is None and shared.index is not None:
            own.index, own.columns = shared.index.fork(), shared.columns.copy()
        await self._bring_up(info, own, state)
        return own

    async def _bring_up(self, info: CollectionInfo, slot: Slot, state: State) -> None:
        index = slot.index
        if index is not None and index.stamp == state:
            return
        if index is not None and await self._is_ahead(info, index.stamp, state) and not index.wasteful:
            if await self._catch_up(info, index, slot.columns, state):
                return
        slot.index, slot.columns = await self._load(info, state), ColumnCache()

    async def _is_ahead(self, info: CollectionInfo, stamp: State, state: State) -> bool:
        """Whether the log tells all that happened from the one state to the other."""
        sql = f"SELECT nonce FROM {LocalTables.of(info).log} WHERE n = ?"
        return state[1] >= stamp[1] and await self.executor.fetch_value(sql, [stamp[1]]) == stamp[2]

    # -- filling ---------------------------------------------------------------------------------------

    async def _load(self, info: CollectionInfo, state: State) -> LocalIndex:
        assert info.dimension is not None
        # Counting the vectors would mean reading them all; the records have an index that is small.
        size = await self.executor.fetch_value(f"SELECT count(*) FROM {LocalTables.of(info).records}")
        size *= info.dimension * 4
        self.caches.make_room(info.uid, size)
        rows = Rows(info.dimension, keep_vectors=size <= self.caches.memory)
        index = LocalIndex(info.metric, rows, stamp=state)
        await self._append(info, index, -1, state[0])
        return index

    async def _append(self, info: CollectionInfo, index: LocalIndex, after: int, upto: int) -> list[int]:
        """Append the records numbered above ``after``, up to ``upto``."""
        sql = LocalTables.of(info).vectors_where("seq > ? AND seq <= ?") + " LIMIT ?"
        dimension, appended = index.rows.dimension, list[int]()
        limit = _AT_ONCE * parts_of(dimension)
        while rows := await self.executor.fetch_all(sql, [after, upto, limit], row_type=tuple):
            seqs, vectors = await beside(stacked, rows, dimension)
            with index.lock:
                index.rows.append(seqs, vectors)
            after = rows[-1][0]
            if len(appended) <= MAX_CHANGES:
                appended += seqs.tolist()
            if len(rows) < limit:
                break
        return appended

    async def _catch_up(
        self, info: CollectionInfo, index: LocalIndex, columns: ColumnCache, state: State
    ) -> bool:
        """Apply what the log tells, and what is new, up to a state.

        False if that cannot be done: a record has come with a number below others (a collection being
        copied).
        """
        tables, top = LocalTables.of(info), index.top
        sql = (
            f"SELECT DISTINCT seq FROM {tables.log}"
            " WHERE n > ? AND n <= ? AND seq > 0 AND seq <= ? ORDER BY seq"
        )
        logged = await self.executor.fetch_all(sql, [index.stamp[1], state[1], top], row_type=tuple)
        changed = [seq for (seq,) in logged]
        for start in range(0, len(changed), _AT_ONCE):
            if not await self._renew(info, index, changed[start : start + _AT_ONCE]):
                return False
        appended = await self._append(info, index, top, state[0])
        await self._note(tables, index, columns, changed + appended)
        with index.lock:
            index.stamp = state
        return True

    async def _renew(self, info: CollectionInfo, index: LocalIndex, seqs: list[int]) -> bool:
        """Read again what has changed; what is gone is deleted. False if something has no row yet."""
        sql = LocalTables.of(info).vectors_where(_LISTED)
        rows = await self.executor.fetch_all(sql, [json_list(seqs)], row_type=tuple)
        present, vectors = stacked(rows, index.rows.dimension)
        gone = np.setdiff1d(np.asarray(seqs, np.int64), present)
        with index.lock:
            if len(index.rows.rows_of(present)) < len(present):
                return False
            index.change(present, vectors)
            index.remove(gone)
        return True

    async def _note(
        self, tables: LocalTables, index: LocalIndex, columns: ColumnCache, seqs: list[int]
    ) -> None:
        """Tell the columns which metadata are new."""
        if columns.is_empty or not seqs:
            return
        if len(seqs) > MAX_CHANGES:
            columns.clear()
            return
        sql = f"SELECT seq, metadata FROM {tables.records} WHERE {_LISTED} ORDER BY seq"
        found = await self.executor.fetch_all(sql, [json_list(seqs)], row_type=tuple)
        rows = index.rows.rows_of(np.asarray([seq for seq, _ in found], np.int64)).tolist()
        if len(rows) == len(found):
            columns.note((row, read_json(text)) for row, (_, text) in zip(rows, found, strict=True))
        else:
            columns.clear()
