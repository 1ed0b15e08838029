"""Random records and random filters that are likely to meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

KEYS = ["a", "b", "ключ", "with space", 'quo"te', "a.b", "%s"]
TEXTS = [
    "",
    "a",
    "A",
    "é",
    "e\u0301",
    "1",
    "true",
    "😀",
    "\uffff",
    "naïve",
    "50%",
    "it's",
    'say "hi"',
    "ß",
    "a\\b",
]
INTS = [0, 1, -1, 2, 2**53, 2**53 + 1, 10**18, 10**18 + 1, 2**63 - 1, -(2**63)]
FLOATS = [0.0, 1.0, -1.0, 1.5, 0.1, 0.1 + 0.2, 2.0**53, 1e18, 2.0**63, 1e22, 1e300, 5e-324, 1.1e-7]
FLOATS += [float("inf"), float("-inf"), 1.7976931348623157e308]

keys = st.sampled_from(KEYS)
texts = st.sampled_from(TEXTS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
ints = st.sampled_from(INTS) | st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)
floats = st.sampled_from(FLOATS) | st.floats(allow_nan=False) | st.floats(-2, 2, width=16)
bools = st.booleans()
numbers = ints | floats
scalars = st.one_of(texts, ints, floats, bools)


def lists_of(kind: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    """Short lists of one type."""
    return st.lists(kind, min_size=1, max_size=3)


homogeneous = st.one_of(lists_of(texts), lists_of(ints), lists_of(floats), lists_of(bools))
metadatas = st.none() | st.dictionaries(keys, scalars | homogeneous, min_size=1, max_size=4)
documents = (
    st.none() | st.sampled_from(["", "The cat sat.", "the CAT", "naïve café", "50% off_now", "a\nb"]) | texts
)
needles = texts.filter(bool) | st.sampled_from(["cat", "CAT", "%", "_", "é", "\n", "The", "ca.*t"])
patterns = st.sampled_from(
    [
        "cat",
        "(?i)cat",
        "^The",
        "t\\.$",
        "[aeiou]{2}",
        "\\bcat\\b",
        "a|b",
        ".",
        "é",
        "^$",
        "\\d+%",
        "(c)(a)t",
        "\\pL",
    ]
)

leaves = st.one_of(
    st.builds(lambda key, value: {key: value}, keys, scalars),
    st.builds(
        lambda key, operator, value: {key: {operator: value}}, keys, st.sampled_from(["$eq", "$ne"]), scalars
    ),
    st.builds(
        lambda key, operator, value: {key: {operator: value}},
        keys,
        st.sampled_from(["$gt", "$gte", "$lt", "$lte"]),
        numbers,
    ),
    st.builds(
        lambda key, operator, values: {key: {operator: values}},
        keys,
        st.sampled_from(["$in", "$nin"]),
        homogeneous,
    ),
    st.builds(
        lambda key, operator, value: {key: {operator: value}},
        keys,
        st.sampled_from(["$contains", "$not_contains"]),
        scalars,
    ),
)
document_leaves = st.one_of(
    st.builds(lambda op, text: {op: text}, st.sampled_from(["$contains", "$not_contains"]), needles),
    st.builds(lambda op, text: {op: text}, st.sampled_from(["$regex", "$not_regex"]), patterns),
)


def combined(base: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Trees of $and and $or over leaves."""
    return st.recursive(
        base,
        lambda part: st.builds(
            lambda op, parts: {op: parts},
            st.sampled_from(["$and", "$or"]),
            st.lists(part, min_size=2, max_size=3),
        ),
        max_leaves=5,
    )


wheres = combined(leaves)
document_wheres = combined(document_leaves)
