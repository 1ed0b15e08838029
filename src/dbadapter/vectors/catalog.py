"""The catalog of collections: one table, the same statements on both backends."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ..errors import VectorError
from .metadata import InvalidRecord, Metadata, check_metadata, exact_json, read_json

__all__ = [
    "CATALOG",
    "COLUMNS",
    "DEFAULT_METRIC",
    "METRICS",
    "CollectionInfo",
    "Reference",
    "check_collection_name",
    "check_metric",
    "named_metric",
    "new_info",
    "parse_reference",
]

CATALOG = "_dbadapter_collections"
METRICS = ("cosine", "l2", "ip")
DEFAULT_METRIC = "cosine"
MAX_DIMENSION = 16_000  # of pgvector's type vector

COLUMNS = "uid, name, dimension, metric, metadata, embedding_function, reference, text_index, options"


@frozen
class Reference:
    """The key that a collection's ids are tied to.

    Attributes:
        table: the table's name, as ``schema.table`` where it has a schema.
        column: its key column.
    """

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


@frozen(cache_hash=True)
class CollectionInfo:
    """A collection's row in the catalog.

    Attributes:
        uid: names its tables; the same on every backend the collection is moved to.
        dimension: None until the first vector is added.
        model: the embedding function's identity.
        has_text: there is a full-text index, so that documents have to be written to it.
        options: the kind and the options of the index on the vectors; None without one.
    """

    uid: str
    name: str
    dimension: int | None
    metric: str
    metadata: Metadata | None = field(hash=False)
    model: dict[str, Any] | None = field(hash=False)
    reference: Reference | None
    has_text: bool
    options: dict[str, Any] | None = field(default=None, hash=False)

    @property
    def table(self) -> str:
        """The name of its main table, and what the names of its others begin with."""
        return f"_dbadapter_vec_{self.uid}"

    def row(self) -> tuple[Any, ...]:
        """The collection's values in the order of `COLUMNS`."""
        return (
            self.uid,
            self.name,
            self.dimension,
            self.metric,
            exact_json(self.metadata),
            None if self.model is None else json.dumps(self.model),
            None if self.reference is None else str(self.reference),
            int(self.has_text),
            None if self.options is None else json.dumps(self.options),
        )

    @staticmethod
    def from_row(row: tuple[Any, ...]) -> CollectionInfo:
        """Read a row of the catalog."""
        uid, name, dimension, metric, metadata, model, reference, has_text, options = row
        return CollectionInfo(
            uid,
            name,
            dimension,
            metric,
            read_json(metadata),
            None if model is None else json.loads(model),
            parse_reference(reference),
            bool(has_text),
            None if options is None else json.loads(options),
        )


def new_info(
    name: str,
    *,
    dimension: int | None,
    metric: str,
    metadata: Any,
    model: dict[str, Any] | None,
    references: Any,
) -> CollectionInfo:
    """A collection that does not exist yet, its arguments checked."""
    if dimension is not None and not (
        isinstance(dimension, int) and not isinstance(dimension, bool) and 1 <= dimension <= MAX_DIMENSION
    ):
        raise InvalidRecord(f"dimension must be an integer from 1 to {MAX_DIMENSION}, not {dimension!r}")
    return CollectionInfo(
        uid=secrets.token_hex(6),
        name=check_collection_name(name),
        dimension=dimension,
        metric=check_metric(metric),
        metadata=check_metadata(metadata, "metadata"),
        model=model,
        reference=parse_reference(references),
        has_text=False,
    )


def check_collection_name(name: Any) -> str:
    """A collection's name: 1 to 512 characters. Raises `InvalidRecord`."""
    if not isinstance(name, str) or not 1 <= len(name) <= 512 or "\0" in name:
        raise InvalidRecord(f"a collection's name must be text of 1 to 512 characters, not {name!r:.100}")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidRecord(f"the collection's name {name!r:.100} is no valid Unicode") from None
    return str.__str__(name)


def check_metric(metric: Any) -> str:
    """The metric's name. Raises `VectorError`."""
    if metric not in METRICS:
        raise VectorError(f"metric must be one of {', '.join(METRICS)}, not {metric!r}")
    return str(metric)


def named_metric(metric: str | None, metadata: Any, configuration: Mapping[str, Any] | None) -> str | None:
    """The metric that a caller asked for, if any.

    Chroma's callers name it in ``metadata["hnsw:space"]`` or ``configuration["hnsw"]["space"]``.
    """
    named = metric
    if named is None and isinstance(metadata, Mapping):
        named = metadata.get("hnsw:space")
    if named is None and configuration:
        named = (configuration.get("hnsw") or configuration.get("spann") or {}).get("space")
    return named


def parse_reference(references: Any) -> Reference | None:
    """``"notes.id"`` or ``"schema.notes.id"``. Raises `InvalidRecord`."""
    if references is None:
        return None
    table, dot, column = references.rpartition(".") if isinstance(references, str) else ("", "", "")
    if not dot or not table or not column:
        raise InvalidRecord(f'references must name a key as "table.column", not {references!r:.100}')
    return Reference(table, column)
