"""Versions of what we stand on."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Iterator

from .findings import Finding, error, ok, warning

__all__ = ["check_versions"]

Version = tuple[int, ...]

OLDEST_SQLITE: Version = (3, 35, 0)  # RETURNING, and DROP COLUMN
OLDEST_LIBPQ: Version = (13, 0)


def check_versions() -> Iterator[Finding]:
    """Python, SQLite, psycopg and libpq."""
    yield from sqlite_findings(sqlite3.sqlite_version_info)
    try:
        import psycopg
    except ImportError as exc:
        text = f"psycopg cannot be loaded: {exc}"
        yield error("driver-missing", text, "pip install 'psycopg[binary]'")
        return
    libpq = psycopg.pq.version()
    yield from libpq_findings((libpq // 10_000, libpq % 10_000), psycopg.__version__, psycopg.pq.__impl__)


def sqlite_findings(version: Version) -> Iterator[Finding]:
    """What is to be said about a version of SQLite."""
    name = f"SQLite {'.'.join(map(str, version))} in Python {platform.python_version()}"
    if version < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        yield error("sqlite-too-old", f"{name} is older than {needed}", "use a Python with a newer SQLite")
    else:
        yield ok("sqlite-version", name)


def libpq_findings(libpq: Version, psycopg: str, build: str) -> Iterator[Finding]:
    """What is to be said about a version of libpq, and about psycopg's build."""
    name = f"psycopg {psycopg} ({build}) with libpq {'.'.join(map(str, libpq))}"
    if libpq < OLDEST_LIBPQ:
        text = f"{name} is older than {OLDEST_LIBPQ[0]}"
        yield error("libpq-too-old", text, "pip install 'psycopg[binary]', which brings its own")
    elif build == "python":
        yield warning(
            "driver-slow",
            f"{name} is the build in pure Python",
            "pip install 'psycopg[binary]' is several times faster",
        )
    else:
        yield ok("driver-version", name)
