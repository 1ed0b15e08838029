"""The examples that live on vectors, run as their READMEs say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dbadapter import DatabaseConfig
from tests.vectors.test_chroma_import import chroma, expected, original
from tests.vectors.test_processes import url_of

__all__ = ["chroma", "expected", "original"]  # fixtures

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(script: str, *arguments: str, **environment: str) -> str:
    """What an example prints; it has to end well, and warnings are errors."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("DB_", "PG", "DATABASE_"))
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / script), *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        env={**kept, **environment},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_personal_growth_moves_to_postgres_and_back(
    postgres_database: DatabaseConfig, tmp_path: Path
) -> None:
    """Notes are found alike on both databases, before and after the moves."""
    out = run(
        "personal_growth/notes.py",
        *("--sqlite", str(tmp_path / "growth.db"), "--postgres", url_of(postgres_database)),
    )
    assert "moved 5 vectors to PostgreSQL, bit for bit" in out
    assert "moved 4 vectors back" in out


def test_personal_growth_adopts_a_chroma_directory(
    postgres_database: DatabaseConfig, tmp_path: Path, chroma: Path
) -> None:
    """The collections of a real Chroma directory move along."""
    out = run(
        "personal_growth/notes.py",
        *("--sqlite", str(tmp_path / "growth.db"), "--postgres", url_of(postgres_database)),
        *("--chroma", str(chroma)),
    )
    assert "records from Chroma" in out
    shutil.rmtree(chroma)


@pytest.mark.parametrize("settings", [{}, {"DB_SYNCHRONIZE": "true", "DB_LOGGING": "true"}])
def test_conversations_retrieve_what_is_near_enough(config: DatabaseConfig, settings: dict[str, str]) -> None:
    """Three contexts at most, none too far: an unknown matter is answered with not knowing."""
    out = run("conversations/retrieval.py", "--url", url_of(config), **settings).splitlines()
    answers = [line for line in out if line.startswith(("Holidays", "I do", "Tea"))]
    assert answers == ["Holidays are requested in March", "I do not know.", "Tea is in the left cupboard"]
