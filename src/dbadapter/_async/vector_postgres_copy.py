"""Loading records into a collection on Postgres by COPY, and the keys that their ids stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from .._drivers.postgres_errors import translate
from ..errors import ForeignKeyViolation
from ..vectors.binary_copy import HEADER, TRAILER, binary_rows
from ..vectors.catalog import CollectionInfo
from ..vectors.records import Records

__all__ = ["load_records", "referenced_keys"]

_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}


async def load_records(
    executor: Any,
    table: str,
    info: CollectionInfo,
    records: Records,
    keys: Sequence[Any],
    key_type: str,
    numbered: tuple[str, Sequence[int]] | None = None,
) -> None:
    """Load records in COPY's binary format.

    Args:
        executor: a transaction.
        table: the quoted name of the table to load into.
        info: the collection.
        records: what to load; it has vectors.
        keys: the key of each record, see `referenced_keys`.
        key_type: the type of the keys.
        numbered: the name of a further column, and its number for each record.
    """
    import psycopg

    key = "id" if info.reference is None else "ref"
    number, numbers = ("", None) if numbered is None else (f"{numbered[0]}, ", numbered[1])
    sql = f"COPY {table} ({number}{key}, embedding, document, uri, metadata) FROM STDIN WITH (FORMAT binary)"
    try:
        async with executor.connection() as raw:
            async with raw.cursor() as cursor:
                async with cursor.copy(sql) as copy:
                    await copy.write(HEADER)
                    for portion in binary_rows(records, keys, key_type, numbers):
                        await copy.write(portion)
                    await copy.write(TRAILER)
    except psycopg.Error as error:
        raise translate(error, None) from error


def referenced_keys(info: CollectionInfo, key_type: str, ids: list[str]) -> Sequence[Any]:
    """The keys that ids stand for, as their type's encoder takes them."""
    if info.reference is None or key_type not in (*_INTEGERS, "uuid"):
        return ids
    return [_key(each, key_type, info) for each in ids]


def _key(name: str, key_type: str, info: CollectionInfo) -> Any:
    """The key whose text an id is; other ids are no keys of the table."""
    try:
        key: Any = UUID(name) if key_type == "uuid" else int(name)
    except ValueError:
        key = None
    limit = _INTEGERS.get(key_type)
    if key is None or str(key) != name or (limit is not None and not -limit <= key < limit):
        raise ForeignKeyViolation(
            f"id {name!r} is no key of {info.reference}, whose keys are of type {key_type}",
            sqlstate="23503",
            table=info.table,
            columns=("id",),
        )
    return name if key_type == "uuid" else key
