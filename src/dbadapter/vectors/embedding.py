"""Embedding functions, which turn texts into vectors, and how two models are told apart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from attrs import define, field

from ..errors import ConfigError, DimensionMismatch

__all__ = ["EmbeddingFunction", "SentenceTransformer", "check_same_model", "identity_of"]


@runtime_checkable
class EmbeddingFunction(Protocol):
    """Turns texts into vectors of one dimension. Chroma's embedding functions are such functions.

    With a method ``name()`` and, if there is more to it, ``get_config()`` (a JSON-ready mapping), its
    identity is stored with the collection and checked whenever the collection is opened with a function
    again. A function without a name is used as it is. Where there is a method ``embed_query``, queries go
    through it.
    """

    def __call__(self, input: list[str]) -> Sequence[Any]:
        """The vectors of the texts, in their order."""


@define
class SentenceTransformer:
    """A model of the sentence-transformers library, loaded on first use (extra: ``sentence-transformers``).

    Attributes:
        model: the model's name or directory.
        normalize: scale vectors to length 1.
        device: "cpu", "cuda", …; None lets the library choose.
    """

    model: str = "all-MiniLM-L6-v2"
    normalize: bool = True
    device: str | None = None
    _loaded: Any = field(default=None, init=False, repr=False, eq=False)

    def name(self) -> str:
        """The kind of function, Chroma's name for it."""
        return "sentence_transformer"

    def get_config(self) -> dict[str, Any]:
        """What makes its vectors the ones they are."""
        return {"model_name": self.model, "normalize_embeddings": self.normalize}

    def __call__(self, input: list[str]) -> Sequence[Any]:
        """The vectors of the texts."""
        if self._loaded is None:
            try:
                from sentence_transformers import SentenceTransformer as Model
            except ImportError as error:
                raise ConfigError(
                    "embedding with sentence-transformers needs that library: "
                    "pip install 'dbadapter[sentence-transformers]'"
                ) from error
            self._loaded = Model(self.model, device=self.device)
        vectors: Sequence[Any] = self._loaded.encode(
            list(input), normalize_embeddings=self.normalize, show_progress_bar=False
        )
        return vectors


def identity_of(function: Any) -> dict[str, Any] | None:
    """What is stored of a function: its name and config; None where it has no name.

    Raises `ConfigError` for what is no function, or has a config that is not JSON.
    """
    if function is None:
        return None
    if not callable(function):
        raise ConfigError(f"embedding_function must be callable, not {type(function).__name__}")
    name = getattr(function, "name", None)
    if name is None:
        return None
    config = getattr(function, "get_config", None)
    identity = {
        "name": name() if callable(name) else name,
        "config": config() if callable(config) else {},
    }
    try:
        plain: dict[str, Any] = json.loads(json.dumps(identity, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"the embedding function's name and config must be JSON: {error}") from error
    return plain


def check_same_model(collection: str, stored: dict[str, Any] | None, given: dict[str, Any] | None) -> None:
    """Raise `DimensionMismatch` where a collection is opened with another model than it was filled with."""
    if stored is None or given is None or stored == given:
        return
    raise DimensionMismatch(
        f"collection {collection!r} was embedded by {_described(stored)}, not by {_described(given)}; "
        "vectors of two models cannot be compared. To change the model: "
        f"store.reembed_collection({collection!r}, embedding_function=...)"
    )


def _described(identity: dict[str, Any]) -> str:
    config = ", ".join(f"{key}={value!r}" for key, value in identity.get("config", {}).items())
    return f"{identity.get('name')}({config})"
