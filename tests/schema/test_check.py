"""Drift: check finds what differs between the schema and the live database, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.schema import Check, Column, Difference, ForeignKey, Index, Schema, Table
from dbadapter.schema import types as t

PARENTS = Table("parents", Column("id", t.Identity()), Column("code", t.Text(), unique=True))


def _tasks(**changes: Column) -> Table:
    columns = {
        "id": Column("id", t.Identity()),
        "title": Column("title", t.Varchar(50), nullable=False, comment="what to do"),
        "status": Column("status", t.Enum("open", "done"), default="open"),
        "size": Column("size", t.Integer(), check="size > 0 AND size < 100"),
        "parent": Column("parent", t.BigInteger(), references="parents.id", on_delete="cascade"),
        "span": Column("span", t.Interval(), check="span > '1 hour'"),
        "double": Column("double", t.BigInteger(), generated="size * 2"),
    }
    return Table(
        "tasks",
        *(columns | changes).values(),
        unique=[("title", "status")],
        indexes=[Index("title", "size DESC", where="status = 'open'"), Index("lower(title)")],
        comment="the tasks",
    )


SCHEMA = Schema([PARENTS, _tasks()])


def test_no_drift(sync_adapter: DatabaseAdapter) -> None:
    """A database just made, with tables beside the schema's in it, shows no difference."""
    sync_adapter.execute("CREATE TABLE other (x INTEGER)")
    sync_adapter.create_tables(SCHEMA)
    assert SCHEMA.check(sync_adapter) == []


def test_missing_tables(sync_adapter: DatabaseAdapter) -> None:
    """Tables that are not there are missing, and nothing is said about their columns."""
    assert SCHEMA.check(sync_adapter) == [
        Difference("missing_table", "parents"),
        Difference("missing_table", "tasks"),
    ]
    assert str(SCHEMA.check(sync_adapter)[1]) == "tasks: the table is missing"


Change = Callable[[], Table]
# What the schema has come to say since the database was made, and what check calls the difference.
CHANGES: dict[str, tuple[Change, list[tuple[str, str | None]]]] = {
    "type": (lambda: _tasks(size=Column("size", t.BigInteger(), check="size BETWEEN 1 AND 99")), [
        ("type", "size"), ("missing_check", None), ("extra_check", None),
    ]),
    "length": (lambda: _tasks(title=Column("title", t.Varchar(60), nullable=False, comment="what to do")), [
        ("type", "title"),
    ]),
    "nullable": (lambda: _tasks(title=Column("title", t.Varchar(50), comment="what to do")), [("nullable", "title")]),
    "default": (lambda: _tasks(status=Column("status", t.Enum("open", "done"), default="done")), [
        ("default", "status"),
    ]),
    "no default": (lambda: _tasks(status=Column("status", t.Enum("open", "done"))), [("default", "status")]),
    "values": (lambda: _tasks(status=Column("status", t.Enum("open", "done", "gone"), default="open")), [
        ("type", "status"),
    ]),
    "comment": (lambda: _tasks(title=Column("title", t.Varchar(50), nullable=False)), [("comment", "title")]),
    "references": (lambda: _tasks(parent=Column("parent", t.BigInteger(), references="parents.id")), [
        ("missing_foreign_key", "parent"), ("extra_foreign_key", "parent"),
    ]),
    "deferrable": (
        lambda: _tasks(
            parent=Column("parent", t.BigInteger(), references="parents", on_delete="cascade", deferrable=True)
        ),
        [("missing_foreign_key", "parent"), ("extra_foreign_key", "parent")],
    ),
    "check": (lambda: _tasks(size=Column("size", t.Integer(), check="size > 1 AND size < 100")), [
        ("missing_check", None), ("extra_check", None),
    ]),
    "no check": (lambda: _tasks(size=Column("size", t.Integer())), [("extra_check", None)]),
    "generated": (lambda: _tasks(double=Column("double", t.BigInteger(), generated="size * 3")), [
        ("generated", "double"),
    ]),
    "column": (lambda: _tasks(extra=Column("extra", t.Text())), [("missing_column", "extra")]),
    "another column": (lambda: _tasks(double=Column("treble", t.Integer())), [
        ("missing_column", "treble"), ("extra_column", "double"),
    ]),
    "index": (
        lambda: _tasks().replace(indexes=[Index("title", "size", where="status = 'open'"), Index("lower(title)")]),
        [("missing_index", None), ("extra_index", None)],
    ),
    "no index": (lambda: _tasks().replace(indexes=[]), [("extra_index", None), ("extra_index", None)]),
    "unique": (lambda: _tasks().replace(unique=[]), [("extra_unique", None)]),
}  # fmt: skip


def test_each_difference_is_found(sync_adapter: DatabaseAdapter) -> None:
    """A changed schema shows exactly what changed, and says so in words."""
    sync_adapter.create_tables(SCHEMA)
    for name, (change, expected) in CHANGES.items():
        found = Schema([PARENTS, change()]).check(sync_adapter)
        assert [(item.kind, item.column) for item in found] == expected, name
        for item in found:
            assert item.table == "tasks"
            assert str(item).startswith("tasks")
            assert "\n" not in str(item)


def test_differences_in_words(sync_adapter: DatabaseAdapter) -> None:
    """The text of a difference says what is there and what should be."""
    sync_adapter.create_tables(SCHEMA)
    wanted = _tasks(
        title=Column("title", t.Text(), nullable=False, comment="what to do"),
        parent=Column("parent", t.BigInteger(), references="parents.id"),
    )
    texts = [str(item) for item in Schema([PARENTS, wanted]).check(sync_adapter)]
    assert texts == [
        "tasks.title: type is Varchar(length=50), should be Text()",
        "tasks.parent: the foreign key is missing: (parent) -> parents (id)",
        "tasks.parent: a foreign key the schema does not have: (parent) -> parents (id) on delete cascade",
    ]


def test_primary_key(sync_adapter: DatabaseAdapter) -> None:
    """Another key, or its columns in another order, is a difference."""
    columns = [Column("a", t.Integer(), nullable=False), Column("b", t.Integer(), nullable=False)]
    sync_adapter.create_tables(Schema([Table("x", *columns, primary_key=["a", "b"])]))
    found = Schema([Table("x", *columns, primary_key=["b", "a"])]).check(sync_adapter)
    assert found == [Difference("primary_key", "x", expected=("b", "a"), found=("a", "b"))]
    assert str(found[0]) == "x: primary key is (a, b), should be (b, a)"


def test_names_of_constraints_are_no_drift(sync_adapter: DatabaseAdapter) -> None:
    """A constraint that says the same under another name is not missing."""
    one = Schema([Table("x", Column("a", t.Integer()), checks=[Check("a > 0", "positive")], unique=["a"])])
    two = Schema([Table("x", Column("a", t.Integer()), checks=[Check("(a > 0)", "plus")], unique=["a"])])
    sync_adapter.create_tables(one)
    assert one != two
    assert two.check(sync_adapter) == []


def test_tables_made_by_hand_in_postgresql(postgres_database: DatabaseConfig) -> None:
    """Serial columns, casts, other spellings and orders of one and the same thing are no drift."""
    schema = Schema(
        [
            Table(
                "tasks",
                Column("id", t.Identity()),
                Column("at", t.Timestamp(tz=True), default=t.now()),
                Column("day", t.Timestamp(), default=t.now()),
                Column("price", t.Decimal(10, 2), default=0, check="price BETWEEN 0 AND 100"),
                Column("kind", t.Varchar(10), check="kind IN ('a', 'b')"),
                Column("began", t.Time(), check="began > '08:00'"),
                Column("email", t.Text(), check="email SIMILAR TO '%@%'"),
                Column("tags", t.Array(t.Text()), default=["x"]),
            )
        ]
    )
    with DatabaseAdapter(postgres_database) as adapter:
        adapter.execute(
            """CREATE TABLE tasks (
                id serial PRIMARY KEY, at timestamptz DEFAULT CURRENT_TIMESTAMP,
                day timestamp DEFAULT (CURRENT_TIMESTAMP AT TIME ZONE 'utc'),
                price numeric(10, 2) DEFAULT 0.00 CHECK (price >= 0::numeric AND NOT price > 100),
                kind varchar(10) CHECK (kind = 'a' OR kind = 'b'), began time CHECK (began > time '08:00:00'),
                email text CHECK (email SIMILAR TO '%@%'), tags text[] DEFAULT ARRAY['x'::text])"""
        )
        found = schema.check(adapter)
        # Only what is said in other words altogether is taken for another condition.
        assert [(item.kind, item.found) for item in found if item.kind.startswith("extra")] == [
            ("extra_check", "((kind)::text = 'a'::text) OR ((kind)::text = 'b'::text)")
        ]
        assert len(found) == 2
        assert adapter.list_tables() == ["tasks"]


@pytest.mark.parametrize("where", ["NULLS FIRST", "NULLS LAST"])
def test_what_only_postgresql_has_in_an_index(sync_adapter: DatabaseAdapter, where: str) -> None:
    """Index methods and the order of NULLs are compared where they exist and no drift where they do not."""
    schema = Schema(
        [
            Table(
                "x",
                Column("a", t.Integer()),
                Column("tags", t.Json()),
                indexes=[Index(f"a DESC {where}"), Index("tags", using="gin"), Index("a", using="hash")],
            )
        ]
    )
    sync_adapter.create_tables(schema)
    assert schema.check(sync_adapter) == []
    names = [index.name for index in sync_adapter.describe_table("x").indexes]
    assert ("x_tags_idx" in names) is not (sync_adapter.dialect.name == "sqlite")


def test_sqlite_tables_altered_afterwards(sqlite_database: DatabaseConfig) -> None:
    """ALTER TABLE and a table made by other means than ours are read as they are."""
    with DatabaseAdapter(sqlite_database) as adapter:
        adapter.create_tables(SCHEMA)
        adapter.execute("ALTER TABLE tasks ADD COLUMN more TEXT")
        adapter.execute("ALTER TABLE tasks RENAME COLUMN size TO amount")
        adapter.execute("DROP INDEX tasks_lower_idx")
        found = [(item.kind, item.column) for item in SCHEMA.check(adapter)]
    assert ("extra_column", "more") in found
    assert ("missing_column", "size") in found
    assert ("extra_column", "amount") in found
    assert ("missing_index", None) in found


def test_foreign_keys_by_hand(sqlite_database: DatabaseConfig) -> None:
    """On SQLite a foreign key without columns refers to the primary key, in whatever case it is written."""
    with DatabaseAdapter(sqlite_database) as adapter:
        adapter.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY, code TEXT UNIQUE)")
        adapter.execute(
            "CREATE TABLE kids (a BIGINT REFERENCES Parents ON DELETE CASCADE, b TEXT REFERENCES PARENTS(CODE))"
        )
        schema = Schema(
            [
                PARENTS,
                Table(
                    "kids",
                    Column("a", t.BigInteger()),
                    Column("b", t.Text()),
                    foreign_keys=[
                        ForeignKey("a", "parents", on_delete="cascade"),
                        ForeignKey("b", "parents", "code"),
                    ],
                ),
            ]
        )
        assert schema.check(adapter) == []
