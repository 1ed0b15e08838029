"""Vector collections: what their users may want beside ``adapter.vectors``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .embedding import EmbeddingFunction, SentenceTransformer
from .metadata import InvalidRecord
from .results import Match

if TYPE_CHECKING:
    from .chroma import import_chroma
    from .chroma_report import ImportReport
    from .copy import CopyReport, copy_collections

__all__ = [
    "CopyReport",
    "EmbeddingFunction",
    "ImportReport",
    "InvalidRecord",
    "Match",
    "SentenceTransformer",
    "copy_collections",
    "import_chroma",
]

_HOMES = {
    "ImportReport": "chroma_report",
    "import_chroma": "chroma",
    "CopyReport": "copy",
    "copy_collections": "copy",
}


def __getattr__(name: str) -> Any:
    """Load what needs numpy when it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
