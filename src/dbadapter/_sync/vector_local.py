# Generated from src/dbadapter/_async/vector_local.py by tools/unasync.py; do not edit.
"""Collections in the SQLite file: what is written, and what is read without searching."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from ..errors import ForeignKeyViolation
from ..vectors.catalog import CollectionInfo
from ..vectors.filter_sql import Condition, json_list, sqlite_condition, sqlite_value
from ..vectors.metadata import Metadata, exact_json, merge_metadata, read_json
from ..vectors.parts import cut, joined
from ..vectors.records import Records
from ..vectors.results import Hit
from ..vectors.selection import Selection, seqs_condition
from ..vectors.sqlite_tables import LocalTables
from ..vectors.text import words_of
from .vector_local_ddl import LocalDefinitions

__all__ = ["IDS_IN", "SEQS_IN", "LocalRecords", "local_hits"]

IDS_IN = "id IN (SELECT value FROM json_each(?))"
SEQS_IN = "seq IN (SELECT value FROM json_each(?))"
_AT_ONCE = 5000
_LOG_KEPT = 100_000
_LAST = 2**63 - 1


class LocalRecords(LocalDefinitions):
    """The records of local collections, on an adapter or within a transaction."""

    # -- writing ---------------------------------------------------------------------------------------

    def insert(self, info: CollectionInfo, records: Records) -> list[int]:
        """Add records; returns the positions of those passed over, whose ids are there already.

        In a transaction.
        """
        tables = LocalTables.of(info)
        passed: list[int] = []
        for start in range(0, len(records), _AT_ONCE):
            chunk = records.part(start, start + _AT_ONCE)
            passed += [start + at for at in self._insert(info, tables, chunk)]
        self._end_of_write(tables)
        return passed

    def _insert(self, info: CollectionInfo, tables: LocalTables, records: Records) -> list[int]:
        last = self.executor.fetch_value(tables.last_seq) or 0
        keys = records.ids if info.reference is None else self._keys(info, records.ids)
        count = len(records)
        rows = zip(
            range(last + 1, last + 1 + count),
            keys,
            records.documents or [None] * count,
            records.uris or [None] * count,
            map(exact_json, records.metadatas or [None] * count),
            strict=True,
        )
        added: int = self.executor.insert_many(info.table, list(rows), on_conflict="ignore")
        positions = list(range(count))
        if added < count:
            sql = f"SELECT seq FROM {tables.records} WHERE seq > ? ORDER BY seq"
            new = self.executor.fetch_all(sql, [last], row_type=tuple)
            positions = [seq - last - 1 for (seq,) in new]
            records = records.take(positions)
        if positions:
            self._insert_rest(info, [last + 1 + at for at in positions], records)
        return sorted(set(range(count)).difference(positions)) if added < count else []

    def _insert_rest(self, info: CollectionInfo, seqs: list[int], records: Records) -> None:
        assert records.vectors is not None
        self.executor.insert_many(info.table + "_e", cut(seqs, records.vectors))
        if records.metadatas is not None:
            self.executor.insert_many(info.table + "_m", list(_value_rows(seqs, records.metadatas)))
        if info.has_text and records.documents is not None:
            self.write_text(info, zip(seqs, records.documents, strict=True))

    def _keys(self, info: CollectionInfo, ids: list[str]) -> list[Any]:
        """The referenced keys that ids stand for."""
        sql = "SELECT type FROM pragma_table_info(?) WHERE name = 'ref'"
        declared = self.executor.fetch_value(sql, [info.table])
        if "INT" not in declared.upper():
            return list(ids)
        return [_integer_key(each, info) for each in ids]

    def existing(self, info: CollectionInfo, ids: list[str]) -> dict[str, tuple[int, Metadata | None]]:
        """Number and metadata of those of the ids that are there."""
        sql = f"SELECT id, seq, metadata FROM {LocalTables.of(info).records} WHERE {IDS_IN}"
        rows = self.executor.fetch_all(sql, [json_list(ids)], row_type=tuple)
        return {name: (seq, read_json(metadata)) for name, seq, metadata in rows}

    def change(
        self, info: CollectionInfo, records: Records, present: dict[str, tuple[int, Metadata | None]]
    ) -> None:
        """Update records that are there; what is None stays, metadata is merged. In a transaction."""
        tables, run = LocalTables.of(info), self.executor.execute_many
        seqs = [present[each][0] for each in records.ids]
        if records.vectors is not None:
            sql = f"UPDATE {tables.vectors} SET embedding = ? WHERE seq = ? AND part = ?"
            run(sql, [(data, seq, part) for seq, part, data in cut(seqs, records.vectors)])
        if records.uris is not None:
            changed = [(uri, seq) for uri, seq in zip(records.uris, seqs, strict=True) if uri is not None]
            run(f"UPDATE {tables.records} SET uri = ? WHERE seq = ?", changed)
        if records.documents is not None:
            pairs = zip(records.documents, seqs, strict=True)
            texts = [(text, seq) for text, seq in pairs if text is not None]
            run(f"UPDATE {tables.records} SET document = ? WHERE seq = ?", texts)
            if info.has_text:
                self._delete_text(tables, [seq for _, seq in texts])
                self.write_text(info, ((seq, text) for text, seq in texts))
        if records.metadatas is not None:
            old = [present[each][1] for each in records.ids]
            self._change_metadata(info, tables, seqs, old, records.metadatas)
        self._end_of_write(tables)

    def _change_metadata(
        self,
        info: CollectionInfo,
        tables: LocalTables,
        seqs: list[int],
        old: Sequence[Metadata | None],
        new: Sequence[Metadata | None],
    ) -> None:
        merged = [
            (seq, merge_metadata(before, change))
            for seq, before, change in zip(seqs, old, new, strict=True)
            if change is not None
        ]
        self.executor.execute_many(
            f"UPDATE {tables.records} SET metadata = ? WHERE seq = ?",
            [(exact_json(metadata), seq) for seq, metadata in merged],
        )
        self.executor.execute_many(
            f"DELETE FROM {tables.values} WHERE seq = ?", [(seq,) for seq, _ in merged]
        )
        rows = _value_rows([seq for seq, _ in merged], [metadata for _, metadata in merged])
        self.executor.insert_many(info.table + "_m", list(rows))

    def delete(self, info: CollectionInfo, selection: Selection, limit: int | None) -> int:
        """Delete records, the first ``limit`` of them if there is one. In a transaction."""
        tables = LocalTables.of(info)
        condition = self.condition(info, selection)
        where, params = condition.sql, list(condition.params)
        if limit is not None:
            where = f"seq IN (SELECT seq FROM {tables.records} WHERE {where} ORDER BY seq LIMIT ?)"
            params.append(limit)
        result = self.executor.execute(f"DELETE FROM {tables.records} WHERE {where}", params)
        self._end_of_write(tables)
        return int(result.rowcount)

    def _end_of_write(self, tables: LocalTables) -> None:
        """Mark the end of a change in the log, and cut the log's far end."""
        last = f"SELECT coalesce(max(seq), 0) FROM {tables.records}"
        result = self.executor.execute(f"INSERT INTO {tables.log} (seq) VALUES (({last}))")
        if result.last_id is not None and result.last_id % 64 == 0:
            self.executor.execute(f"DELETE FROM {tables.log} WHERE n < ?", [result.last_id - _LOG_KEPT])

    # -- full text -------------------------------------------------------------------------------------

    def create_text(self, info: CollectionInfo) -> None:
        """Make the full-text index and fill it. In a transaction."""
        tables = LocalTables.of(info)
        for statement in tables.create_text():
            self.executor.execute(statement)
        sql = (
            f"SELECT seq, document FROM {tables.records}"
            " WHERE seq > ? AND document IS NOT NULL ORDER BY seq LIMIT ?"
        )
        last = 0
        while rows := self.executor.fetch_all(sql, [last, _AT_ONCE], row_type=tuple):
            self.write_text(info, rows)
            last = rows[-1][0]

    def write_text(self, info: CollectionInfo, documents: Iterable[tuple[int, str | None]]) -> None:
        """Put documents, as pairs of number and text, into the full-text index."""
        tables = LocalTables.of(info)
        words = [(seq, words_of(text)) for seq, text in documents if text is not None]
        self.executor.execute_many(
            f"INSERT INTO {tables.text} (rowid, words) VALUES (?, ?)",
            [(seq, " ".join(each)) for seq, each in words],
        )
        self.executor.insert_many(info.table + "_tl", [(seq, len(each)) for seq, each in words])

    def _delete_text(self, tables: LocalTables, seqs: list[int]) -> None:
        for table, key in ((tables.text, "rowid"), (tables.lengths, "seq")):
            self.executor.execute_many(f"DELETE FROM {table} WHERE {key} = ?", [(seq,) for seq in seqs])

    # -- reading ---------------------------------------------------------------------------------------

    def count(self, info: CollectionInfo) -> int:
        """How many records there are."""
        return int(self.executor.fetch_value(f"SELECT count(*) FROM {LocalTables.of(info).records}"))

    def condition(self, info: CollectionInfo, selection: Selection) -> Condition:
        """The exact condition of a selection; what SQL cannot decide is decided here, record by record."""
        tables = LocalTables.of(info)
        found = selection.condition(partial(sqlite_condition, values_table=tables.values), IDS_IN)
        if found.exact:
            return found
        sql = f"SELECT seq, metadata, document FROM {tables.records} WHERE {found.sql}"
        rows = self.executor.fetch_all(sql, list(found.params), row_type=tuple)
        return seqs_condition(selection.confirmed(rows), SEQS_IN)

    def fetch(
        self, info: CollectionInfo, selection: Selection, limit: int | None, offset: int, *, vectors: bool
    ) -> list[Hit]:
        """The selected records in the order they came."""
        condition = self.condition(info, selection)
        sql = LocalTables.of(info).select(condition.sql, vectors=vectors)
        params = [*condition.params, -1 if limit is None else limit, offset]
        rows = self.executor.fetch_all(sql, params, row_type=tuple)
        return local_hits(rows)

    def batch(self, info: CollectionInfo, after: int, limit: int, *, vectors: bool) -> list[Hit]:
        """The records that come after a number, in their order."""
        sql = LocalTables.of(info).select("r.seq > ?", vectors=vectors)
        rows = self.executor.fetch_all(sql, [after, limit, 0], row_type=tuple)
        return local_hits(rows)

    def numbered(self, info: CollectionInfo, seqs: list[int]) -> list[Hit]:
        """The records of these numbers, as far as they exist, with their vectors."""
        return self._chosen(info, "r.seq IN (SELECT value FROM json_each(?))", [json_list(seqs)])

    def between(self, info: CollectionInfo, after: int, upto: int | None) -> list[Hit]:
        """The records after a number, up to and including another (None: all), with their vectors."""
        return self._chosen(info, "r.seq > ? AND r.seq <= ?", [after, _LAST if upto is None else upto])

    def _chosen(self, info: CollectionInfo, condition: str, params: list[Any]) -> list[Hit]:
        sql = LocalTables.of(info).select(condition, vectors=True)
        rows = self.executor.fetch_all(sql, [*params, -1, 0], row_type=tuple)
        return local_hits(rows)

    def put(self, info: CollectionInfo, hits: list[Hit], gone: list[int]) -> None:
        """Write records under the numbers they have; see `VectorEngine`. In a transaction."""
        tables = LocalTables.of(info)
        seqs, ids = [hit.seq for hit in hits], [hit.id for hit in hits]
        self.executor.execute(
            f"DELETE FROM {tables.records} WHERE {SEQS_IN} OR {IDS_IN}",
            [json_list([*seqs, *gone]), json_list(ids)],
        )
        if hits:
            keys = ids if info.reference is None else self._keys(info, ids)
            rows = [
                (hit.seq, key, hit.document, hit.uri, exact_json(hit.metadata))
                for hit, key in zip(hits, keys, strict=True)
            ]
            self.executor.insert_many(info.table, rows)
            vectors = np.stack([hit.vector for hit in hits])
            self._insert_rest(info, seqs, Records(ids, vectors, [hit.metadata for hit in hits]))
            if info.has_text:
                self.write_text(info, [(hit.seq, hit.document) for hit in hits])
            # Numbers may come out of order here, so caches have to be told of each.
            self.executor.execute_many(f"INSERT INTO {tables.log} (seq) VALUES (?)", [(seq,) for seq in seqs])
        self._end_of_write(tables)


def local_hits(rows: Iterable[tuple[Any, ...]]) -> list[Hit]:
    """The records of rows as `LocalTables.select` gives them."""
    hits = []
    for _, parts in groupby(rows, key=itemgetter(0)):
        (seq, name, document, uri, metadata, part, embedding), *others = parts
        vector = None if part is None else joined([embedding, *(row[-1] for row in others)])
        hits.append(Hit(seq, name, document, uri, read_json(metadata), None, vector))
    return hits


def _value_rows(
    seqs: Sequence[int], metadatas: Sequence[Metadata | None]
) -> Iterator[tuple[int, str, int, Any]]:
    """The rows of the table of metadata values."""
    for seq, metadata in zip(seqs, metadatas, strict=True):
        if metadata is None:
            continue
        for key, value in metadata.items():
            if isinstance(value, list):
                for item, each in enumerate(value, 1):
                    yield seq, key, item, sqlite_value(each)
            else:
                yield seq, key, 0, sqlite_value(value)


def _integer_key(name: str, info: CollectionInfo) -> int:
    """The integer whose decimal text an id is; other ids are no keys of the table."""
    try:
        key = int(name)
    except ValueError:
        key = None
    if key is None or str(key) != name or not -(2**63) <= key < 2**63:
        raise ForeignKeyViolation(
            f"id {name!r} is no key of {info.reference}, whose keys are integers",
            sqlstate="23503",
            table=info.table,
            columns=("id",),
        )
    return key
