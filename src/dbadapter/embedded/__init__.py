"""A real PostgreSQL server with pgvector from pip, with streaming replicas if you like: `EmbeddedPostgres`."""

from __future__ import annotations

from ._server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
