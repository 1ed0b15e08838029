"""Index kinds, their options, and what to choose where nothing was said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import VectorError

__all__ = ["check_index", "default_lists", "default_probes"]

_RANGES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "hnsw": {"m": (2, 100), "ef_construction": (4, 1000), "ef_search": (1, 1000)},
    "ivfflat": {"lists": (1, 32_768), "probes": (1, 32_768)},
    "fulltext": {},
}


def check_index(kind: Any, options: Mapping[str, Any]) -> dict[str, int]:
    """The options of an index. Raises `VectorError` for an unknown kind or option, or a value out of range."""
    ranges = _RANGES.get(kind) if isinstance(kind, str) else None
    if ranges is None:
        raise VectorError(f"an index is one of {', '.join(_RANGES)}, not {kind!r}")
    for name, value in options.items():
        if name not in ranges:
            known = ", ".join(ranges) or "none"
            raise VectorError(f"{kind} has no option {name!r}; it has: {known}")
        least, most = ranges[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise VectorError(f"{kind} option {name} must be from {least} to {most}, not {value!r}")
    return dict(options)


def default_lists(rows: int) -> int:
    """How many lists an IVFFlat index of so many rows should have: pgvector's own advice."""
    return max(10, rows // 1000) if rows <= 1_000_000 else math.isqrt(rows)


def default_probes(lists: int) -> int:
    """How many of the lists a search should visit to find nearly everything."""
    return max(1, min(lists, math.ceil(2.5 * math.sqrt(lists))))
