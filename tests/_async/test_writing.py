"""execute, execute_many and insert_many: what they do and what they report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dbadapter import AsyncDatabaseAdapter
from dbadapter.errors import (
    DatabaseAdapterError,
    DataError,
    NotNullViolation,
    ParameterError,
    UndefinedColumn,
    UndefinedTable,
    UniqueViolation,
)

INSERT = "INSERT INTO people (name, age) VALUES (:name, :age)"


async def names(db: Any) -> list[str]:
    """Everybody, in order of their number."""
    return [row["name"] for row in await db.fetch_all("SELECT name FROM people ORDER BY id")]


async def test_execute_counts_rows_and_gives_the_new_id(people: AsyncDatabaseAdapter) -> None:
    """rowcount is what changed; last_id is the number the database gave the inserted row."""
    results = [await people.execute(INSERT, {"name": name, "age": 20}) for name in ("Ada", "Bob", "Cy")]
    assert [(result.rowcount, result.last_id) for result in results] == [(1, 1), (1, 2), (1, 3)]
    assert (await people.execute("UPDATE people SET age = ? WHERE id > ?", (30, 1))).rowcount == 2
    assert (await people.execute("UPDATE people SET age = 1 WHERE id = 99")).rowcount == 0
    assert (await people.execute("DELETE FROM people WHERE id = 1")).rowcount == 1
    async with people.transaction() as tx:
        assert (await tx.execute(INSERT, {"name": "Dee", "age": 20})).last_id == 4


async def test_last_id_is_never_stale(people: AsyncDatabaseAdapter) -> None:
    """What inserted no self-numbered row gives None, not the number of an earlier row."""
    await people.execute(INSERT, {"name": "Ada", "age": 20})
    for text in (
        "UPDATE people SET age = 21",
        "INSERT INTO pets (owner_id, name) VALUES (1, 'Rex')",
        "DELETE FROM pets",
        "SELECT 1",
    ):
        assert (await people.execute(text)).last_id is None, text


async def test_last_id_with_an_explicit_key(people: AsyncDatabaseAdapter) -> None:
    """A key given by the caller is the row's id as well."""
    assert (await people.execute("INSERT INTO people (id, name) VALUES (?, ?)", (70, "Ada"))).last_id == 70


async def test_last_id_of_a_statement_with_an_ending(people: AsyncDatabaseAdapter) -> None:
    """A semicolon and comments at the end of an INSERT do not hide the new row's id."""
    for number, ending in enumerate((";", " ; -- done", " -- done", " /* done */"), 1):
        assert (
            await people.execute(f"INSERT INTO people (name) VALUES ('Ada'){ending}")
        ).last_id == number, ending


@pytest.mark.parametrize("returned", ["id", "name, id", "*", "name"])
async def test_last_id_beside_returning(people: AsyncDatabaseAdapter, returned: str) -> None:
    """Where the statement asks for rows itself, it is known if the key is among what it asks for."""
    text = f"INSERT INTO people (name) VALUES ('Ada'), ('Bob') RETURNING {returned}"
    result = await people.execute(text)
    assert (result.rowcount, result.last_id) == (2, None if returned == "name" else 2)


@pytest.mark.parametrize("rows", [5, None, "ab", {"name": "Ada"}])
async def test_what_holds_no_rows(people: AsyncDatabaseAdapter, rows: Any) -> None:
    """A single row, or no collection at all, in the place of many: one clear error."""
    with pytest.raises(ParameterError, match="rows must be a list or an iterator of rows"):
        await people.insert_many("people", rows)
    with pytest.raises(ParameterError, match="rows must be a list or an iterator of rows"):
        await people.execute_many(INSERT, rows)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", None, 5])
async def test_names_that_no_table_can_have(people: AsyncDatabaseAdapter, name: Any) -> None:
    """Refused alike, whether of a table or of a column, before anything is sent."""
    with pytest.raises(ParameterError, match="the name of the table must be text"):
        await people.insert_many(name, [{"name": "Ada"}])
    with pytest.raises(ParameterError, match="the name of a column of row 1 must be text"):
        await people.insert_many("people", [{name: "Ada"}])
    with pytest.raises(ParameterError, match="the name of the table must be text"):
        await people.describe_table(name)


async def test_execute_of_an_upsert(people: AsyncDatabaseAdapter) -> None:
    """ON CONFLICT is the same SQL on both."""
    text = (
        "INSERT INTO people (id, name, age) VALUES (:id, :name, :age)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    )
    for name in ("Ada", "Eve"):
        assert (await people.execute(text, {"id": 1, "name": name, "age": 20})).rowcount == 1
    assert (
        await people.execute(text.partition("DO")[0] + "DO NOTHING", {"id": 1, "name": "", "age": 20})
    ).rowcount == 0
    assert await names(people) == ["Eve"]


async def test_execute_many(people: AsyncDatabaseAdapter) -> None:
    """The sum of the changed rows, from lists and generators, named and positional; nothing from nothing."""
    rows = [{"name": name, "age": 20} for name in "abc"]
    assert await people.execute_many(INSERT, rows) == 3
    assert await people.execute_many(INSERT, (row for row in rows)) == 3
    assert (
        await people.execute_many("INSERT INTO people (name, age) VALUES (?, ?)", [("d", 20), ["e", 21]]) == 2
    )
    assert await people.execute_many("UPDATE people SET age = ? WHERE id > ?", [(30, 0), (31, 6)]) == 10
    assert await people.execute_many(INSERT, []) == 0
    assert await names(people) == list("abcabcde")


async def test_execute_many_is_all_or_nothing(people: AsyncDatabaseAdapter) -> None:
    """A row that fails, or a generator that does, takes the whole batch back."""

    def breaking() -> Iterator[dict[str, Any]]:
        yield {"name": "a", "age": 20}
        raise LookupError("source ran dry")

    with pytest.raises(NotNullViolation):
        await people.execute_many(INSERT, [{"name": "a", "age": 20}, {"name": None, "age": 20}])
    with pytest.raises(LookupError):
        await people.execute_many(INSERT, breaking())
    with pytest.raises(LookupError):
        await people.insert_many("people", breaking())
    assert await names(people) == []
    await people.execute(INSERT, {"name": "after", "age": 20})
    assert await names(people) == ["after"]


async def test_a_failed_batch_in_a_transaction_leaves_nothing(people: AsyncDatabaseAdapter) -> None:
    """A batch refused half way, inside a transaction that goes on, is undone as a whole."""

    def breaking() -> Iterator[dict[str, Any]]:
        yield {"name": "a", "age": 20}
        raise LookupError("source ran dry")

    half = [{"name": "a", "age": 20}, {"name": "nul\x00", "age": 20}]
    async with people.transaction() as tx:
        await tx.execute(INSERT, {"name": "before", "age": 20})
        for load, target in ((tx.execute_many, INSERT), (tx.insert_many, "people")):
            with pytest.raises(LookupError):
                await load(target, breaking())
            with pytest.raises(DataError):
                await load(target, half)
        with pytest.raises(ParameterError):
            await tx.execute_many(INSERT, [half[0], {"name": "b"}])
        with pytest.raises(ParameterError):
            await tx.insert_many("people", [half[0], {"name": "b"}])
        await tx.execute(INSERT, {"name": "after", "age": 20})
    assert await names(people) == ["before", "after"]


async def test_insert_many(people: AsyncDatabaseAdapter) -> None:
    """Counts what it inserted, from lists and generators, in more than one batch; nothing from nothing."""
    assert await people.insert_many("people", [{"name": "a", "age": 20}]) == 1
    many = ({"name": f"n{n}", "age": 20 + n % 50} for n in range(5000))
    assert await people.insert_many("people", many) == 5000
    assert await people.insert_many("people", []) == 0
    assert await people.insert_many("people", iter(())) == 0
    assert await people.fetch_value("SELECT count(*) FROM people") == 5001
    assert await people.fetch_value("SELECT sum(age) FROM people WHERE name = ?", ("n49",)) == 69


async def test_insert_many_fills_what_is_left_out(people: AsyncDatabaseAdapter) -> None:
    """Columns given by no row take their defaults; identity goes on after the bulk load."""
    await people.execute("CREATE TABLE d (id BIGINT PRIMARY KEY, kind TEXT DEFAULT 'plain', n BIGINT)")
    await people.insert_many("d", [{"id": 1, "n": None}, {"id": 2, "n": 5}])
    assert await people.fetch_all("SELECT kind, n FROM d ORDER BY id") == [
        {"kind": "plain", "n": None},
        {"kind": "plain", "n": 5},
    ]
    await people.insert_many("people", [{"name": "a"}, {"name": "b"}])
    assert (await people.execute(INSERT, {"name": "c", "age": 20})).last_id == 3


async def test_insert_many_checks_that_rows_agree(people: AsyncDatabaseAdapter) -> None:
    """A row with another set of columns is an error that names the column, and nothing is kept."""
    for other in ({"name": "b"}, {"name": "b", "age": 20, "email": "x"}, {"name": "b", "email": "x"}):
        with pytest.raises(DatabaseAdapterError, match=r"age|email"):
            await people.insert_many("people", [{"name": "a", "age": 20}, other])
    assert await names(people) == []
    rows = [{"name": "a", "age": 20}, {"age": 21, "name": "b"}]  # the order of keys is no difference
    assert await people.insert_many("people", rows) == 2
    assert await people.fetch_value("SELECT age FROM people WHERE name = 'b'") == 21


async def test_insert_many_into_what_is_not_there(people: AsyncDatabaseAdapter) -> None:
    """A wrong column and a wrong table are the errors they are anywhere else."""
    with pytest.raises(UndefinedColumn, match="nope"):
        await people.insert_many("people", [{"name": "a", "nope": 1}])
    with pytest.raises(UndefinedTable, match="missing"):
        await people.insert_many("missing", [{"name": "a"}])
    with pytest.raises(UndefinedTable):
        await people.insert_many('people"; DROP TABLE people; --', [{"name": "a"}])
    assert await names(people) == []


async def test_insert_many_ignoring_conflicts(people: AsyncDatabaseAdapter) -> None:
    """on_conflict="ignore" keeps the rows that are there and counts the new ones."""
    await people.insert_many("people", [{"id": 1, "name": "old"}])
    rows = [{"id": 1, "name": "new"}, {"id": 2, "name": "two"}, {"id": 2, "name": "again"}]
    assert await people.insert_many("people", rows, on_conflict="ignore") == 1
    assert await names(people) == ["old", "two"]
    with pytest.raises(NotNullViolation):
        await people.insert_many("people", [{"id": 3, "name": None}], on_conflict="ignore")
    with pytest.raises(UniqueViolation):
        await people.insert_many("people", rows)


async def test_insert_many_updating_on_conflict(people: AsyncDatabaseAdapter) -> None:
    """on_conflict="update" writes the given columns over the row with the same key; the last one wins."""
    await people.insert_many(
        "people", [{"id": 1, "name": "old", "age": 40}, {"id": 5, "name": "five", "age": 50}]
    )
    rows = [{"id": 1, "name": "new"}, {"id": 2, "name": "two"}, {"id": 2, "name": "again"}]
    await people.insert_many("people", rows, on_conflict="update")
    assert await people.fetch_all("SELECT id, name, age FROM people ORDER BY id", row_type=tuple) == [
        (1, "new", 40),
        (2, "again", None),
        (5, "five", 50),
    ]
    await people.insert_many("pets", [{"owner_id": 1, "name": "Rex", "kind": "dog"}])
    await people.insert_many("pets", [{"owner_id": 1, "name": "Rex", "kind": "cat"}], on_conflict="update")
    await people.insert_many("pets", [{"owner_id": 1, "name": "Rex"}], on_conflict="update")
    assert await people.fetch_value("SELECT kind FROM pets") == "cat"


async def test_insert_many_with_an_unknown_conflict_rule(people: AsyncDatabaseAdapter) -> None:
    """Another word is refused, naming the words there are."""
    with pytest.raises((DatabaseAdapterError, ValueError), match="ignore"):
        await people.insert_many("people", [{"name": "a"}], on_conflict="replace")  # type: ignore[arg-type]


async def test_names_that_need_quoting(adapter: AsyncDatabaseAdapter) -> None:
    """Spaces, quotes, umlauts, reserved words and percent signs in names are nothing special."""
    await adapter.execute(
        'CREATE TABLE "Grüße ""%s"" :a ?" ("select" BIGINT PRIMARY KEY, "a b%" TEXT, "ß:x?" TEXT)'
    )
    table = 'Grüße "%s" :a ?'
    row = {"select": 1, "a b%": "x", "ß:x?": "y"}
    assert await adapter.insert_many(table, [row]) == 1
    assert await adapter.insert_many(table, [{**row, "a b%": "z"}], on_conflict="update") == 1
    assert await adapter.insert_many(table, [row], on_conflict="ignore") == 0
    found = await adapter.fetch_one('SELECT * FROM "Grüße ""%s"" :a ?" WHERE "select" = :key', {"key": 1})
    assert found == {**row, "a b%": "z"}
    assert table in await adapter.list_tables()
    assert [column.name for column in (await adapter.describe_table(table)).columns] == list(row)


async def test_a_generated_column_and_a_default_expression(adapter: AsyncDatabaseAdapter) -> None:
    """A bulk load leaves computed columns to the database."""
    await adapter.execute(
        "CREATE TABLE g (id BIGINT PRIMARY KEY, n BIGINT, twice BIGINT GENERATED ALWAYS AS (n * 2) STORED)"
    )
    await adapter.insert_many("g", [{"id": 1, "n": 4}])
    assert await adapter.fetch_one("SELECT * FROM g") == {"id": 1, "n": 4, "twice": 8}


async def test_writing_in_a_transaction_that_is_rolled_back(people: AsyncDatabaseAdapter) -> None:
    """Every way of writing belongs to the transaction it was called on."""
    with pytest.raises(LookupError):
        async with people.transaction() as tx:
            await tx.execute(INSERT, {"name": "a", "age": 20})
            await tx.execute_many(INSERT, [{"name": "b", "age": 20}])
            await tx.insert_many("people", [{"name": "c"}])
            await tx.insert_many("people", [{"id": 1, "name": "d"}], on_conflict="update")
            assert await names(tx) == ["d", "b", "c"]
            raise LookupError("changed my mind")
    assert await names(people) == []
