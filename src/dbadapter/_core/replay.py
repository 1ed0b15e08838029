"""Rows that can be read a second time if a first attempt ended at its beginning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Generic, TypeVar

__all__ = ["Replay"]

T = TypeVar("T")

_HEAD = 1000


class Replay(Generic[T]):
    """An iterable whose first rows are kept, so that bounded memory suffices; a sequence is simply read again."""

    def __init__(self, rows: Iterable[T]) -> None:
        self._rows = rows
        self._head: list[T] | None = None
        self._rest: Iterator[T] = iter(())
        self.can_replay = True

    def rows(self) -> Iterable[T]:
        """All rows, from the first one."""
        if isinstance(self._rows, Sequence):
            return self._rows
        if self._head is None:
            source = iter(self._rows)
            self._head = list(islice(source, _HEAD))
            self._rest = self._remaining(source)
        return chain(self._head, self._rest)

    def _remaining(self, source: Iterator[T]) -> Iterator[T]:
        for first in source:
            self.can_replay = False
            yield first
            yield from source
