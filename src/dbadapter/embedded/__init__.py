"""A real PostgreSQL server with pgvector from pip, with streaming replicas on request: `EmbeddedPostgres`."""

from __future__ import annotations

from ._handle import EmbeddedReplica
from ._server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "EmbeddedReplica"]
