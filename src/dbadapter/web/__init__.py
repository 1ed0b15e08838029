"""A read-only HTTP interface and a live page for an adapter; extra ``dbadapter[web]``."""

from __future__ import annotations

from .app import create_app

__all__ = ["create_app"]
