# Generated from tests/_async/test_vector_refusals.py by tools/unasync.py; do not edit.
"""What makes no sense as a filter, a pattern or a batch is refused by name, and changes nothing, on both backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dbadapter import DatabaseAdapter
from dbadapter.errors import (
    DatabaseAdapterError,
    DimensionMismatch,
    DuplicateID,
    ForeignKeyViolation,
    InvalidFilter,
    VectorError,
)
from dbadapter.vectors import InvalidRecord

# More than is written at once, so that what is wrong with the last record is met after others have been written.
MANY = 11_000


@pytest.fixture
def notes(adapter: DatabaseAdapter) -> Any:
    """A collection of three records."""
    collection = adapter.vectors.create_collection("notes", dimension=2, metric="l2")
    collection.add(
        ["a", "b", "c"],
        embeddings=[[1, 1], [2, 1], [3, 1]],
        documents=["alpha", "beta", None],
        metadatas=[{"k": 1}, {"k": "x", "tags": ["t"]}, None],
    )
    return collection


def contents(collection: Any) -> Any:
    """Everything a collection holds, as plain values."""
    got = collection.get(include=["embeddings", "documents", "metadatas"])
    return got["ids"], np.asarray(got["embeddings"]).tolist(), got["documents"], got["metadatas"]


def refused(collection: Any, words: str, **filters: Any) -> None:
    """Every verb that takes a filter refuses this one with the same words, and leaves the collection as it was."""
    before = contents(collection)
    verbs: list[Callable[[], Any]] = [
        lambda: collection.get(**filters),
        lambda: collection.query([[1, 1]], **filters),
        lambda: collection.search([1, 1], **filters),
        lambda: collection.delete(**filters),
        lambda: collection.explain([1, 1], **filters),
    ]
    if "where_document" not in filters:
        verbs.append(lambda: collection.hybrid_search("alpha", [1, 1], **filters))
    said = set()
    for verb in verbs:
        with pytest.raises(InvalidFilter, match=words) as caught:
            verb()
        said.add(str(caught.value))
    assert len(said) == 1
    assert contents(collection) == before


# -- filters on metadata -------------------------------------------------------------------------------

_BAD_WHERE: list[tuple[Any, str]] = [
    ({}, r"^where: takes exactly one metadata key, \$and or \$or, not 0$"),
    ([], r"^where: takes a mapping"),
    ("k", r"^where: takes a mapping"),
    (7, r"^where: takes a mapping"),
    ({"k": 1, "l": 2}, r"^where: .*not 2; join several with"),
    ({1: 1}, r"^where: the key 1 is not text"),
    ({None: 1}, r"^where: the key None is not text"),
    ({"$foo": 1}, r"^where: \$foo is no logical operator"),
    ({"$eq": 1}, r"^where: \$eq is no logical operator"),
    ({"$not": {"k": 1}}, r"^where: \$not is no logical operator"),
    ({"k": None}, r"^where\.k: takes a str, int, float or bool, not None"),
    ({"k": [1]}, r"^where\.k: takes a str"),
    ({"k": b"x"}, r"^where\.k: takes a str"),
    ({"k": {}}, r"^where\.k: takes exactly one operator"),
    ({"k": {"$gt": 1, "$lt": 2}}, r"^where\.k: takes exactly one operator .*not 2"),
    ({"k": {"gt": 1}}, r"^where\.k\.gt: gt is not one of \$eq"),
    ({"k": {"$like": "a%"}}, r"^where\.k\.\$like: \$like is not one of"),
    ({"k": {"$regex": "a"}}, r"^where\.k\.\$regex: \$regex is not one of"),
    ({"k": {"$and": [1, 2]}}, r"^where\.k\.\$and: \$and is not one of"),
    ({"k": {1: 1}}, r"^where\.k: the key 1 is not text"),
    ({"k": {"$eq": None}}, r"^where\.k\.\$eq: takes a str"),
    ({"k": {"$eq": {"$gt": 1}}}, r"^where\.k\.\$eq: takes a str"),
    ({"k": {"$gt": "a"}}, r"^where\.k\.\$gt: only numbers are ordered"),
    ({"k": {"$lte": True}}, r"^where\.k\.\$lte: only numbers are ordered"),
    ({"k": {"$gte": [1]}}, r"^where\.k\.\$gte: takes a str"),
    ({"k": float("nan")}, r"^where\.k: NaN"),
    ({"k": {"$lt": float("nan")}}, r"^where\.k\.\$lt: NaN"),
    ({"k": 2**63}, r"^where\.k: 9223372036854775808 is beyond 64 bits"),
    ({"k": {"$in": [0, -(2**63) - 1]}}, r"^where\.k\.\$in\[1\]: .*beyond 64 bits"),
    ({"k": {"$in": []}}, r"^where\.k\.\$in: the list is empty"),
    ({"k": {"$nin": []}}, r"^where\.k\.\$nin: the list is empty"),
    ({"k": {"$in": "abc"}}, r"^where\.k\.\$in: takes a list of values"),
    ({"k": {"$in": {1, 2}}}, r"^where\.k\.\$in: takes a list of values"),
    ({"k": {"$in": [1, "a"]}}, r"^where\.k\.\$in: the values of a list are all of one type"),
    ({"k": {"$in": [1, True]}}, r"^where\.k\.\$in: the values of a list are all of one type"),
    ({"k": {"$in": ["a", None]}}, r"^where\.k\.\$in\[1\]: takes a str"),
    ({"k": {"$contains": []}}, r"^where\.k\.\$contains: takes a str"),
    ({"k": "a\0b"}, r"^where\.k: text with a NUL"),
    ({"k": {"$ne": "\ud800"}}, r"^where\.k\.\$ne: text with a lone surrogate"),
    ({"a\0b": 1}, r"NUL"),
    ({"\udfff": 1}, r"^where\.\\udfff: text with a lone surrogate"),
    ({"$and": {"k": 1}}, r"^where\.\$and: takes a list of filters"),
    ({"$and": []}, r"^where\.\$and: takes at least two filters, not 0"),
    ({"$or": [{"k": 1}]}, r"^where\.\$or: takes at least two filters, not 1"),
    ({"$or": [{"k": 1}, None]}, r"^where\.\$or\[1\]: takes a mapping"),
    ({"$and": [{"k": 1}, {}]}, r"^where\.\$and\[1\]: takes exactly one"),
    (
        {"$and": [{"k": 1}, {"$or": [{"k": 2}, {"l": {"$gt": "x"}}]}]},
        r"^where\.\$and\[1\]\.\$or\[1\]\.l\.\$gt: only numbers",
    ),
    ({"#document": "a"}, r"^where\.#document: the document is filtered as"),
    ({"#document": {"$eq": "a"}}, r"^where\.#document\.\$eq: the document takes \$contains"),
    ({"#document": {"$contains": ""}}, r"^where\.#document\.\$contains: takes a text that is not empty"),
]


@pytest.mark.parametrize(("where", "words"), _BAD_WHERE, ids=[repr(where)[:60] for where, _ in _BAD_WHERE])
def test_malformed_filters_name_their_place(notes: Any, where: Any, words: str) -> None:
    """The error says where in the filter the fault is, whichever verb was given it; a delete deletes nothing."""
    refused(notes, words, where=where)


_BAD_DOCUMENT: list[tuple[Any, str]] = [
    ({}, r"^where_document: takes exactly one operator"),
    ("alpha", r"^where_document: takes a mapping"),
    ({"$contains": "a", "$regex": "b"}, r"^where_document: takes exactly one operator .*not 2"),
    ({"$eq": "alpha"}, r"^where_document\.\$eq: \$eq is not one of \$contains"),
    ({"k": "alpha"}, r"^where_document\.k: k is not one of"),
    ({"$contains": ""}, r"^where_document\.\$contains: takes a text that is not empty"),
    ({"$not_contains": None}, r"^where_document\.\$not_contains: takes a text"),
    ({"$contains": 7}, r"^where_document\.\$contains: takes a text"),
    ({"$contains": ["alpha"]}, r"^where_document\.\$contains: takes a text"),
    ({"$contains": b"alpha"}, r"^where_document\.\$contains: takes a text"),
    ({"$contains": "a\0"}, r"^where_document\.\$contains: text with a NUL"),
    ({"$contains": "\ud800"}, r"^where_document\.\$contains: text with a lone surrogate"),
    ({"$or": {"$contains": "a"}}, r"^where_document\.\$or: takes a list of filters"),
    ({"$and": [{"$contains": "a"}]}, r"^where_document\.\$and: takes at least two filters, not 1"),
    ({"$and": [{"$contains": "a"}, {"$or": [{"$contains": "b"}, {"k": 1}]}]},
     r"^where_document\.\$and\[1\]\.\$or\[1\]\.k: k is not one of"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("where_document", "words"), _BAD_DOCUMENT, ids=[repr(where)[:60] for where, _ in _BAD_DOCUMENT]
)
def test_malformed_document_filters_name_their_place(notes: Any, where_document: Any, words: str) -> None:
    """As for filters on metadata."""
    refused(notes, words, where_document=where_document)


def test_a_good_filter_does_not_excuse_a_bad_one(notes: Any) -> None:
    """Both filters of a call are looked at before anything is done."""
    refused(notes, r"^where_document\.\$regex", where={"k": 1}, where_document={"$regex": "("})
    refused(notes, r"^where\.k\.\$in", where={"k": {"$in": []}}, where_document={"$contains": "a"})


def nested(depth: int, operator: str, leaf: dict[str, Any]) -> dict[str, Any]:
    """A filter of so many levels, which matches what the leaf matches."""
    found = leaf
    for _ in range(depth):
        found = {operator: [leaf, found]}
    return found


@pytest.mark.parametrize("operator", ["$and", "$or"])
def test_deep_filters_are_answered_or_refused(notes: Any, operator: str) -> None:
    """As deep as is allowed, a filter is answered; deeper, it is refused and does not exhaust the stack."""
    allowed = nested(100, operator, {"k": 1})
    assert notes.get(where=allowed)["ids"] == ["a"]
    text = nested(100, operator, {"$contains": "lph"})
    assert notes.get(where_document=text)["ids"] == ["a"]
    for depth in (101, 100_000):
        refused(notes, "nested more than 100 deep", where=nested(depth, operator, {"k": 1}))
        deep = nested(depth, operator, {"$regex": "lph"})
        refused(notes, "nested more than 100 deep", where_document=deep)


def test_wide_filters_are_answered(notes: Any) -> None:
    """Thousands of parts, and of values in a list, find what a few find; no backend's limit shows."""
    parts = [{"k": number} for number in range(5000)]
    assert notes.get(where={"$or": parts})["ids"] == ["a"]
    others = [{"k": {"$ne": number}} for number in range(2, 5000)]
    assert notes.get(where={"$and": others})["ids"] == ["a", "b", "c"]
    texts = [{"$not_contains": f"missing {number}"} for number in range(2000)]
    assert notes.get(where_document={"$and": texts})["ids"] == ["a", "b", "c"]
    values = list(range(100_000))
    assert notes.get(where={"k": {"$in": values}})["ids"] == ["a"]
    assert notes.query([[1, 1]], where={"k": {"$nin": values}})["ids"] == [["b", "c"]]
    floats = [{"k": {"$in": [number + 0.5 for number in range(at, at + 900)]}} for at in range(100)]
    assert notes.get(where={"$or": [*floats, {"k": "x"}]})["ids"] == ["b"]
    nested_and_wide = {"$and": [nested(12, "$or", {"k": 1}), *others[:30]]}
    assert [match.id for match in notes.search([1, 1], where=nested_and_wide)] == ["a"]
    notes.delete(where={"$or": parts})
    assert notes.get()["ids"] == ["b", "c"]


# -- patterns ------------------------------------------------------------------------------------------

_BAD_PATTERNS: list[tuple[Any, str]] = [
    ("(", "not a pattern in RE2 syntax"),
    (")", "not a pattern in RE2 syntax"),
    ("[a", "not a pattern in RE2 syntax"),
    ("[z-a]", "not a pattern in RE2 syntax"),
    ("*a", "not a pattern in RE2 syntax"),
    ("a**", "not a pattern in RE2 syntax"),
    ("\\", "not a pattern in RE2 syntax"),
    ("\\8", "not a pattern in RE2 syntax"),
    ("(a)\\1", "not a pattern in RE2 syntax"),
    ("(?=a)", "not a pattern in RE2 syntax"),
    ("(?!a)b", "not a pattern in RE2 syntax"),
    ("(?<=a)b", "not a pattern in RE2 syntax"),
    ("(?>a)", "not a pattern in RE2 syntax"),
    ("\\p{Nonsense}", "not a pattern in RE2 syntax"),
    ("a{1001}", "not a pattern in RE2 syntax"),
    ("((a{100}){100}){100}", "not a pattern in RE2 syntax"),
    ("", "takes a text that is not empty"),
    (None, "takes a text that is not empty"),
    (7, "takes a text that is not empty"),
    (b"a", "takes a text that is not empty"),
    (["a"], "takes a text that is not empty"),
    ("a\0", "NUL"),
    ("\ud800", "lone surrogate"),
]


@pytest.mark.parametrize("operator", ["$regex", "$not_regex"])
@pytest.mark.parametrize(("pattern", "words"), _BAD_PATTERNS, ids=[repr(each) for each, _ in _BAD_PATTERNS])
def test_bad_patterns_are_refused(notes: Any, operator: str, pattern: Any, words: str) -> None:
    """What RE2 cannot run in linear time, or not at all, is refused in its own words, with the place."""
    refused(notes, rf"^where_document\.\{operator}: .*{words}", where_document={operator: pattern})


def test_a_long_bad_pattern_is_not_repeated_whole(notes: Any) -> None:
    """The message shows the beginning of it."""
    with pytest.raises(InvalidFilter) as caught:
        notes.get(where_document={"$regex": "(" + "a" * 100_000})
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("(a+)+$", False),
        ("(a|aa)+$", False),
        ("(a|a)*c", False),
        ("(a*)*b", True),
        ("^(([a-z])+.)+[A-Z]([a-z])+$", False),
        ("(.*)(.*)(.*)(.*)(.*)(.*)(.*)(.*)c", False),
        ("(x+x+)+y", False),
        ("a{500}a{500}b", True),
    ],
)
def test_patterns_that_blow_up_elsewhere_are_answered(
    adapter: DatabaseAdapter, pattern: str, found: bool
) -> None:
    """Of a backtracking engine the time limit of the test would tell; these take as long as the text is."""
    collection = adapter.vectors.create_collection("long", dimension=1)
    collection.add(["long"], embeddings=[[1]], documents=["a" * 50_000 + "b"])
    expected = ["long"] if found else []
    assert collection.get(where_document={"$regex": pattern})["ids"] == expected
    negated = {"$not_regex": pattern}
    assert collection.get(where_document=negated)["ids"] == ([] if found else ["long"])


# -- batches -------------------------------------------------------------------------------------------


def many(collection: Any, verb: str, count: int = MANY, **changes: Any) -> None:
    """Call a verb with many good records, but for what is given."""
    records = {
        "ids": [f"n{number}" for number in range(count)],
        "embeddings": np.ones((count, 2), np.float32),
        "metadatas": [{"n": number} for number in range(count)],
        "documents": [f"text {number}" for number in range(count)],
    }
    getattr(collection, verb)(**{**records, **changes})


@pytest.mark.parametrize("verb", ["add", "upsert", "update"])
def test_one_bad_record_spoils_a_huge_batch(notes: Any, verb: str) -> None:
    """The last of many is named by its place, and none of the others is written or changed."""
    before = contents(notes)
    ids = ["a", "b", "c", *(f"n{number}" for number in range(MANY - 3))]
    vectors = np.ones((MANY, 2), np.float32)
    vectors[-1, 1] = np.nan
    last = MANY - 1
    plain: list[Any] = [None] * last
    for changes, error, words in (
        ({"embeddings": vectors}, InvalidRecord, rf"embeddings\[{last}\]"),
        ({"embeddings": [*([[1, 1]] * last), [1]]}, DimensionMismatch, rf"embeddings\[{last}\]"),
        ({"embeddings": np.ones((MANY, 3))}, DimensionMismatch, "2 dimensions"),
        ({"metadatas": [*plain, {"k": {}}]}, InvalidRecord, rf"metadatas\[{last}\]"),
        ({"documents": [*plain, "\0"]}, InvalidRecord, rf"documents\[{last}\]"),
        ({"uris": [*plain, 7]}, InvalidRecord, rf"uris\[{last}\]"),
        ({"ids": [*ids[:-1], ""]}, InvalidRecord, rf"ids\[{last}\]"),
        ({"ids": [*ids[:-1], "a"]}, DuplicateID, "'a'"),
        ({"ids": ids[:-1]}, InvalidRecord, f"{last} ids but {MANY} embeddings"),
        ({"documents": ["one"]}, InvalidRecord, f"{MANY} ids but 1 documents"),
    ):
        with pytest.raises(error, match=words):
            many(notes, verb, **{"ids": ids, **changes})
        assert contents(notes) == before


def test_a_huge_batch_arrives_whole(notes: Any) -> None:
    """Beyond what is written at once, with ids that are there already among them, which are left as they are."""
    ids = [f"n{number}" for number in range(MANY)]
    ids[10], ids[-1] = "b", "a"
    many(notes, "add", ids=ids)
    assert notes.count() == MANY + 1
    assert notes.get(["a", "b"])["documents"] == ["alpha", "beta"]
    assert notes.get([f"n{MANY - 2}"])["metadatas"] == [{"n": MANY - 2}]
    assert len(notes.get(where={"n": {"$gte": 0}})["ids"]) == MANY - 2
    many(notes, "upsert", ids=ids)
    assert notes.get(["a"])["metadatas"] == [{"k": 1, "n": MANY - 1}]
    notes.delete(ids)
    assert notes.get()["ids"] == ["c"]


@pytest.mark.parametrize("verb", ["add", "upsert"])
def test_a_missing_row_at_the_end_spoils_a_huge_batch(adapter: DatabaseAdapter, verb: str) -> None:
    """The database refuses the last record after the others were sent; all of them are taken back."""
    adapter.execute("CREATE TABLE rows (id BIGINT NOT NULL PRIMARY KEY)")
    adapter.insert_many("rows", [(number,) for number in range(MANY - 1)])
    tied = adapter.vectors.create_collection("tied", dimension=2, references="rows.id")
    with pytest.raises(ForeignKeyViolation):
        many(tied, verb, ids=[str(number) for number in range(MANY)])
    assert tied.count() == 0
    adapter.insert_many("rows", [(MANY - 1,)])
    many(tied, verb, ids=[str(number) for number in range(MANY)])
    assert tied.count() == MANY


def test_a_bad_batch_spoils_only_itself_in_a_transaction(notes: Any, adapter: DatabaseAdapter) -> None:
    """What is refused before it is sent leaves the transaction as it was; what came before it commits."""
    with adapter.transaction() as tx:
        inside = tx.vectors.get_collection("notes")
        inside.add(["d"], embeddings=[[4, 1]])
        for wrong in ({"ids": ["e"], "embeddings": [[1]]}, {"ids": ["e", "e"], "embeddings": [[1, 1]] * 2}):
            with pytest.raises(VectorError):
                inside.add(**wrong)
        with pytest.raises(InvalidFilter):
            inside.delete(where={"k": {"$in": []}})
    assert notes.get()["ids"] == ["a", "b", "c", "d"]


def test_empty_batches_are_refused(notes: Any) -> None:
    """A call about no records is a mistake, whatever it was to do; deleting without a choice most of all."""
    before = contents(notes)
    for verb in (notes.add, notes.upsert, notes.update):
        for empty in ([], (), iter(())):
            with pytest.raises(InvalidRecord, match="ids is empty"):
                verb(empty, embeddings=[])
        with pytest.raises(InvalidRecord, match="embeddings is empty"):
            verb(["x"], embeddings=np.empty((0, 2)))
    for wrong in (notes.delete, lambda: notes.delete([]), lambda: notes.get([])):
        with pytest.raises(InvalidRecord):
            wrong()
    assert notes.query([[1, 1]], ids=[])["ids"] == [[]]  # Chroma's answer: of no records none is near
    assert contents(notes) == before


@pytest.mark.parametrize("verb", ["add", "upsert", "update"])
@pytest.mark.parametrize("wrong", [None, 7, b"ab", {"a": 1}, [["a"]], [None], [b"a"], [1.5]], ids=repr)
def test_ids_of_other_types_are_refused(notes: Any, verb: str, wrong: Any) -> None:
    """Ids are texts; nothing else is taken for one, silently or with another library's error."""
    before = contents(notes)
    with pytest.raises(InvalidRecord, match="ids"):
        getattr(notes, verb)(wrong, embeddings=[[1, 1]])
    assert contents(notes) == before


@pytest.mark.parametrize(
    "wrong",
    [
        7,
        "ab",
        b"abcdefgh",
        {"a": [1, 1]},
        [{"x": 1}],
        [["1", "2"]],
        [[None, 1]],
        [[1 + 2j, 1]],
        np.array([[1, "a"]], object),
        np.array([["2020-01-01", "2020-01-02"]], "datetime64[D]"),
        np.ones((1, 2, 2)),
        np.array(1.0),
        [[10**400, 1]],
        [[1e39, 1]],
    ],
    ids=repr,
)
def test_vectors_of_other_types_are_refused(notes: Any, wrong: Any) -> None:
    """Vectors are numbers that single precision holds, in records and in questions alike."""
    before = contents(notes)
    for verb in (notes.add, notes.upsert, notes.update):
        with pytest.raises(VectorError, match="embeddings"):
            verb(["a"], embeddings=wrong)
    with pytest.raises(VectorError, match="embeddings"):
        notes.query(query_embeddings=wrong)
    assert contents(notes) == before


def test_a_batch_whose_source_fails(notes: Any) -> None:
    """An iterator that raises in the middle leaves nothing behind, and its error comes through as it is."""
    before = contents(notes)

    class Broken(Exception):
        pass

    def ids() -> Any:
        yield "x"
        raise Broken

    for verb in (notes.add, notes.upsert, notes.update):
        with pytest.raises(Broken):
            verb(ids(), embeddings=[[1, 1], [1, 1]])
    assert contents(notes) == before


def test_every_refusal_is_ours() -> None:
    """Whoever catches the library's errors catches these."""
    for error in (InvalidFilter, InvalidRecord, DuplicateID, DimensionMismatch):
        assert issubclass(error, VectorError)
        assert issubclass(error, DatabaseAdapterError)
