"""The model: how tables can be written, and what is wrong is said at once, naming table and column."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dbadapter.errors import ConfigError
from dbadapter.schema import Check, Column, ForeignKey, Index, Schema, Table, Unique
from dbadapter.schema import types as t


class Status(enum.Enum):
    """Values for an enumeration column."""

    OPEN = "open"
    DONE = "done"


def test_columns_and_table_say_the_same() -> None:
    """What a column says in short equals what the table says at length."""
    short = Table(
        "tasks",
        Column("id", t.Integer(), primary_key=True),
        Column("name", t.Text(), unique=True, check="name <> ''"),
        Column("parent", t.Integer(), references="tasks.id", on_delete="cascade", deferrable=True),
    )
    long = Table(
        "tasks",
        Column("id", t.Integer(), nullable=False),
        Column("name", t.Text()),
        Column("parent", t.Integer()),
        primary_key=["id"],
        unique=[Unique("name")],
        checks=[Check("(name)::text <> ''::text")],
        foreign_keys=[ForeignKey("parent", "tasks", "id", on_delete="CASCADE", deferrable="deferred")],
    )
    assert short == long
    assert Schema([short]) == Schema([long])


def test_order_counts_for_columns_only() -> None:
    """Tables are equal with their constraints in any order, not with their columns in another."""
    one, two = Column("a", t.Integer()), Column("b", t.Text())
    checks = [Check("a > 0"), Check("b <> ''")]
    assert Table("x", one, two, checks=checks) == Table("x", one, two, checks=checks[::-1])
    assert Table("x", one, two) != Table("x", two, one)
    assert Schema([Table("x", one), Table("y", two)]) == Schema([Table("y", two), Table("x", one)])
    assert Table("x", one, checks=["a > 0"]) != Table("x", one, checks=["a > 1"])


def test_names_are_those_postgresql_chooses() -> None:
    """Constraints and indexes without a name get PostgreSQL's."""
    table = Table(
        "orders",
        Column("id", t.Identity()),
        Column("customer", t.BigInteger(), unique=True, check="customer > 0"),
        Column("total", t.Integer()),
        unique=[("customer", "total")],
        checks=["total > customer", "total < 9 * customer", "total > 1"],
        foreign_keys=[ForeignKey(["customer"], "orders")],
        indexes=["total", Index("total", "customer DESC"), Index("abs(total)"), Index("total + 1")],
    )
    assert table.primary_key_name == "orders_pkey"
    assert [item.name for item in table.unique] == ["orders_customer_key", "orders_customer_total_key"]
    assert [item.name for item in table.checks] == [
        "orders_customer_check",
        "orders_check",
        "orders_check1",
        "orders_total_check",
    ]
    assert [item.name for item in table.foreign_keys] == ["orders_customer_fkey"]
    assert [item.name for item in table.indexes] == [
        "orders_total_idx",
        "orders_total_customer_idx",
        "orders_abs_idx",
        "orders_expr_idx",
    ]


def test_defaults_are_kept_in_one_form() -> None:
    """Values that mean the same default make equal columns."""
    assert Column("a", t.Enum(Status), default=Status.OPEN) == Column(
        "a", t.Enum("open", "done"), default="open"
    )
    assert Column("a", t.Decimal(5, 2), default=1) == Column("a", t.Decimal(5, 2), default=Decimal("1.00"))
    assert Column("a", t.Array(t.Integer()), default=[1]) == Column("a", t.Array(t.Integer()), default=(1,))
    assert Column("a", t.Text(), default=t.sql("lower( 'X' )")) == Column(
        "a", t.Text(), default=t.sql("LOWER('X')")
    )
    assert Column("a", t.Text(), default="now()") != Column("a", t.Text(), default=t.sql("now()"))


def test_a_schema_is_a_collection_of_tables() -> None:
    """Tables can be counted, listed, looked up by name, and asked for their columns."""
    schema = Schema([Table("b", Column("x", t.Text())), Table("a", Column("y", t.Text()))])
    assert (len(schema), schema.table_names, "a" in schema, "c" in schema) == (2, ["b", "a"], True, False)
    assert schema["a"].column("y").type == t.Text()
    assert [table.name for table in schema] == ["b", "a"]
    with pytest.raises(KeyError):
        schema["c"]
    with pytest.raises(KeyError):
        schema["a"].column("x")


def _table(*columns: Column, **arguments: object) -> Callable[[], object]:
    return lambda: Schema([Table("tasks", *columns, **arguments)])  # type: ignore[arg-type]


def _lazily(*arguments: object, **more: object) -> Callable[[], object]:
    return lambda: Schema([Table("tasks", Column(*arguments, **more))])  # type: ignore[arg-type]


ID = Column("id", t.Identity())
WRONG: list[tuple[Callable[[], object], list[str]]] = [
    (_table(ID, ID), ["'tasks'", "two columns 'id'"]),
    (lambda: Schema([Table("a", ID), Table("a", ID)]), ["two tables 'a'"]),
    (_table(Column("p", t.Integer(), references="projects.id")), ["'tasks'", "'p'", "'projects'"]),
    (_table(ID, Column("p", t.BigInteger(), references="tasks.nr")), ["'tasks'", "'p'", "tasks.nr"]),
    (_table(ID, Column("x", t.Text()), Column("p", t.Text(), references="tasks.x")), ["'p'", "not unique"]),
    (_table(ID, Column("p", t.Text(), references="tasks.id")), ["'p'", "Text()", "Identity"]),
    (_table(Column("p", t.Integer(), references="tasks")), ["'p'", "no primary key"]),
    (
        _table(ID, Column("a", t.Integer()), foreign_keys=[ForeignKey(["a"], "tasks", ["id", "a"])]),
        ["'tasks'", "('a',)", "2 columns"],
    ),
    (
        _table(
            Column("a", t.Integer()),
            Column("b", t.Integer()),
            Column("c", t.Integer(), references="tasks"),
            primary_key=["a", "b"],
        ),
        ["'c'", "('a', 'b')", "2 columns"],
    ),
    (_table(ID, foreign_keys=[ForeignKey(["x"], "tasks")]), ["'tasks'", "'x'"]),
    (_table(ID, unique=[("id", "x")]), ["'tasks'", "unique", "'x'"]),
    (_table(ID, primary_key="x"), ["'tasks'", "primary_key", "'x'"]),
    (_table(ID, indexes=["x"]), ["'tasks'", "index", "'x'"]),
    (_table(ID, indexes=[Index("id", name="i"), Index("id", name="i")]), ["'tasks'", "'i'"]),
    (_table(ID, Column("b", t.Integer(), primary_key=True)), ["'tasks'", "'id'", "whole primary key"]),
    (_table(Column("b", t.Integer(), primary_key=True), primary_key=["c"]), ["'tasks'", "primary_key"]),
    (_table(Column("b", t.Json(), primary_key=True)), ["'tasks'", "'b'", "Json"]),
    (_lazily("", t.Text()), ["name", "''"]),
    (_lazily("a\0", t.Text()), ["name", "NUL"]),
    (_lazily("a", t.Text), ["'a'", "Text(...)"]),
    (_lazily("a", str), ["'a'", "types"]),
    (_lazily("a", t.Text(), on_delete="cascade"), ["'a'", "references"]),
    (_lazily("a", t.Text(), references="tasks.a", on_delete="explode"), ["on_delete", "'explode'"]),
    (_lazily("a", t.Text(), references="tasks.a", deferrable="later"), ["deferrable", "'later'"]),
    (_lazily("a", t.Integer(), default="1"), ["'a'", "default", "'1'"]),
    (_lazily("a", t.Integer(), default=True), ["'a'", "default", "True"]),
    (_lazily("a", t.Integer(), default=2**31), ["'a'", "2147483648"]),
    (_lazily("a", t.Boolean(), default=1), ["'a'", "default"]),
    (_lazily("a", t.Enum("x"), default="y"), ["'a'", "'y'", "'x'"]),
    (_lazily("a", t.Varchar(2), default="abc"), ["'a'", "'abc'", "2 characters"]),
    (_lazily("a", t.Decimal(3, 1), default=Decimal("1.25")), ["'a'", "1.25"]),
    (_lazily("a", t.Timestamp(), default=datetime(2020, 1, 1, tzinfo=UTC)), ["'a'", "naive"]),
    (_lazily("a", t.Vector(2), default=[1.0]), ["'a'", "vector of 1"]),
    (_lazily("a", t.Float(), default=float("nan")), ["'a'", "NaN"]),
    (_lazily("a", t.Text(), default=t.now()), ["'a'", "t.now()"]),
    (_lazily("a", t.Integer(), default=t.random_uuid()), ["'a'", "t.random_uuid()"]),
    (_lazily("a", t.Identity(), default=1), ["'a'", "Identity"]),
    (_lazily("a", t.Integer(), default=1, generated="2"), ["'a'", "generated"]),
    (lambda: t.Varchar(0), ["Varchar length", "0"]),
    (lambda: t.Decimal(0), ["Decimal precision", "0"]),
    (lambda: t.Decimal(5, 6), ["Decimal scale", "6"]),
    (lambda: t.Decimal(scale=2), ["precision"]),
    (lambda: t.Vector(0), ["Vector dimension", "0"]),
    (t.Enum, ["Enum", "one value"]),
    (lambda: t.Enum("a", "a"), ["Enum", "differ"]),
    (lambda: t.Enum("x" * 64), ["Enum", "63 bytes"]),
    (lambda: t.Array(t.Array(t.Text())), ["Array"]),
    (Index, ["Index", "columns"]),
    (lambda: Schema.from_sql("", "mysql"), ["dialect", "'mysql'"]),
    (lambda: Schema.from_sql(b"CREATE TABLE t (x int)"), ["script", "bytes"]),  # type: ignore[arg-type]
    (lambda: Schema.from_database(None), ["DatabaseAdapter", "NoneType"]),  # type: ignore[call-overload]
    (lambda: Schema().check("app.db"), ["DatabaseAdapter", "str"]),  # type: ignore[call-overload]
    (lambda: Schema(5), ["Table", "5"]),  # type: ignore[arg-type]
    (lambda: Table("a"), ["'a'", "at least one column"]),
    (
        lambda: Table("a", Column("x", t.Identity()), Column("y", t.Identity())),
        ["'a'", "'x' and 'y'", "Identity"],
    ),
    (_lazily("a", t.Integer(), references="b.id", on_delete=5), ["on_delete", "5"]),
    (_lazily("a", t.Integer(), generated=5), ["'a'", "generated", "5"]),
    (_lazily("a", t.Integer(), comment=5), ["comment", "5"]),
    (lambda: Schema(["x"]), ["Table", "'x'"]),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("make", "words"), WRONG, ids=["-".join(words)[:60] for _, words in WRONG])
def test_what_is_wrong_is_named(make: Callable[[], object], words: list[str]) -> None:
    """A mistake is a ConfigError when the value is made, and its message names what is wrong."""
    with pytest.raises(ConfigError) as refused:
        make()
    for word in words:
        assert word in str(refused.value)


def test_limits_of_a_backend() -> None:
    """Names that one backend would confuse or refuse are refused before anything is sent to it."""
    case = Schema([Table("a", Column("x", t.Text()), Column("X", t.Text()))])
    assert '"X"' in case.to_sql("postgresql")
    with pytest.raises(ConfigError, match="case"):
        case.to_sql("sqlite")
    with pytest.raises(ConfigError, match="case"):
        Schema([Table("a", Column("x", t.Text())), Table("A", Column("x", t.Text()))]).to_sql("sqlite")
    long = Schema([Table("a" * 64, Column("x", t.Text()))])
    assert "a" * 64 in long.to_sql("sqlite")
    with pytest.raises(ConfigError, match="63 bytes"):
        long.to_sql("postgresql")
    with pytest.raises(ConfigError, match="sqlite_"):
        Schema([Table("sqlite_x", Column("x", t.Text()))]).to_sql("sqlite")


def test_one_name_for_one_thing() -> None:
    """Tables, keys and indexes share one space of names on PostgreSQL."""
    with pytest.raises(ConfigError, match="'b'"):
        Schema(
            [
                Table("a", Column("x", t.Text()), indexes=[Index("x", name="b")]),
                Table("b", Column("x", t.Text())),
            ]
        )
    with pytest.raises(ConfigError, match="values"):
        Schema(
            [
                Table("a", Column("x", t.Enum("p", name="e"))),
                Table("b", Column("x", t.Enum("q", name="e"))),
            ]
        ).to_sql("postgresql")


def test_importing_the_model_is_light() -> None:
    """Writing and comparing plain tables loads no SQL parser and no driver of PostgreSQL."""
    import subprocess
    import sys

    code = """
import sys
from dbadapter.schema import Schema, Table, Column, types as t
schema = Schema([Table("a", Column("id", t.Identity()), Column("b", t.Text(), default="x"))])
assert schema == Schema([Table("a", Column("id", t.Identity()), Column("b", t.Text(), default="x"))])
schema.to_sql("sqlite"), schema.to_sql("postgresql")
print(*sorted({"sqlglot", "psycopg", "numpy"} & set(sys.modules)))
"""
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""
