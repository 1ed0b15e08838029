"""Schemas of live databases, whatever is in them; and the same for async adapters."""

from __future__ import annotations

import sqlite3

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig
from dbadapter.schema import Column, Schema, Table, Unique
from dbadapter.schema import types as t

SCHEMA = Schema(
    [
        Table("a", Column("id", t.Identity()), Column("b", t.BigInteger(), references="b"), comment="one"),
        Table("b", Column("id", t.Identity()), Column("x", t.Enum("p", "q"), default="p")),
    ]
)


async def test_async_adapters(config: DatabaseConfig) -> None:
    """With an async adapter, reading and checking are awaited, and do the same."""
    async with AsyncDatabaseAdapter(config) as adapter:
        assert len(await SCHEMA.check(adapter)) == 2
        await adapter.create_tables(SCHEMA)
        assert await SCHEMA.check(adapter) == []
        assert await Schema.from_database(adapter) == SCHEMA
        await adapter.drop_tables(SCHEMA)
        circle = Schema(
            [
                Table(
                    "a",
                    Column("id", t.Identity()),
                    Column("b", t.BigInteger(), references="b", deferrable=True),
                ),
                Table("b", Column("id", t.Identity()), Column("a", t.BigInteger(), references="a")),
            ]
        )
        await adapter.create_tables(circle)
        await adapter.drop_tables(circle)
        assert await adapter.list_tables() == []


def test_what_stands_beside_tables_on_sqlite(sqlite_database: DatabaseConfig) -> None:
    """Views, triggers and virtual tables, even of missing modules, are reported; shadow tables are not listed."""
    raw = sqlite3.connect(sqlite_database.sqlite_path)
    raw.executescript(
        """CREATE TABLE a (x INTEGER); CREATE VIEW v AS SELECT nosuch(x) FROM a;
           CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT nosuch(1); END;
           CREATE VIRTUAL TABLE f USING fts5(y); CREATE TABLE _dbadapter_x (y);
           PRAGMA writable_schema = ON;
           INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql)
               VALUES ('table', 'm', 'm', 0, 'CREATE VIRTUAL TABLE m USING missing_module(z)');"""
    )
    raw.close()
    with DatabaseAdapter(sqlite_database) as adapter:
        schema = Schema.from_database(adapter)
        assert schema.table_names == ["a"]
        assert sorted(item.what for item in schema.skipped) == [
            "trigger t on a",
            "view v",
            "virtual table f",
            "virtual table m",
        ]
        assert adapter.list_tables() == ["a", "f", "m"]


def test_odd_tables_of_sqlite(sqlite_database: DatabaseConfig) -> None:
    """Tables without types, with odd types, names and constraints are read without failing."""
    with DatabaseAdapter(sqlite_database) as adapter:
        for statement in [
            "CREATE TABLE plain (a, b ANY, c INTERGER, d 'quoted type', e \"x y\")",
            "CREATE TABLE \"we\"\"ird, ( name\" ([a b] INTEGER CHECK ([a b] > 1), `c,d` TEXT DEFAULT ')', 'e' TEXT)",
            "CREATE TABLE later (a INTEGER, b TEXT)",
            "CREATE TABLE twice (a INTEGER UNIQUE, CONSTRAINT u UNIQUE (a), CONSTRAINT u CHECK (a > 1))",
            "CREATE TABLE keyless (a TEXT PRIMARY KEY, b TEXT REFERENCES later (b), c INTEGER REFERENCES gone)",
            "CREATE TABLE desc_key (id INTEGER PRIMARY KEY DESC)",
            "CREATE TABLE rowless (id INTEGER PRIMARY KEY) WITHOUT ROWID",
            "CREATE TABLE copied AS SELECT 1 AS one, 'x' AS two",
        ]:
            adapter.execute(statement)
        adapter.execute("ALTER TABLE later ADD COLUMN c TEXT DEFAULT 'x' REFERENCES later")
        schema = Schema.from_database(adapter)
        assert sorted(schema.table_names) == adapter.list_tables()
        assert schema['we"ird, ( name'].column_names == ("a b", "c,d", "e")
        assert schema['we"ird, ( name'].column("c,d").default == ")"
        assert [check.expression for check in schema['we"ird, ( name'].checks] == ['"a b" > 1']
        assert schema["twice"].unique == (Unique("a", "twice_a_key"),)
        assert schema["keyless"].foreign_keys == ()
        assert "no primary key" in " ".join(map(str, schema.skipped))
        assert schema["desc_key"].column("id").type == t.BigInteger()
        assert schema["rowless"].column("id").type == t.BigInteger()


def test_what_stands_beside_tables_on_postgresql(postgres_database: DatabaseConfig) -> None:
    """Only the current schema's own tables are read; partitions, views and functions are reported or left out."""
    with DatabaseAdapter(postgres_database) as adapter:
        for statement in [
            "CREATE TABLE a (x int, y int NOT NULL, EXCLUDE (x WITH =))",
            "CREATE SCHEMA other",
            "CREATE TABLE other.hidden (x int PRIMARY KEY)",
            "CREATE TABLE b (x int REFERENCES other.hidden)",
            "CREATE VIEW v AS SELECT * FROM a",
            "CREATE TABLE _dbadapter_x (y int)",
            "CREATE TABLE split (x int, at date) PARTITION BY RANGE (at)",
            "CREATE TABLE split_1 PARTITION OF split FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')",
            "CREATE DOMAIN short AS varchar(5) CHECK (VALUE <> '')",
            "CREATE TABLE c (s short, n serial, i inet, p point, m money, r int4range)",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "ALTER TABLE a ADD CONSTRAINT later CHECK (x > 0) NOT VALID",
        ]:
            adapter.execute(statement)
        schema = Schema.from_database(adapter)
        assert schema.table_names == adapter.list_tables() == ["a", "b", "c", "split"]
        assert schema["c"].column("s").type == t.Varchar(5)
        assert schema["c"].column("i").type == t.Native("inet")
        assert schema["c"].column("n").type == t.Integer()
        reported = " ".join(map(str, schema.skipped))
        for words in [
            "view v",
            "function f",
            "EXCLUDE",
            "another schema",
            "partitioning",
            "domain",
            "NOT VALID",
        ]:
            assert words in reported, words
        assert "counts up by itself" in reported


def test_an_empty_database(sync_adapter: DatabaseAdapter) -> None:
    """A database without tables is an empty schema."""
    assert Schema.from_database(sync_adapter) == Schema()
    sync_adapter.create_tables(Schema())
    sync_adapter.drop_tables(Schema())
