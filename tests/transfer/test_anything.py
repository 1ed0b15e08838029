"""Whatever an SQLite file holds goes to Postgres and comes back to the byte."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dbadapter import DatabaseConfig

from .moving import content, make, move
from .test_in_sqlite import VALUES

TYPES = (
    "", "INTEGER", "BIGINT", "REAL", "FLOAT", "NUMERIC", "DECIMAL(10,2)", "BOOLEAN", "TEXT", "VARCHAR(5)", "CHAR(3)",
    "BLOB", "DATE", "DATETIME", "TIMESTAMPTZ", "TIME", "JSON", "JSONB", "UUID", "INTERVAL", "VECTOR(2)", "ANY",
)  # fmt: skip
KEYS = ("id INTEGER PRIMARY KEY, ", "id INT PRIMARY KEY, ", "")

_numbers = itertools.count()


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[tuple[Any, ...]]]:
    """A table's declaration and its rows: each column mostly of one kind, with something else now and then."""
    key = draw(st.sampled_from(KEYS))
    types = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=5))
    usual = [draw(st.lists(VALUES, min_size=1, max_size=3)) for _ in types]
    count = draw(st.integers(1, 12))
    rows = []
    for number in range(count):
        values = [
            draw(
                st.one_of(st.sampled_from(few), st.sampled_from(few), st.sampled_from(few), st.none(), VALUES)
            )
            for few in usual
        ]
        rows.append((number, *values) if key else tuple(values))
    columns = ", ".join(f"c{place} {name}" for place, name in enumerate(types))
    return f"CREATE TABLE t ({key}{columns})", rows


def _with_signs(rows: list[Any]) -> list[Any]:
    """Values of which -0.0 and 0.0 are not the same."""
    return [
        [(kind, value, math.copysign(1, value) if kind == "float" else 0) for kind, value in row]
        for row in rows
    ]


@given(tables())
@example(("CREATE TABLE t (c0)", [(-0.0,), (0.0,), (0,)]))
@example(
    ("CREATE TABLE t (c0)", [(0,), (1.0000000000000002e300,), (sys.float_info.max,), (5e-324,), (-2e-310,)])
)
@example(
    (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c0 TEXT, c1 TEXT)",
        [(1, "a\tb\\", "\\N"), (2, None, "\n"), (3, "x", "")],
    )
)
@settings(max_examples=12)
def test_there_and_back(
    postgres_database: DatabaseConfig, tmp_path: Path, made: tuple[str, list[Any]]
) -> None:
    """Every value arrives or stands in the rejects, verification agrees, and the way back restores class and bytes."""
    script, rows = made
    number = next(_numbers)
    source = make(tmp_path / f"{number}.db", script, {"t": rows})
    _, report = move(source, postgres_database, recreate=True)
    assert report.verified, report.check
    back = DatabaseConfig(sqlite_path=str(tmp_path / f"{number}.back.db"))
    _, returned = move(postgres_database, back)
    assert returned.verified, returned.check
    assert not returned.rejects
    before, after = content(source), content(back)
    assert _with_signs(after.rows["t"]) == _with_signs(before.rows["t"])
