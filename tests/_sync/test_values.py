# Generated from tests/_async/test_values.py by tools/unasync.py; do not edit.
"""The same value comes back, with the same type, whichever way it went in and out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from dbadapter import DatabaseAdapter
from dbadapter.errors import DataError
from tests.samples import CASES, COLUMNS, REFUSED, differences

NOW = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


def fill(db: Any) -> None:
    """Store every case by a statement of its own."""
    for key, (column, value, _) in enumerate(CASES):
        db.execute(f"INSERT INTO v (id, {column}) VALUES (?, ?)", (key, value))


def test_parameters_to_rows(values: DatabaseAdapter) -> None:
    """A value bound to a statement comes back from fetch_all."""
    fill(values)
    assert differences(values.fetch_all("SELECT * FROM v ORDER BY id")) == []


def test_parameters_to_rows_inside_a_transaction(values: DatabaseAdapter) -> None:
    """The methods of a transaction carry values as the adapter's own do."""
    with values.transaction() as tx:
        fill(tx)
        assert differences(tx.fetch_all("SELECT * FROM v ORDER BY id")) == []


def test_execute_many_to_stream(values: DatabaseAdapter) -> None:
    """Values sent by execute_many come back from stream; NULLs do not hide the type of a later value."""
    names = list(COLUMNS)
    text = f"INSERT INTO v (id, {', '.join(names)}) VALUES (?, {', '.join('?' * len(names))})"
    rows = [
        (key, *(value if name == column else None for name in names))
        for key, (column, value, _) in enumerate(CASES)
    ]
    assert values.execute_many(text, rows) == len(rows)
    found = [row for row in values.stream("SELECT * FROM v ORDER BY id", batch_size=7)]
    assert differences(found) == []


def test_insert_many_to_fetch_one_and_value(values: DatabaseAdapter) -> None:
    """Values loaded in bulk come back from fetch_one and fetch_value."""
    rows = [
        {"id": key, **{name: value if name == column else None for name in COLUMNS}}
        for key, (column, value, _) in enumerate(CASES)
    ]
    values.insert_many("v", rows)
    found = [values.fetch_one("SELECT * FROM v WHERE id = :id", {"id": key}) for key in range(len(rows))]
    assert differences([row for row in found if row is not None]) == []
    for key, (column, _, expected) in enumerate(CASES):
        got = values.fetch_value(f"SELECT {column} FROM v WHERE id = ?", [key])
        assert (type(got), got) == (type(expected), expected)


def test_insert_many_of_one_column(values: DatabaseAdapter) -> None:
    """A bulk load finds the types by the columns it is given, also where the first rows hold no value."""
    for column in COLUMNS:
        picked = [(value, expected) for name, value, expected in CASES if name == column]
        values.execute("DELETE FROM v")
        values.insert_many("v", [{"id": key, column: value} for key, (value, _) in enumerate(picked)])
        found = values.fetch_all(f"SELECT {column} FROM v ORDER BY id", row_type=tuple)
        assert [row[0] for row in found] == [expected for _, expected in picked]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id AS key, {c} AS renamed FROM v ORDER BY id",
        "SELECT q.key, q.renamed FROM (SELECT id AS key, {c} AS renamed FROM v) q ORDER BY 1",
        "WITH q AS (SELECT id AS key, {c} AS renamed FROM v) SELECT * FROM q ORDER BY key",
        "SELECT a.id AS key, b.{c} AS renamed FROM v a LEFT JOIN v b ON a.id = b.id ORDER BY 1",
        "SELECT id AS key, {c} AS renamed FROM v_view ORDER BY id",
    ],
    ids=["alias", "subquery", "cte", "join", "view"],
)
def test_a_column_keeps_its_type_through_a_query(values: DatabaseAdapter, text: str) -> None:
    """Aliases, subqueries, CTEs, joins and views do not lose the type of a column."""
    fill(values)
    values.execute("CREATE VIEW v_view AS SELECT * FROM v")
    for column in COLUMNS:
        expected = [wanted if name == column else None for name, _, wanted in CASES]
        rows = values.fetch_all(text.format(c=column))
        assert [row["renamed"] for row in rows] == expected, column
        assert [type(row["renamed"]) for row in rows] == [type(value) for value in expected], column


def test_returning_gives_values_back(values: DatabaseAdapter) -> None:
    """INSERT ... RETURNING, UPDATE ... RETURNING and DELETE ... RETURNING give typed values."""
    found = []
    for key, (column, value, expected) in enumerate(CASES):
        text = f"INSERT INTO v (id, {column}) VALUES (?, ?) RETURNING *"
        found.append(values.fetch_one(text, (key, value)))
        got = values.fetch_value(f"UPDATE v SET id = id WHERE id = ? RETURNING {column}", (key,))
        assert (type(got), got) == (type(expected), expected)
    assert differences([row for row in found if row is not None]) == []
    gone = values.fetch_all("DELETE FROM v RETURNING *")
    assert differences(sorted(gone, key=lambda row: int(row["id"]))) == []


@pytest.mark.parametrize("column", sorted(set(COLUMNS) - {"j"}))
def test_a_value_is_found_by_itself(values: DatabaseAdapter, column: str) -> None:
    """A stored value is found by comparing with the same value, alone and in an IN list."""
    fill(values)
    for name, value, expected in CASES:
        if name == column and value is not None:
            keys = [key for key, case in enumerate(CASES) if case[0] == name and case[2] == expected]
            found = values.fetch_all(f"SELECT id FROM v WHERE {column} = ? ORDER BY id", (value,))
            assert [row["id"] for row in found] == keys, value
            text = f"SELECT count(*) FROM v WHERE {column} IN :many"
            assert values.fetch_value(text, {"many": [value]}) == len(keys), value


@pytest.mark.parametrize("column", ["i", "f", "s", "d", "ts", "tz", "t", "iv"])
def test_values_sort_as_they_do_in_python(values: DatabaseAdapter, column: str) -> None:
    """ORDER BY on a column agrees with sorting its values (text only within ASCII)."""
    fill(values)
    expected = sorted(
        wanted
        for name, _, wanted in CASES
        if name == column and wanted is not None and not (column == "s" and not wanted.isalnum())
    )
    keys = [key for key, case in enumerate(CASES) if case[0] == column and case[2] in expected]
    text = f"SELECT {column} FROM v WHERE id IN :keys ORDER BY {column}"
    found = values.fetch_all(text, {"keys": keys}, row_type=tuple)
    assert [row[0] for row in found] == expected


@pytest.mark.parametrize(("column", "value"), REFUSED, ids=[repr(value)[:25] for _, value in REFUSED])
def test_refused_values_name_the_parameter(values: DatabaseAdapter, column: str, value: Any) -> None:
    """What one backend cannot hold is refused by both, by name or position, and nothing is stored."""
    with pytest.raises(DataError, match="volume"):
        values.execute(f"INSERT INTO v (id, {column}) VALUES (:id, :volume)", {"id": 1, "volume": value})
    with pytest.raises(DataError, match="2"):
        values.execute(f"INSERT INTO v (id, {column}) VALUES (?, ?)", (1, value))
    with pytest.raises(DataError, match="volume"):
        values.fetch_all(f"SELECT id FROM v WHERE {column} = :volume", {"volume": value})
    with pytest.raises(DataError, match="volume"):
        values.execute_many(
            f"INSERT INTO v (id, {column}) VALUES (:id, :volume)",
            [{"id": 1, "volume": None}, {"id": 2, "volume": value}],
        )
    with pytest.raises(DataError, match=rf"\b{column}\b"):
        values.insert_many("v", [{"id": 1, column: None}, {"id": 2, column: value}])
    with values.transaction() as tx:
        with pytest.raises(DataError, match="volume"):
            tx.execute(f"UPDATE v SET {column} = :volume", {"volume": value})
    assert values.fetch_value("SELECT count(*) FROM v") == 0


def test_refused_values_do_not_show(values: DatabaseAdapter) -> None:
    """The message names the parameter and not its value, which may be a secret."""
    with pytest.raises(DataError) as caught:
        values.execute("INSERT INTO v (id, s) VALUES (1, :token)", {"token": "hunter2\x00"})
    assert "hunter2" not in str(caught.value)


def test_nan_in_a_float_column(values: DatabaseAdapter, on_sqlite: bool) -> None:
    """NaN is the one value on which they differ: SQLite would make it NULL, so it refuses."""
    nan = float("nan")
    if on_sqlite:
        with pytest.raises(DataError, match="volume"):
            values.execute("INSERT INTO v (id, f) VALUES (1, :volume)", {"volume": nan})
        with pytest.raises(DataError, match=r"\bf\b"):
            values.insert_many("v", [{"id": 1, "f": nan}])
    else:
        values.execute("INSERT INTO v (id, f) VALUES (1, :volume)", {"volume": nan})
        values.insert_many("v", [{"id": 2, "f": nan}])
        found = values.fetch_all("SELECT f FROM v", row_type=tuple)
        assert [row[0] != row[0] for row in found] == [True, True]


def test_an_sqlite_column_declared_in_other_words(adapter: DatabaseAdapter) -> None:
    """The standard's long names of types, with lengths, are understood like the short ones."""
    adapter.execute(
        "CREATE TABLE w (a VARCHAR(20), b DECIMAL(40, 10), c TIMESTAMP WITH TIME ZONE,"
        " d REAL, e SMALLINT, f JSON)"
    )
    row = {
        "a": "1.50",
        "b": Decimal("123456789012345678901234567890.5"),
        "c": NOW,
        "d": 2.0,
        "e": 3,
        "f": {"k": []},
    }
    adapter.insert_many("w", [row])
    assert adapter.fetch_one("SELECT * FROM w") == row


def test_arrays_in_vector_columns(adapter: DatabaseAdapter, on_sqlite: bool) -> None:
    """A numpy array comes back as float32 from a vector column, by parameter, in bulk and from a stream."""
    if not on_sqlite:
        adapter.execute("CREATE EXTENSION vector")
    adapter.execute("CREATE TABLE e (id BIGINT PRIMARY KEY, v VECTOR(3))")
    vector = np.array([0.1, -2.5, 3e-5], dtype=np.float32)
    adapter.execute("INSERT INTO e (id, v) VALUES (?, ?)", (1, vector))
    adapter.execute("INSERT INTO e (id, v) VALUES (:id, :v)", {"id": 2, "v": vector.astype(np.float64)})
    adapter.insert_many("e", [{"id": 3, "v": vector}, {"id": 4, "v": None}])
    adapter.execute_many("INSERT INTO e (id, v) VALUES (?, ?)", [(5, vector)])
    found = [row["v"] for row in adapter.stream("SELECT v FROM e ORDER BY id")]
    assert found.pop(3) is None
    for got in found:
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, vector)
    for wrong in (np.array([[1.0, 2.0, 3.0]]), np.array([np.nan, 0, 0]), np.array(["a", "b", "c"])):
        with pytest.raises(DataError, match="volume"):
            adapter.execute("UPDATE e SET v = :volume", {"volume": wrong})
