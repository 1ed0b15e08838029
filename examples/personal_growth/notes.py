"""Notes with their embeddings in one database: found by meaning, moved to Postgres and back.

    python notes.py --sqlite growth.db --postgres postgresql://me@localhost/growth [--chroma chroma_data/]

Notes live in SQLite, their vectors beside them, tied to them by cascade. A Chroma directory that held the vectors
before is imported. Then rows and vectors move to PostgreSQL with pgvector, are searched there, and move back.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import DatabaseAdapterError
from dbadapter.schema import Column, Schema, Table
from dbadapter.schema import types as t
from dbadapter.vectors import copy_collections, import_chroma
from dbadapter.vectors.copy import verify_collections

DIMENSION = 384
EMBEDDINGS = "note_embeddings"
SCHEMA = Schema(
    [
        Table("projects", Column("id", t.Identity()), Column("name", t.Varchar(200), nullable=False)),
        Table(
            "notes",
            Column("id", t.Identity()),
            Column("project_id", t.Integer(), references="projects.id", on_delete="cascade"),
            Column("body", t.Text(), nullable=False),
        ),
        Table(
            "tasks",
            Column("id", t.Identity()),
            Column("title", t.Varchar(500), nullable=False),
            Column("status", t.Enum("pending", "done"), default="pending"),
            Column("note_id", t.Integer(), references="notes.id", on_delete="cascade"),
        ),
    ]
)


class Words:
    """Stands for all-MiniLM-L6-v2 where no model can be downloaded: the same words give similar vectors.

    For the real thing: ``dbadapter.vectors.SentenceTransformer()``.
    """

    def name(self) -> str:
        return "example-words"

    def __call__(self, input: list[str]) -> list[Any]:
        return [self._vector(text) for text in input]

    def _vector(self, text: str) -> Any:
        vector = np.zeros(DIMENSION, np.float32)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.strip(".,!?").encode()).digest()[:8], "big")
            vector += np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
        return vector / (np.linalg.norm(vector) or 1)


class Notebook:
    """The app's verbs; nothing in them knows which database it is."""

    def __init__(self, db: DatabaseAdapter) -> None:
        self.db = db

    def prepare(self) -> None:
        """Make the tables, and the collection tied to them."""
        self.db.create_tables(SCHEMA)
        self._embeddings(self.db)

    def _embeddings(self, executor: Any) -> Any:
        return executor.vectors.get_or_create_collection(
            EMBEDDINGS, dimension=DIMENSION, embedding_function=Words(), references="notes.id"
        )

    def write(self, project: str, bodies: list[str]) -> list[int]:
        """Add notes and their vectors: all of them, or none."""
        with self.db.transaction() as tx:
            owner = tx.fetch_value("INSERT INTO projects (name) VALUES (?) RETURNING id", [project])
            insert = "INSERT INTO notes (project_id, body) VALUES (?, ?) RETURNING id"
            keys = [tx.fetch_value(insert, [owner, body]) for body in bodies]
            tx.vectors.get_collection(EMBEDDINGS, embedding_function=Words()).add(
                keys, documents=bodies, metadatas=[{"project": project}] * len(keys)
            )
        return keys

    def find(self, text: str, k: int = 3, project: str | None = None) -> list[int]:
        """The notes nearest in meaning."""
        where = None if project is None else {"project": project}
        return [int(match.id) for match in self._embeddings(self.db).search(text, k, where=where)]

    def forget(self, note: int) -> None:
        """Delete a note; its vector goes with it."""
        self.db.execute("DELETE FROM notes WHERE id = ?", [note])

    def adopt(self, directory: Path) -> int:
        """Import what a Chroma directory holds; raises if anything would be lost."""
        report = import_chroma(directory, self.db)
        if not report.complete:
            raise DatabaseAdapterError(f"the Chroma directory is not whole: {report}")
        return report.imported

    def index(self) -> None:
        """IVFFlat for a start; HNSW once there are many."""
        collection = self._embeddings(self.db)
        collection.create_index("hnsw" if collection.count() > 10_000 else "ivfflat")


def move(source: DatabaseAdapter, target: DatabaseAdapter) -> int:
    """Rows first, in dependency order, then the vectors that are tied to them; both verified."""
    target.create_tables(SCHEMA)
    for table in ("projects", "notes", "tasks"):
        target.insert_many(
            table, source.fetch_all(f"SELECT * FROM {table} ORDER BY id"), on_conflict="update"
        )
        count = f"SELECT count(*) FROM {table}"
        if source.fetch_value(count) != target.fetch_value(count):
            raise DatabaseAdapterError(f"{table} has rows that the source has not")
    copy_collections(source, target)
    return verify_collections(source, target)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sqlite", required=True, help="the SQLite file")
    parser.add_argument("--postgres", required=True, help="the URL of an empty PostgreSQL database")
    parser.add_argument("--chroma", type=Path, help="a Chroma directory to import")
    options = parser.parse_args(arguments)
    with (
        DatabaseAdapter(DatabaseConfig(sqlite_path=options.sqlite)) as local,
        DatabaseAdapter(DatabaseConfig.from_url(options.postgres)) as server,
    ):
        notebook = Notebook(local)
        notebook.prepare()
        garden = notebook.write(
            "garden", ["Water the tomatoes", "Prune the old apple tree", "Buy tomato seeds"]
        )
        notebook.write("running", ["Run ten kilometres", "Buy new running shoes"])
        if options.chroma is not None:
            print(f"imported {notebook.adopt(options.chroma)} records from Chroma")
        before = notebook.find("buy shoes")
        print("on SQLite:", before)
        print(f"moved {move(local, server)} vectors to PostgreSQL, bit for bit")
        there = Notebook(server)
        there.index()
        print("on PostgreSQL:", there.find("buy shoes"))
        assert there.find("buy shoes") == before
        there.forget(garden[0])
        assert garden[0] not in there.find("tomatoes", k=10)
        local.execute("DELETE FROM notes WHERE id = ?", [garden[0]])
        print(f"moved {move(server, local)} vectors back")
        assert notebook.find("tomatoes", k=10, project="garden") == there.find(
            "tomatoes", k=10, project="garden"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
