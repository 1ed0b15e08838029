"""The statements that search a collection on Postgres.

To put one together takes longer than most of what else a search does here, and a program asks for few different ones:
they are kept. A statement that is kept is also found at once among those that are parsed already.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .catalog import CATALOG, CollectionInfo
from .filter_sql import ANYTHING
from .postgres_tables import PostgresTables

__all__ = ["COLUMNS", "among_few", "by_index", "exactly", "first"]

COLUMNS = "seq, id, document, uri, CAST(metadata AS text), vector_send(embedding)"
_EF_SEARCH, _LARGEST_EF = 100, 1000
_kept = lru_cache(maxsize=512)


@_kept
def exactly(info: CollectionInfo, condition: str) -> str:
    """All matching records, compared by the server; and the index's options as they are in the catalog now.

    Parameters: the query, packed; the collection's uid; the condition's; how many.
    """
    tables = PostgresTables(info)
    # Somebody may have made an index since this collection was opened.
    options = f"(SELECT options FROM {CATALOG} WHERE uid = ?)"
    return (
        f"SELECT {COLUMNS}, {tables.plain_distance} AS far, {options} FROM {tables.records}"
        f" WHERE {condition} ORDER BY far, id LIMIT ?"
    )


@_kept
def among_few(info: CollectionInfo, condition: str) -> str:
    """The first so many matching records, compared by the server; and how many these are.

    Parameters: the condition's; how many to compare; the query, packed; how many to return.
    """
    tables = PostgresTables(info)
    return (
        f"WITH few AS MATERIALIZED (SELECT * FROM {tables.records} WHERE {condition} LIMIT ?)"
        f" SELECT {COLUMNS}, {tables.plain_distance} AS far, (SELECT count(*) FROM few) AS matched"
        " FROM few ORDER BY far, id LIMIT ?"
    )


@_kept
def by_index(info: CollectionInfo, condition: str, k: int, margin: int, thorough: bool) -> str:
    """What the index finds: k records and some more.

    With a condition, or thoroughly, the index is searched on for as long as too few of what it has found match, or
    are there still. Otherwise what it finds at first is all, and found in a twentieth less of the time. A thorough
    search adds k zero vectors, which are in no index on cosine distance.

    Parameters: the condition's; the query, packed; with cosine, for a thorough search, the condition's again.

    The settings hold for this statement (or transaction); they are in force before the scan begins, since the
    condition on them is evaluated once and first. The limits are written out: a plan that is kept for all limits
    reckons with too many rows.
    """
    assert info.options is not None
    tables, wanted = PostgresTables(info), k + margin
    settings = _settings(info.options, wanted, goes_on=thorough or condition != ANYTHING.sql)
    applied = " || ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    sql = (
        f"(SELECT {COLUMNS} FROM {tables.records} WHERE (SELECT {applied}) <> ''"
        f" AND {condition} ORDER BY {tables.indexed_distance} LIMIT {wanted:d})"
    )
    if thorough and info.metric == "cosine":
        sql += (
            f" UNION ALL (SELECT {COLUMNS} FROM {tables.records} WHERE vector_norm(embedding) = 0"
            f" AND {condition} ORDER BY id LIMIT {k:d})"
        )
    return sql


@_kept
def first(info: CollectionInfo, condition: str) -> str:
    """The first matching records by id. Parameters: the condition's; how many."""
    return f"SELECT {COLUMNS} FROM {PostgresTables(info).records} WHERE {condition} ORDER BY id LIMIT ?"


def _settings(options: dict[str, Any], wanted: int, *, goes_on: bool) -> dict[str, str]:
    """The session settings that a search by index needs; all values are our own."""
    if options["kind"] == "ivfflat":
        settings = {"ivfflat.probes": str(int(options["probes"]))}
        return settings | ({"ivfflat.iterative_scan": "relaxed_order"} if goes_on else {})
    breadth = min(_LARGEST_EF, max(int(options.get("ef_search", _EF_SEARCH)), wanted))
    settings = {"hnsw.ef_search": str(breadth)}
    return settings | ({"hnsw.iterative_scan": "strict_order"} if goes_on or breadth < wanted else {})
