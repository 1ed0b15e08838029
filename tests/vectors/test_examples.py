"""The examples that live on vectors, run as their READMEs say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
import pytest

from dbadapter import DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from tests.vectors.test_chroma_import import chroma_python
from tests.vectors.test_processes import url_of

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str, ends: int = 0, **environment: str) -> str:
    """What an example prints, errors and logs included; warnings are errors."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DB_", "PG", "DATABASE_", "GROWTH_"))
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / script), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        env={**kept, **environment},
        check=False,
    )
    assert done.returncode == ends, done.stdout
    return done.stdout


def printed(example: str) -> list[str]:
    """What an example's README says it prints."""
    text = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
    return text.split("```text\n")[1].split("```")[0].splitlines()


def test_personal_growth_moves_to_postgres_and_back(
    postgres_database: DatabaseConfig, tmp_path: Path
) -> None:
    """The whole way with a Chroma directory and the rows it belongs to prints what the README says."""
    old = [str(tmp_path / "growth.db"), str(tmp_path / "chroma")]
    script = EXAMPLES / "personal_growth" / "old_store.py"
    subprocess.run([chroma_python(), str(script), *old], check=True, timeout=100)
    places = {"GROWTH_SQLITE": old[0], "GROWTH_CHROMA": old[1], "GROWTH_POSTGRES": url_of(postgres_database)}
    assert run("personal_growth/notes.py", **places).splitlines() == printed("personal_growth")


def test_personal_growth_begins_without_chroma(postgres_database: DatabaseConfig, tmp_path: Path) -> None:
    """Without a Chroma directory the app begins empty and goes the same way."""
    places = ("--sqlite", str(tmp_path / "growth.db"), "--postgres", url_of(postgres_database))
    out = run("personal_growth/notes.py", *places).splitlines()
    assert out[-2] == (
        "rolled back to SQLite: {'projects': 3, 'notes': 2004, 'tasks': 2, 'vectors': 2004}, verified: True"
    )


def test_conversations(config: DatabaseConfig) -> None:
    """Three contexts at most, none too far, and an unknown matter is answered with not knowing; as the README says."""
    out = run("conversations/retrieval.py", "--url", url_of(config))
    assert out.splitlines() == printed("conversations")


def settings_of(config: DatabaseConfig, name: str) -> dict[str, str]:
    """The DB_* environment of a server's database of that name."""
    pool = config.pool
    password = pool.password() if callable(pool.password) else pool.password
    return {
        "DB_TYPE": "postgres",
        "DB_HOST": pool.host,
        "DB_PORT": str(pool.port),
        "DB_USER": pool.user or "",
        "DB_PASSWORD": password or "",
        "DB_NAME": name,
    }


def test_conversations_make_their_database(
    postgres_database: DatabaseConfig, postgres_server: EmbeddedPostgres
) -> None:
    """DB_* says where; a missing database is created, DB_SYNCHRONIZE makes the tables, DB_LOGGING logs statements."""
    name = f"chat_{uuid.uuid4().hex}"
    places = settings_of(postgres_database, name)
    try:
        missing = run("conversations/retrieval.py", ends=1, **places)
        assert "set DB_SYNCHRONIZE=true" in missing
        out = run("conversations/retrieval.py", **places, DB_SYNCHRONIZE="true", DB_LOGGING="true")
    finally:
        with psycopg.connect(postgres_server.url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    assert [line for line in out.splitlines() if line in printed("conversations")] == printed("conversations")
    assert "dbadapter.query" in out
    assert "INSERT INTO messages" in out
    assert "'Who painted" not in out  # values are not logged


def test_conversations_insist_on_tls(postgres_database: DatabaseConfig) -> None:
    """DB_SSL=true means TLS with the certificate checked: a server without it is refused, in words."""
    places = settings_of(postgres_database, postgres_database.pool.database or "")
    said = run("conversations/retrieval.py", ends=1, **places, DB_SSL="true", DB_SYNCHRONIZE="true")
    assert "SSL" in said
    assert places["DB_PASSWORD"] not in said


@pytest.mark.parametrize("example", ["conversations", "personal_growth"])
def test_what_a_user_expects_is_there(example: str) -> None:
    """Each example has its README, a server to start and an environment to copy, which name the same settings."""
    home = EXAMPLES / example
    environment = dict(
        line.lstrip("# ").split("=", 1)
        for line in (home / ".env.example").read_text(encoding="utf-8").splitlines()
        if "=" in line
    )
    wanted = set(re.findall(r"\$\{(\w+)", (home / "compose.yaml").read_text(encoding="utf-8")))
    assert wanted <= environment.keys()
    scripts = [file.read_text(encoding="utf-8") for file in home.glob("*.py")]
    assert {name for text in scripts for name in re.findall(r"GROWTH_\w+", text)} <= environment.keys()
