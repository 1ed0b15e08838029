"""One contender of `benchmarks.vectors`, in a process of its own: python vector_workers.py KIND DIRECTORY URL.

Reads commands as lines of JSON and answers each with a line. Kinds that need a package run under whatever
Python has it, so nothing of ours is imported at the top.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)


def metadata(number: int) -> dict[str, Any]:
    """A record's metadata: "part" selects 1 %, "half" 50 %."""
    return {"part": f"p{number % 100}", "half": number % 2, "score": number * 0.37}


class Worker:
    """What every contender can do."""

    def __init__(self, directory: Path, url: str) -> None:
        self.vectors = np.load(directory / "vectors.npy", mmap_mode="r")
        self.queries = np.load(directory / "queries.npy")
        self.home = directory / type(self).__name__
        self.home.mkdir(exist_ok=True)
        self.url = url

    def open(self) -> None:
        raise NotImplementedError

    def add(self, ids: list[str], vectors: Any, metadatas: list[dict[str, Any]]) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        """What belongs to building and comes last: an index."""

    def query(self, vector: Any, where: dict[str, Any] | None) -> list[str]:
        raise NotImplementedError

    def close(self) -> None:
        """What a program does before it ends."""

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do as told; tell how long it took."""
        verb = command.pop("do")
        return getattr(self, f"do_{verb}")(**command)

    def do_open(self) -> dict[str, Any]:
        begun = time.perf_counter()
        self.open()
        return {"seconds": time.perf_counter() - begun}

    def do_first(self) -> dict[str, Any]:
        begun = time.perf_counter()
        self.open()
        self.query(self.queries[0], None)
        return {"seconds": time.perf_counter() - begun}

    def do_add(self, start: int, stop: int) -> dict[str, Any]:
        ids = [f"id{at}" for at in range(start, stop)]
        vectors = np.array(self.vectors[start:stop])
        metadatas = [metadata(at) for at in range(start, stop)]
        begun = time.perf_counter()
        self.add(ids, vectors, metadatas)
        return {"seconds": time.perf_counter() - begun}

    def do_finish(self) -> dict[str, Any]:
        begun = time.perf_counter()
        self.finish()
        return {"seconds": time.perf_counter() - begun}

    def do_query(self, start: int, stop: int, where: str | None) -> dict[str, Any]:
        times, found = [], []
        for at in range(start, stop):
            chosen = {"part": {"part": f"p{at % 100}"}, "half": {"half": at % 2}, None: None}[where]
            begun = time.perf_counter()
            ids = self.query(self.queries[at], chosen)
            times.append(time.perf_counter() - begun)
            found.append(ids)
        return {"times": times, "ids": found}

    def do_size(self) -> dict[str, Any]:
        disk = sum(path.stat().st_size for path in self.home.rglob("*") if path.is_file())
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return {"disk": disk, "memory": pages * os.sysconf("SC_PAGE_SIZE")}


class Ours(Worker):
    """The local engine."""

    def open(self) -> None:
        from dbadapter import DatabaseAdapter, DatabaseConfig

        self.adapter = DatabaseAdapter(DatabaseConfig.from_url(self.address()))
        self.adapter.initialize()
        self.collection = self.adapter.vectors.get_or_create_collection("bench", metric="cosine")

    def address(self) -> str:
        return f"sqlite:///{self.home / 'app.db'}"

    def close(self) -> None:
        self.adapter.close()

    def add(self, ids: list[str], vectors: Any, metadatas: list[dict[str, Any]]) -> None:
        self.collection.add(ids=ids, embeddings=vectors, metadatas=metadatas)

    def query(self, vector: Any, where: dict[str, Any] | None) -> list[str]:
        found: list[str] = self.collection.query([vector], n_results=10, where=where)["ids"][0]
        return found


class OursOnPostgres(Ours):
    """pgvector through the adapter."""

    def address(self) -> str:
        return self.url

    def finish(self) -> None:
        self.collection.create_index("hnsw")

    def query(self, vector: Any, where: dict[str, Any] | None) -> list[str]:
        return [match.id for match in self.collection.search(vector, 10, where=where)]


class Chroma(Worker):
    """Chroma's persistent client."""

    def open(self) -> None:
        import chromadb

        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(str(self.home), settings=settings)
        self.collection = client.get_or_create_collection(
            "bench", embedding_function=None, metadata={"hnsw:space": "cosine"}
        )

    def add(self, ids: list[str], vectors: Any, metadatas: list[dict[str, Any]]) -> None:
        self.collection.add(ids=ids, embeddings=vectors, metadatas=metadatas)

    def query(self, vector: Any, where: dict[str, Any] | None) -> list[str]:
        found: list[str] = self.collection.query(query_embeddings=[vector], n_results=10, where=where)["ids"][
            0
        ]
        return found


class Lance(Worker):
    """LanceDB with its recommended index."""

    def open(self) -> None:
        os.environ.setdefault("LANCE_LOG", "error")
        import lancedb

        self.database = lancedb.connect(str(self.home))
        self.table = self.database.open_table("bench") if "bench" in self.database.table_names() else None

    def add(self, ids: list[str], vectors: Any, metadatas: list[dict[str, Any]]) -> None:
        import pyarrow as pa

        flat = pa.array(vectors.reshape(-1))
        columns = {key: [each[key] for each in metadatas] for key in metadatas[0]}
        vector = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        batch = pa.table({"id": ids, "vector": vector, **columns})
        if self.table is None:
            self.table = self.database.create_table("bench", batch)
        else:
            self.table.add(batch)

    def finish(self) -> None:
        self.table.create_index(metric="cosine", index_type="IVF_HNSW_SQ")

    def query(self, vector: Any, where: dict[str, Any] | None) -> list[str]:
        search = self.table.search(vector).metric("cosine").limit(10).select(["id", "_distance"])
        if where is not None:
            ((key, value),) = where.items()
            search = search.where(f"{key} = {value!r}", prefilter=True)
        return [row["id"] for row in search.to_list()]


class RawPostgres(Worker):
    """pgvector by hand: binary COPY into a table of its own, and the adapter's collection searched in plain SQL."""

    def open(self) -> None:
        import psycopg
        from psycopg.adapt import Dumper
        from psycopg.pq import Format

        class VectorDumper(Dumper):
            """Sends vectors in binary, as the package pgvector does."""

            format = Format.BINARY

            def dump(self, obj: Any) -> bytes:
                return struct.pack(">hh", len(obj), 0) + obj.astype(">f4").tobytes()

        self.raw = psycopg.connect(self.url, autocommit=True)
        self.raw.adapters.register_dumper(np.ndarray, VectorDumper)
        self.raw.execute("CREATE EXTENSION IF NOT EXISTS vector")
        self.raw.execute(
            "CREATE TABLE IF NOT EXISTS raw_bench (seq bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
            ' id text COLLATE "C" NOT NULL UNIQUE,'
            f" embedding vector({self.vectors.shape[1]}) NOT NULL, document text, metadata jsonb)"
        )
        self.raw.execute("SET hnsw.ef_search = 100")
        self.raw.execute("SET hnsw.iterative_scan = strict_order")

    def add(self, ids: list[str], vectors: Any, metadatas: list[dict[str, Any]]) -> None:
        data, width = vectors.astype(">f4").tobytes(), vectors.shape[1] * 4
        opening = struct.pack(">ihh", width + 4, vectors.shape[1], 0)
        parts = [HEADER]
        for at, (name, each) in enumerate(zip(ids, metadatas, strict=True)):
            key, text = name.encode(), json.dumps(each).encode()
            parts.append(
                struct.pack(">hi", 3, len(key)) + key + opening + data[at * width : (at + 1) * width]
            )
            parts.append(struct.pack(">i", len(text) + 1) + b"\x01" + text)
        parts.append(struct.pack(">h", -1))
        with self.raw.cursor() as cursor:
            sql = "COPY raw_bench (id, embedding, metadata) FROM STDIN (FORMAT binary)"
            with cursor.copy(sql) as copy:
                copy.write(b"".join(parts))

    def finish(self) -> None:
        found = self.raw.execute("SELECT uid FROM _dbadapter_collections WHERE name = 'bench'").fetchone()
        self.searched = f"_dbadapter_vec_{found[0]}"

    def query(self, vector: Any, where: dict[str, Any] | None) -> list[str]:
        condition, params = "", [vector, vector]
        if where is not None:
            condition, params = "WHERE metadata @> %s::jsonb", [vector, json.dumps(where), vector]
        sql = (
            f"SELECT id, document, metadata, embedding <=> %s::vector AS distance FROM {self.searched}"
            f" {condition} ORDER BY embedding <=> %s::vector LIMIT 10"
        )
        return [row[0] for row in self.raw.execute(sql, params).fetchall()]


def main() -> None:
    """Answer until there are no more commands, then end as a program does."""
    kind, directory, url = sys.argv[1:4]
    worker = globals()[kind](Path(directory), url)
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), flush=True)
    worker.close()


if __name__ == "__main__":
    main()
