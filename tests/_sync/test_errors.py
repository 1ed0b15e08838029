# Generated from tests/_async/test_errors.py by tools/unasync.py; do not edit.
"""The same failure raises the same class on both backends, named and chained to the driver's own."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import (
    CheckViolation,
    DatabaseAdapterError,
    DataError,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    QueryError,
    ReadOnlyViolation,
    SQLSyntaxError,
    StatementTimeout,
    TransactionFailed,
    UndefinedColumn,
    UndefinedTable,
    UniqueViolation,
)

COUNT_FOREVER = (
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000000)"
    " SELECT max(n) FROM c"
)

REFUSALS: list[tuple[str, Any, type[QueryError], str | None]] = [
    ("SELEC 1", None, SQLSyntaxError, "42601"),
    ("SELECT FROM people WHERE", None, SQLSyntaxError, "42601"),
    ("CREATE TABLE (a)", None, SQLSyntaxError, "42601"),
    ("SELECT * FROM missing", None, UndefinedTable, "42P01"),
    ("INSERT INTO missing VALUES (?)", (1,), UndefinedTable, "42P01"),
    ("UPDATE missing SET a = 1", None, UndefinedTable, "42P01"),
    ("DELETE FROM missing", None, UndefinedTable, "42P01"),
    ("DROP TABLE missing", None, UndefinedTable, "42P01"),
    ("SELECT nope FROM people", None, UndefinedColumn, "42703"),
    ("SELECT people.nope FROM people", None, UndefinedColumn, "42703"),
    ("SELECT name FROM people WHERE nope = ?", (1,), UndefinedColumn, "42703"),
    ("SELECT name FROM people ORDER BY nope", None, UndefinedColumn, "42703"),
    ("INSERT INTO people (nope) VALUES (1)", None, UndefinedColumn, "42703"),
    ("UPDATE people SET nope = 1", None, UndefinedColumn, "42703"),
    ("SELECT no_such_function(1)", None, QueryError, "42883"),
    ("CREATE TABLE people (a TEXT)", None, QueryError, "42P07"),
    ("SELECT q.name FROM people", None, UndefinedColumn, "42703"),
    ("SELECT id FROM people JOIN people AS others ON TRUE", None, QueryError, "42702"),
    ("SELECT sum(count(*)) FROM people", None, QueryError, "42803"),
    ("INSERT INTO people (name, age) VALUES ('a', 20), ('b')", None, SQLSyntaxError, "42601"),
]

ONE = "INSERT INTO people (name, age, email) VALUES ('Ada', 36, 'ada@example.org')"

VIOLATIONS: list[tuple[str, type[IntegrityError], str, str, tuple[str, ...] | None, str | None]] = [
    (
        "INSERT INTO people (name, email) VALUES ('Eve', 'ada@example.org')",
        UniqueViolation,
        "23505",
        "people",
        ("email",),
        "people_email_key",
    ),
    (
        "INSERT INTO people (id, name) VALUES (1, 'Eve')",
        UniqueViolation,
        "23505",
        "people",
        ("id",),
        "people_pkey",
    ),
    ("UPDATE people SET id = 1 WHERE id = 2", UniqueViolation, "23505", "people", ("id",), "people_pkey"),
    (
        "INSERT INTO pets (owner_id, name) VALUES (1, 'Rex')",
        UniqueViolation,
        "23505",
        "pets",
        ("owner_id", "name"),
        "pets_pkey",
    ),
    (
        "INSERT INTO tags (word, place) VALUES ('a', 2)",
        UniqueViolation,
        "23505",
        "tags",
        ("word",),
        "one_word",
    ),
    (
        "INSERT INTO tags (word, place) VALUES ('b', 1)",
        UniqueViolation,
        "23505",
        "tags",
        ("place",),
        "tags_place",
    ),
    ("INSERT INTO people (age) VALUES (20)", NotNullViolation, "23502", "people", ("name",), None),
    ("UPDATE people SET name = NULL", NotNullViolation, "23502", "people", ("name",), None),
    ("INSERT INTO people (name, age) VALUES ('Kid', 7)", CheckViolation, "23514", "people", None, "adult"),
    ("UPDATE people SET age = 7", CheckViolation, "23514", "people", None, "adult"),
    (
        "INSERT INTO pets (owner_id, name) VALUES (99, 'Rex')",
        ForeignKeyViolation,
        "23503",
        "pets",
        ("owner_id",),
        "pets_owner_id_fkey",
    ),
    (
        "UPDATE pets SET owner_id = 99",
        ForeignKeyViolation,
        "23503",
        "pets",
        ("owner_id",),
        "pets_owner_id_fkey",
    ),
    (
        "DELETE FROM people WHERE id = 1",
        ForeignKeyViolation,
        "23503",
        "pets",
        ("owner_id",),
        "pets_owner_id_fkey",
    ),
    (
        "UPDATE people SET id = 77 WHERE id = 1",
        ForeignKeyViolation,
        "23503",
        "pets",
        ("owner_id",),
        "pets_owner_id_fkey",
    ),
]


@pytest.fixture
def full(people: DatabaseAdapter) -> DatabaseAdapter:
    """The adapter with people, pets and named unique constraints."""
    people.execute(ONE)
    people.execute("INSERT INTO people (name) VALUES ('Bob')")
    people.execute("INSERT INTO pets (owner_id, name) VALUES (1, 'Rex')")
    people.execute("CREATE TABLE tags (word TEXT, place BIGINT, CONSTRAINT one_word UNIQUE (word))")
    people.execute("CREATE UNIQUE INDEX tags_place ON tags (place)")
    people.execute("INSERT INTO tags (word, place) VALUES ('a', 1)")
    return people


@pytest.mark.parametrize(("text", "params", "kind", "state"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_refused_statements(
    full: DatabaseAdapter, text: str, params: Any, kind: type[QueryError], state: str
) -> None:
    """Class, SQLSTATE, the statement as written and the driver's own exception are all there."""
    with pytest.raises(QueryError) as caught:
        full.execute(text, params)
    error = caught.value
    assert (type(error), error.sqlstate, error.statement) == (kind, state, text)
    assert error.__cause__ is not None
    assert not isinstance(error.__cause__, DatabaseAdapterError)
    with pytest.raises(kind):
        with full.transaction() as tx:
            tx.fetch_all(text, params)


@pytest.mark.parametrize(
    ("text", "kind", "state", "table", "columns", "constraint"),
    VIOLATIONS,
    ids=[case[0] for case in VIOLATIONS],
)
def test_violated_constraints(
    full: DatabaseAdapter,
    text: str,
    kind: type[IntegrityError],
    state: str,
    table: str,
    columns: tuple[str, ...] | None,
    constraint: str | None,
) -> None:
    """Table, columns and constraint are filled in, in a transaction as well as alone."""
    before = full.fetch_all("SELECT * FROM people ORDER BY id")

    def attempt(db: Any) -> None:
        with pytest.raises(IntegrityError) as caught:
            db.execute(text)
        error = caught.value
        assert (type(error), error.sqlstate, error.table) == (kind, state, table)
        if columns is not None:
            # Of a row that is still referenced, Postgres tells the other table's columns, which say nothing.
            allowed = (columns, ()) if kind is ForeignKeyViolation and " people " in text else (columns,)
            assert error.columns in allowed
        if constraint is not None:
            assert error.constraint == constraint
        assert error.statement == text
        assert error.__cause__ is not None

    attempt(full)
    with full.transaction() as tx:
        tx.fetch_value("SELECT count(*) FROM people")
        with pytest.raises(IntegrityError):
            with tx.transaction() as inner:
                inner.execute(text)
        tx.fetch_value("SELECT count(*) FROM people")
    with pytest.raises(IntegrityError):
        with full.transaction() as tx:
            tx.execute(text)
    assert full.fetch_all("SELECT * FROM people ORDER BY id") == before


def test_violations_in_bulk(full: DatabaseAdapter) -> None:
    """execute_many and insert_many report as execute does, and keep nothing of the batch."""
    rows = [{"name": "New", "email": "new@example.org"}, {"name": "Eve", "email": "ada@example.org"}]
    text = "INSERT INTO people (name, email) VALUES (:name, :email)"
    for load, target in ((full.insert_many, "people"), (full.execute_many, text)):
        with pytest.raises(UniqueViolation) as caught:
            load(target, rows)
        error = caught.value
        assert (error.table, error.columns, error.constraint) == ("people", ("email",), "people_email_key")
    with pytest.raises(ForeignKeyViolation) as failed:
        full.insert_many("pets", [{"owner_id": 99, "name": "Rex"}])
    assert (failed.value.table, failed.value.constraint) == ("pets", "pets_owner_id_fkey")
    assert full.fetch_value("SELECT count(*) FROM people") == 2


def test_a_deferred_constraint_fails_at_commit(adapter: DatabaseAdapter) -> None:
    """A deferred foreign key is checked by COMMIT: the same class, and everything is rolled back."""
    adapter.execute("CREATE TABLE a (id BIGINT PRIMARY KEY)")
    adapter.execute(
        "CREATE TABLE b (id BIGINT PRIMARY KEY, a_id BIGINT REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED)"
    )
    with adapter.transaction() as tx:
        tx.execute("INSERT INTO b (id, a_id) VALUES (1, 1)")
        tx.execute("INSERT INTO a (id) VALUES (1)")
    with pytest.raises(ForeignKeyViolation):
        with adapter.transaction() as tx:
            tx.execute("INSERT INTO b (id, a_id) VALUES (2, 99)")
    assert adapter.fetch_value("SELECT count(*) FROM b") == 1
    adapter.execute("INSERT INTO a (id) VALUES (2)")  # the connection is in order again


FAMILY = [
    "CREATE TABLE house (id INTEGER PRIMARY KEY, street TEXT, number INTEGER, UNIQUE (street, number))",
    """CREATE TABLE flat (id INTEGER PRIMARY KEY, house_id INTEGER REFERENCES house (id), up INTEGER, street TEXT,
        number INTEGER, next_id INTEGER REFERENCES house (id) DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT above FOREIGN KEY (up) REFERENCES flat (id),
        FOREIGN KEY (street, number) REFERENCES house (street, number))""",
    "CREATE TABLE shed (house_id INTEGER NOT NULL REFERENCES house (id))",
    "INSERT INTO house (id, street, number) VALUES (1, 'Elm', 1), (2, 'Elm', 2), (3, 'Elm', 3)",
    "INSERT INTO flat (id, house_id, up, street, number) VALUES (1, 1, NULL, 'Elm', 2), (2, NULL, 1, NULL, NULL)",
    "INSERT INTO shed (house_id) VALUES (3)",
]


@pytest.mark.parametrize(
    ("text", "table", "columns", "constraint"),
    [
        ("INSERT INTO flat (id, house_id) VALUES (5, 99)", "flat", ("house_id",), "flat_house_id_fkey"),
        ("INSERT INTO flat (id, up) SELECT 5, 99", "flat", ("up",), "above"),
        ("UPDATE flat SET up = 99 WHERE id = 2", "flat", ("up",), "above"),
        ("UPDATE flat SET number = 99", "flat", ("street", "number"), "flat_street_number_fkey"),
        ("INSERT INTO flat (id, next_id) VALUES (5, 99)", "flat", ("next_id",), "flat_next_id_fkey"),
        ("DELETE FROM house WHERE id = 1", "flat", ("house_id",), "flat_house_id_fkey"),
        ("DELETE FROM house WHERE id = 2", "flat", ("street", "number"), "flat_street_number_fkey"),
        ("UPDATE house SET id = 9 WHERE id = 3", "shed", ("house_id",), "shed_house_id_fkey"),
        ("DELETE FROM flat WHERE id = 1", "flat", ("up",), "above"),
    ],
)
def test_the_foreign_key_among_several(
    adapter: DatabaseAdapter, text: str, table: str, columns: tuple[str, ...], constraint: str
) -> None:
    """Which one it was is found out, whatever the statement, and nothing of finding out is left behind."""
    for part in FAMILY:
        adapter.execute(part)

    def attempt(db: Any) -> None:
        with pytest.raises(ForeignKeyViolation) as caught:
            db.execute(text)
        error = caught.value
        assert (error.table, error.constraint, error.statement) == (table, constraint, text)
        allowed = (columns,) if text.startswith(("INSERT", "UPDATE flat")) else (columns, ())
        assert error.columns in allowed

    attempt(adapter)
    if "next_id" not in text:  # which is looked at by COMMIT
        with adapter.transaction() as tx:
            tx.execute("INSERT INTO flat (id, next_id) VALUES (7, 7)")
            with pytest.raises(TransactionFailed):
                with tx.transaction() as inner:
                    attempt(inner)
            tx.execute("INSERT INTO house (id) VALUES (7)")
    assert adapter.fetch_value("SELECT count(*) FROM flat WHERE id < 7") == 2


def test_the_foreign_key_of_a_bulk_load_and_of_a_commit(adapter: DatabaseAdapter) -> None:
    """insert_many, execute_many and COMMIT tell which foreign key it was."""
    for part in FAMILY:
        adapter.execute(part)
    rows = [{"id": 5, "house_id": 1, "up": None}, {"id": 6, "house_id": 1, "up": 99}]
    text = "INSERT INTO flat (id, house_id, up) VALUES (:id, :house_id, :up)"
    for load, target in ((adapter.insert_many, "flat"), (adapter.execute_many, text)):
        with pytest.raises(ForeignKeyViolation) as caught:
            load(target, rows)
        assert (caught.value.table, caught.value.columns) == ("flat", ("up",))
        assert caught.value.constraint == "above"
    with pytest.raises(ForeignKeyViolation) as caught:
        with adapter.transaction() as tx:
            tx.execute("INSERT INTO flat (id, next_id) VALUES (5, 99)")
    assert (caught.value.table, caught.value.columns) == ("flat", ("next_id",))
    assert caught.value.constraint == "flat_next_id_fkey"
    assert adapter.fetch_value("SELECT count(*) FROM flat") == 2


def test_text_that_is_no_utf_8(adapter: DatabaseAdapter, on_sqlite: bool) -> None:
    """An SQLite file may hold any bytes as text; which column it was is told, and how to read it."""
    if not on_sqlite:
        return  # Postgres lets none in
    adapter.execute("CREATE TABLE old (id INTEGER PRIMARY KEY, name TEXT)")
    adapter.execute("INSERT INTO old VALUES (1, 'fine'), (2, CAST(x'4d816e' AS TEXT))")
    for read in (adapter.fetch_all, adapter.fetch_one):
        with pytest.raises(QueryError, match="column name holds text that is no valid UTF-8: CAST") as caught:
            read("SELECT name FROM old WHERE id = 2")
        assert caught.value.sqlstate == "22021"
    with pytest.raises(QueryError, match="column name"):
        [row for row in adapter.stream("SELECT name FROM old ORDER BY id", batch_size=1)]
    assert adapter.fetch_value("SELECT CAST(name AS BLOB) FROM old WHERE id = 2") == b"M\x81n"


def test_a_value_that_does_not_fit_a_strict_column(adapter: DatabaseAdapter, on_sqlite: bool) -> None:
    """Text in an integer column that takes none is a DataError."""
    adapter.execute(f"CREATE TABLE s (i INTEGER) {'STRICT' if on_sqlite else ''}")
    with pytest.raises(DataError):
        adapter.execute("INSERT INTO s (i) VALUES ('many')")
    with pytest.raises(DataError):
        adapter.execute("INSERT INTO s (i) VALUES (?)", ("many",))


def test_a_read_only_transaction_refuses_to_write(full: DatabaseAdapter) -> None:
    """ReadOnlyViolation on both, for every kind of write; reading goes on working, and writing elsewhere."""
    for text in (
        ONE,
        "UPDATE people SET age = 40",
        "DELETE FROM tags",
        "CREATE TABLE x (a TEXT)",
        "DROP TABLE tags",
    ):
        with pytest.raises(ReadOnlyViolation):
            with full.transaction(read_only=True) as tx:
                assert tx.fetch_value("SELECT count(*) FROM people") == 2
                tx.execute(text)
    with pytest.raises(ReadOnlyViolation):
        with full.transaction(read_only=True) as tx:
            tx.insert_many("people", [{"name": "Eve"}])
    with pytest.raises(ReadOnlyViolation):
        with full.transaction(read_only=True) as tx:
            tx.fetch_value("INSERT INTO people (name) VALUES ('Eve') RETURNING id")
    full.execute("UPDATE people SET age = 41 WHERE id = 1")
    assert full.fetch_value("SELECT age FROM people WHERE id = 1") == 41


def test_after_an_error_a_transaction_can_only_roll_back(full: DatabaseAdapter) -> None:
    """As on Postgres, so on SQLite: no later statement runs, and the block's end does not just commit."""

    def stream(tx: Any) -> None:
        for _ in tx.stream("SELECT * FROM missing"):
            pass

    failures = [
        lambda tx: tx.execute(ONE),
        lambda tx: tx.fetch_one("SELECT nope FROM people"),
        lambda tx: tx.insert_many("people", [{"name": None}]),
        lambda tx: tx.execute_many("SELECT no_such_function(?)", [(1,)]),
        stream,
    ]
    for fail in failures:
        with pytest.raises(TransactionFailed):
            with full.transaction() as tx:
                tx.execute("UPDATE people SET age = 50 WHERE id = 1")
                with pytest.raises(QueryError):
                    fail(tx)
                with pytest.raises(TransactionFailed):
                    tx.fetch_value("SELECT 1")
        assert full.fetch_value("SELECT age FROM people WHERE id = 1") == 36


def test_a_statement_that_takes_too_long_is_stopped(config: DatabaseConfig) -> None:
    """StatementTimeout, alone and in a transaction, and the connection works afterwards."""
    slow = attrs.evolve(config, pool=attrs.evolve(config.pool, statement_timeout=0.2, max_connections=2))
    with DatabaseAdapter(slow) as adapter:
        for _ in range(3):
            with pytest.raises(StatementTimeout) as caught:
                adapter.fetch_value(COUNT_FOREVER)
            assert (caught.value.sqlstate, caught.value.statement) == ("57014", COUNT_FOREVER)
        with pytest.raises(StatementTimeout):
            with adapter.transaction() as tx:
                tx.execute("CREATE TABLE t (a TEXT)")
                tx.fetch_all(COUNT_FOREVER)
        assert adapter.list_tables() == []
        assert adapter.fetch_value("SELECT 1") == 1


def test_no_parameter_stands_in_an_error(full: DatabaseAdapter) -> None:
    """The message tells the constraint; statement holds the text with its placeholders, not the values."""
    text = "INSERT INTO people (name, email, age) VALUES (:name, :email, :age)"
    with pytest.raises(CheckViolation) as caught:
        full.execute(text, {"name": "secret-name", "email": "secret-mail", "age": 3})
    assert "secret" not in str(caught.value) + repr(caught.value) + str(caught.value.statement)
