"""The pytest plugin, used by a project of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = """
import pytest
from dbadapter.schema import Column, Schema, Table, types as t

pytest_plugins = ["dbadapter.testing"]

@pytest.fixture(scope="session")
def dbadapter_schema():
    return Schema([Table("notes", Column("id", t.BigInteger(), primary_key=True), Column("title", t.Text()))])
"""

TESTS = """
import pytest
from dbadapter import AsyncDatabaseAdapter, DatabaseType

@pytest.mark.parametrize("run", range(3))
def test_it_is_empty_each_time(db, run):
    assert db.fetch_all("SELECT * FROM notes") == []
    db.execute("INSERT INTO notes VALUES (1, 'x')")
    db.execute("CREATE TABLE other (id INTEGER)")

def test_one_backend(postgres_db_config, sqlite_db_config):
    assert postgres_db_config.db_type is DatabaseType.POSTGRESQL
    assert sqlite_db_config.db_type is DatabaseType.SQLITE

def test_async(db_config):
    import asyncio
    async def ask():
        async with AsyncDatabaseAdapter(db_config) as adapter:
            return await adapter.list_tables()
    assert asyncio.run(ask()) == ["notes"]
"""


def run_pytest(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the project's tests."""
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", *words]
    quickly = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the project has no other plugins
    return subprocess.run(
        command, cwd=directory, env=quickly, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the plugin."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    return tmp_path


def test_each_test_has_a_database_of_its_own(project: Path) -> None:
    """Each runs once on each backend, with the tables and without another test's rows."""
    done = run_pytest(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout


def test_one_backend_is_enough(project: Path) -> None:
    """``--dbadapter sqlite`` leaves out Postgres where a test does not insist on it."""
    done = run_pytest(project, "--dbadapter", "sqlite", "-k", "not one_backend")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_a_wrong_schema_is_named(project: Path) -> None:
    """What the schema fixture may give is said."""
    (project / "conftest.py").write_text(CONFTEST.replace("return Schema(", "return list("))
    done = run_pytest(project, "--dbadapter", "sqlite", "-k", "empty")
    assert done.returncode != 0
    assert "dbadapter_schema must give" in done.stdout
