"""Processes that are killed in the middle of adding, and processes that add at the same time."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from tests.vectors.worker import vector_of

KILLS = 20  # on each backend


def url_of(config: DatabaseConfig) -> str:
    """The database's address, for another process."""
    if config.db_type is DatabaseType.SQLITE:
        return f"sqlite:///{config.sqlite_path}"
    pool = config.pool
    return (
        f"postgresql://{pool.user}:{pool.password or ''}@/{pool.database}?host={pool.host}&port={pool.port}"
    )


@contextmanager
def worker(config: DatabaseConfig, first: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """A process that is ready to add."""
    script = Path(__file__).with_name("worker.py")
    process = subprocess.Popen(
        [sys.executable, str(script), url_of(config), str(first), str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def start(process: subprocess.Popen[str]) -> None:
    """Let it add."""
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


@pytest.fixture
def adapter(config: DatabaseConfig, identity: str) -> Iterator[DatabaseAdapter]:
    """Notes and their vectors, empty."""
    with DatabaseAdapter(config) as adapter:
        adapter.execute(f"CREATE TABLE notes (id {identity}, body TEXT)")
        adapter.vectors.create_collection("notes", dimension=3, metric="l2", references="notes.id")
        yield adapter


def check(adapter: DatabaseAdapter, collection: Any, acknowledged: set[int]) -> set[int]:
    """Rows, vectors, metadata and searches agree, and nothing acknowledged is missing."""
    rows = {row["id"] for row in adapter.fetch_all("SELECT id FROM notes")}
    assert acknowledged <= rows
    got = collection.get(include=["embeddings", "metadatas", "documents"])
    assert {int(each) for each in got["ids"]} == rows
    for at, each in enumerate(got["ids"]):
        assert got["embeddings"][at].tolist() == vector_of(int(each))
        assert got["metadatas"][at] == {"parity": int(each) % 2}
        assert got["documents"][at] == f"note {each}"
    found = collection.query([[0, 0, 0]], n_results=100_000)["ids"][0]
    assert {int(each) for each in found} == rows
    odd = collection.query([[0, 0, 0]], n_results=100_000, where={"parity": 1})["ids"][0]
    assert {int(each) for each in odd} == {each for each in rows if each % 2}
    return rows


@pytest.mark.timeout(300)
def test_a_killed_process_leaves_rows_and_vectors_agreeing(
    config: DatabaseConfig, adapter: DatabaseAdapter
) -> None:
    """After each of many kills in mid-add, both sides have the same notes, each whole or not at all."""
    chance = random.Random(4)
    collection = adapter.vectors.get_collection("notes")
    acknowledged: set[int] = set()
    for attempt in range(KILLS):
        with worker(config, attempt * 10_000, 10_000) as process:
            assert process.stdout is not None
            start(process)
            for _ in range(chance.randint(0, 6)):
                acknowledged.update(map(int, process.stdout.readline().split()))
            process.kill()
            rest, _ = process.communicate()
            whole = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
            acknowledged.update(int(key) for line in whole for key in line.split())
        check(adapter, collection, acknowledged)
    assert len(acknowledged) > KILLS


def test_two_processes_adding_at_once_lose_nothing(config: DatabaseConfig, adapter: DatabaseAdapter) -> None:
    """Both processes, and a third one that only watches, end up seeing all that each of them added."""
    collection = adapter.vectors.get_collection("notes")
    with worker(config, 0, 200) as one, worker(config, 1000, 200) as other:
        start(one)
        start(other)
        seen = 0
        while one.poll() is None or other.poll() is None:
            found = len(collection.query([[0, 0, 0]], n_results=1000)["ids"][0])
            assert found >= seen
            assert found % 2 == 0
            seen = found
        outputs = [process.communicate()[0].splitlines() for process in (one, other)]
    acknowledged = {int(key) for lines in outputs for line in lines[:-1] for key in line.split()}
    assert len(acknowledged) == 400
    assert max(int(lines[-1].split()[1]) for lines in outputs) == 400
    assert check(adapter, collection, acknowledged) == acknowledged
