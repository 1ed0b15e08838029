"""Collections against the real Chroma: the same calls, the same answers, on both backends.

What Chroma loses in silence, and we refuse or keep (NaN, infinities, integers beyond 64 bits), is not asked for here;
nor is whether 2.0 is in a list that has the integer 2, which to Chroma, in lists only, is another number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dbadapter import DatabaseAdapter, DatabaseConfig
from tests.servers import fresh_database
from tests.vectors import strategies as some
from tests.vectors.peer import Ours, Peer, running_chroma, same, same_ranking

CHECKS = list(HealthCheck)  # fixtures for all examples are meant
IDS = ["a", "b", "B", "é", "10", "9", "😀", "x y", "'"]
EVERYTHING = ["metadatas", "documents", "embeddings", "uris"]


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    """The real Chroma."""
    with running_chroma() as peer:
        yield peer


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory, postgres_server: Any) -> Iterator[list[Ours]]:
    """Our collections, on both backends."""
    path = tmp_path_factory.mktemp("parity") / "app.db"
    with fresh_database(postgres_server) as config:
        with (
            DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as local,
            DatabaseAdapter(config) as server,
        ):
            yield [Ours(local), Ours(server)]


def agree(
    peer: Peer,
    ours: list[Ours],
    method: str,
    arguments: dict[str, Any],
    *arrays: str,
    on: str = "collection",
) -> Any:
    """Call a method everywhere; all answers are Chroma's, which is returned."""
    theirs = peer.do(on, method, arguments, arrays)
    ranked = method == "query" and "distances" in arguments.get("include", ["distances"])
    for each in ours:
        gave = each.do(on, method, arguments, arrays)
        alike = same_ranking(gave, theirs) if ranked else same(gave, theirs)
        if not alike:
            raise AssertionError(f"{method}({arguments})\nours: {gave}\nChroma's: {theirs}")
    return theirs


numbers = count()


@contextmanager
def fresh(peer: Peer, ours: list[Ours], metric: str) -> Iterator[str]:
    """An empty collection of a metric everywhere; its name.

    Chroma keeps its own: of one that is deleted it leaves metadata behind, which turn up in later ones.
    """
    name = f"parity-{next(numbers)}"
    arguments = {"name": name, "metadata": {"hnsw:space": metric}, "embed": True}
    for each in (peer, *ours):
        assert each.do("client", "create_collection", arguments) == [name, {"hnsw:space": metric}]
    try:
        yield name
    finally:
        for mine in ours:
            for each in mine.adapter.vectors.list_collections():
                mine.adapter.vectors.delete_collection(each.name)


# -- random records and filters ------------------------------------------------------------------------


def is_finite(value: Any) -> bool:
    """Whether Chroma keeps every float in a value or a filter."""
    if isinstance(value, dict | list):
        return all(map(is_finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or math.isfinite(value)


def is_whole(value: Any) -> bool:
    """Whether a value is a float that an integer could equal."""
    return isinstance(value, float) and value.is_integer()


def asks_for_whole(where: Any) -> bool:
    """Whether a filter asks for such a float in lists."""
    if isinstance(where, list):
        return any(map(asks_for_whole, where))
    if not isinstance(where, dict):
        return False
    return any(
        asks_for_whole(value) or ("contains" in key and is_whole(value)) for key, value in where.items()
    )


def asks_for_fraction(where: Any) -> bool:
    """Whether a filter compares with a fraction, of which Chroma takes the whole part where an integer is stored."""
    if isinstance(where, dict | list):
        return any(map(asks_for_fraction, where.values() if isinstance(where, dict) else where))
    return isinstance(where, float) and not where.is_integer()


scalars = some.scalars.filter(is_finite)
lists = some.homogeneous.filter(is_finite).filter(lambda values: not any(map(is_whole, values)))
# Halves, so that distances are exact in single precision, too.
vectors = st.lists(st.integers(-4, 4).map(lambda n: n / 2), min_size=3, max_size=3)


def records(values: Any) -> Any:
    """Records of one call, with metadata of such values or none."""
    metadata = st.none() | st.dictionaries(some.keys, values, min_size=1, max_size=3)
    return st.lists(
        st.tuples(st.sampled_from(IDS), vectors, metadata, some.documents),
        min_size=1,
        max_size=6,
        unique_by=lambda record: record[0],
    )


wheres = some.wheres.filter(is_finite).filter(
    lambda where: not asks_for_whole(where) and not asks_for_fraction(where)
)
filters = st.tuples(st.none() | wheres, st.none() | some.document_wheres)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), records(scalars | lists)),
        st.tuples(st.sampled_from(["upsert", "update"]), records(st.none() | scalars | lists)),
        st.tuples(st.just("delete"), filters),
    ),
    min_size=1,
    max_size=6,
)


# A difference is not made smaller: Chroma takes too long for that.
@settings(max_examples=60, suppress_health_check=CHECKS, phases=[Phase.generate])
@given(
    metric=st.sampled_from(["l2", "cosine", "ip"]),
    plan=steps,
    asked=st.lists(filters, min_size=20, max_size=20),
)
def test_random_changes_and_filters(
    peer: Peer, ours: list[Ours], metric: str, plan: list[Any], asked: list[Any]
) -> None:
    """After any changes, everything is there as in Chroma, and every filter finds the same.

    Of an id that is not there, Chroma remembers an update's vector: added later, that id has the vector of then, with
    the document and metadata of now. So nothing is updated here that is not there.
    """
    with fresh(peer, ours, metric):
        agree(peer, ours, "add", {"ids": ["zero"], "embeddings": [[0.0, 0.0, 1.0]]})
        for verb, argument in plan:
            if verb != "delete":
                there = agree(peer, ours, "get", {"include": []})["ids"]
                if known := [each for each in argument if verb != "update" or each[0] in there]:
                    columns = ("ids", "embeddings", "metadatas", "documents")
                    values = map(list, zip(*known, strict=True))
                    agree(peer, ours, verb, dict(zip(columns, values, strict=True)))
            elif argument != (None, None):
                agree(peer, ours, verb, {"where": argument[0], "where_document": argument[1]})
        agree(peer, ours, "get", {"include": EVERYTHING})
        agree(peer, ours, "count", {})
        for where, where_document in asked:
            given = {"where": where, "where_document": where_document}
            agree(peer, ours, "get", given)
            agree(peer, ours, "query", {"query_embeddings": [[1.0, 0.5, -0.5]], "n_results": 4, **given})


# -- every form of argument ----------------------------------------------------------------------------

# Method and arguments; those named behind them are passed as numpy arrays.
Call = tuple[Any, ...]
FILL: list[Call] = [
    ("add", {"ids": "a", "embeddings": [1, 2, 3], "metadatas": {"k": 1}, "documents": "aab"}),
    ("add", {"ids": ["b"], "documents": ["bbb"]}),
    ("add", {"ids": ["c", "d"], "embeddings": [[1, 0, 0], [1.5, 0, 0]], "metadatas": [None, {"k": 2.5}]}),
    ("add", {"ids": ["e"], "embeddings": [[7, 7, 6]], "documents": [""], "uris": ["file:e"]}, "embeddings"),
    ("add", {"ids": ["f", "g"], "documents": ["abc", "ccc"], "metadatas": [{"k": True}, {"k": "1"}]}),
]
SCENARIOS: dict[str, list[Call]] = {
    "adding what is there": [
        ("add", {"ids": ["a", "z"], "embeddings": [[9, 9, 9], [8, 8, 8]], "documents": ["x", "y"]}),
        ("add", {"ids": ["a"], "embeddings": [[9, 9, 9]], "metadatas": [{"k": [1, 2]}]}),
        ("get", {"include": EVERYTHING}),
    ],
    "bad records": [
        ("add", {"ids": [], "embeddings": []}),
        ("add", {"ids": ["x", "x"], "embeddings": [[1, 1, 1], [2, 2, 2]]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1]]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1, 1], [2, 2, 2]]}),
        ("add", {"ids": ["x"], "embeddings": [[]]}),
        ("add", {"ids": ["x"]}),
        ("add", {"ids": ["x"], "metadatas": [{"k": 1}]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1, 1]], "metadatas": [{}]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1, 1]], "metadatas": [{"k": {"nested": 1}}]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1, 1]], "metadatas": [{"k": []}]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1, 1]], "metadatas": [{"k": [1, "a"]}]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1, 1]], "metadatas": [{"chroma:document": "a"}]}),
        ("add", {"ids": ["x"], "embeddings": [[1, 1, 1]], "documents": [5]}),
        ("add", {"ids": [5], "embeddings": [[1, 1, 1]]}),
        ("upsert", {"ids": ["x"], "metadatas": [{"k": 1}]}),
        ("update", {"ids": ["a"], "metadatas": [{}]}),
        ("update", {"ids": ["a"], "documents": [None]}),
        ("count", {}),
    ],
    "getting": [
        ("get", {}),
        ("get", {"ids": "b"}),
        ("get", {"ids": ["d", "a", "nowhere"]}),
        ("get", {"ids": []}),
        ("get", {"ids": ["a", "a"]}),
        ("get", {"limit": 2}),
        ("get", {"limit": 2, "offset": 3}),
        ("get", {"offset": 5}),
        ("get", {"offset": 50}),
        ("get", {"limit": 0}),
        ("get", {"limit": -1}),
        ("get", {"offset": -1}),
        ("get", {"where": {"k": {"$ne": 1}}, "limit": 2, "offset": 1}),
        ("get", {"include": []}),
        ("get", {"include": ["embeddings"]}),
        ("get", {"include": ["uris", "documents"], "ids": ["e", "a"]}),
        ("get", {"include": EVERYTHING, "ids": ["nowhere"]}),
        ("get", {"include": ["distances"]}),
        ("get", {"include": ["data"]}),
        ("get", {"include": ["nonsense"]}),
        ("get", {"include": "documents"}),
        ("peek", {}),
        ("peek", {"limit": 2}),
        ("peek", {"limit": 0}),
        ("get", {"where": {"k": 1}, "where_document": {"$contains": "a"}}),
        ("get", {"where": {"k": 1}, "where_document": {"$contains": "z"}}),
        ("get", {"ids": ["a", "b"], "where_document": {"$regex": "b+$"}}),
        ("get", {"ids": ["a", "b", "f"], "where": {"k": True}}),
    ],
    "querying": [
        ("query", {"query_embeddings": [1, 2, 3.5], "n_results": 2}),
        ("query", {"query_embeddings": [[1, 2, 3.5], [0, 0, 0]], "n_results": 3}),
        ("query", {"query_embeddings": [[1, 2, 3.5], [0, 0, 0]], "n_results": 100}, "query_embeddings"),
        ("query", {"query_embeddings": [1, 2, 3.5]}, "query_embeddings"),
        ("query", {"query_texts": "abc", "n_results": 2}),
        ("query", {"query_texts": ["abc", "bb"], "n_results": 2}),
        ("query", {"query_texts": ["abc"], "query_embeddings": [[1, 2, 3.5]], "n_results": 2}),
        ("query", {"query_texts": ["abc"], "ids": ["a", "c"], "n_results": 5}),
        ("query", {"query_texts": ["abc"], "ids": "a"}),
        ("query", {"query_texts": ["abc"], "ids": []}),
        ("query", {"query_texts": ["bb"], "ids": ["a", "f"], "where": {"k": True}}),
        ("query", {"query_embeddings": [[1, 2, 3.5]], "include": ["embeddings", "uris", "distances"]}),
        ("query", {"query_embeddings": [[1, 2, 3.5]], "n_results": 2, "include": ["documents"]}),
        ("query", {"query_embeddings": [[1, 2, 3.5]], "n_results": 2, "include": []}),
        ("query", {"query_embeddings": [[1, 2, 3.5]], "where": {"k": "none such"}}),
        ("query", {"query_embeddings": [[1, 2, 3.5]], "where_document": {"$not_contains": "b"}}),
        (
            "query",
            {"query_embeddings": [[1, 2, 3.5]], "where": {"k": 1}, "where_document": {"$contains": "a"}},
        ),
        ("query", {"n_results": 3}),
        ("query", {"query_embeddings": []}),
        ("query", {"query_embeddings": [[1, 2]]}),
        ("query", {"query_embeddings": [[1, 2, 3]], "n_results": 0}),
        ("query", {"query_embeddings": [[1, 2, 3]], "n_results": -1}),
        ("query", {"query_embeddings": [[1, 2, 3]], "n_results": 1.5}),
        ("query", {"query_embeddings": [[1, 2, 3]], "include": ["nonsense"]}),
    ],
    "updating": [
        ("update", {"ids": "a", "metadatas": {"j": 2, "k": None}}),
        ("update", {"ids": ["b"], "metadatas": [{"only": None}]}),
        ("update", {"ids": ["c"], "documents": ["abcabc"]}),
        ("update", {"ids": "d"}),
        ("update", {"ids": ["d"], "metadatas": [None]}),
        ("update", {"ids": ["e", "f"], "embeddings": [[1, 1, 1], [2, 2, 2]], "metadatas": [{"x": 1}, None]}),
        ("update", {"ids": ["g", "x"], "embeddings": [[1, 1, 2], [1, 1, 1]], "uris": ["file:g", "file:x"]}),
        ("get", {"include": EVERYTHING}),
        ("upsert", {"ids": "a", "documents": "cc"}),
        (
            "upsert",
            {"ids": ["b", "new"], "embeddings": [[0, 0, 1], [0, 1, 0]], "metadatas": [None, {"z": [1]}]},
        ),
        ("upsert", {"ids": ["b", "new"], "embeddings": [[0, 0, 2], [0, 2, 0]], "documents": ["x", None]}),
        (
            "upsert",
            {"ids": ["new"], "embeddings": [0, 3, 0], "metadatas": {"z": None, "y": 1.0}},
            "embeddings",
        ),
        ("get", {"include": EVERYTHING}),
        ("peek", {"limit": 1}),
    ],
    "deleting": [
        ("delete", {}),
        ("delete", {"ids": []}),
        ("delete", {"ids": ["a", "a"]}),
        ("delete", {"limit": 1}),
        ("delete", {"ids": "a"}),
        ("delete", {"where": {"k": "none such"}}),
        ("delete", {"where": {"k": {"$gte": 2}}}),
        ("delete", {"where_document": {"$contains": "b"}, "limit": 1}),
        ("delete", {"ids": ["e", "f"], "where": {"k": True}}),
        ("get", {}),
        ("count", {}),
        ("add", {"ids": ["a"], "documents": ["back again"]}),
        ("get", {"include": EVERYTHING}),
    ],
    "filters": [
        ("get", {"where": where})
        for where in (
            {},
            {"k": None},
            {"k": [1]},
            {"k": {}},
            {"k": {"$eq": [1]}},
            {"k": {"$gt": "a"}},
            {"k": {"$gt": True}},
            {"k": {"$gte": 1}},
            {"k": {"$lt": 2.5}},
            {"k": {"$in": []}},
            {"k": {"$in": [1, "1"]}},
            {"k": {"$in": [1, 1.0]}},
            {"k": {"$in": [1.0, 2.5]}},
            {"k": {"$nin": ["1"]}},
            {"k": {"$in": 1}},
            {"k": {"$foo": 1}},
            {"k": {"$gt": 0, "$lt": 3}},
            {"k": 1, "j": 2},
            {"k": 1.0},
            {"k": True},
            {"k": "1"},
            {"k": {"$ne": True}},
            {"$and": []},
            {"$and": [{"k": 1}]},
            {"$and": {"k": 1}},
            {"$or": [{"k": 1}, {"k": 2.5}]},
            {"$or": [{"k": 1}, {"$and": [{"k": {"$gt": 2}}, {"k": {"$lt": 3}}]}]},
            {"$or": [{"k": 1}, {"k": {"$foo": 1}}]},
            {"$not": [{"k": 1}, {"k": 2}]},
            {"$contains": "a"},
            [{"k": 1}],
            "k",
        )
    ],
    "filters on documents": [
        ("get", {"where_document": where})
        for where in (
            {},
            {"$contains": ""},
            {"$contains": 5},
            {"$contains": "B"},
            {"$contains": "bb"},
            {"$contains": ["a"]},
            {"$not_contains": "a"},
            {"$regex": "^a+b"},
            {"$regex": "("},
            {"$regex": ""},
            {"$not_regex": "c{3}"},
            {"$foo": "a"},
            {"$eq": "aab"},
            {"$contains": "a", "$not_contains": "b"},
            {"$and": [{"$contains": "a"}]},
            {"$and": [{"$contains": "a"}, {"$not_contains": "c"}]},
            {"$or": [{"$contains": "c"}, {"$regex": "^$"}]},
            {"k": 1},
            ["$contains", "a"],
        )
    ],
}


@pytest.mark.parametrize("metric", ["l2", "cosine"])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_form_of_argument(peer: Peer, ours: list[Ours], scenario: str, metric: str) -> None:
    """Single values, lists, arrays, combinations and mistakes are taken, answered and refused as by Chroma."""
    with fresh(peer, ours, metric):
        for call in [*FILL, *SCENARIOS[scenario]]:
            agree(peer, ours, *call)


def test_collections(peer: Peer, ours: list[Ours]) -> None:
    """Collections are created, found, changed and deleted alike."""
    with fresh(peer, ours, "l2") as name:
        for method, arguments in (
            ("create_collection", {"name": name}),
            ("create_collection", {"name": name, "get_or_create": True, "embed": True}),
            ("get_or_create_collection", {"name": name, "embed": True}),
            ("get_or_create_collection", {"name": name, "metadata": {"other": 1}, "embed": True}),
            ("get_collection", {"name": name, "embed": True}),
            ("get_collection", {"name": "nowhere"}),
            ("delete_collection", {"name": "nowhere"}),
            ("create_collection", {"name": ""}),
            ("create_collection", {"name": "bad", "metadata": {}}),
            ("create_collection", {"name": "space", "metadata": {"hnsw:space": "nonsense"}}),
        ):
            agree(peer, ours, method, arguments, on="client")
        for changed in (
            {"metadata": {"a": 1, "b": "x"}},
            {"metadata": {"hnsw:space": "cosine"}},
            {"metadata": {"a": {"nested": 1}}},
        ):
            agree(peer, ours, "modify", changed)
        agree(peer, ours, "get_collection", {"name": name, "embed": True}, on="client")
        agree(peer, ours, "modify", {"name": f"{name}-renamed"})
        agree(peer, ours, "get_collection", {"name": name}, on="client")
        agree(peer, ours, "get_collection", {"name": f"{name}-renamed", "embed": True}, on="client")
        agree(peer, ours, "count", {})
