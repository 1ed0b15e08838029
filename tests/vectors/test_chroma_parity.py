"""Collections against the real Chroma: the same calls, the same answers, on both backends.

What we refuse because Chroma would lose it in silence (NaN, integers beyond 64 bits, NUL) is not asked for here.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbadapter import DatabaseAdapter, DatabaseConfig
from tests.servers import fresh_database
from tests.vectors import strategies as some
from tests.vectors.peer import Ours, Peer, Refused, running_chroma, same, same_ranking

CHECKS = list(HealthCheck)  # fixtures for all examples are meant
IDS = ["a", "b", "B", "é", "10", "9", "😀", "x y", "'"]
Call = tuple[str, dict[str, Any]]


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


def agree(peer: Peer, ours: list[Ours], on: str, method: str, arrays: tuple[str, ...] = (), **arguments: Any) -> Any:
    """Call a method everywhere; all answers are Chroma's, which is returned."""
    theirs = peer.do(on, method, arguments, arrays)
    compare = same_ranking if method == "query" and "distances" in arguments.get("include", ["distances"]) else same
    for each in ours:
        gave = each.do(on, method, arguments, arrays)
        assert compare(gave, theirs), (method, arguments, gave, theirs)
    return theirs


@pytest.fixture
def calls(peer: Peer, ours: list[Ours]) -> Iterator[Any]:
    """Calls a method of a fresh collection of that metric everywhere; see `agree`."""
    with fresh(peer, ours, "l2"):
        yield lambda method, *arrays, **arguments: agree(
            peer, ours, "collection", method, tuple(arrays), **arguments
        )


class fresh:  # noqa: N801 - it reads as a verb
    """A collection of a metric everywhere, deleted at the end."""

    def __init__(self, peer: Peer, ours: list[Ours], metric: str) -> None:
        self.everywhere = [peer, *ours]
        self.metric = metric

    def __enter__(self) -> None:
        arguments = {"name": "parity", "metadata": {"hnsw:space": self.metric}, "embed": True}
        for each in self.everywhere:
            assert each.do("client", "create_collection", arguments) == ["parity", {"hnsw:space": self.metric}]

    def __exit__(self, *details: object) -> None:
        for each in self.everywhere:
            for name in each.do("client", "list_collections", {}):
                each.do("client", "delete_collection", {"name": name.split("=")[1].strip("')")})


# -- random records and filters ------------------------------------------------------------------------

# Halves, so that distances are exact in single precision, too.
vectors = st.lists(st.integers(-4, 4).map(lambda n: n / 2), min_size=3, max_size=3)
changes = st.none() | st.dictionaries(some.keys, st.none() | some.scalars | some.homogeneous, min_size=1, max_size=3)
additions = st.none() | st.dictionaries(some.keys, some.scalars | some.homogeneous, min_size=1, max_size=3)


def rows(metadatas: Any) -> Any:
    """Records of one call."""
    return st.lists(
        st.tuples(st.sampled_from(IDS), vectors, metadatas, some.documents),
        min_size=1,
        max_size=6,
        unique_by=lambda record: record[0],
    )


filters = st.tuples(st.none() | some.wheres, st.none() | some.document_wheres)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), rows(additions)),
        st.tuples(st.sampled_from(["upsert", "update"]), rows(changes)),
        st.tuples(st.just("delete"), filters),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, suppress_health_check=CHECKS)
@given(metric=st.sampled_from(["l2", "cosine", "ip"]), plan=steps, asked=st.lists(filters, min_size=20, max_size=20))
def test_random_changes_and_filters(
    peer: Peer, ours: list[Ours], metric: str, plan: list[Any], asked: list[Any]
) -> None:
    """After any changes, everything is there as in Chroma, and every filter finds the same."""
    everything = ["metadatas", "documents", "embeddings", "uris"]
    with fresh(peer, ours, metric):
        agree(peer, ours, "collection", "add", ids=["zero"], embeddings=[[0.0, 0.0, 1.0]])
        for verb, argument in plan:
            if verb == "delete":
                if argument != (None, None):
                    agree(peer, ours, "collection", "delete", where=argument[0], where_document=argument[1])
                continue
            ids, embeddings, metadatas, documents = (list(column) for column in zip(*argument, strict=True))
            columns = {"metadatas": metadatas, "documents": documents}
            agree(peer, ours, "collection", verb, ids=ids, embeddings=embeddings, **columns)
        agree(peer, ours, "collection", "get", include=everything)
        agree(peer, ours, "collection", "count")
        for where, where_document in asked:
            given = {"where": where, "where_document": where_document}
            agree(peer, ours, "collection", "get", **given)
            agree(peer, ours, "collection", "query", query_embeddings=[[1.0, 0.5, -0.5]], n_results=4, **given)


# -- every form of argument ----------------------------------------------------------------------------

FORMS: dict[str, list[Call]] = {}


def test_placeholder() -> None:
    """x"""
