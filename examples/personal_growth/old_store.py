"""What the app had before: rows in SQLite, vectors in a Chroma directory. Needs chromadb, and not dbadapter.

python old_store.py growth.db chroma_data/
"""

from __future__ import annotations

import sqlite3
import sys

import chromadb
from model import Words

NOTES = ["Sleep eight hours", "Call grandmother on Sundays", "Buy a bicycle"]


def main(file: str, directory: str) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(
        """
        CREATE TABLE projects (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(200) NOT NULL UNIQUE,
            goal TEXT, created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP);
        CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT,
            project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
            body TEXT NOT NULL, mood SMALLINT, created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP);
        INSERT INTO projects (name) VALUES ('life');
        """
    )
    client = chromadb.PersistentClient(directory, settings=chromadb.Settings(anonymized_telemetry=False))
    collection = client.create_collection(
        "note_embeddings", embedding_function=None, metadata={"hnsw:space": "cosine"}
    )
    with connection:
        for body in NOTES:
            key = connection.execute("INSERT INTO notes (project_id, body) VALUES (1, ?)", [body]).lastrowid
            collection.add(
                [str(key)],
                embeddings=Words()([body]),
                documents=[body],
                metadatas=[{"project": "life"}],
            )
    # A note that was deleted in one store and forgotten in the other.
    collection.add(["99"], embeddings=Words()(["Gone"]), documents=["Gone"], metadatas=[{"project": "life"}])
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
