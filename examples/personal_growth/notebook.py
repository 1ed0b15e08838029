"""The app's verbs; nothing in them knows which database it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model import DIMENSION, Words
from tables import SCHEMA

from dbadapter import DatabaseAdapter
from dbadapter.vectors import ImportReport, import_chroma

EMBEDDINGS = "note_embeddings"
BATCH = 500
# From so many notes on, IVFFlat's lists have to be made anew too often.
MANY = 2000


class Notebook:
    """Projects with their notes and tasks; notes are found by meaning."""

    def __init__(self, db: DatabaseAdapter) -> None:
        self.db = db

    def prepare(self) -> None:
        """Make what is missing: the tables, and the vectors tied to the notes."""
        self.db.create_tables(SCHEMA)
        self.embeddings(self.db)

    def embeddings(self, executor: Any) -> Any:
        """The notes' vectors: deleting a note deletes its own."""
        return executor.vectors.get_or_create_collection(
            EMBEDDINGS, dimension=DIMENSION, embedding_function=Words(), references="notes.id"
        )

    def adopt(self, directory: Path) -> ImportReport:
        """Take over the vectors of a Chroma directory, which is only read."""
        return import_chroma(directory, self.db, collections=[EMBEDDINGS], embedding_function=Words())

    def project(self, name: str, goal: str | None = None) -> int:
        """A project's key; the project is made when there is none of that name."""
        found = self.db.fetch_value("SELECT id FROM projects WHERE name = ?", [name])
        insert = "INSERT INTO projects (name, goal) VALUES (?, ?) RETURNING id"
        return found if found is not None else self.db.fetch_value(insert, [name, goal])

    def write(self, project: str, bodies: list[str]) -> list[int]:
        """Add notes with their vectors, in batches: of each batch all of them, or none."""
        owner, keys = self.project(project), []
        for start in range(0, len(bodies), BATCH):
            some = bodies[start : start + BATCH]
            with self.db.transaction() as tx:
                insert = "INSERT INTO notes (project_id, body) VALUES (?, ?) RETURNING id"
                new = [tx.fetch_value(insert, [owner, body]) for body in some]
                metadatas = [{"project": project}] * len(new)
                self.embeddings(tx).add(new, documents=some, metadatas=metadatas)
            keys += new
        return keys

    def find(self, text: str, k: int = 3, project: str | None = None) -> list[str]:
        """The notes nearest in meaning."""
        where = None if project is None else {"project": project}
        return [match.document for match in self.embeddings(self.db).search(text, k, where=where)]

    def plan(self, project: str, title: str, note: int | None = None) -> int:
        """Add a task."""
        insert = "INSERT INTO tasks (project_id, note_id, title) VALUES (?, ?, ?) RETURNING id"
        key: int = self.db.fetch_value(insert, [self.project(project), note, title])
        return key

    def finish(self, task: int) -> None:
        """Tick a task off."""
        self.db.execute("UPDATE tasks SET status = 'done' WHERE id = ?", [task])

    def forget(self, note: int) -> None:
        """Delete a note; its vector goes with it."""
        self.db.execute("DELETE FROM notes WHERE id = ?", [note])

    def index(self) -> str:
        """IVFFlat for a start, HNSW once there are many; the kind that was made."""
        collection = self.embeddings(self.db)
        kind = "hnsw" if collection.count() >= MANY else "ivfflat"
        collection.create_index(kind)
        return kind

    def counts(self) -> dict[str, int]:
        """How much there is."""
        tables = ("projects", "notes", "tasks")
        found = {name: self.db.fetch_value(f"SELECT count(*) FROM {name}") for name in tables}
        return {**found, "vectors": self.embeddings(self.db).count()}
