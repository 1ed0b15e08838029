"""What the dialects ask the databases: the same answers from both, where both have them."""

from __future__ import annotations

import pytest

from dbadapter import ColumnInfo, DatabaseAdapter, DatabaseConfig, ForeignKeyInfo, IndexInfo, TableInfo
from dbadapter._dialects import MAX_NAME_BYTES, POSTGRESQL, SQLITE, constraint_name, datatype_constraint
from dbadapter.errors import UndefinedTable
from dbadapter.schema import Column, Index, Schema, Table
from dbadapter.schema import types as t

SCHEMA = Schema(
    [
        Table("b", Column("id", t.Identity())),
        Table(
            "A",
            Column("x", t.Integer()),
            Column("y", t.Integer()),
            Column("name", t.Varchar(9), nullable=False, unique=True),
            Column("ref", t.BigInteger(), references="b.id", on_delete="cascade"),
            Column("sum", t.Integer(), generated="x + y"),
            primary_key=["y", "x"],
            indexes=[Index("lower(name)", "x DESC", where="x > 1")],
        ),
    ]
)


def test_quoting() -> None:
    """A quoted name is taken literally, whatever is in it; a literal cannot be broken out of."""
    for dialect in (SQLITE, POSTGRESQL):
        assert dialect.quote('we"ird; --') == '"we""ird; --"'
        assert dialect.literal("it's") == "'it''s'"
        with pytest.raises(ValueError):
            dialect.quote("a\0")
        with pytest.raises(ValueError):
            dialect.literal("a\0")


def test_names_fit() -> None:
    """A chosen name never exceeds PostgreSQL's bound, keeps its suffix, and is not one already taken."""
    name = constraint_name("t" * 80, ["c" * 80], "fkey")
    assert len(name) == MAX_NAME_BYTES
    assert name == "t" * 29 + "_" + "c" * 28 + "_fkey"
    assert constraint_name("a", ["b"], "key", {"a_b_key", "a_b_key1"}) == "a_b_key2"
    assert constraint_name("a", [], "pkey") == "a_pkey"
    wide = constraint_name("ß" * 40, ["c"], "key")
    assert wide.encode().decode() == wide
    assert len(wide.encode()) <= MAX_NAME_BYTES
    assert datatype_constraint("t" * 80, "c" * 80).endswith("_datatype")


def test_tables_are_listed(sync_adapter: DatabaseAdapter) -> None:
    """Tables come sorted by code point, without the library's own and without what belongs to the database."""
    sync_adapter.create_tables(SCHEMA)
    for name in ("_dbadapter_own", "z", "Z", "ä"):
        if name != "Z" or not sync_adapter.dialect.ignores_case:
            sync_adapter.execute(f'CREATE TABLE "{name}" (x INTEGER)')
    expected = ["A", "b", "z", "ä"] if sync_adapter.dialect.ignores_case else ["A", "Z", "b", "z", "ä"]
    assert sync_adapter.list_tables() == expected


def test_a_table_is_described(sync_adapter: DatabaseAdapter) -> None:
    """Columns, keys and indexes of a table are told alike; types and defaults in the backend's own words."""
    sync_adapter.create_tables(SCHEMA)
    info = sync_adapter.describe_table("A")
    assert isinstance(info, TableInfo)
    assert info.primary_key == ("y", "x")
    assert [
        (column.name, column.nullable, column.primary_key, column.generated) for column in info.columns
    ] == [
        ("x", False, True, False),
        ("y", False, True, False),
        ("name", False, False, False),
        ("ref", True, False, False),
        ("sum", True, False, True),
    ]
    assert [(key.columns, key.ref_table, key.ref_columns, key.on_delete) for key in info.foreign_keys] == [
        (("ref",), "b", ("id",), "CASCADE")
    ]
    assert isinstance(info.foreign_keys[0], ForeignKeyInfo)
    assert IndexInfo("A_lower_x_idx", (None, "x"), unique=False, partial=True) in info.indexes
    assert [index.columns for index in info.indexes if index.unique] == [("name",)]


def test_the_key_of_a_table_that_counts(sync_adapter: DatabaseAdapter) -> None:
    """An Identity is a primary key that is never NULL."""
    sync_adapter.create_tables(SCHEMA)
    column = sync_adapter.describe_table("b").columns[0]
    assert isinstance(column, ColumnInfo)
    assert (column.nullable, column.primary_key, column.default) == (False, True, None)


@pytest.mark.parametrize("name", ["nothing", "a"])
def test_no_such_table(sync_adapter: DatabaseAdapter, name: str) -> None:
    """A table that there is not is UndefinedTable, naming it; case counts."""
    sync_adapter.create_tables(SCHEMA)
    with pytest.raises(UndefinedTable, match=repr(name)):
        sync_adapter.describe_table(name)


def test_other_schemas_are_not_listed(postgres_database: DatabaseConfig) -> None:
    """On PostgreSQL the current schema's tables are listed and described, and no others."""
    with DatabaseAdapter(postgres_database) as adapter:
        adapter.execute("CREATE SCHEMA other")
        adapter.execute("CREATE TABLE other.a (x int)")
        adapter.execute("CREATE TABLE b (y int, z text DEFAULT 'q')")
        assert adapter.list_tables() == ["b"]
        assert adapter.describe_table("b").columns[1] == ColumnInfo(
            "z", "text", nullable=True, default="'q'::text", primary_key=False
        )
        with pytest.raises(UndefinedTable):
            adapter.describe_table("a")
