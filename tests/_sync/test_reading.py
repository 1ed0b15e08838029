# Generated from tests/_async/test_reading.py by tools/unasync.py; do not edit.
"""fetch_all, fetch_one, fetch_value and stream."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any, NamedTuple

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import ConfigError, DatabaseAdapterError, DataError, UndefinedTable


@attrs.frozen
class Attrs:
    """A row as a frozen attrs class."""

    id: int
    name: str
    age: int | None = None


@dataclasses.dataclass
class Data:
    """A row as a dataclass."""

    id: int
    name: str
    age: int | None = None


class Named(NamedTuple):
    """A row as a named tuple."""

    id: int
    name: str
    age: int | None = None


@pytest.fixture
def three(people: DatabaseAdapter) -> DatabaseAdapter:
    """The adapter with three people."""
    people.insert_many("people", [{"name": name, "age": 20} for name in ("Ada", "Bob", "Cy")])
    return people


def test_rows_are_dicts_in_the_order_of_the_query(three: DatabaseAdapter) -> None:
    """Plain dicts, keys in select order; nothing found is an empty list."""
    rows = three.fetch_all("SELECT name, id FROM people ORDER BY id")
    assert rows == [{"name": "Ada", "id": 1}, {"name": "Bob", "id": 2}, {"name": "Cy", "id": 3}]
    assert [type(rows), type(rows[0]), list(rows[0])] == [list, dict, ["name", "id"]]
    assert three.fetch_all("SELECT * FROM people WHERE id = ?", (9,)) == []


def test_fetch_one_and_value(three: DatabaseAdapter) -> None:
    """The first row or None; its first column or None."""
    text = "SELECT name, id FROM people WHERE id > ? ORDER BY id"
    assert three.fetch_one(text, (1,)) == {"name": "Bob", "id": 2}
    assert three.fetch_value(text, (1,)) == "Bob"
    assert three.fetch_one(text, (9,)) is None
    assert three.fetch_value(text, (9,)) is None
    with three.transaction() as tx:
        assert tx.fetch_value(text, (2,)) == "Cy"
        assert tx.fetch_one(text, (9,)) is None


def test_a_stream_of_what_gives_no_rows(three: DatabaseAdapter) -> None:
    """A statement without a result has its effect and gives nothing; with RETURNING it gives what that says."""
    assert [row for row in three.stream("UPDATE people SET age = :age", {"age": 30})] == []
    assert [row for row in three.stream("CREATE TABLE made (id INTEGER)")] == []
    text = "UPDATE people SET age = age + 1 WHERE id < ? RETURNING age"
    assert [row for row in three.stream(text, [3], batch_size=1)] == [{"age": 31}] * 2
    assert three.fetch_all("SELECT age FROM people ORDER BY 1", row_type=tuple) == [(30,), (31,), (31,)]
    assert three.fetch_all("SELECT * FROM made") == []


@pytest.mark.parametrize("kind", [Attrs, Data, Named])
def test_rows_as_classes(three: DatabaseAdapter, kind: Any) -> None:
    """row_type makes each row an instance by its column names; defaults fill what the query leaves out."""
    rows = three.fetch_all("SELECT age, id, name FROM people ORDER BY id", row_type=kind)
    assert rows == [kind(1, "Ada", 20), kind(2, "Bob", 20), kind(3, "Cy", 20)]
    assert three.fetch_one("SELECT id, name FROM people", row_type=kind) == kind(1, "Ada", None)
    assert three.fetch_one("SELECT id, name FROM people WHERE id = 9", row_type=kind) is None
    with three.transaction() as tx:
        assert tx.fetch_all("SELECT id, name FROM people WHERE id = 2", row_type=kind) == [kind(2, "Bob")]


def test_rows_as_tuples(three: DatabaseAdapter) -> None:
    """row_type=tuple gives plain tuples, and keeps columns that share a name."""
    rows = three.fetch_all("SELECT id, name, id FROM people ORDER BY id LIMIT 1", row_type=tuple)
    assert rows == [(1, "Ada", 1)]
    assert type(rows[0]) is tuple


@pytest.mark.parametrize("kind", [Attrs, Data, Named])
def test_a_row_that_does_not_fit_its_class(three: DatabaseAdapter, kind: Any) -> None:
    """A column the class does not know, or a field without a column, is an error that names both."""
    with pytest.raises((DatabaseAdapterError, TypeError), match="email"):
        three.fetch_all("SELECT * FROM people", row_type=kind)
    with pytest.raises((DatabaseAdapterError, TypeError), match="name"):
        three.fetch_one("SELECT id FROM people", row_type=kind)
    assert three.fetch_value("SELECT count(*) FROM people") == 3


def test_columns_that_share_a_name(three: DatabaseAdapter) -> None:
    """In dicts the last of two columns of one name is the one that is seen, on both backends."""
    assert three.fetch_one("SELECT 1 AS a, 2 AS a") == {"a": 2}


def test_fetching_from_statements_without_rows(three: DatabaseAdapter) -> None:
    """A statement that returns no rows gives an empty list, or None; it has run all the same."""
    assert three.fetch_all("UPDATE people SET age = 33") == []
    assert three.fetch_one("UPDATE people SET age = 34") is None
    assert three.fetch_value("UPDATE people SET age = age + 1") is None
    assert three.fetch_value("SELECT min(age) FROM people") == 35


def test_writes_with_returning_are_committed(three: DatabaseAdapter) -> None:
    """Reading what a write returns is a write: it is kept, also when only the first row is fetched."""
    assert three.fetch_value("UPDATE people SET age = 50 RETURNING age") == 50
    assert three.fetch_one("DELETE FROM people WHERE id < 3 RETURNING name") is not None
    assert three.fetch_all("INSERT INTO people (name) VALUES ('x'), ('y') RETURNING name") == [
        {"name": "x"},
        {"name": "y"},
    ]
    text = "WITH q AS (SELECT 50 AS age) SELECT count(*) FROM people, q WHERE people.age = q.age"
    assert three.fetch_value(text) == 1
    assert three.fetch_value("SELECT count(*) FROM people") == 3


def test_stream_gives_every_row_once(three: DatabaseAdapter) -> None:
    """All rows in order, whatever the size of the batches, alone and in a transaction."""
    for size in (1, 2, 3, 1000):
        text = "SELECT id FROM people WHERE id >= :low ORDER BY id"
        found = [row["id"] for row in three.stream(text, {"low": 2}, batch_size=size)]
        assert found == [2, 3]
        with three.transaction() as tx:
            found = [row["id"] for row in tx.stream(text, {"low": 1}, batch_size=size)]
            tx.execute("UPDATE people SET age = 22")
        assert found == [1, 2, 3]
    assert [row for row in three.stream("SELECT id FROM people WHERE id = 9")] == []


def test_a_stream_shares_its_transaction(three: DatabaseAdapter) -> None:
    """Other statements, also another stream, run while one is read; leaving it early spoils nothing."""
    three.insert_many("people", [{"name": f"n{n}"} for n in range(50)])
    with three.transaction() as tx:
        seen = []
        for row in tx.stream("SELECT id FROM people ORDER BY id", batch_size=10):
            seen.append(row["id"])
            tx.execute("UPDATE people SET age = 44 WHERE id = ?", (row["id"],))
            if row["id"] == 20:
                inner = [r["id"] for r in tx.stream("SELECT id FROM people WHERE id < 3", batch_size=1)]
                assert sorted(inner) == [1, 2]
        assert seen == list(range(1, 54))
        for _ in tx.stream("SELECT id FROM people ; -- done", batch_size=10):
            break
        assert tx.fetch_value("SELECT count(*) FROM people WHERE age = 44") == 53
    assert three.fetch_value("SELECT count(*) FROM people WHERE age = 44") == 53


def test_a_stream_left_early_gives_its_connection_back(three: DatabaseAdapter) -> None:
    """Closed after its first row, it costs no connection: that is used again."""
    three.insert_many("people", [{"name": "n" * 1000} for _ in range(2000)])
    for _ in range(3):
        with three.stream("SELECT * FROM people ORDER BY id", batch_size=2) as rows:
            assert next(rows)["id"] == 1
        stats = three.get_stats()
        assert (stats["active"], stats["recycled_reasons"]) == (0, {})
    assert three.fetch_value("SELECT count(*) FROM people") == 2003


def test_stream_reports_errors(three: DatabaseAdapter) -> None:
    """The statement's errors come out of the iteration; a wrong batch size is refused."""
    with pytest.raises(UndefinedTable):
        for _ in three.stream("SELECT * FROM missing"):
            pass
    for wrong in (0, -1, 2**31, 10**12, None, True, 1.5):
        with pytest.raises(ConfigError, match="batch_size must be an integer of at least 1 and at most"):
            for _ in three.stream("SELECT 1", batch_size=wrong):  # type: ignore[arg-type]
                pass
    assert [row for row in three.stream("SELECT 1", batch_size=2**31 - 1, row_type=tuple)] == [(1,)]
    with pytest.raises(DataError):
        for _ in three.stream("SELECT ?", ("a\x00",)):
            pass


def test_stream_needs_little_memory(three: DatabaseAdapter) -> None:
    """100 MB of rows pass through without ever being held together."""
    text = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000)"
        " SELECT n, CAST(:block AS TEXT) AS block FROM c"
    )
    tracemalloc.start()
    try:
        count = 0
        for row in three.stream(text, {"block": "x" * 10_000}, batch_size=50):
            count += len(row["block"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 100_000_000
    assert peak < 10_000_000


def test_leaving_a_stream_early_gives_the_connection_back(config: DatabaseConfig) -> None:
    """break, an exception and an unfinished iterator leave nothing held, also with one connection in all."""
    tight = attrs.evolve(config, pool=attrs.evolve(config.pool, min_connections=1, max_connections=1))
    with DatabaseAdapter(tight) as adapter:
        adapter.execute("CREATE TABLE n (i BIGINT)")
        adapter.insert_many("n", [{"i": i} for i in range(5000)])
        for _ in range(3):
            for row in adapter.stream("SELECT i FROM n ORDER BY i", batch_size=10):
                if row["i"] == 15:
                    break
            assert adapter.fetch_value("SELECT count(*) FROM n") == 5000
            with pytest.raises(LookupError):
                for _ in adapter.stream("SELECT i FROM n", batch_size=10):
                    raise LookupError
            assert adapter.execute("UPDATE n SET i = i").rowcount == 5000
        unfinished = adapter.stream("SELECT i FROM n", batch_size=10)
        assert next(iter(unfinished)) is not None
        del unfinished
        assert adapter.fetch_value("SELECT count(*) FROM n") == 5000
        assert adapter.get_stats()["active"] == 0


def test_a_stream_sees_one_state_of_the_data(three: DatabaseAdapter) -> None:
    """Rows written while a stream is read do not appear in it."""
    three.insert_many("people", [{"name": f"n{n}"} for n in range(100)])
    seen = 0
    for _ in three.stream("SELECT id FROM people", batch_size=5):
        seen += 1
        if seen == 6:
            three.insert_many("people", [{"name": f"m{n}"} for n in range(100)])
            three.execute("DELETE FROM people WHERE id > 50 AND id < 60")
    assert seen == 103
