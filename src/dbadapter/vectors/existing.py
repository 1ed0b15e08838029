"""Failures that mean a collection is not there any more."""

from __future__ import annotations

from types import TracebackType

from ..errors import CollectionNotFound, UndefinedTable

__all__ = ["Existing"]


class Existing:
    """Around what is done with a collection: tells one that was deleted meanwhile from other failures.

    Raises `CollectionNotFound`. A class, as every search goes through it: a generator would take three times as long.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        """Nothing is done on the way in."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """A missing table means that the collection is gone: raise `CollectionNotFound`."""
        if isinstance(error, UndefinedTable):
            raise CollectionNotFound(f"collection {self._name!r} does not exist any more") from error
