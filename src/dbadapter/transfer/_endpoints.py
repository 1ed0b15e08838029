"""Opening the two ends: an SQLite file that is only read, a new one, and Postgres either way.

The transfer opens connections of its own, apart from any pool, and sees each source in one snapshot.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from ..config import DatabaseConfig, DatabaseType, PoolConfig
from ..errors import ConfigError, DatabaseUnavailable
from ._faults import reporting

if TYPE_CHECKING:
    import psycopg

__all__ = [
    "direction",
    "display",
    "open_postgres",
    "open_sqlite",
    "postgres_source",
    "resolve",
    "sqlite_readers",
    "sqlite_source",
]

_MAGIC = b"SQLite format 3\x00"
_BUSY_SECONDS = 30.0
_ATTEMPTS = 5

# What the text of values depends on. Set in every transaction, since behind PgBouncer sessions are shared.
_SETTINGS = (
    "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; "
    "SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL xmloption = 'content'; "
    "SET LOCAL statement_timeout = 0; SET LOCAL standard_conforming_strings = on"
)


def resolve(endpoint: Any) -> DatabaseConfig:
    """The configuration of an adapter, a URL or a configuration itself. Raises `ConfigError` for anything else."""
    if isinstance(endpoint, DatabaseConfig):
        return endpoint
    if isinstance(endpoint, str):
        return DatabaseConfig.from_url(endpoint)
    config, db_type = getattr(endpoint, "config", None), getattr(endpoint, "db_type", None)
    if isinstance(config, DatabaseConfig) and isinstance(db_type, DatabaseType):
        return attrs.evolve(config, db_type=db_type)
    raise ConfigError(f"an adapter, a DatabaseConfig or a URL is wanted, not {endpoint!r}")


def direction(source: DatabaseConfig, target: DatabaseConfig) -> str:
    """Which way a transfer goes. Raises `ConfigError` where both ends are of the same kind."""
    if source.db_type is target.db_type:
        both = f"{source.db_type.value} ({display(source)} and {display(target)})"
        raise ConfigError(f"both ends are {both}; a transfer goes from one kind to the other")
    return f"{source.db_type.value}-{target.db_type.value}"


def display(config: DatabaseConfig) -> str:
    """The configuration as a URL without its password."""
    if config.db_type is DatabaseType.SQLITE:
        return f"sqlite:///{quote(config.sqlite_path)}"
    pool = config.pool
    user = f"{quote(pool.user, safe='')}@" if pool.user else ""
    database = quote(pool.database, safe="")
    if pool.host.startswith("/"):
        return f"postgresql://{user}/{database}?host={quote(pool.host, safe='/')}&port={pool.port}"
    nodes = ",".join(
        f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in pool.primary_nodes
    )
    return f"postgresql://{user}{nodes}/{database}"


# -- SQLite --------------------------------------------------------------------------------------------------------


def _checked_path(config: DatabaseConfig) -> str:
    path = config.sqlite_path
    if path == ":memory:":
        raise ConfigError("a database in memory belongs to its one connection; a transfer needs a file")
    return path


@contextmanager
def sqlite_source(config: DatabaseConfig) -> Iterator[sqlite3.Connection]:
    """A connection that only reads, inside one read transaction; the file and its side files stay as they were.

    Raises `DatabaseUnavailable` saying what is wrong with the file.
    """
    with sqlite_readers(config, several=False) as (raw, *_):
        yield raw


@contextmanager
def sqlite_readers(config: DatabaseConfig, *, several: bool = True) -> Iterator[list[sqlite3.Connection]]:
    """Connections like that of `sqlite_source` that all see the same moment, each for a thread of its own.

    There are two, or one where a second is not asked for, or where writers keep it from seeing that moment.
    """
    path = _checked_path(config)
    _check_header(path)
    side_files = [path + "-wal", path + "-shm"]
    left_alone = any(map(os.path.exists, side_files))
    with reporting(f"cannot read {path}"):
        try:
            with ExitStack() as stack:
                first, options = _connect_read_only(path)
                stack.enter_context(closing(first))
                second = _second_reader(first, path, options) if several else None
                if second is not None:
                    stack.enter_context(closing(second))
                yield [first] if second is None else [first, second]
        finally:
            if not left_alone and any(map(os.path.exists, side_files)):
                _remove_side_files(path)


def _second_reader(first: sqlite3.Connection, path: str, options: str) -> sqlite3.Connection | None:
    """Another connection that sees the same moment as `first`, which begins anew for it; None if it cannot be had."""
    second = _open_read_only(path, options)
    try:
        for _ in range(_ATTEMPTS):
            if _begin_together(first, second):
                return second
    except sqlite3.OperationalError:
        pass  # a writer waits for the first to end, say
    except BaseException:
        second.close()
        raise
    second.close()
    if not first.in_transaction:
        _begin(first)
    return None


def _begin_together(first: sqlite3.Connection, second: sqlite3.Connection) -> bool:
    """Let both begin a read transaction; whether nothing was committed between the one's beginning and the other's."""
    for raw in (second, first):
        if raw.in_transaction:
            raw.execute("ROLLBACK")
    # A connection's data_version changes when others commit. The second asks for it before the first begins.
    before = second.execute("PRAGMA data_version").fetchone()
    _begin(first)
    second.execute("PRAGMA busy_timeout = 0")  # a writer that waits for the first to end would wait for both
    _begin(second)
    return bool(second.execute("PRAGMA data_version").fetchone() == before)


def _check_header(path: str) -> None:
    """Raise `DatabaseUnavailable` saying why, unless there is a readable file that is empty or an SQLite database."""
    try:
        with open(path, "rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise DatabaseUnavailable(f"there is no file {path}") from None
    except IsADirectoryError:
        raise DatabaseUnavailable(f"{path} is a directory, not an SQLite file") from None
    except OSError as error:
        raise DatabaseUnavailable(f"cannot read {path}: {error.strerror}") from error
    if head and head != _MAGIC:
        raise DatabaseUnavailable(f"{path} is not an SQLite database (or it is encrypted)")


def _connect_read_only(path: str) -> tuple[sqlite3.Connection, str]:
    """A connection inside a read transaction, and the options it was opened with."""
    for options in ("mode=ro", "mode=ro&immutable=1"):
        raw = _open_read_only(path, options)
        try:
            _begin(raw)
        except sqlite3.OperationalError as error:
            raw.close()
            # A file in WAL mode in a directory where nothing can be written: nobody else has it open either,
            # for they would have had to make a -wal file.
            alone = error.sqlite_errorname.startswith("SQLITE_CANTOPEN") and not os.path.exists(path + "-wal")
            if options != "mode=ro" or not alone:
                raise
        except sqlite3.Error:
            raw.close()
            raise
        else:
            return raw, options
    raise AssertionError("unreachable")


def _open_read_only(path: str, options: str) -> sqlite3.Connection:
    uri = f"{Path(path).absolute().as_uri()}?{options}"
    raw = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    try:
        raw.execute("PRAGMA query_only = ON")
        raw.execute("PRAGMA cell_size_check = ON")
    except BaseException:
        raw.close()
        raise
    return raw


def _begin(raw: sqlite3.Connection) -> None:
    """Begin a read transaction: it sees the moment of its first query."""
    raw.execute("BEGIN")
    raw.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _remove_side_files(path: str) -> None:
    """Empty -wal and -shm files that reading made: the last connection that may write takes them away."""
    try:
        with closing(sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=rw", uri=True)) as raw:
            raw.execute("PRAGMA wal_autocheckpoint = 0")
            raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error:
        pass  # no right to write: the empty files stay


@contextmanager
def open_sqlite(config: DatabaseConfig) -> Iterator[sqlite3.Connection]:
    """A connection that writes, to a file that is made when missing."""
    path = _checked_path(config)
    if os.path.isdir(path):
        raise DatabaseUnavailable(f"{path} is a directory, not an SQLite file")
    if os.path.exists(path):
        _check_header(path)
    with reporting(f"cannot write {path}"):
        if directory := os.path.dirname(path):
            os.makedirs(directory, exist_ok=True)
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
        with closing(raw):
            raw.execute("SELECT count(*) FROM sqlite_master").fetchone()
            yield raw


# -- Postgres ------------------------------------------------------------------------------------------------------


@contextmanager
def open_postgres(config: DatabaseConfig, *, writing: bool = True) -> Iterator[psycopg.Connection[Any]]:
    """A connection in autocommit mode; use `settings` at the start of each transaction.

    Args:
        config: the database; of several servers the primary is chosen, for reading too: it has everything.
        writing: a replica will not do, where there are only replicas.

    Raises `DatabaseUnavailable` if no primary answers.
    """
    raw = _connect_primary(
        attrs.evolve(config.pool, statement_timeout=None, application_name="dbadapter transfer"),
        writing=writing,
    )
    try:
        raw.execute("SET client_min_messages = warning")
        yield raw
    finally:
        raw.close()


def _connect_primary(pool: PoolConfig, *, writing: bool) -> psycopg.Connection[Any]:
    from .._drivers.postgres import connect
    from .._drivers.postgres_types import PostgresCatalog

    failure: DatabaseUnavailable | None = None
    replicas: list[psycopg.Connection[Any]] = []
    try:
        for host, port in pool.primary_nodes:
            try:
                raw = connect(host, port, pool, PostgresCatalog()).raw
            except DatabaseUnavailable as error:
                failure = error
                continue
            row = raw.execute("SELECT pg_is_in_recovery()").fetchone()
            if len(pool.primary_nodes) == 1 or (row and not row[0]):
                return raw
            replicas.append(raw)
        if failure is not None:  # perhaps the primary's
            raise failure
        if writing:
            raise DatabaseUnavailable(f"none of {pool.host} takes writes: they are replicas")
        return replicas.pop()
    finally:
        for replica in replicas:
            replica.close()


def settings(raw: psycopg.Connection[Any]) -> None:
    """Make the text of values independent of the server's configuration, in the transaction that just began."""
    raw.execute(_SETTINGS)


@contextmanager
def postgres_source(config: DatabaseConfig) -> Iterator[psycopg.Connection[Any]]:
    """A connection that only reads, inside one snapshot."""
    with open_postgres(config, writing=False) as raw:
        with reporting("cannot read from Postgres"):
            raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            settings(raw)
            # Rows that a policy would hide must not be missing silently: this makes it an error.
            raw.execute("SET LOCAL row_security = off")
            yield raw
            raw.execute("COMMIT")
