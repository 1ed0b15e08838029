"""An SQLite file, looked at without changing it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from ..config import DatabaseConfig
from .filesystem import check_filesystem, open_by
from .findings import Finding, Severity, error, joined, ok, warning

if TYPE_CHECKING:
    from .diagnosis import Surroundings

__all__ = ["check_sqlite"]

_MAGIC = b"SQLite format 3\x00"
# A log that has grown beyond this and beyond its database is not being cleared.
_LARGE_LOG = 64 * 1024 * 1024
_SHOWN = 3


def check_sqlite(config: DatabaseConfig, around: Surroundings) -> Iterator[Finding]:
    """Findings about the file of a config."""
    if config.sqlite_path == ":memory:":
        yield ok("sqlite-memory", "the database is in memory, and gone when the app ends")
        return
    path = Path(os.path.abspath(config.sqlite_path))
    for check in (_place, _is_database):
        for finding in check(path):
            yield finding
            if finding.severity is Severity.ERROR:
                return
    if not path.parent.is_dir():
        return
    yield from check_filesystem(path, around)
    if path.exists() and path.stat().st_size:
        yield from _content(path, around)


def _place(path: Path) -> Iterator[Finding]:
    directory = path.parent
    if path.is_dir():
        yield error("not-a-file", f"{path} is a directory", "name a file in it")
    elif not path.exists():
        existing = next(parent for parent in path.parents if parent.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            text = f"{path} cannot be made: {existing} is not writable"
            yield error("no-write-right", text, f"chmod or chown {existing}")
        else:
            yield warning(
                "file-missing",
                f"there is no file {path}; the app would make it, empty",
                "correct the path if there should be one",
            )
    elif not os.access(path, os.R_OK):
        yield error("no-read-right", f"{path} cannot be read by this user", f"chmod or chown {path}")
    elif not os.access(path, os.W_OK):
        yield error("no-write-right", f"{path} cannot be written by this user", f"chmod or chown {path}")
    elif not os.access(directory, os.W_OK | os.X_OK):
        yield error(
            "no-write-right",
            f"{directory} cannot be written by this user, and the log of the database is made beside it",
            f"chmod or chown {directory}",
        )


def _is_database(path: Path) -> Iterator[Finding]:
    if not path.exists() or not path.stat().st_size:
        return  # an empty file is an empty database
    with path.open("rb") as file:
        start = file.read(len(_MAGIC))
    if start != _MAGIC:
        yield error(
            "not-a-database",
            f"{path} is no SQLite database: it begins with {start[:16]!r} (or it is encrypted)",
            "correct the path; if it was a database, restore a backup",
        )


def _content(path: Path, around: Surroundings) -> Iterator[Finding]:
    yield from _lock(path)
    uri = f"{path.as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=around.timeout)) as connection:
            yield from _integrity(path, connection)
            yield from _journal(path, connection)
    except sqlite3.Error as exc:
        code = getattr(exc, "sqlite_errorname", "") or ""
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return  # told by `_lock`
        yield error("damaged", f"{path} cannot be read: {exc}", _RESTORE)


_RESTORE = "restore a backup; what is still legible comes out with the sqlite3 program: .recover"


def _lock(path: Path) -> Iterator[Finding]:
    """Whether another process keeps the file locked; nothing is written."""
    uri = f"{path.as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=1.0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.Error as exc:
            if not (exc.sqlite_errorname or "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                return  # what it is, the questions that only read will tell
            users = open_by(path)
            yield error(
                "locked",
                f"{path} is locked by another process" + (f"; it is open in {users}" if users else ""),
                "let it finish its transaction, or end it; an app that writes for long keeps everyone else waiting",
            )


def _integrity(path: Path, connection: sqlite3.Connection) -> Iterator[Finding]:
    said = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_SHOWN})")]
    if said != ["ok"]:
        yield error("damaged", f"{path} is damaged: {joined(said, _SHOWN)}", _RESTORE)
        return
    orphans: dict[str, int] = {}
    for table, *_ in connection.execute("PRAGMA foreign_key_check"):
        orphans[table] = orphans.get(table, 0) + 1
    if orphans:
        listed = joined(f"{table} ({count})" for table, count in orphans.items())
        yield warning(
            "orphans",
            f"rows refer to rows that do not exist, in {listed}",
            "PRAGMA foreign_key_check lists them; Postgres will not take them under a foreign key",
        )
    yield ok("integrity", f"{path} is sound")


def _journal(path: Path, connection: sqlite3.Connection) -> Iterator[Finding]:
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        yield warning(
            "not-wal",
            f"{path} has journal mode {mode}: readers and the writer keep each other waiting",
            "PRAGMA journal_mode = WAL; the adapter sets it when it opens the file and no one else has it open",
        )
        return
    log = path.with_name(path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > max(_LARGE_LOG, path.stat().st_size):
        yield warning(
            "log-grown",
            f"the log {log} has grown to {size / 2**20:.0f} MiB",
            "look for a transaction or stream that reads without ever ending: it keeps the log from being cleared",
        )
    yield ok("journal", "the journal mode is WAL")
