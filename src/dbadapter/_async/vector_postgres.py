"""Collections on Postgres with pgvector: what is written, and what is read without searching."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .._drivers.values import PackedVector
from ..errors import UniqueViolation
from ..vectors.binary_copy import read_vector
from ..vectors.catalog import CollectionInfo
from ..vectors.filter_sql import Condition, json_list, postgres_condition
from ..vectors.metadata import Metadata, exact_json, merge_metadata, read_json
from ..vectors.postgres_tables import PostgresTables
from ..vectors.records import Records
from ..vectors.results import Hit
from ..vectors.selection import Selection, seqs_condition
from ..vectors.text import words_of
from .vector_postgres_copy import load_records, referenced_keys
from .vector_postgres_ddl import AsyncPostgresDefinitions

__all__ = ["AsyncPostgresRecords", "postgres_hit"]

IDS_IN = "id IN (SELECT jsonb_array_elements_text(CAST(? AS jsonb)))"
SEQS_IN = "seq IN (SELECT CAST(jsonb_array_elements_text(CAST(? AS jsonb)) AS bigint))"
_COLUMNS = "seq, id, document, uri, CAST(metadata AS text)"
_AT_ONCE = 5000
_LAST = 2**63 - 1
_FEW = 40


class AsyncPostgresRecords(AsyncPostgresDefinitions):
    """The records of collections on Postgres, on an adapter or within a transaction."""

    # -- writing ---------------------------------------------------------------------------------------

    async def insert(self, info: CollectionInfo, records: Records) -> list[int]:
        """Add records; returns the positions of those passed over, whose ids are there already.

        In a transaction.
        """
        key_type = "text" if info.reference is None else await self._key_type(info)
        passed: list[int] = []
        for start in range(0, len(records), _AT_ONCE):
            chunk = records.part(start, start + _AT_ONCE)
            keys = referenced_keys(info, key_type, chunk.ids)
            there = await self._insert(info, chunk, keys, key_type)
            if info.has_text and chunk.documents is not None:
                new = [at for at in range(len(chunk)) if at not in there]
                await self._index_new(info, chunk.take(new))
            passed += [start + at for at in sorted(there)]
        return passed

    async def _insert(
        self, info: CollectionInfo, records: Records, keys: Sequence[Any], key_type: str
    ) -> set[int]:
        """Insert a chunk; the positions of those that are there already."""
        if len(records) <= _FEW:
            return await self._insert_few(info, records, keys)
        try:
            async with self.executor.transaction() as attempt:
                await load_records(attempt, PostgresTables(info).records, info, records, keys, key_type)
                return set()
        except UniqueViolation:
            return await self._insert_staged(info, records, keys, key_type)

    async def _insert_few(self, info: CollectionInfo, records: Records, keys: Sequence[Any]) -> set[int]:
        assert records.vectors is not None
        key = "id" if info.reference is None else "ref"
        row = "(?, CAST(? AS vector), ?, ?, CAST(? AS jsonb))"
        values: list[Any] = []
        for at, name in enumerate(keys):
            values += [
                name,
                PackedVector(records.vectors[at]),
                records.documents[at] if records.documents else None,
                records.uris[at] if records.uris else None,
                exact_json(records.metadatas[at]) if records.metadatas else None,
            ]
        sql = (
            f"INSERT INTO {PostgresTables(info).records} ({key}, embedding, document, uri, metadata)"
            f" VALUES {', '.join([row] * len(keys))} ON CONFLICT (id) DO NOTHING RETURNING id"
        )
        new = {name for (name,) in await self.executor.fetch_all(sql, values, row_type=tuple)}
        return {at for at, name in enumerate(records.ids) if name not in new}

    async def _insert_staged(
        self, info: CollectionInfo, records: Records, keys: Sequence[Any], key_type: str
    ) -> set[int]:
        """Load into a temporary table first, and from there what is not there yet."""
        key, staging = ("id" if info.reference is None else "ref"), '"_dbadapter_staged"'
        tables = PostgresTables(info)
        await self.executor.execute(
            f"CREATE TEMP TABLE {staging} (n bigint, {key} {key_type}, embedding {tables.vector_type},"
            " document text, uri text, metadata jsonb) ON COMMIT DROP"
        )
        await load_records(
            self.executor,
            f"pg_temp.{staging}",
            info,
            records,
            keys,
            key_type,
            numbered=("n", range(len(records))),
        )
        columns = f"{key}, embedding, document, uri, metadata"
        sql = (
            f"INSERT INTO {tables.records} ({columns}) SELECT {columns} FROM pg_temp.{staging} ORDER BY n"
            " ON CONFLICT (id) DO NOTHING RETURNING id"
        )
        new = {name for (name,) in await self.executor.fetch_all(sql, row_type=tuple)}
        await self.executor.execute(f"DROP TABLE pg_temp.{staging}")
        return {at for at, name in enumerate(records.ids) if name not in new}

    async def _key_type(self, info: CollectionInfo) -> str:
        sql = (
            "SELECT format_type(atttypid, NULL) FROM pg_catalog.pg_attribute"
            " WHERE attrelid = to_regclass(?) AND attname = 'ref'"
        )
        return str(await self.executor.fetch_value(sql, [PostgresTables(info).records]))

    async def existing(self, info: CollectionInfo, ids: list[str]) -> dict[str, tuple[int, Metadata | None]]:
        """Number and metadata of those of the ids that are there, held against changes. In a transaction."""
        sql = (
            f"SELECT id, seq, CAST(metadata AS text) FROM {PostgresTables(info).records}"
            f" WHERE {IDS_IN} ORDER BY seq FOR UPDATE"
        )
        rows = await self.executor.fetch_all(sql, [json_list(ids)], row_type=tuple)
        return {name: (seq, read_json(metadata)) for name, seq, metadata in rows}

    async def change(
        self, info: CollectionInfo, records: Records, present: dict[str, tuple[int, Metadata | None]]
    ) -> None:
        """Update records that are there; what is None stays, metadata is merged. In a transaction."""
        table, run = PostgresTables(info).records, self.executor.execute_many
        seqs = [present[each][0] for each in records.ids]
        if records.vectors is not None:
            pairs = zip(map(PackedVector, records.vectors), seqs, strict=True)
            await run(f"UPDATE {table} SET embedding = CAST(? AS vector) WHERE seq = ?", list(pairs))
        if records.uris is not None:
            changed = [(uri, seq) for uri, seq in zip(records.uris, seqs, strict=True) if uri is not None]
            await run(f"UPDATE {table} SET uri = ? WHERE seq = ?", changed)
        if records.documents is not None:
            texts = [
                (text, seq) for text, seq in zip(records.documents, seqs, strict=True) if text is not None
            ]
            await run(f"UPDATE {table} SET document = ? WHERE seq = ?", texts)
            if info.has_text:
                await self.write_text(info, [(seq, text) for text, seq in texts])
        if records.metadatas is not None:
            merged = [
                (exact_json(merge_metadata(present[each][1], change)), present[each][0])
                for each, change in zip(records.ids, records.metadatas, strict=True)
                if change is not None
            ]
            await run(f"UPDATE {table} SET metadata = CAST(? AS jsonb) WHERE seq = ?", merged)

    async def delete(self, info: CollectionInfo, selection: Selection, limit: int | None) -> int:
        """Delete records, the first ``limit`` of them if there is one. In a transaction."""
        table = PostgresTables(info).records
        condition = await self.condition(info, selection)
        where, params = condition.sql, list(condition.params)
        if limit is not None:
            where = f"seq IN (SELECT seq FROM {table} WHERE {where} ORDER BY seq LIMIT ?)"
            params.append(limit)
        result = await self.executor.execute(f"DELETE FROM {table} WHERE {where}", params)
        return int(result.rowcount)

    # -- full text -------------------------------------------------------------------------------------

    async def create_text(self, info: CollectionInfo) -> None:
        """Make the full-text index and fill it. In a transaction."""
        tables = PostgresTables(info)
        for statement in tables.create_text():
            await self.executor.execute(statement)
        sql = (
            f"SELECT seq, document FROM {tables.records}"
            " WHERE seq > ? AND document IS NOT NULL ORDER BY seq LIMIT ?"
        )
        last = -1
        while rows := await self.executor.fetch_all(sql, [last, _AT_ONCE], row_type=tuple):
            await self.write_text(info, rows)
            last = rows[-1][0]

    async def _index_new(self, info: CollectionInfo, records: Records) -> None:
        sql = f"SELECT seq, document FROM {PostgresTables(info).records} WHERE {IDS_IN}"
        if records.ids:
            await self.write_text(
                info, await self.executor.fetch_all(sql, [json_list(records.ids)], row_type=tuple)
            )

    async def write_text(self, info: CollectionInfo, documents: Iterable[tuple[int, str | None]]) -> None:
        """Put documents into the full-text index, in the place of what is there of them."""
        sql = (
            f"INSERT INTO {PostgresTables(info).text} (seq, words, length) VALUES (?, CAST(? AS tsvector), ?)"
            " ON CONFLICT (seq) DO UPDATE SET words = excluded.words, length = excluded.length"
        )
        rows = []
        for seq, text in documents:
            if text is not None:
                words = words_of(text)
                rows.append((seq, _tsvector(words), len(words)))
        await self.executor.execute_many(sql, rows)

    # -- reading ---------------------------------------------------------------------------------------

    async def count(self, info: CollectionInfo) -> int:
        """How many records there are."""
        return int(await self.executor.fetch_value(f"SELECT count(*) FROM {PostgresTables(info).records}"))

    async def condition(self, info: CollectionInfo, selection: Selection) -> Condition:
        """The exact condition of a selection; what SQL cannot decide is decided here, record by record."""
        found = selection.condition(postgres_condition, IDS_IN)
        if found.exact:
            return found
        sql = f"SELECT seq, CAST(metadata AS text), document FROM {PostgresTables(info).records} WHERE {found.sql}"
        rows = await self.executor.fetch_all(sql, list(found.params), row_type=tuple)
        return seqs_condition(selection.confirmed(rows), SEQS_IN)

    async def fetch(
        self, info: CollectionInfo, selection: Selection, limit: int | None, offset: int, *, vectors: bool
    ) -> list[Hit]:
        """The selected records in the order they came."""
        condition = await self.condition(info, selection)
        vector = "vector_send(embedding)" if vectors else "NULL"
        sql = (
            f"SELECT {_COLUMNS}, {vector} FROM {PostgresTables(info).records} WHERE {condition.sql}"
            " ORDER BY seq LIMIT CAST(? AS bigint) OFFSET ?"
        )
        rows = await self.executor.fetch_all(sql, [*condition.params, limit, offset], row_type=tuple)
        return [postgres_hit(row) for row in rows]

    async def batch(self, info: CollectionInfo, after: int, limit: int, *, vectors: bool) -> list[Hit]:
        """The records that come after a number, in their order."""
        vector = "vector_send(embedding)" if vectors else "NULL"
        sql = (
            f"SELECT {_COLUMNS}, {vector} FROM {PostgresTables(info).records}"
            " WHERE seq > ? ORDER BY seq LIMIT ?"
        )
        rows = await self.executor.fetch_all(sql, [after, limit], row_type=tuple)
        return [postgres_hit(row) for row in rows]

    async def numbered(self, info: CollectionInfo, seqs: list[int]) -> list[Hit]:
        """The records of these numbers, as far as they exist, with their vectors."""
        return await self._chosen(info, SEQS_IN, [json_list(seqs)])

    async def between(self, info: CollectionInfo, after: int, upto: int | None) -> list[Hit]:
        """The records after a number, up to and including another (None: all), with their vectors."""
        return await self._chosen(info, "seq > ? AND seq <= ?", [after, _LAST if upto is None else upto])

    async def _chosen(self, info: CollectionInfo, condition: str, params: list[Any]) -> list[Hit]:
        sql = (
            f"SELECT {_COLUMNS}, vector_send(embedding) FROM {PostgresTables(info).records}"
            f" WHERE {condition} ORDER BY seq"
        )
        rows = await self.executor.fetch_all(sql, params, row_type=tuple)
        return [postgres_hit(row) for row in rows]

    async def put(self, info: CollectionInfo, hits: list[Hit], gone: list[int]) -> None:
        """Write records under the numbers they have; see `AsyncVectorEngine`. In a transaction."""
        table = PostgresTables(info).records
        seqs, ids = [hit.seq for hit in hits], [hit.id for hit in hits]
        await self.executor.execute(
            f"DELETE FROM {table} WHERE {SEQS_IN} OR {IDS_IN}", [json_list([*seqs, *gone]), json_list(ids)]
        )
        if not hits:
            return
        key_type = "text" if info.reference is None else await self._key_type(info)
        records = Records(
            ids,
            np.stack([hit.vector for hit in hits]),
            [hit.metadata for hit in hits],
            [hit.document for hit in hits],
            [hit.uri for hit in hits],
        )
        keys = referenced_keys(info, key_type, ids)
        await load_records(self.executor, table, info, records, keys, key_type, numbered=("seq", seqs))
        last = f"SELECT setval(pg_get_serial_sequence(?, 'seq'), greatest(max(seq), 1)) FROM {table}"
        await self.executor.fetch_value(last, [table])
        if info.has_text:
            await self.write_text(info, [(hit.seq, hit.document) for hit in hits])


def postgres_hit(row: Sequence[Any], distance: float | None = None) -> Hit:
    """A record from a row of seq, id, document, uri, metadata and what ``vector_send`` gave."""
    seq, name, document, uri, metadata, sent = row
    return Hit(
        seq,
        name,
        document,
        uri,
        read_json(metadata),
        distance,
        None if sent is None else read_vector(sent),
    )


def _tsvector(words: list[str]) -> str:
    """Words with their positions as a tsvector's text; there is nothing in them to be escaped."""
    places: dict[str, list[int]] = {}
    for position, word in enumerate(words, 1):
        places.setdefault(word, []).append(position)
    return " ".join(f"'{word}':{','.join(map(str, at))}" for word, at in places.items())
