"""A process of its own that adds notes with their vectors: python worker.py URL PREFIX COUNT.

Prints "ready", waits for a line, then adds and prints the key of each note once it is committed; at the end
it prints how many records its own search sees.
"""

from __future__ import annotations

import sys

from dbadapter import DatabaseAdapter, DatabaseConfig


def vector_of(number: int) -> list[float]:
    """The vector that belongs to a note."""
    return [float(number), float(number % 7), 1.0]


def main(url: str, first: int, count: int) -> None:
    """Add ``count`` notes, two at a time."""
    with DatabaseAdapter(DatabaseConfig.from_url(url)) as adapter:
        notes = adapter.vectors.get_collection("notes")
        notes.query([[0, 0, 0]])
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(first, first + count, 2):
            keys = [number, number + 1]
            with adapter.transaction() as tx:
                tx.execute_many(
                    "INSERT INTO notes (id, body) VALUES (?, ?)", [(key, f"note {key}") for key in keys]
                )
                tx.vectors.get_collection("notes").add(
                    keys,
                    [vector_of(key) for key in keys],
                    metadatas=[{"parity": key % 2} for key in keys],
                    documents=[f"note {key}" for key in keys],
                )
            print(*keys, flush=True)
            assert notes.query([vector_of(number)], n_results=1)["ids"] == [[str(number)]]
        print("saw", len(notes.query([[0, 0, 0]], n_results=100_000)["ids"][0]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
