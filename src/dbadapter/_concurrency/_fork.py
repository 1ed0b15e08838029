"""A forked child shares its parent's sockets and files: what it must not do with them, and how it gets its own.

Pools are registered here while they are open. Around a fork their locks are held, so that the child finds them in
order; there each pool disowns what it has and begins anew when it is used.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Protocol

from ..errors import PoolClosed

__all__ = ["Gone", "abandon", "forget", "remember"]


class _Forkable(Protocol):
    _lock: threading.Lock

    def disown(self) -> None: ...


_pools: weakref.WeakSet[_Forkable] = weakref.WeakSet()
_held: list[threading.Lock] = []
_abandoned: list[Any] = []
_hooks: list[bool] = []  # whether the hooks are in place


def remember(pool: _Forkable) -> None:
    """Have `pool` looked after from now on."""
    _pools.add(pool)
    if not _hooks and hasattr(os, "register_at_fork"):
        _hooks.append(True)
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)


def forget(pool: _Forkable) -> None:
    """The pool is closed."""
    _pools.discard(pool)


def abandon(thing: Any) -> None:
    """Keep what is the parent's from being collected, which would close it."""
    _abandoned.append(thing)


class Gone:
    """Stands where the parent's connection stood."""

    in_transaction = False

    def close(self) -> None:
        """Nothing of ours is open."""

    def __getattr__(self, name: str) -> Any:
        raise PoolClosed(
            "this connection belongs to the parent process; the child has to ask for one of its own"
        )


def _before() -> None:
    for pool in list(_pools):
        lock = pool._lock
        lock.acquire()
        _held.append(lock)


def _in_parent() -> None:
    while _held:
        _held.pop().release()


def _in_child() -> None:
    _held.clear()
    for pool in list(_pools):
        pool.disown()
