"""Real databases move to Postgres and back with every value accounted for."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from dbadapter import DatabaseConfig

from .moving import content, move

VARIABLE = "DBADAPTER_SAMPLE_DATA"
NAMES = ("bad-utf8", "chinook", "northwind", "pgloader-sqlite", "pgloader-storage", "sakila", "type-mismatch")

# What cannot be text in Postgres: values that are not UTF-8, and the rows of which they were a needed part.
REJECTED_VALUES = {"bad-utf8": 1, "northwind": 838}


@pytest.mark.parametrize("name", NAMES)
def test_sample(name: str, tmp_path: Path, postgres_database: DatabaseConfig) -> None:
    """Every value arrives or stands in the rejects, and comes back to the byte; the file itself is not touched."""
    directory = os.environ.get(VARIABLE)
    if not directory:
        pytest.skip(f"sample data: {VARIABLE} names no directory with the sample databases")
    home = Path(directory)
    path = next(home.glob(f"**/{name}.sqlite"), home / "sqlite" / f"{name}.sqlite")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    source = DatabaseConfig(sqlite_path=str(path))
    _, report = move(source, postgres_database)
    assert report.verified, report.check
    assert report.rejects == REJECTED_VALUES.get(name, 0)
    assert report.orphans == []
    back = DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    _, returned = move(postgres_database, back)
    assert returned.verified, returned.check
    assert returned.rejects == 0
    before, after = content(source), content(back)
    assert after.rows.keys() == before.rows.keys()
    for table, rows in before.rows.items():
        assert after.rows[table] == rows
    assert after.schema == before.schema
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
