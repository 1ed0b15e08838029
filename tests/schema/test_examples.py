"""The examples about schemas run, on both backends, and print what their pages say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from dbadapter import DatabaseConfig, DatabaseType
from dbadapter.schema import Schema

EXAMPLES = Path(__file__).parents[2] / "examples"


def _url(config: DatabaseConfig) -> str:
    if config.db_type is DatabaseType.SQLITE:
        return f"sqlite:///{config.sqlite_path}"
    pool = config.pool
    password = pool.password() if callable(pool.password) else pool.password
    secret = f":{quote(password)}" if password else ""
    return f"postgresql://{pool.user}{secret}@{pool.host}:{pool.port}/{pool.database}"


def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=dict(os.environ), timeout=100, check=False
    )


def test_polyglot(config: DatabaseConfig) -> None:
    """36 tables are made from Python, show no drift, show drift when one is changed, and are dropped."""
    script, url = EXAMPLES / "polyglot" / "manage.py", _url(config)
    assert _run(script, "check", "--url", url).returncode == 1
    made = _run(script, "create", "--url", url)
    assert (made.returncode, made.stdout) == (0, f"made 36 of 36 tables on {config.db_type.value}\n"), (
        made.stderr
    )
    again = _run(script, "create", "--url", url)
    assert again.stdout == f"made 0 of 36 tables on {config.db_type.value}\n"
    checked = _run(script, "check", "--url", url)
    assert (checked.returncode, checked.stdout) == (0, "0 differences in 36 tables\n"), checked.stderr
    dropped = _run(script, "drop", "--url", url)
    assert (dropped.returncode, dropped.stdout) == (0, "dropped\n"), dropped.stderr


def test_polyglot_exports_what_is_committed(tmp_path: Path) -> None:
    """The exported SQL in the repository is that of the tables, and reads back as the same schema."""
    assert _run(EXAMPLES / "polyglot" / "manage.py", "export", str(tmp_path)).returncode == 0
    for dialect in ("postgresql", "sqlite"):
        text = (tmp_path / f"{dialect}.sql").read_text(encoding="utf-8")
        assert text == (EXAMPLES / "polyglot" / "sql" / f"{dialect}.sql").read_text(encoding="utf-8")
        schema = Schema.from_sql(text, dialect)
        assert (len(schema), schema.skipped) == (36, ())


def test_polyglot_queries(postgres_database: DatabaseConfig) -> None:
    """The exported SQL runs as it is, and every query meant for generated code can be prepared against it."""
    queries = (EXAMPLES / "polyglot" / "queries.sql").read_text(encoding="utf-8")
    with psycopg.connect(_url(postgres_database), autocommit=True) as connection:
        connection.execute((EXAMPLES / "polyglot" / "sql" / "postgresql.sql").read_text(encoding="utf-8"))
        found = re.findall(r"-- name: (\w+) :\w+\n(.*?);", queries, re.DOTALL)
        assert len(found) == 6
        for name, query in found:
            connection.execute(f"PREPARE {name} AS {query}")


@pytest.mark.parametrize("keep", [False, True])
def test_chat_sessions(config: DatabaseConfig, keep: bool) -> None:
    """The same script of tables and the same program give the same output on both backends."""
    page = (EXAMPLES / "chat_sessions" / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```text\n(.*?)```", page, re.DOTALL)
    assert block is not None
    expected = block.group(1).replace("tables: none\n", "") if keep else block.group(1)
    for _ in range(2):  # with the tables left there, the second run finds them
        found = _run(
            EXAMPLES / "chat_sessions" / "sessions.py", "--url", _url(config), *(["--keep"] if keep else [])
        )
        assert (found.returncode, found.stdout) == (0, expected), found.stderr
