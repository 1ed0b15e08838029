"""fetch_all, fetch_one, fetch_value and stream."""

from __future__ import annotations

import dataclasses
import tracemalloc
from typing import Any, NamedTuple

import attrs
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
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
async def three(people: AsyncDatabaseAdapter) -> AsyncDatabaseAdapter:
    """The adapter with three people."""
    await people.insert_many("people", [{"name": name, "age": 20} for name in ("Ada", "Bob", "Cy")])
    return people


async def test_rows_are_dicts_in_the_order_of_the_query(three: AsyncDatabaseAdapter) -> None:
    """Plain dicts, keys in select order; nothing found is an empty list."""
    rows = await three.fetch_all("SELECT name, id FROM people ORDER BY id")
    assert rows == [{"name": "Ada", "id": 1}, {"name": "Bob", "id": 2}, {"name": "Cy", "id": 3}]
    assert [type(rows), type(rows[0]), list(rows[0])] == [list, dict, ["name", "id"]]
    assert await three.fetch_all("SELECT * FROM people WHERE id = ?", (9,)) == []


async def test_fetch_one_and_value(three: AsyncDatabaseAdapter) -> None:
    """The first row or None; its first column or None."""
    text = "SELECT name, id FROM people WHERE id > ? ORDER BY id"
    assert await three.fetch_one(text, (1,)) == {"name": "Bob", "id": 2}
    assert await three.fetch_value(text, (1,)) == "Bob"
    assert await three.fetch_one(text, (9,)) is None
    assert await three.fetch_value(text, (9,)) is None
    async with three.transaction() as tx:
        assert await tx.fetch_value(text, (2,)) == "Cy"
        assert await tx.fetch_one(text, (9,)) is None


async def test_a_stream_of_what_gives_no_rows(three: AsyncDatabaseAdapter) -> None:
    """A statement without a result has its effect and gives nothing; with RETURNING it gives what that says."""
    assert [row async for row in three.stream("UPDATE people SET age = :age", {"age": 30})] == []
    assert [row async for row in three.stream("CREATE TABLE made (id INTEGER)")] == []
    text = "UPDATE people SET age = age + 1 WHERE id < ? RETURNING age"
    assert [row async for row in three.stream(text, [3], batch_size=1)] == [{"age": 31}] * 2
    assert await three.fetch_all("SELECT age FROM people ORDER BY 1", row_type=tuple) == [(30,), (31,), (31,)]
    assert await three.fetch_all("SELECT * FROM made") == []


@pytest.mark.parametrize("kind", [Attrs, Data, Named])
async def test_rows_as_classes(three: AsyncDatabaseAdapter, kind: Any) -> None:
    """row_type makes each row an instance by its column names; defaults fill what the query leaves out."""
    rows = await three.fetch_all("SELECT age, id, name FROM people ORDER BY id", row_type=kind)
    assert rows == [kind(1, "Ada", 20), kind(2, "Bob", 20), kind(3, "Cy", 20)]
    assert await three.fetch_one("SELECT id, name FROM people", row_type=kind) == kind(1, "Ada", None)
    assert await three.fetch_one("SELECT id, name FROM people WHERE id = 9", row_type=kind) is None
    async with three.transaction() as tx:
        assert (await tx.fetch_all("SELECT id, name FROM people WHERE id = 2", row_type=kind)) == [
            kind(2, "Bob")
        ]


async def test_rows_as_tuples(three: AsyncDatabaseAdapter) -> None:
    """row_type=tuple gives plain tuples, and keeps columns that share a name."""
    rows = await three.fetch_all("SELECT id, name, id FROM people ORDER BY id LIMIT 1", row_type=tuple)
    assert rows == [(1, "Ada", 1)]
    assert type(rows[0]) is tuple


@pytest.mark.parametrize("kind", [Attrs, Data, Named])
async def test_a_row_that_does_not_fit_its_class(three: AsyncDatabaseAdapter, kind: Any) -> None:
    """A column the class does not know, or a field without a column, is an error that names both."""
    with pytest.raises((DatabaseAdapterError, TypeError), match="email"):
        await three.fetch_all("SELECT * FROM people", row_type=kind)
    with pytest.raises((DatabaseAdapterError, TypeError), match="name"):
        await three.fetch_one("SELECT id FROM people", row_type=kind)
    assert await three.fetch_value("SELECT count(*) FROM people") == 3


async def test_columns_that_share_a_name(three: AsyncDatabaseAdapter) -> None:
    """In dicts the last of two columns of one name is the one that is seen, on both backends."""
    assert await three.fetch_one("SELECT 1 AS a, 2 AS a") == {"a": 2}


async def test_fetching_from_statements_without_rows(three: AsyncDatabaseAdapter) -> None:
    """A statement that returns no rows gives an empty list, or None; it has run all the same."""
    assert await three.fetch_all("UPDATE people SET age = 33") == []
    assert await three.fetch_one("UPDATE people SET age = 34") is None
    assert await three.fetch_value("UPDATE people SET age = age + 1") is None
    assert await three.fetch_value("SELECT min(age) FROM people") == 35


async def test_writes_with_returning_are_committed(three: AsyncDatabaseAdapter) -> None:
    """Reading what a write returns is a write: it is kept, also when only the first row is fetched."""
    assert await three.fetch_value("UPDATE people SET age = 50 RETURNING age") == 50
    assert await three.fetch_one("DELETE FROM people WHERE id < 3 RETURNING name") is not None
    assert await three.fetch_all("INSERT INTO people (name) VALUES ('x'), ('y') RETURNING name") == [
        {"name": "x"},
        {"name": "y"},
    ]
    text = "WITH q AS (SELECT 50 AS age) SELECT count(*) FROM people, q WHERE people.age = q.age"
    assert await three.fetch_value(text) == 1
    assert await three.fetch_value("SELECT count(*) FROM people") == 3


async def test_stream_gives_every_row_once(three: AsyncDatabaseAdapter) -> None:
    """All rows in order, whatever the size of the batches, alone and in a transaction."""
    for size in (1, 2, 3, 1000):
        text = "SELECT id FROM people WHERE id >= :low ORDER BY id"
        found = [row["id"] async for row in three.stream(text, {"low": 2}, batch_size=size)]
        assert found == [2, 3]
        async with three.transaction() as tx:
            found = [row["id"] async for row in tx.stream(text, {"low": 1}, batch_size=size)]
            await tx.execute("UPDATE people SET age = 22")
        assert found == [1, 2, 3]
    assert [row async for row in three.stream("SELECT id FROM people WHERE id = 9")] == []


async def test_a_stream_shares_its_transaction(three: AsyncDatabaseAdapter) -> None:
    """Other statements, also another stream, run while one is read; leaving it early spoils nothing."""
    await three.insert_many("people", [{"name": f"n{n}"} for n in range(50)])
    async with three.transaction() as tx:
        seen = []
        async for row in tx.stream("SELECT id FROM people ORDER BY id", batch_size=10):
            seen.append(row["id"])
            await tx.execute("UPDATE people SET age = 44 WHERE id = ?", (row["id"],))
            if row["id"] == 20:
                inner = [r["id"] async for r in tx.stream("SELECT id FROM people WHERE id < 3", batch_size=1)]
                assert sorted(inner) == [1, 2]
        assert seen == list(range(1, 54))
        async for _ in tx.stream("SELECT id FROM people ; -- done", batch_size=10):
            break
        assert await tx.fetch_value("SELECT count(*) FROM people WHERE age = 44") == 53
    assert await three.fetch_value("SELECT count(*) FROM people WHERE age = 44") == 53


async def test_a_stream_left_early_gives_its_connection_back(three: AsyncDatabaseAdapter) -> None:
    """Closed after its first row, it costs no connection: that is used again."""
    await three.insert_many("people", [{"name": "n" * 1000} for _ in range(2000)])
    for _ in range(3):
        async with three.stream("SELECT * FROM people ORDER BY id", batch_size=2) as rows:
            assert (await anext(rows))["id"] == 1
        stats = three.get_stats()
        assert (stats["active"], stats["recycled_reasons"]) == (0, {})
    assert await three.fetch_value("SELECT count(*) FROM people") == 2003


async def test_stream_reports_errors(three: AsyncDatabaseAdapter) -> None:
    """The statement's errors come out of the iteration; a wrong batch size is refused."""
    with pytest.raises(UndefinedTable):
        async for _ in three.stream("SELECT * FROM missing"):
            pass
    for wrong in (0, -1, 2**31, 10**12, None, True, 1.5):
        with pytest.raises(ConfigError, match="batch_size must be an integer of at least 1 and at most"):
            async for _ in three.stream("SELECT 1", batch_size=wrong):  # type: ignore[arg-type]
                pass
    assert [row async for row in three.stream("SELECT 1", batch_size=2**31 - 1, row_type=tuple)] == [(1,)]
    with pytest.raises(DataError):
        async for _ in three.stream("SELECT ?", ("a\x00",)):
            pass


async def test_stream_needs_little_memory(three: AsyncDatabaseAdapter) -> None:
    """100 MB of rows pass through without ever being held together."""
    text = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 10000)"
        " SELECT n, CAST(:block AS TEXT) AS block FROM c"
    )
    tracemalloc.start()
    try:
        count = 0
        async for row in three.stream(text, {"block": "x" * 10_000}, batch_size=50):
            count += len(row["block"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 100_000_000
    assert peak < 10_000_000


async def test_leaving_a_stream_early_gives_the_connection_back(config: DatabaseConfig) -> None:
    """break, an exception and an unfinished iterator leave nothing held, also with one connection in all."""
    tight = attrs.evolve(config, pool=attrs.evolve(config.pool, min_connections=1, max_connections=1))
    async with AsyncDatabaseAdapter(tight) as adapter:
        await adapter.execute("CREATE TABLE n (i BIGINT)")
        await adapter.insert_many("n", [{"i": i} for i in range(5000)])
        for _ in range(3):
            async for row in adapter.stream("SELECT i FROM n ORDER BY i", batch_size=10):
                if row["i"] == 15:
                    break
            assert await adapter.fetch_value("SELECT count(*) FROM n") == 5000
            with pytest.raises(LookupError):
                async for _ in adapter.stream("SELECT i FROM n", batch_size=10):
                    raise LookupError
            assert (await adapter.execute("UPDATE n SET i = i")).rowcount == 5000
        unfinished = adapter.stream("SELECT i FROM n", batch_size=10)
        assert await anext(aiter(unfinished)) is not None
        del unfinished
        assert await adapter.fetch_value("SELECT count(*) FROM n") == 5000
        assert adapter.get_stats()["active"] == 0


async def test_a_stream_sees_one_state_of_the_data(three: AsyncDatabaseAdapter) -> None:
    """Rows written while a stream is read do not appear in it."""
    await three.insert_many("people", [{"name": f"n{n}"} for n in range(100)])
    seen = 0
    async for _ in three.stream("SELECT id FROM people", batch_size=5):
        seen += 1
        if seen == 6:
            await three.insert_many("people", [{"name": f"m{n}"} for n in range(100)])
            await three.execute("DELETE FROM people WHERE id > 50 AND id < 60")
    assert seen == 103
