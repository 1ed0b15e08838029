"""What SQLite writes by itself is what Python would have written: fields for COPY, and tokens for the digest."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dbadapter.transfer import conversions as c
from dbadapter.transfer._tokens import install, sqlite_line, tokens_of
from dbadapter.transfer._values import RawText
from dbadapter.transfer.conversions.in_sqlite import in_sqlite
from dbadapter.transfer.conversions.in_sqlite import install as install_signs
from dbadapter.transfer.conversions.storage_classes import is_blob, is_integer, is_real, is_text

CONVERSIONS = [
    c.Integer(), c.Integer(bits=32), c.Integer(bits=16), c.Float(), c.Number(10, 2), c.Number(5, 0), c.Number(18, 4),
    c.Number(15, 15), c.Number(), c.Decimal(10, 2), c.Boolean(), c.Boolean(true="Y", false="N"), c.Text(),
    c.Text(length=3), c.Bytes(), c.Json(), c.Uuid(), c.Uuid("HEX"), c.Uuid("BRACES"), c.Uuid("bytes"), c.Anything(),
    c.Temporal("date", "YYYY-MM-DD"), c.Temporal("time", "HH24:MI:SS"), c.Temporal("time", "HH24:MI:SS[.US]"),
    c.Temporal("timestamp", "YYYY-MM-DD HH24:MI:SS"), c.Temporal("timestamp", "YYYY-MM-DDTHH24:MI:SS.MS"),
    c.Temporal("timestamp", "YYYY-MM-DD HH24:MI:SS[.US]"), c.Temporal("timestamp", "YYYY-MM-DD HH24:MI:SS[.FF]"),
    c.Temporal("timestamptz", "YYYY-MM-DD HH24:MI:SSZ"), c.Temporal("timestamptz", "YYYY-MM-DD HH24:MI:SS[.FF]+02:00"),
    c.Epoch("unix"), c.Epoch("unix_ms"), c.Epoch("unix_us"), c.Vector(1),
]  # fmt: skip

moments = st.datetimes(datetime(1, 1, 1)).flatmap(
    lambda moment: st.sampled_from(
        [
            str(moment), moment.isoformat(), str(moment.replace(microsecond=0)), str(moment.date()), str(moment.time()),
            f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}", f"{moment.replace(microsecond=0)}Z",
            f"{moment.replace(microsecond=0)}+02:00", str(moment).rstrip("0"), str(moment).replace("-", "/"),
        ]
    )
)  # fmt: skip
VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-3, 70_000),
    st.floats(allow_nan=False),
    st.floats(-1e4, 1e4),
    st.decimals(-99999999, 99999999, places=2).map(float),
    st.sampled_from(
        [0.0, -0.0, 5.0, 0.5, 2.0**53, 2.0**-10, math.inf, -math.inf, 2**53, -(2**53), 99999999.99]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.text(st.sampled_from("ab;:'\"\\\0\n\r\tYN{}[]0123456789-. "), max_size=8),
    st.sampled_from(
        ["Y", "N", "{}", "[1]", "2024-02-30", "24:00:00", "0000-01-01", "now", "\\N", "\\.", "2024-01-01\0"]
    ),
    st.uuids().map(str),
    st.uuids().map(lambda made: made.hex.upper()),
    st.binary(max_size=20),
    moments,
)


@pytest.fixture(scope="module")
def raw() -> Iterator[sqlite3.Connection]:
    """A database in memory."""
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("CREATE TABLE t (v)")
        install_signs(raw)
        yield raw


def _stored(raw: sqlite3.Connection, value: Any, select: str) -> Any:
    raw.execute("DELETE FROM t")
    raw.execute("INSERT INTO t VALUES (?)", (value,))
    return raw.execute(f"SELECT {select} FROM t").fetchone()


@given(VALUES)
@example("a\0b")
@example(1e22)
@example(4.35)
@example(-0.0)
@settings(max_examples=200)
def test_fields(raw: sqlite3.Connection, value: Any) -> None:
    """Where SQLite takes a value on itself, the value conforms, and the field means what Python's does."""
    for conversion in CONVERSIONS:
        found = in_sqlite(conversion, '"v"')
        if found is None:
            continue
        taken, text = _stored(
            raw, value, f"{found.condition}, CAST(printf('{found.format}',{found.text}) AS BLOB)"
        )
        if not taken:
            continue
        if not found.certain:
            assert text.decode() == value  # Postgres refuses what is no JSON
            continue
        meant, exact = conversion.one(value)
        assert exact, (conversion, value)
        assert _same(conversion, text.decode(), meant), (conversion, value, text, meant)


def _same(conversion: c.Conversion, text: str, meant: str) -> bool:
    if isinstance(conversion, c.Float):
        return float(text) == float(meant) and math.copysign(1, float(text)) == math.copysign(1, float(meant))
    if isinstance(conversion, c.Number):
        return Decimal(text) == Decimal(meant)
    if isinstance(conversion, c.Boolean):
        return {"1": "t", "0": "f"}.get(text, text) == meant
    if isinstance(conversion, c.Uuid):
        return text.strip("{}").replace("-", "").lower() == meant.replace("-", "")
    if isinstance(conversion, c.Epoch):
        return datetime.fromisoformat(text) - datetime.fromisoformat(meant) == timedelta(0)
    if isinstance(conversion, c.Bytes):
        return text == "\\" + meant.upper().replace("X", "x", 1) or text.lower() == "\\" + meant
    return text == meant


_CLASSES = {"integer": is_integer, "real": is_real, "text": is_text, "blob": is_blob}
_COLUMNS = ["INTEGER", "REAL", "NUMERIC", "BLOB", "TEXT", "TEXT COLLATE NOCASE", "TEXT COLLATE RTRIM"]


@given(VALUES | st.none())
@example(5.0)
@example(-0.0)
@example("5.5")
@example("")
@example(b"")
@example(" ")
@example(-(2**63))
def test_storage_classes(value: Any) -> None:
    """The conditions for storage classes say what ``typeof`` says, whatever the column's affinity and collation."""
    columns = [f"c{place}" for place in range(len(_COLUMNS))]
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute(f"CREATE TABLE t ({', '.join(map(' '.join, zip(columns, _COLUMNS, strict=True)))})")
        raw.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(columns))})", [value] * len(columns))
        for column in columns:
            kind = raw.execute(f"SELECT typeof({column}) FROM t").fetchone()[0]
            for name, condition in _CLASSES.items():
                (found,) = raw.execute(f"SELECT {condition(column)} FROM t").fetchone()
                if kind == "real" and math.isinf(float(value)):
                    assert not found  # as for any value of which Python has to judge
                else:
                    assert found == (None if kind == "null" else kind == name), (column, name)


@given(st.lists(VALUES, min_size=1, max_size=3))
@example([0.1 + 0.2, 1])
@example([99999999.999])
def test_a_column_is_accepted_if_each_value_is(values: list[Any]) -> None:
    """Looking at a whole column at once comes to the same as looking at each of its values."""
    kinds = set(map(type, values))
    for conversion in CONVERSIONS:
        try:
            each = all(conversion.one(value)[1] for value in values)
        except c.Refused:
            each = False
        if conversion.accepts(values, kinds):
            assert each, (conversion, values)


def test_common_values_are_taken(raw: sqlite3.Connection) -> None:
    """Values as columns usually have them need no Python."""
    usual = [
        (c.Integer(), 7), (c.Float(), 0.1), (c.Float(), 0.0), (c.Number(10, 2), 4.99), (c.Number(10, 2), 5),
        (c.Boolean(), 1), (c.Text(), "ünï"), (c.Bytes(), b"\0"), (c.Json(), '{"a": 1}'), (c.Epoch("unix"), 1700000000),
        (c.Boolean(true="Y", false="N"), "N"), (c.Temporal("date", "YYYY-MM-DD"), "2024-02-29"),
        (c.Temporal("timestamp", "YYYY-MM-DD HH24:MI:SS[.US]"), "2024-02-29 23:59:59.000001"),
        (c.Temporal("timestamptz", "YYYY-MM-DD HH24:MI:SS[.FF]+02:00"), "2024-02-29 23:59:59.5+02:00"),
    ]  # fmt: skip
    for conversion, value in usual:
        found = in_sqlite(conversion, '"v"')
        assert found, conversion
        assert _stored(raw, value, found.condition) == (1,), (conversion, value)


@given(st.lists(VALUES | st.none(), min_size=1, max_size=3))
@example(["\0;"])
@example([-0.0])
@settings(max_examples=100)
def test_tokens(raw: sqlite3.Connection, values: list[Any]) -> None:
    """SQLite writes the tokens of any row as Python does, whatever its columns are for."""
    names = [f"v{place}" for place in range(len(values))]
    places = ", ".join(f"? AS {name}" for name in names)
    for at in range(len(CONVERSIONS)):
        tokens = [tokens_of(CONVERSIONS[(at + place * 7) % len(CONVERSIONS)]) for place in range(len(values))]
        install(raw, tokens)
        query = f"SELECT CAST({sqlite_line(names, tokens)} AS BLOB) FROM (SELECT {places})"
        (line,) = raw.execute(query, values).fetchone()
        assert line == b"".join(each.python(value) for each, value in zip(tokens, values, strict=True))


def test_tokens_of_invalid_text(raw: sqlite3.Connection) -> None:
    """Text that is not UTF-8 has its bytes in its token."""
    tokens = [tokens_of(c.Text())]
    install(raw, tokens)
    (line,) = raw.execute(
        f"SELECT CAST({sqlite_line(['v'], tokens)} AS BLOB) FROM (SELECT CAST(x'ff61' AS TEXT) v)"
    ).fetchone()
    assert line == tokens[0].python(RawText(b"\xffa")) == b"t2:\xffa;"
