"""The search caches of an open database, shared by whoever works on it, and their bounds."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field

from .columns import ColumnCache
from .local_index import LocalIndex

__all__ = ["DEFAULT_MEMORY", "Caches", "Slot", "caches_of"]

# A quarter of the machine's memory, at most 2 GiB.
DEFAULT_MEMORY = min(2 << 30, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4)


@define(eq=False)
class Slot:
    """What is cached of one collection.

    Attributes:
        index: its vectors; None until they are loaded.
        columns: its metadata by column, as they were when `index` had its stamp.
        loading: held by whoever fills the index, so that it is filled once.
    """

    loading: Any
    index: LocalIndex | None = None
    columns: ColumnCache = field(factory=ColumnCache)


@define(eq=False)
class Caches:
    """The slots of one database; the collection used last comes last.

    Attributes:
        memory: bytes that vectors may take; a collection that alone takes more is kept as codes only.
        has_catalog: the catalog table was seen.
        broad: filters that many records were seen to match.
        options: the options of an index that somebody else made, as seen in the catalog.
    """

    new_lock: Callable[[], Any]
    memory: int = DEFAULT_MEMORY
    has_catalog: bool = False
    broad: dict[Any, None] = field(factory=dict)
    options: dict[str, dict[str, Any]] = field(factory=dict)
    _slots: dict[str, Slot] = field(factory=dict)

    def slot(self, uid: str) -> Slot:
        """The slot of a collection."""
        found = self._slots.pop(uid, None) or Slot(self.new_lock())
        self._slots[uid] = found
        return found

    def forget(self, uid: str) -> None:
        """Drop what is cached of a collection."""
        self._slots.pop(uid, None)

    def make_room(self, uid: str, size: int) -> None:
        """Drop the caches not used for longest, so that one collection may take so many bytes."""
        others = [(each, slot) for each, slot in list(self._slots.items()) if each != uid and slot.index]
        used = sum(slot.index.rows.size for _, slot in others if slot.index)
        for each, slot in others:
            if used + size <= self.memory:
                return
            used -= slot.index.rows.size if slot.index else 0
            self._slots.pop(each, None)

    @property
    def size(self) -> int:
        """Bytes in use."""
        return sum(slot.index.rows.size for slot in list(self._slots.values()) if slot.index)


_open: WeakKeyDictionary[object, Caches] = WeakKeyDictionary()


def caches_of(owner: object, new_lock: Callable[[], Any]) -> Caches:
    """The caches that live as long as their owner.

    Args:
        owner: an open pool, or a transaction.
        new_lock: makes a lock, of threads or of tasks as the owner's users are.
    """
    found = _open.get(owner)
    return _open.setdefault(owner, Caches(new_lock)) if found is None else found
