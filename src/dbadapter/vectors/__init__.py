"""Vector collections: the parts that need no database connection, and the import from Chroma."""

from __future__ import annotations
