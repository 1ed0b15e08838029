# Generated from tests/_async/test_values.py by tools/unasync.py; do not edit.
"""The same value comes back, with the same type, whichever way it went in and out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from dbadapter import DatabaseAdapter
from dbadapter.errors import DataError
from tests.samples import CASES, COLUMNS, ID, REFUSED, Title, differences

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


@pytest.mark.parametrize(
    "text",
    [
        "COALESCE({c}, {c})",
        "CASE WHEN id >= 0 THEN {c} ELSE NULL END",
        "NULLIF(v.{c}, NULL)",
        "first_value({c}) OVER (PARTITION BY id ORDER BY id)",
        "(SELECT coalesce(w.{c}, NULL) FROM v w WHERE w.id = v.id)",
        'coalesce(NULL, "{c}") /* , */',
    ],
    ids=["coalesce", "case", "nullif", "window", "subquery", "second"],
)
def test_a_function_that_gives_its_argument_keeps_the_type(values: DatabaseAdapter, text: str) -> None:
    """What is chosen among values of a column has the type of the column."""
    fill(values)
    for column in COLUMNS:
        expected = [wanted if name == column else None for name, _, wanted in CASES]
        rows = values.fetch_all(f"SELECT {text.format(c=column)} AS chosen FROM v ORDER BY id")
        assert [row["chosen"] for row in rows] == expected, column
        assert [type(row["chosen"]) for row in rows] == [type(value) for value in expected], column


@pytest.mark.parametrize("column", sorted(set(COLUMNS) - set("bjuy")))
def test_the_greatest_value_has_the_type_of_its_column(values: DatabaseAdapter, column: str) -> None:
    """max and min, alone, beside a group's key, of nothing at all, in RETURNING and in a transaction."""
    rows = [{"id": 1, column: next(v for name, v, _ in CASES if name == column and v is not None)}]
    values.insert_many("v", rows)
    expected = values.fetch_value(f"SELECT {column} FROM v")
    texts = [
        f"SELECT max({column}) FROM v",
        f"SELECT min(v.{column}) AS low, count(*) FROM v GROUP BY id HAVING max({column}) IS NOT NULL",
        f"SELECT q.top FROM (SELECT max({column}) AS top FROM v) q",
        f"WITH q AS (SELECT max({column}) AS top FROM v) SELECT coalesce(top, top) FROM q",
        f"SELECT max({column}) FROM v WHERE id IN (SELECT id FROM v WHERE {column} IS NOT NULL)",
        f"SELECT/**/max({column}),'a'||'b' /* max( */ FROM v WHERE id<=5 AND id!=0 AND 'x'||'y'<>'z' -- q",
    ]
    with values.transaction() as tx:
        for text in texts:
            got = tx.fetch_value(text)
            assert (type(got), got) == (type(expected), expected), text
    assert [got for got in values.stream(texts[0], row_type=tuple)] == [(expected,)]
    assert values.fetch_value(f"SELECT max({column}) FROM v WHERE id < 0") is None
    got = values.fetch_value(f"UPDATE v SET id = id RETURNING coalesce({column}, {column})")
    assert (type(got), got) == (type(expected), expected)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_parameter_that_is_a_column_keeps_its_type(adapter: DatabaseAdapter, number: int) -> None:
    """SELECT ? gives the value back as a column of its type would."""
    _, value, expected = CASES[number]
    if isinstance(value, Title):
        expected = str(value)
    texts = ["SELECT ?", "SELECT 1 AS one, ? AS given", "SELECT DISTINCT ? AS given LIMIT 1"]
    for text in texts:
        row = adapter.fetch_one(text, [value], row_type=tuple)
        assert (type(row[-1]), row[-1]) == (type(expected), expected), text
    assert [tuple(row.values()) for row in adapter.stream("SELECT :a AS a, 5 AS b", {"a": value})] == [
        (expected, 5)
    ]


def test_the_names_of_selected_parameters_do_not_matter(adapter: DatabaseAdapter) -> None:
    """Nor do those of another statement that reads alike without them, nor lists beside them."""
    for name in ("a", "b", "ünï"):
        assert adapter.fetch_value(f"SELECT :{name}", {name: NOW}) == NOW
    assert adapter.fetch_value("SELECT ?", [NOW]) == NOW
    params = {"many": [1, 2], "one": 1, "now": NOW}
    text = "SELECT {} WHERE :one IN :many"
    assert adapter.fetch_value(text.format(":now"), params) == NOW
    text = "SELECT (SELECT 5 WHERE :one IN :many), :now AS now"
    assert adapter.fetch_value(text, params) == 5


@pytest.mark.parametrize(
    "text",
    [
        "i = 1",
        "i <> 1",
        "(i > 0 AND i < 5)",
        "NOT b",
        "i IS NULL",
        "i IN (1, 2)",
        "s LIKE 'a%'",
        "i BETWEEN 0 AND 1",
        "EXISTS (SELECT 1 FROM v)",
        "TRUE",
        "count(*) > 0",
        "CAST(1 AS BOOLEAN)",
        "CASE WHEN i = 1 THEN 1 END = 1",
        "b = ?",
    ],
)
def test_a_comparison_is_true_or_false(values: DatabaseAdapter, text: str) -> None:
    """Not 1 or 0, on either backend; what only contains one is not."""
    values.execute("INSERT INTO v (id, i, b, s) VALUES (1, 1, ?, 'abc')", [True])
    params = [True] if "?" in text else None
    group = "" if "count" in text else " WHERE id = 1"
    assert type(values.fetch_value(f"SELECT {text} AS said FROM v{group}", params)) is bool
    for number in ("CASE WHEN i = 1 THEN 2 ELSE 3 END", "sum(CASE WHEN i = 1 THEN 1 ELSE 0 END)", "i << 1"):
        assert type(values.fetch_value(f"SELECT {number} FROM v GROUP BY i")) is int


def test_decimals_are_added_as_decimals(adapter: DatabaseAdapter) -> None:
    """A sum of amounts is the amount, with the column's digits after the point."""
    adapter.execute("CREATE TABLE bill (id INTEGER PRIMARY KEY, amount NUMERIC(10, 2), spent INTERVAL)")
    rows = [(key, Decimal("0.10"), timedelta(minutes=key)) for key in range(1, 4)]
    adapter.insert_many("bill", rows)
    for text, expected in [
        ("amount", "0.10"),
        ("sum(amount)", "0.30"),
        ("max(amount)", "0.10"),
        ("abs(amount)", "0.10"),
        ("sum(CASE WHEN id > 1 THEN amount ELSE 0 END)", "0.20"),
        ("coalesce(sum(amount) FILTER (WHERE id > 9), 5)", "5"),
    ]:
        got = adapter.fetch_value(f"SELECT {text} FROM bill WHERE id < 9")
        assert isinstance(got, (Decimal, int)), text
        assert str(got).rstrip("0").rstrip(".") == expected.rstrip("0").rstrip("."), text
    assert str(adapter.fetch_value("SELECT sum(amount) FROM bill")) == "0.30"
    assert adapter.fetch_value("SELECT sum(spent) FROM bill") == timedelta(minutes=6)
    assert type(adapter.fetch_value("SELECT sum(id) FROM bill")) is int


def test_a_uuid_in_a_text_column_has_its_dashes(adapter: DatabaseAdapter) -> None:
    """Whichever way it went in."""
    adapter.execute("CREATE TABLE named (id INTEGER PRIMARY KEY, name TEXT)")
    adapter.execute("INSERT INTO named VALUES (?, ?)", (1, ID))
    adapter.execute_many("INSERT INTO named VALUES (?, ?)", [(2, ID)])
    adapter.insert_many("named", [{"id": 3, "name": ID}])
    adapter.insert_many("named", [{"id": 4, "name": ID}], on_conflict="ignore")
    found = adapter.fetch_all("SELECT name FROM named", row_type=tuple)
    assert found == [(str(ID),)] * 4


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
