# Generated from tests/_async/test_writing.py by tools/unasync.py; do not edit.
"""execute, execute_many and insert_many: what they do and what they report."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from dbadapter import DatabaseAdapter
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


def names(db: Any) -> list[str]:
    """Everybody, in order of their number."""
    return [row["name"] for row in db.fetch_all("SELECT name FROM people ORDER BY id")]


def test_execute_counts_rows_and_gives_the_new_id(people: DatabaseAdapter) -> None:
    """rowcount is what changed; last_id is the number the database gave the inserted row."""
    results = [people.execute(INSERT, {"name": name, "age": 20}) for name in ("Ada", "Bob", "Cy")]
    assert [(result.rowcount, result.last_id) for result in results] == [(1, 1), (1, 2), (1, 3)]
    assert people.execute("UPDATE people SET age = ? WHERE id > ?", (30, 1)).rowcount == 2
    assert people.execute("UPDATE people SET age = 1 WHERE id = 99").rowcount == 0
    assert people.execute("DELETE FROM people WHERE id = 1").rowcount == 1
    with people.transaction() as tx:
        assert tx.execute(INSERT, {"name": "Dee", "age": 20}).last_id == 4


def test_last_id_is_never_stale(people: DatabaseAdapter) -> None:
    """What inserted no self-numbered row gives None, not the number of an earlier row."""
    people.execute(INSERT, {"name": "Ada", "age": 20})
    for text in (
        "UPDATE people SET age = 21",
        "INSERT INTO pets (owner_id, name) VALUES (1, 'Rex')",
        "DELETE FROM pets",
        "SELECT 1",
    ):
        assert people.execute(text).last_id is None, text


def test_last_id_with_an_explicit_key(people: DatabaseAdapter) -> None:
    """A key given by the caller is the row's id as well."""
    assert people.execute("INSERT INTO people (id, name) VALUES (?, ?)", (70, "Ada")).last_id == 70


def test_last_id_of_a_statement_with_an_ending(people: DatabaseAdapter) -> None:
    """A semicolon and comments at the end of an INSERT do not hide the new row's id."""
    for number, ending in enumerate((";", " ; -- done", " -- done", " /* done */"), 1):
        assert (people.execute(f"INSERT INTO people (name) VALUES ('Ada'){ending}")).last_id == number, ending


@pytest.mark.parametrize("returned", ["id", "name, id", "*", "name"])
def test_last_id_beside_returning(people: DatabaseAdapter, returned: str) -> None:
    """Where the statement asks for rows itself, it is known if the key is among what it asks for."""
    text = f"INSERT INTO people (name) VALUES ('Ada'), ('Bob') RETURNING {returned}"
    result = people.execute(text)
    assert (result.rowcount, result.last_id) == (2, None if returned == "name" else 2)


@pytest.mark.parametrize("rows", [5, None, "ab", {"name": "Ada"}])
def test_what_holds_no_rows(people: DatabaseAdapter, rows: Any) -> None:
    """A single row, or no collection at all, in the place of many: one clear error."""
    with pytest.raises(ParameterError, match="rows must be a list or an iterator of rows"):
        people.insert_many("people", rows)
    with pytest.raises(ParameterError, match="rows must be a list or an iterator of rows"):
        people.execute_many(INSERT, rows)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", None, 5])
def test_names_that_no_table_can_have(people: DatabaseAdapter, name: Any) -> None:
    """Refused alike, whether of a table or of a column, before anything is sent."""
    with pytest.raises(ParameterError, match="the name of the table must be text"):
        people.insert_many(name, [{"name": "Ada"}])
    with pytest.raises(ParameterError, match="the name of a column of row 1 must be text"):
        people.insert_many("people", [{name: "Ada"}])
    with pytest.raises(ParameterError, match="the name of the table must be text"):
        people.describe_table(name)


def test_execute_of_an_upsert(people: DatabaseAdapter) -> None:
    """ON CONFLICT is the same SQL on both."""
    text = (
        "INSERT INTO people (id, name, age) VALUES (:id, :name, :age)"
        " ON CONFLICT (id) DO UPDATE SET name = excluded.name"
    )
    for name in ("Ada", "Eve"):
        assert people.execute(text, {"id": 1, "name": name, "age": 20}).rowcount == 1
    assert (
        people.execute(text.partition("DO")[0] + "DO NOTHING", {"id": 1, "name": "", "age": 20})
    ).rowcount == 0
    assert names(people) == ["Eve"]


def test_execute_many(people: DatabaseAdapter) -> None:
    """The sum of the changed rows, from lists and generators, named and positional; nothing from nothing."""
    rows = [{"name": name, "age": 20} for name in "abc"]
    assert people.execute_many(INSERT, rows) == 3
    assert people.execute_many(INSERT, (row for row in rows)) == 3
    assert people.execute_many("INSERT INTO people (name, age) VALUES (?, ?)", [("d", 20), ["e", 21]]) == 2
    assert people.execute_many("UPDATE people SET age = ? WHERE id > ?", [(30, 0), (31, 6)]) == 10
    assert people.execute_many(INSERT, []) == 0
    assert names(people) == list("abcabcde")


def test_execute_many_is_all_or_nothing(people: DatabaseAdapter) -> None:
    """A row that fails, or a generator that does, takes the whole batch back."""

    def breaking() -> Iterator[dict[str, Any]]:
        yield {"name": "a", "age": 20}
        raise LookupError("source ran dry")

    with pytest.raises(NotNullViolation):
        people.execute_many(INSERT, [{"name": "a", "age": 20}, {"name": None, "age": 20}])
    with pytest.raises(LookupError):
        people.execute_many(INSERT, breaking())
    with pytest.raises(LookupError):
        people.insert_many("people", breaking())
    assert names(people) == []
    people.execute(INSERT, {"name": "after", "age": 20})
    assert names(people) == ["after"]


def test_a_failed_batch_in_a_transaction_leaves_nothing(people: DatabaseAdapter) -> None:
    """A batch refused half way, inside a transaction that goes on, is undone as a whole."""

    def breaking() -> Iterator[dict[str, Any]]:
        yield {"name": "a", "age": 20}
        raise LookupError("source ran dry")

    half = [{"name": "a", "age": 20}, {"name": "nul\x00", "age": 20}]
    with people.transaction() as tx:
        tx.execute(INSERT, {"name": "before", "age": 20})
        for load, target in ((tx.execute_many, INSERT), (tx.insert_many, "people")):
            with pytest.raises(LookupError):
                load(target, breaking())
            with pytest.raises(DataError):
                load(target, half)
        with pytest.raises(ParameterError):
            tx.execute_many(INSERT, [half[0], {"name": "b"}])
        with pytest.raises(ParameterError):
            tx.insert_many("people", [half[0], {"name": "b"}])
        tx.execute(INSERT, {"name": "after", "age": 20})
    assert names(people) == ["before", "after"]


def test_insert_many(people: DatabaseAdapter) -> None:
    """Counts what it inserted, from lists and generators, in more than one batch; nothing from nothing."""
    assert people.insert_many("people", [{"name": "a", "age": 20}]) == 1
    many = ({"name": f"n{n}", "age": 20 + n % 50} for n in range(5000))
    assert people.insert_many("people", many) == 5000
    assert people.insert_many("people", []) == 0
    assert people.insert_many("people", iter(())) == 0
    assert people.fetch_value("SELECT count(*) FROM people") == 5001
    assert people.fetch_value("SELECT sum(age) FROM people WHERE name = ?", ("n49",)) == 69


def test_insert_many_fills_what_is_left_out(people: DatabaseAdapter) -> None:
    """Columns given by no row take their defaults; identity goes on after the bulk load."""
    people.execute("CREATE TABLE d (id BIGINT PRIMARY KEY, kind TEXT DEFAULT 'plain', n BIGINT)")
    people.insert_many("d", [{"id": 1, "n": None}, {"id": 2, "n": 5}])
    assert people.fetch_all("SELECT kind, n FROM d ORDER BY id") == [
        {"kind": "plain", "n": None},
        {"kind": "plain", "n": 5},
    ]
    people.insert_many("people", [{"name": "a"}, {"name": "b"}])
    assert people.execute(INSERT, {"name": "c", "age": 20}).last_id == 3


def test_insert_many_checks_that_rows_agree(people: DatabaseAdapter) -> None:
    """A row with another set of columns is an error that names the column, and nothing is kept."""
    for other in ({"name": "b"}, {"name": "b", "age": 20, "email": "x"}, {"name": "b", "email": "x"}):
        with pytest.raises(DatabaseAdapterError, match=r"age|email"):
            people.insert_many("people", [{"name": "a", "age": 20}, other])
    assert names(people) == []
    rows = [{"name": "a", "age": 20}, {"age": 21, "name": "b"}]  # the order of keys is no difference
    assert people.insert_many("people", rows) == 2
    assert people.fetch_value("SELECT age FROM people WHERE name = 'b'") == 21


def test_insert_many_into_what_is_not_there(people: DatabaseAdapter) -> None:
    """A wrong column and a wrong table are the errors they are anywhere else."""
    with pytest.raises(UndefinedColumn, match="nope"):
        people.insert_many("people", [{"name": "a", "nope": 1}])
    with pytest.raises(UndefinedTable, match="missing"):
        people.insert_many("missing", [{"name": "a"}])
    with pytest.raises(UndefinedTable):
        people.insert_many('people"; DROP TABLE people; --', [{"name": "a"}])
    assert names(people) == []


def test_insert_many_ignoring_conflicts(people: DatabaseAdapter) -> None:
    """on_conflict="ignore" keeps the rows that are there and counts the new ones."""
    people.insert_many("people", [{"id": 1, "name": "old"}])
    rows = [{"id": 1, "name": "new"}, {"id": 2, "name": "two"}, {"id": 2, "name": "again"}]
    assert people.insert_many("people", rows, on_conflict="ignore") == 1
    assert names(people) == ["old", "two"]
    with pytest.raises(NotNullViolation):
        people.insert_many("people", [{"id": 3, "name": None}], on_conflict="ignore")
    with pytest.raises(UniqueViolation):
        people.insert_many("people", rows)


def test_insert_many_updating_on_conflict(people: DatabaseAdapter) -> None:
    """on_conflict="update" writes the given columns over the row with the same key; the last one wins."""
    people.insert_many("people", [{"id": 1, "name": "old", "age": 40}, {"id": 5, "name": "five", "age": 50}])
    rows = [{"id": 1, "name": "new"}, {"id": 2, "name": "two"}, {"id": 2, "name": "again"}]
    people.insert_many("people", rows, on_conflict="update")
    assert people.fetch_all("SELECT id, name, age FROM people ORDER BY id", row_type=tuple) == [
        (1, "new", 40),
        (2, "again", None),
        (5, "five", 50),
    ]
    people.insert_many("pets", [{"owner_id": 1, "name": "Rex", "kind": "dog"}])
    people.insert_many("pets", [{"owner_id": 1, "name": "Rex", "kind": "cat"}], on_conflict="update")
    people.insert_many("pets", [{"owner_id": 1, "name": "Rex"}], on_conflict="update")
    assert people.fetch_value("SELECT kind FROM pets") == "cat"


def test_insert_many_with_an_unknown_conflict_rule(people: DatabaseAdapter) -> None:
    """Another word is refused, naming the words there are."""
    with pytest.raises((DatabaseAdapterError, ValueError), match="ignore"):
        people.insert_many("people", [{"name": "a"}], on_conflict="replace")  # type: ignore[arg-type]


def test_names_that_need_quoting(adapter: DatabaseAdapter) -> None:
    """Spaces, quotes, umlauts, reserved words and percent signs in names are nothing special."""
    adapter.execute(
        'CREATE TABLE "Grüße ""%s"" :a ?" ("select" BIGINT PRIMARY KEY, "a b%" TEXT, "ß:x?" TEXT)'
    )
    table = 'Grüße "%s" :a ?'
    row = {"select": 1, "a b%": "x", "ß:x?": "y"}
    assert adapter.insert_many(table, [row]) == 1
    assert adapter.insert_many(table, [{**row, "a b%": "z"}], on_conflict="update") == 1
    assert adapter.insert_many(table, [row], on_conflict="ignore") == 0
    found = adapter.fetch_one('SELECT * FROM "Grüße ""%s"" :a ?" WHERE "select" = :key', {"key": 1})
    assert found == {**row, "a b%": "z"}
    assert table in adapter.list_tables()
    assert [column.name for column in adapter.describe_table(table).columns] == list(row)


def test_a_generated_column_and_a_default_expression(adapter: DatabaseAdapter) -> None:
    """A bulk load leaves computed columns to the database."""
    adapter.execute(
        "CREATE TABLE g (id BIGINT PRIMARY KEY, n BIGINT, twice BIGINT GENERATED ALWAYS AS (n * 2) STORED)"
    )
    adapter.insert_many("g", [{"id": 1, "n": 4}])
    assert adapter.fetch_one("SELECT * FROM g") == {"id": 1, "n": 4, "twice": 8}


def test_writing_in_a_transaction_that_is_rolled_back(people: DatabaseAdapter) -> None:
    """Every way of writing belongs to the transaction it was called on."""
    with pytest.raises(LookupError):
        with people.transaction() as tx:
            tx.execute(INSERT, {"name": "a", "age": 20})
            tx.execute_many(INSERT, [{"name": "b", "age": 20}])
            tx.insert_many("people", [{"name": "c"}])
            tx.insert_many("people", [{"id": 1, "name": "d"}], on_conflict="update")
            assert names(tx) == ["d", "b", "c"]
            raise LookupError("changed my mind")
    assert names(people) == []
