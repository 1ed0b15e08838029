"""The same value comes back, with the same type, whichever way it went in and out."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from dbadapter import AsyncDatabaseAdapter
from dbadapter.errors import DataError
from tests.samples import CASES, COLUMNS, REFUSED, differences

NOW = datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


async def fill(db: Any) -> None:
    """Store every case by a statement of its own."""
    for key, (column, value, _) in enumerate(CASES):
        await db.execute(f"INSERT INTO v (id, {column}) VALUES (?, ?)", (key, value))


async def test_parameters_to_rows(values: AsyncDatabaseAdapter) -> None:
    """A value bound to a statement comes back from fetch_all."""
    await fill(values)
    assert differences(await values.fetch_all("SELECT * FROM v ORDER BY id")) == []


async def test_parameters_to_rows_inside_a_transaction(values: AsyncDatabaseAdapter) -> None:
    """The methods of a transaction carry values as the adapter's own do."""
    async with values.transaction() as tx:
        await fill(tx)
        assert differences(await tx.fetch_all("SELECT * FROM v ORDER BY id")) == []


async def test_execute_many_to_stream(values: AsyncDatabaseAdapter) -> None:
    """Values sent by execute_many come back from stream; NULLs do not hide the type of a later value."""
    names = list(COLUMNS)
    text = f"INSERT INTO v (id, {', '.join(names)}) VALUES (?, {', '.join('?' * len(names))})"
    rows = [
        (key, *(value if name == column else None for name in names))
        for key, (column, value, _) in enumerate(CASES)
    ]
    assert await values.execute_many(text, rows) == len(rows)
    found = [row async for row in values.stream("SELECT * FROM v ORDER BY id", batch_size=7)]
    assert differences(found) == []


async def test_insert_many_to_fetch_one_and_value(values: AsyncDatabaseAdapter) -> None:
    """Values loaded in bulk come back from fetch_one and fetch_value."""
    rows = [
        {"id": key, **{name: value if name == column else None for name in COLUMNS}}
        for key, (column, value, _) in enumerate(CASES)
    ]
    await values.insert_many("v", rows)
    found = [
        await values.fetch_one("SELECT * FROM v WHERE id = :id", {"id": key}) for key in range(len(rows))
    ]
    assert differences([row for row in found if row is not None]) == []
    for key, (column, _, expected) in enumerate(CASES):
        got = await values.fetch_value(f"SELECT {column} FROM v WHERE id = ?", [key])
        assert (type(got), got) == (type(expected), expected)


async def test_insert_many_of_one_column(values: AsyncDatabaseAdapter) -> None:
    """A bulk load finds the types by the columns it is given, also where the first rows hold no value."""
    for column in COLUMNS:
        picked = [(value, expected) for name, value, expected in CASES if name == column]
        await values.execute("DELETE FROM v")
        await values.insert_many("v", [{"id": key, column: value} for key, (value, _) in enumerate(picked)])
        found = await values.fetch_all(f"SELECT {column} FROM v ORDER BY id", row_type=tuple)
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
async def test_a_column_keeps_its_type_through_a_query(values: AsyncDatabaseAdapter, text: str) -> None:
    """Aliases, subqueries, CTEs, joins and views do not lose the type of a column."""
    await fill(values)
    await values.execute("CREATE VIEW v_view AS SELECT * FROM v")
    for column in COLUMNS:
        expected = [wanted if name == column else None for name, _, wanted in CASES]
        rows = await values.fetch_all(text.format(c=column))
        assert [row["renamed"] for row in rows] == expected, column
        assert [type(row["renamed"]) for row in rows] == [type(value) for value in expected], column


async def test_returning_gives_values_back(values: AsyncDatabaseAdapter) -> None:
    """INSERT ... RETURNING, UPDATE ... RETURNING and DELETE ... RETURNING give typed values."""
    found = []
    for key, (column, value, expected) in enumerate(CASES):
        text = f"INSERT INTO v (id, {column}) VALUES (?, ?) RETURNING *"
        found.append(await values.fetch_one(text, (key, value)))
        got = await values.fetch_value(f"UPDATE v SET id = id WHERE id = ? RETURNING {column}", (key,))
        assert (type(got), got) == (type(expected), expected)
    assert differences([row for row in found if row is not None]) == []
    gone = await values.fetch_all("DELETE FROM v RETURNING *")
    assert differences(sorted(gone, key=lambda row: int(row["id"]))) == []


@pytest.mark.parametrize("column", sorted(set(COLUMNS) - {"j"}))
async def test_a_value_is_found_by_itself(values: AsyncDatabaseAdapter, column: str) -> None:
    """A stored value is found by comparing with the same value, alone and in an IN list."""
    await fill(values)
    for name, value, expected in CASES:
        if name == column and value is not None:
            keys = [key for key, case in enumerate(CASES) if case[0] == name and case[2] == expected]
            found = await values.fetch_all(f"SELECT id FROM v WHERE {column} = ? ORDER BY id", (value,))
            assert [row["id"] for row in found] == keys, value
            text = f"SELECT count(*) FROM v WHERE {column} IN :many"
            assert await values.fetch_value(text, {"many": [value]}) == len(keys), value


@pytest.mark.parametrize("column", ["i", "f", "s", "d", "ts", "tz", "t", "iv"])
async def test_values_sort_as_they_do_in_python(values: AsyncDatabaseAdapter, column: str) -> None:
    """ORDER BY on a column agrees with sorting its values (text only within ASCII)."""
    await fill(values)
    expected = sorted(
        wanted
        for name, _, wanted in CASES
        if name == column and wanted is not None and not (column == "s" and not wanted.isalnum())
    )
    keys = [key for key, case in enumerate(CASES) if case[0] == column and case[2] in expected]
    text = f"SELECT {column} FROM v WHERE id IN :keys ORDER BY {column}"
    found = await values.fetch_all(text, {"keys": keys}, row_type=tuple)
    assert [row[0] for row in found] == expected


@pytest.mark.parametrize(("column", "value"), REFUSED, ids=[repr(value)[:25] for _, value in REFUSED])
async def test_refused_values_name_the_parameter(
    values: AsyncDatabaseAdapter, column: str, value: Any
) -> None:
    """What one backend cannot hold is refused by both, by name or position, and nothing is stored."""
    with pytest.raises(DataError, match="volume"):
        await values.execute(
            f"INSERT INTO v (id, {column}) VALUES (:id, :volume)", {"id": 1, "volume": value}
        )
    with pytest.raises(DataError, match="2"):
        await values.execute(f"INSERT INTO v (id, {column}) VALUES (?, ?)", (1, value))
    with pytest.raises(DataError, match="volume"):
        await values.fetch_all(f"SELECT id FROM v WHERE {column} = :volume", {"volume": value})
    with pytest.raises(DataError, match="volume"):
        await values.execute_many(
            f"INSERT INTO v (id, {column}) VALUES (:id, :volume)",
            [{"id": 1, "volume": None}, {"id": 2, "volume": value}],
        )
    with pytest.raises(DataError, match=rf"\b{column}\b"):
        await values.insert_many("v", [{"id": 1, column: None}, {"id": 2, column: value}])
    async with values.transaction() as tx:
        with pytest.raises(DataError, match="volume"):
            await tx.execute(f"UPDATE v SET {column} = :volume", {"volume": value})
    assert await values.fetch_value("SELECT count(*) FROM v") == 0


async def test_refused_values_do_not_show(values: AsyncDatabaseAdapter) -> None:
    """The message names the parameter and not its value, which may be a secret."""
    with pytest.raises(DataError) as caught:
        await values.execute("INSERT INTO v (id, s) VALUES (1, :token)", {"token": "hunter2\x00"})
    assert "hunter2" not in str(caught.value)


async def test_nan_in_a_float_column(values: AsyncDatabaseAdapter, on_sqlite: bool) -> None:
    """NaN is the one value on which they differ: SQLite would make it NULL, so it refuses."""
    nan = float("nan")
    if on_sqlite:
        with pytest.raises(DataError, match="volume"):
            await values.execute("INSERT INTO v (id, f) VALUES (1, :volume)", {"volume": nan})
        with pytest.raises(DataError, match=r"\bf\b"):
            await values.insert_many("v", [{"id": 1, "f": nan}])
    else:
        await values.execute("INSERT INTO v (id, f) VALUES (1, :volume)", {"volume": nan})
        await values.insert_many("v", [{"id": 2, "f": nan}])
        found = await values.fetch_all("SELECT f FROM v", row_type=tuple)
        assert [row[0] != row[0] for row in found] == [True, True]


async def test_an_sqlite_column_declared_in_other_words(adapter: AsyncDatabaseAdapter) -> None:
    """The standard's long names of types, with lengths, are understood like the short ones."""
    await adapter.execute(
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
    await adapter.insert_many("w", [row])
    assert await adapter.fetch_one("SELECT * FROM w") == row


async def test_arrays_in_vector_columns(adapter: AsyncDatabaseAdapter, on_sqlite: bool) -> None:
    """A numpy array comes back as float32 from a vector column, by parameter, in bulk and from a stream."""
    if not on_sqlite:
        await adapter.execute("CREATE EXTENSION vector")
    await adapter.execute("CREATE TABLE e (id BIGINT PRIMARY KEY, v VECTOR(3))")
    vector = np.array([0.1, -2.5, 3e-5], dtype=np.float32)
    await adapter.execute("INSERT INTO e (id, v) VALUES (?, ?)", (1, vector))
    await adapter.execute("INSERT INTO e (id, v) VALUES (:id, :v)", {"id": 2, "v": vector.astype(np.float64)})
    await adapter.insert_many("e", [{"id": 3, "v": vector}, {"id": 4, "v": None}])
    await adapter.execute_many("INSERT INTO e (id, v) VALUES (?, ?)", [(5, vector)])
    found = [row["v"] async for row in adapter.stream("SELECT v FROM e ORDER BY id")]
    assert found.pop(3) is None
    for got in found:
        assert got.dtype == np.float32
        np.testing.assert_array_equal(got, vector)
    for wrong in (np.array([[1.0, 2.0, 3.0]]), np.array([np.nan, 0, 0]), np.array(["a", "b", "c"])):
        with pytest.raises(DataError, match="volume"):
            await adapter.execute("UPDATE e SET v = :volume", {"volume": wrong})
