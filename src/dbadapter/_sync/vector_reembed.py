# Generated from src/dbadapter/_async/vector_reembed.py by tools/unasync.py; do not edit.
"""Changing a collection's embedding model: its documents embedded anew, its name taken over at the end.

The old collection can be used all the while. What changes in it meanwhile is found and carried over at the
end, under the lock that the take-over needs anyway.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..errors import ConfigError
from ..vectors.catalog import CollectionInfo
from ..vectors.embedding import identity_of
from ..vectors.metadata import InvalidRecord
from ..vectors.results import Hit
from .vector_collection import Collection

if TYPE_CHECKING:
    from .vectors import VectorStore

__all__ = ["reembed"]


def reembed(store: VectorStore, name: str, embedding_function: Any, batch_size: int) -> Collection:
    """See `VectorStore.reembed_collection`."""
    if embedding_function is None:
        raise ConfigError("reembed_collection() needs the embedding function to use from now on")
    old = store.get_collection(name).info
    uid = secrets.token_hex(6)
    draft = evolve(
        old,
        uid=uid,
        name=f"{name[:400]} (being re-embedded: {uid})",
        dimension=None,
        model=identity_of(embedding_function),
        has_text=False,
        options=None,
    )
    store.create_from(draft)
    new = Collection(store, draft, embedding_function)
    try:
        seen = _carry(store, old, new, {}, batch_size)
        return _take_over(store, old, new, seen, batch_size)
    except BaseException:
        store.delete_collection(draft.name)
        raise


def _carry(
    store: VectorStore,
    old: CollectionInfo,
    new: Collection,
    seen: dict[str, tuple[Any, ...]],
    batch_size: int,
) -> dict[str, tuple[Any, ...]]:
    """Write to the new collection what it has not, or has otherwise; returns what the old one holds."""
    present: dict[str, tuple[Any, ...]] = {}
    last = -1
    while hits := store.settled().batch(old, last, batch_size, vectors=False):
        last = hits[-1].seq
        changed = [hit for hit in hits if seen.get(hit.id) != _content(hit)]
        present.update((hit.id, _content(hit)) for hit in hits)
        if changed:
            new.delete(ids=[hit.id for hit in changed])
            new.add(
                ids=[hit.id for hit in changed],
                documents=[_document(hit, old.name) for hit in changed],
                metadatas=[hit.metadata for hit in changed],
                uris=[hit.uri for hit in changed],
            )
    return present


def _take_over(
    store: VectorStore,
    old: CollectionInfo,
    new: Collection,
    seen: dict[str, tuple[Any, ...]],
    batch_size: int,
) -> Collection:
    """Carry over what has changed meanwhile, and put the new collection in the old one's place."""
    with store.writing(old.uid, alone=True) as (engine, present):
        within = store.on(engine.executor)
        draft = Collection(within, within.refreshed(new.info), new.embedding_function)
        now = _carry(within, present, draft, seen, batch_size)
        gone = [each for each in seen if each not in now]
        if gone:
            draft.delete(ids=gone)
        if present.options is not None and within.refreshed(draft.info).dimension is not None:
            draft.create_index(present.options["kind"])
        if present.has_text:
            draft.create_index("fulltext")
        within.delete_collection(present.name)
        draft.modify(name=present.name)
        info = within.refreshed(draft.info)
    return Collection(store, info, new.embedding_function)


def _content(hit: Hit) -> tuple[Any, ...]:
    return hit.document, hit.uri, repr(hit.metadata)


def _document(hit: Hit, name: str) -> str:
    if hit.document is None:
        raise InvalidRecord(f"record {hit.id!r} of collection {name!r} has no document to embed")
    return hit.document
