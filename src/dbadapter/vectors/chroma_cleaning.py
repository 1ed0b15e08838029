"""Leaving out of Chroma's records what cannot be held here, and noting it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .chroma_report import CollectionImport
from .chroma_source import SourceRecord
from .metadata import InvalidRecord, check_metadata
from .records import as_ids, as_texts

__all__ = ["clean", "kept_metadata"]


def clean(record: SourceRecord, entry: CollectionImport) -> bool:
    """Leave out of a record what cannot be held here, and note it; False if that is the record itself."""
    try:
        as_ids([record.id])
    except InvalidRecord as error:
        entry.note(_printable(record.id), "record", str(error))
        return False
    for name in ("document", "uri"):
        try:
            as_texts([getattr(record, name)], name, optional=True)
        except InvalidRecord as error:
            entry.note(record.id, name, str(error))
            setattr(record, name, None)
    record.metadata = kept_metadata(record.metadata, record.id, entry) or {}
    return True


def kept_metadata(
    metadata: Mapping[str, Any] | None, record: str | None, entry: CollectionImport
) -> dict[str, Any] | None:
    """The metadata that can be held here; the rest is noted, as of that record, or of the collection (None)."""
    kept = {}
    for key, value in (metadata or {}).items():
        try:
            kept.update(check_metadata({key: value}, "metadata") or {})
        except InvalidRecord as error:
            entry.note(record, f"metadata {_printable(key)}", str(error))
    return kept or None


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
