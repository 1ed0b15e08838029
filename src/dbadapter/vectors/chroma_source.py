"""A Chroma directory, read without chromadb and without writing to it.

Its SQLite file is copied and the copy is read, since a mere reader may write there. A record's document and
metadata are in that file; its vector is in the segment's index, or still in the queue. Whatever is in the
queue beyond what a segment has taken in is replayed.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from attrs import define, field, frozen

from ..errors import VectorError

__all__ = ["ChromaDirectory", "Queued", "SourceCollection", "SourceRecord"]

_FILE = "chroma.sqlite3"
# What SQLite says of damage may itself be damaged, and so may what was read before and is asked for: neither is UTF-8.
_DAMAGE = (sqlite3.Error, UnicodeError)
_AT_ONCE = 1000
_OPERATIONS = {0: "add", 1: "update", 2: "upsert", 3: "delete"}


@frozen
class SourceCollection:
    """A collection as Chroma describes it."""

    id: str
    name: str
    database: str
    tenant: str
    dimension: int | None
    metric: str
    metadata: dict[str, Any] | None
    vector_segment: str | None
    metadata_segment: str | None


@define
class SourceRecord:
    """A record without its vector."""

    id: str
    document: str | None
    uri: str | None
    metadata: dict[str, Any]


@frozen
class Queued:
    """An operation in the queue."""

    seq: int
    operation: str
    id: str
    vector: bytes | None
    encoding: str | None
    metadata: dict[str, Any] | None


@define(eq=False)
class ChromaDirectory:
    """An open directory; use it in a with statement."""

    path: Path
    problems: list[str] = field(factory=list)
    _scratch: Any = None
    _connection: Any = None
    _columns: dict[str, set[str]] = field(factory=dict)

    def __enter__(self) -> ChromaDirectory:
        if not (self.path / _FILE).is_file():
            raise VectorError(f"{self.path} is no Chroma directory: there is no {_FILE} in it")
        self._scratch = tempfile.TemporaryDirectory(prefix="dbadapter-chroma-")
        try:
            for suffix in ("", "-wal", "-journal"):
                if (self.path / (_FILE + suffix)).exists():
                    shutil.copyfile(self.path / (_FILE + suffix), Path(self._scratch.name, _FILE + suffix))
            self._connection = sqlite3.connect(Path(self._scratch.name, _FILE), isolation_level=None)
            self._connection.text_factory = _decoded
            tables = self._connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall()
        except (OSError, *_DAMAGE) as error:
            self._close()
            raise VectorError(f"{self.path / _FILE} cannot be read: {error}") from error
        if ("collections",) not in tables or ("embeddings",) not in tables:
            self._close()
            raise VectorError(f"{self.path / _FILE} has none of Chroma's tables (written by 0.3 or earlier?)")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._scratch.cleanup()

    # -- collections -----------------------------------------------------------------------------------

    def collections(self) -> list[SourceCollection]:
        """All collections of all tenants and databases, by name."""
        has = self._has
        database = "c.database_id" if has("collections", "database_id") else "NULL"
        config = "c.config_json_str" if has("collections", "config_json_str") else "NULL"
        schema = "c.schema_str" if has("collections", "schema_str") else "NULL"
        rows = self._rows(
            f"SELECT c.id, c.name, c.dimension, {database}, {config}, {schema} FROM collections AS c ORDER BY c.name"
        )
        databases = {row[0]: row[1:] for row in self._rows("SELECT id, name, tenant_id FROM databases")}
        segments: dict[tuple[str, str], str] = {
            (collection, scope): segment
            for segment, scope, collection in self._rows("SELECT id, scope, collection FROM segments")
        }
        found = []
        for key, name, dimension, owner, configured, described in rows:
            metadata = self._metadata("collection_metadata", "collection_id", key)
            place = databases.get(owner, ("default_database", "default_tenant"))
            found.append(
                SourceCollection(
                    id=key,
                    name=name,
                    database=place[0],
                    tenant=place[1],
                    dimension=dimension,
                    metric=_metric(metadata, configured, described),
                    metadata=metadata or None,
                    vector_segment=segments.get((key, "VECTOR")),
                    metadata_segment=segments.get((key, "METADATA")),
                )
            )
        return found

    def folder(self, segment: str) -> Path:
        """Where a vector segment has its files."""
        return self.path / segment

    # -- records ---------------------------------------------------------------------------------------

    def records(self, segment: str | None) -> Iterator[list[SourceRecord]]:
        """The records that a metadata segment has taken in, in the order they came."""
        last = -1
        while segment is not None:
            sql = (
                "SELECT id, embedding_id FROM embeddings WHERE segment_id = ? AND id > ? ORDER BY id LIMIT ?"
            )
            rows = self._salvaged(sql, (segment, last, _AT_ONCE), "embeddings", last)
            if not rows:
                return
            last = rows[-1][0]
            yield [self._record(number, name) for number, name in rows if name is not None]

    def record(self, segment: str | None, name: str) -> SourceRecord | None:
        """One record of a metadata segment."""
        sql = "SELECT id FROM embeddings WHERE segment_id = ? AND embedding_id = ?"
        rows = self._rows(sql, (segment, name))
        return self._record(rows[0][0], name) if rows else None

    def _record(self, number: int, name: str) -> SourceRecord:
        metadata = self._metadata("embedding_metadata", "id", number)
        if self._has("embedding_metadata_array", "key"):
            metadata.update(self._lists(number))
        document, uri = metadata.pop("chroma:document", None), metadata.pop("chroma:uri", None)
        return SourceRecord(name, document, uri, metadata)

    def _metadata(self, table: str, key: str, value: Any) -> dict[str, Any]:
        prefix = "str" if table == "collection_metadata" else "string"
        truth = "bool_value" if self._has(table, "bool_value") else "NULL"
        sql = f"SELECT key, {prefix}_value, int_value, float_value, {truth} FROM {table} WHERE {key} = ?"
        return {name: _value(*values) for name, *values in self._rows(sql, (value,))}

    def _lists(self, number: int) -> dict[str, list[Any]]:
        sql = (
            "SELECT key, string_value, int_value, float_value, bool_value FROM embedding_metadata_array"
            " WHERE id = ? ORDER BY rowid"
        )
        lists: dict[str, list[Any]] = {}
        for name, *values in self._rows(sql, (number,)):
            lists.setdefault(name, []).append(_value(*values))
        return lists

    # -- queue -----------------------------------------------------------------------------------------

    def taken_in(self, segment: str | None) -> int:
        """Up to where in the queue a segment goes; -1 if nowhere."""
        rows = self._rows("SELECT seq_id FROM max_seq_id WHERE segment_id = ?", (segment,))
        return _seq(rows[0][0]) if rows else -1

    def queue(self, collection: str, after: int) -> Iterator[Queued]:
        """What is in the queue for a collection beyond a number, in order."""
        last = after
        sql = (
            "SELECT seq_id, operation, id, vector, encoding, metadata FROM embeddings_queue"
            " WHERE seq_id > ? AND topic LIKE ? ORDER BY seq_id LIMIT ?"
        )
        while rows := self._salvaged(sql, (last, f"%/{collection}", _AT_ONCE), "embeddings_queue", last):
            last = rows[-1][0]
            for seq, operation, name, vector, encoding, metadata in rows:
                if operation in _OPERATIONS and name is not None:
                    parsed = self._parsed(metadata, seq)
                    yield Queued(seq, _OPERATIONS[operation], name, vector, encoding, parsed)

    def _parsed(self, metadata: str | None, seq: int) -> dict[str, Any] | None:
        if metadata is None:
            return None
        try:
            parsed = json.loads(metadata)
        except ValueError:
            self.problems.append(f"the metadata of queue entry {seq} is no JSON")
            return None
        return parsed if isinstance(parsed, dict) else None

    # -- reading ---------------------------------------------------------------------------------------

    def _rows(self, sql: str, params: tuple[Any, ...] = ()) -> list[Any]:
        """All rows, or those before the damage."""
        rows: list[Any] = []
        try:
            with closing(self._connection.execute(sql, params)) as cursor:
                rows.extend(cursor)
        except _DAMAGE as error:
            self.problems.append(f"{_FILE} is damaged: {error}")
        return rows

    def _salvaged(self, sql: str, params: tuple[Any, ...], table: str, last: int) -> list[Any]:
        """A page of rows by ascending number; where it cannot be read, what can be read beyond the damage."""
        rows: list[Any] = []
        try:
            with closing(self._connection.execute(sql, params)) as cursor:
                rows.extend(cursor)
            return rows
        except _DAMAGE as error:
            self.problems.append(f"{_FILE}: a part of {table} is damaged: {error}")
        if rows:
            return rows
        return self._beyond(sql, params, last)

    def _beyond(self, sql: str, params: tuple[Any, ...], last: int) -> list[Any]:
        """The first page that can be read again, leaving out ever more numbers."""
        position = params.index(last, 0)
        step = 1
        while step < 2**40:
            moved = (*params[:position], last + step, *params[position + 1 :])
            try:
                with closing(self._connection.execute(sql, moved)) as cursor:
                    rows: list[Any] = cursor.fetchall()
                return rows
            except _DAMAGE:
                step *= 2
        return []

    def _has(self, table: str, column: str) -> bool:
        if table not in self._columns:
            found = self._rows("SELECT name FROM pragma_table_info(?)", (table,))
            self._columns[table] = {name for (name,) in found}
        return column in self._columns[table]


def _decoded(data: bytes) -> str:
    """Text as it is; what is no UTF-8 shows as such and is refused later, by record."""
    return data.decode("utf-8", "surrogateescape")


def _value(text: str | None, whole: int | None, real: float | None, truth: int | None) -> Any:
    if truth is not None:
        return bool(truth)
    if text is not None:
        return text
    return whole if whole is not None else real


def _seq(value: Any) -> int:
    """A number of the queue, which older versions store as big-endian bytes."""
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value)


def _metric(metadata: dict[str, Any], configured: str | None, described: str | None) -> str:
    """A collection's metric: its metadata say so, or its configuration, or its schema."""
    if isinstance(metadata.get("hnsw:space"), str):
        return str(metadata["hnsw:space"])
    for text in (configured, described):
        try:
            found = _find_space(json.loads(text or "null"))
        except ValueError:
            continue
        if found is not None:
            return found
    return "l2"


def _find_space(config: Any) -> str | None:
    """The first "space" of an index that is not turned off, anywhere in a configuration."""
    if not isinstance(config, dict):
        return None
    if isinstance(config.get("space"), str):
        return str(config["space"])
    keys = config.get("keys")
    if isinstance(keys, dict) and "#embedding" in keys:
        return _find_space(keys["#embedding"])
    for value in config.values():
        found = _find_space(value)
        if found is not None:
            return found
    return None
