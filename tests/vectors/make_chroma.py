"""Makes a Chroma directory with the real thing: python make_chroma.py DIRECTORY EXPECTED.json.

Runs under whatever Python has chromadb, so it imports nothing of ours.
"""

from __future__ import annotations

import json
import random
import sys
from typing import Any

import chromadb
from chromadb.config import Settings

SPACES = {"cosines": "cosine", "small": "l2", "inner": "ip", "empty": "l2"}
COUNTS = {"cosines": 1300, "small": 30, "inner": 1200, "empty": 0}


def vectors(chance: random.Random, count: int) -> list[list[float]]:
    """Random vectors."""
    return [[chance.uniform(-1, 1) for _ in range(6)] for _ in range(count)]


def fill(collection: Any, name: str, count: int) -> None:
    """Add, delete, update and upsert, so that index, queue and tables all have their share."""
    chance = random.Random(name)
    lists = chromadb.__version__ >= "1.5"
    for start in range(0, count, 100):
        some = range(start, min(count, start + 100))
        metadatas: list[dict[str, Any]] = [
            {"i": at, "f": at / 3, "s": f"s{at % 7} é", "b": at % 2 == 0, **({"l": [1, at]} if lists else {})}
            for at in some
        ]
        collection.add(
            ids=[f"{name}{at}" for at in some],
            embeddings=vectors(chance, len(some)),
            metadatas=metadatas,
            documents=[f"document {at} 😀" for at in some],
        )
    if not count:
        return
    collection.delete(ids=[f"{name}{at}" for at in range(0, count, 17)])
    moved = [f"{name}{at}" for at in range(1, count, 19) if at % 17]
    collection.update(ids=moved, embeddings=vectors(chance, len(moved)))
    told = [f"{name}{at}" for at in range(2, count, 23) if at % 17]
    collection.update(ids=told, metadatas=[{"i": -1, "new": "x"}] * len(told))
    collection.upsert(ids=[f"{name}0", "new"], embeddings=vectors(chance, 2), documents=["back", "new one"])
    collection.add(ids=["zero"], embeddings=[[0.0] * 6])


def main(directory: str, expected: str) -> None:
    """Make the directory, and note what chromadb itself reads from it."""
    client = chromadb.PersistentClient(directory, settings=Settings(anonymized_telemetry=False))
    found = {}
    for name, count in COUNTS.items():
        metadata: dict[str, Any] = {"hnsw:space": SPACES[name], "note": "é", "number": 3}
        if name == "inner":
            metadata |= {"hnsw:sync_threshold": 500, "hnsw:batch_size": 50}
        collection = client.create_collection(name, embedding_function=None, metadata=metadata)
        fill(collection, name, count)
        got = collection.get(include=["embeddings", "metadatas", "documents"])
        embeddings = got["embeddings"] if got["embeddings"] is not None else []
        found[name] = {
            each: {"vector": [float(x) for x in vector], "document": document, "metadata": metadata or None}
            for each, vector, document, metadata in zip(
                got["ids"], embeddings, got["documents"], got["metadatas"], strict=True
            )
        }
    with open(expected, "w", encoding="utf-8") as file:
        json.dump(found, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
