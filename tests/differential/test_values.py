"""Any value: both backends give it back as it was, or both refuse it, in every direction."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dbadapter import DatabaseAdapter
from tests.differential.conftest import Pair, exact, outcome
from tests.samples import CREATE

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
any_text = st.text(st.characters(), max_size=10)
json_scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
)
json_values = st.recursive(
    json_scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)

HELD: dict[str, st.SearchStrategy[Any]] = {
    "b": st.booleans(),
    "i": st.integers(-(2**63), 2**63 - 1),
    "f": st.floats(allow_nan=False),
    "n": st.builds(
        lambda sign, digits, exponent: Decimal((sign, tuple(digits), exponent)),
        st.integers(0, 1),
        st.lists(st.integers(0, 9), min_size=1, max_size=40),
        st.integers(-60, 60),
    ),
    "s": text,
    "y": st.binary(max_size=60),
    "d": st.dates(),
    "t": st.times(),
    "ts": st.datetimes(),
    "tz": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones),
    "iv": st.timedeltas(timedelta(days=-100_000_000), timedelta(days=100_000_000)),
    "u": st.uuids(),
    "j": st.lists(json_values, max_size=3) | st.dictionaries(text, json_values, max_size=3),
}

PERHAPS: dict[str, st.SearchStrategy[Any]] = {
    "i": st.integers(-(2**66), 2**66),
    "s": any_text,
    "n": st.decimals(),
    "iv": st.timedeltas(),
    "tz": st.datetimes(timezones=zones),
    "j": st.lists(any_text | st.floats() | st.complex_numbers() | st.binary(max_size=2), max_size=2),
}


def through(adapter: DatabaseAdapter, column: str, value: Any) -> list[Any]:
    """What became of a value on four ways in, on the way out through a function, and by itself."""
    adapter.execute("DELETE FROM v")
    adapter.execute(f"INSERT INTO v (id, {column}) VALUES (?, ?)", (1, value))
    adapter.insert_many("v", [{"id": 2, column: value}])
    adapter.execute_many(f"INSERT INTO v (id, {column}) VALUES (:id, :value)", [{"id": 3, "value": value}])
    returned = adapter.fetch_value(f"INSERT INTO v (id, {column}) VALUES (4, ?) RETURNING {column}", (value,))
    found = [row[column] for row in adapter.stream(f"SELECT {column} FROM v ORDER BY id")]
    assert found == [
        row[0] for row in adapter.fetch_all(f"SELECT {column} FROM v ORDER BY id", row_type=tuple)
    ]
    chosen = adapter.fetch_value(
        f"SELECT coalesce(CASE WHEN id > 0 THEN {column} END, {column}) FROM v WHERE id = 1"
    )
    given = adapter.fetch_value("SELECT :value AS given", {"value": value})
    return [*found, returned, chosen, given]


@pytest.mark.parametrize("column", HELD)
def test_values_come_back_as_they_were(pair: Pair, column: str) -> None:
    """Equal and of the same type, all the way down into JSON."""
    for adapter in pair:
        adapter.execute(CREATE)

    @given(HELD[column])
    def check(value: Any) -> None:
        expected = value.astimezone(UTC) if column == "tz" else value
        for adapter in pair:
            assert exact(through(adapter, column, value)) == exact([expected] * 7)

    check()


@pytest.mark.parametrize("column", PERHAPS)
def test_what_one_backend_cannot_hold_both_refuse(pair: Pair, column: str) -> None:
    """The same value or the same error."""
    for adapter in pair:
        adapter.execute(CREATE)

    @given(PERHAPS[column])
    def check(value: Any) -> None:
        lite, post = (outcome(through, adapter, column, value) for adapter in pair)
        assert lite == post

    check()


@settings(max_examples=25)
@given(
    st.lists(
        st.fixed_dictionaries({name: st.none() | HELD[name] for name in ("i", "f", "s", "ts", "j")}),
        max_size=6,
    )
)
@example([{"i": None, "f": math.inf, "s": "\\N", "ts": None, "j": None}])
@example([{"i": 1, "f": -math.inf, "s": "\\.\t\n\r\b\\x41", "ts": datetime.min, "j": ["\\", '"', "\n"]}])
def test_bulk_loads_agree(pair: Pair, rows: list[dict[str, Any]]) -> None:
    """insert_many of whole rows with NULLs among them gives the same table."""
    numbered = [{"id": key, **row} for key, row in enumerate(rows)]
    for adapter in pair:
        adapter.execute(CREATE.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
        adapter.execute("DELETE FROM v")
        assert adapter.insert_many("v", iter(numbered)) == len(rows)
        found = adapter.fetch_all("SELECT id, i, f, s, ts, j FROM v ORDER BY id")
        assert exact(found) == exact(numbered)
