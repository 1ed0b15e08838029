"""The command line: ``dbadapter``, also ``python -m dbadapter``. Nothing else imports this package."""

from __future__ import annotations

from .app import main

__all__ = ["main"]
