"""Names that Postgres can have, each used once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

__all__ = ["Namer"]

_MAX_BYTES = 63
# Every table has columns of these names already.
_SYSTEM_COLUMNS = {"ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}


class Namer:
    """Gives names: as they are where that is possible, else shortened with a hash, so that the same name always
    becomes the same."""

    def __init__(self, *, columns: bool = False) -> None:
        self._taken: set[str] = set()
        self._columns = columns

    def take(self, names: Iterable[str]) -> None:
        """Give these names to nothing."""
        self._taken.update(names)

    def name(self, wanted: str) -> str:
        """A name for `wanted` that no other has been given."""
        found = wanted or "unnamed"
        if self._columns and found in _SYSTEM_COLUMNS:
            found += "_"
        if len(found.encode()) > _MAX_BYTES or found in self._taken:
            mark = "_" + hashlib.sha256(wanted.encode()).hexdigest()[:8]
            cut = found.encode()[: _MAX_BYTES - len(mark)].decode(errors="ignore")
            found, number = cut + mark, 1
            while found in self._taken:
                number += 1
                found = f"{cut[: _MAX_BYTES - len(mark) - 4]}{mark}_{number}"
        self._taken.add(found)
        return found
