"""Scripts are read: what makes tables is kept, on either backend, and all else is reported."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import CheckViolation, ConfigError
from dbadapter.schema import Check, Column, ForeignKey, Index, IndexPart, Schema, Table, Unique
from dbadapter.schema import types as t

POSTGRESQL = """
-- What a real script looks like.
SET client_encoding = 'UTF8';
BEGIN;
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TYPE order_status AS ENUM ('new', 'it''s paid');
DO $$ BEGIN
    CREATE TYPE colour AS ENUM ('red', 'green');
EXCEPTION WHEN duplicate_object THEN NULL;
END $$;
CREATE DOMAIN email AS varchar(320) CHECK (VALUE ~ '@');

CREATE TABLE IF NOT EXISTS public.Customers (
    id BIGSERIAL PRIMARY KEY,
    "Full Name" character varying(200) NOT NULL,
    mail email UNIQUE,
    born date,
    balance numeric(12, 2) NOT NULL DEFAULT 0.00 CHECK (balance >= 0),
    settings jsonb NOT NULL DEFAULT '{"theme": "dark"}'::jsonb,
    tags text[] DEFAULT '{}'::text[],
    created_at timestamp(6) with time zone DEFAULT CURRENT_TIMESTAMP NOT NULL,
    seen timestamp DEFAULT (now() AT TIME ZONE 'utc'),
    patience interval DEFAULT '1 day 02:00:00',
    photo bytea DEFAULT '\\xdeadbeef',
    token uuid DEFAULT gen_random_uuid(),
    fav colour DEFAULT 'red'::colour,
    embedding vector(3),
    network inet,
    name_length integer GENERATED ALWAYS AS (length("Full Name")) STORED
);

CREATE TABLE orders (
    id integer GENERATED ALWAYS AS IDENTITY (START WITH 10) PRIMARY KEY,
    customer_id bigint NOT NULL CONSTRAINT by_customer REFERENCES customers ON DELETE CASCADE,
    status order_status DEFAULT 'new',
    parent_id int,
    a int, b int,
    CONSTRAINT sane CHECK (a > b AND status IN ('new', 'it''s paid')),
    UNIQUE (a, b),
    FOREIGN KEY (parent_id) REFERENCES orders (id) ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE pairs (x int, y int, PRIMARY KEY (y, x));
CREATE TABLE pair_notes (
    x int, y int, note text COLLATE "C",
    FOREIGN KEY (y, x) REFERENCES pairs MATCH SIMPLE,
    EXCLUDE USING gist (note WITH =)
);
ALTER TABLE ONLY public.pair_notes ADD COLUMN id bigint;
ALTER TABLE pair_notes ADD CONSTRAINT pn_pkey PRIMARY KEY (id), ADD CHECK (note <> '');
CREATE SEQUENCE pair_notes_id_seq;
ALTER TABLE pair_notes ALTER COLUMN id SET DEFAULT nextval('pair_notes_id_seq'::regclass);
ALTER TABLE pair_notes OWNER TO somebody;
CREATE SEQUENCE lonely;

CREATE INDEX ON orders (customer_id, created DESC NULLS LAST);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS orders_open ON orders (lower(a::text), b DESC) WHERE status = 'new';
CREATE INDEX by_vector ON customers USING hnsw (embedding vector_cosine_ops) WITH (m = 16);
CREATE INDEX by_tags ON customers USING gin (tags) INCLUDE (id);
COMMENT ON TABLE customers IS 'People; who pay';
COMMENT ON COLUMN public.customers."Full Name" IS 'as they like it';
COMMENT ON EXTENSION vector IS 'x';

CREATE OR REPLACE FUNCTION touch() RETURNS trigger AS $body$
BEGIN NEW.seen = now(); RETURN NEW; END;
$body$ LANGUAGE plpgsql;
CREATE TRIGGER touch BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW rich AS SELECT * FROM customers WHERE balance > 1e6;
INSERT INTO customers ("Full Name") VALUES ('a;b'), ('it''s');
COPY pairs (x, y) FROM stdin;
1	2
3	; CREATE TABLE fake (x int);
\\.
GRANT SELECT ON customers TO public;
CREATE TABLE copied AS SELECT 1;
CREATE TEMP TABLE passing (x int);
CREATE TABLE broken (x int,, y);
CREATE TABLE after_it (x int);
COMMIT;
"""


def test_a_postgresql_script() -> None:
    """Types, constraints, indexes and comments of a PostgreSQL script are kept."""
    schema = Schema.from_sql(POSTGRESQL)
    assert schema.table_names == ["customers", "orders", "pairs", "pair_notes", "after_it"]
    customers = schema["customers"]
    assert customers == Table(
        "customers",
        Column("id", t.Identity()),
        Column("Full Name", t.Varchar(200), nullable=False, comment="as they like it"),
        Column("mail", t.Varchar(320)),
        Column("born", t.Date()),
        Column("balance", t.Decimal(12, 2), nullable=False, default=Decimal(0)),
        Column("settings", t.Json(), nullable=False, default={"theme": "dark"}),
        Column("tags", t.Array(t.Text()), default=()),
        Column("created_at", t.Timestamp(tz=True), nullable=False, default=t.now()),
        Column("seen", t.Timestamp(), default=t.now()),
        Column("patience", t.Interval(), default=timedelta(days=1, hours=2)),
        Column("photo", t.Bytes(), default=b"\xde\xad\xbe\xef"),
        Column("token", t.Uuid(), default=t.random_uuid()),
        Column("fav", t.Enum("red", "green"), default="red"),
        Column("embedding", t.Vector(3)),
        Column("network", t.Native("inet")),
        Column("name_length", t.Integer(), generated='length("Full Name")'),
        unique=[Unique("mail", "customers_mail_key")],
        checks=[Check("balance >= 0", "customers_balance_check")],
        indexes=[
            Index("embedding vector_cosine_ops", name="by_vector", using="hnsw"),
            Index("tags", name="by_tags", using="gin"),
        ],
        comment="People; who pay",
    )
    orders = schema["orders"]
    assert orders.column("id").type == t.Identity()
    assert orders.column("status").type == t.Enum("new", "it's paid", name="order_status")
    assert set(orders.foreign_keys) == {
        ForeignKey("customer_id", "customers", "id", on_delete="cascade", name="by_customer"),
        ForeignKey(
            "parent_id", "orders", "id", on_update="set null", deferrable=True, name="orders_parent_id_fkey"
        ),
    }
    assert {check.name for check in orders.checks} == {"sane"}
    assert [index.name for index in orders.indexes] == ["orders_open"]
    assert orders.indexes[0].where == "status = 'new'"
    assert schema["pairs"].primary_key == ("y", "x")
    assert schema["pair_notes"].foreign_keys[0].ref_columns == ("y", "x")
    assert schema["pair_notes"].column("id").type == t.Identity()
    assert schema["pair_notes"].primary_key_name == "pn_pkey"
    assert [check.name for check in schema["pair_notes"].checks] == ["pair_notes_note_check"]


def test_what_a_script_says_besides_is_reported() -> None:
    """Data, code, views, rights and what the model lacks are listed with a reason, and nothing stops."""
    skipped = [str(item) for item in Schema.from_sql(POSTGRESQL).skipped]
    for words in [
        "CREATE DOMAIN email",
        "EXCLUDE USING gist",
        "collation C",
        "OWNER TO somebody",
        "CREATE SEQUENCE lonely: no column",
        "WITH (m = 16)",
        "INCLUDE (id)",
        "CREATE OR REPLACE FUNCTION touch",
        "CREATE TRIGGER touch",
        "CREATE VIEW rich",
        "INSERT INTO customers",
        "COPY pairs",
        "GRANT SELECT",
        "CREATE TABLE copied",
        "CREATE TEMP TABLE passing",
        "CREATE TABLE broken",
        "there is no column created",
    ]:
        assert [text for text in skipped if words in text], words
    assert not [text for text in skipped if "pair_notes_id_seq" in text or "EXTENSION" in text]
    assert len(skipped) == 17


def test_a_postgresql_script_runs_on_both(sync_adapter: DatabaseAdapter) -> None:
    """The script's tables are made on either backend and are then as the script says."""
    schema = Schema.from_sql(POSTGRESQL)
    sync_adapter.create_tables(schema)
    assert schema.check(sync_adapter) == []
    sync_adapter.execute("INSERT INTO customers (\"Full Name\", balance) VALUES ('Ada', 1.5)")
    row = sync_adapter.fetch_one("SELECT id, settings, tags, patience, name_length, fav FROM customers")
    assert row == {
        "id": 1,
        "settings": {"theme": "dark"},
        "tags": [],
        "patience": timedelta(days=1, hours=2),
        "name_length": 3,
        "fav": "red",
    }
    sync_adapter.execute("INSERT INTO orders (customer_id, a, b) VALUES (1, 2, 1)")
    sync_adapter.execute("DELETE FROM customers")
    assert sync_adapter.fetch_value("SELECT count(*) FROM orders") == 0
    sync_adapter.drop_tables(schema)
    assert sync_adapter.list_tables() == []


SQLITE = """
PRAGMA foreign_keys = ON;
CREATE TABLE "people" (
    [id] INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, -- the key
    `name` VARCHAR(50) NOT NULL UNIQUE ON CONFLICT IGNORE COLLATE NOCASE,
    flag BOOLEAN DEFAULT 1, price DECIMAL(10,2) DEFAULT (1.5), data BLOB DEFAULT x'00ff',
    at DATETIME DEFAULT CURRENT_TIMESTAMP, txt TEXT DEFAULT "double", stamp TEXT DEFAULT (datetime('now')),
    kind TEXT CHECK (kind IN ("a", 'b')), code TEXT CHECK (code GLOB '[A-Z]*' AND length(code) == 3),
    doubled INT AS (price * 2) VIRTUAL,
    untyped, odd SOMETHING(3)
) STRICT;
CREATE TABLE notes (
    person_id INTEGER NOT NULL REFERENCES people ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    other INTEGER REFERENCES nowhere(id),
    body TEXT NOT NULL, CONSTRAINT pk PRIMARY KEY (person_id, body DESC), CHECK (body <> '' OR body IS NOT NULL)
);
CREATE UNIQUE INDEX people_lower ON people (lower(name) DESC, price COLLATE NOCASE) WHERE flag = 1;
CREATE INDEX sums ON people (price + 1);
CREATE TRIGGER t AFTER INSERT ON people BEGIN
    SELECT CASE WHEN 1 THEN 2 END; UPDATE people SET flag = 0;
END;
CREATE VIEW v AS SELECT 1;
CREATE VIRTUAL TABLE f USING fts5(x);
INSERT INTO people (name) VALUES ('x');
"""


def test_a_sqlite_script() -> None:
    """SQLite's own quoting, short forms and habits are understood."""
    schema = Schema.from_sql(SQLITE, "sqlite")
    people = schema["people"]
    assert {column.name: column.type for column in people.columns} == {
        "id": t.Identity(),
        "name": t.Varchar(50),
        "flag": t.Boolean(),
        "price": t.Decimal(10, 2),
        "data": t.Bytes(),
        "at": t.Timestamp(),
        "txt": t.Text(),
        "stamp": t.Text(),
        "kind": t.Text(),
        "code": t.Text(),
        "doubled": t.BigInteger(),
        "untyped": t.Text(),
        "odd": t.Decimal(),
    }
    assert people.column("id").type.autoincrement  # type: ignore[attr-defined]
    defaults = {column.name: column.default for column in people.columns if column.default is not None}
    assert defaults == {
        "flag": True,
        "price": Decimal("1.5"),
        "data": b"\x00\xff",
        "at": t.now(),
        "txt": "double",
        "stamp": t.sql("to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"),
    }
    assert Check("kind IN ('a', 'b')", "people_kind_check") in people.checks
    assert Check("code ~ '^[A-Z].*$' AND length(code) = 3", "people_code_check") in people.checks
    assert people.column("doubled").generated == "price * 2"
    assert (people.indexes[0].name, people.indexes[0].where) == ("people_lower", "flag = TRUE")
    assert people.indexes[0].parts == (IndexPart(None, "lower(name)", descending=True), IndexPart("price"))
    assert people.indexes[1].parts == (IndexPart(None, "price + 1"),)
    notes = schema["notes"]
    assert notes.primary_key == ("person_id", "body")
    assert notes.foreign_keys == (
        ForeignKey(
            "person_id", "people", "id", on_delete="cascade", deferrable=True, name="notes_person_id_fkey"
        ),
    )
    skipped = " ".join(map(str, schema.skipped))
    for words in [
        "NOCASE",
        "IGNORE",
        "'nowhere'",
        "TRIGGER t",
        "VIEW v",
        "VIRTUAL TABLE f",
        "INSERT INTO people",
    ]:
        assert words in skipped, words


def test_values_as_sqlite_stores_them(sync_adapter: DatabaseAdapter) -> None:
    """Truth values compared with 0 and 1, and intervals with microseconds, are meant as such on PostgreSQL too."""
    schema = Schema.from_sql(
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, active BOOLEAN NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
            done BOOL CHECK (done = 0 OR id > 5), span INTERVAL CHECK (span BETWEEN -1 AND 60000000),
            size INTEGER CHECK (size IN (0, 1)));
        CREATE INDEX open ON t (id) WHERE done = 0
        """,
        dialect="sqlite",
    )
    assert schema.skipped == ()
    sync_adapter.create_tables(schema)
    assert schema.check(sync_adapter) == []
    hour, insert = timedelta(hours=1), "INSERT INTO t (id, done, span, size) VALUES (?, ?, ?, ?)"
    sync_adapter.execute(insert, [1, False, timedelta(seconds=60), 1])
    for wrong in ([2, True, None, 1], [3, False, hour, 1], [4, False, None, 2]):
        with pytest.raises(CheckViolation):
            sync_adapter.execute(insert, wrong)


def test_the_moment_is_not_taken_down(sync_adapter: DatabaseAdapter) -> None:
    """A default of SQLite's own functions is its own; PostgreSQL is not given the time of the reading for it."""
    schema = Schema.from_sql(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at TEXT DEFAULT (strftime('%s', 'now')))", dialect="sqlite"
    )
    assert schema == Schema.from_sql(schema.to_sql("sqlite"), dialect="sqlite")
    with pytest.raises(ConfigError, match="PostgreSQL has no words for strftime"):
        schema.to_sql("postgresql")
    assert [str(item) for item in schema.adapted("postgresql").skipped] != []
    if sync_adapter.db_type is DatabaseType.SQLITE:
        sync_adapter.create_tables(schema)
        assert schema.check(sync_adapter) == []


def test_scripts_with_nothing_in_them() -> None:
    """An empty script, comments, and text that is no SQL make an empty schema."""
    assert Schema.from_sql("") == Schema.from_sql("-- nothing\n/* at /* all */ */ ; ;") == Schema()
    strange = Schema.from_sql("hello world; CREATE TABLE; CREATE TABLE x; 'open string")
    assert (len(strange), len(strange.skipped)) == (0, 4)


SAMPLES = os.environ.get("DBADAPTER_SAMPLE_DATA")


@pytest.mark.skipif(
    not SAMPLES, reason="DBADAPTER_SAMPLE_DATA does not name the directory with real databases"
)
@pytest.mark.parametrize("name", ["chinook", "northwind", "sakila", "pgloader-sqlite", "pgloader-storage"])
def test_real_databases(postgres_database: DatabaseConfig, tmp_path: Path, name: str) -> None:
    """The tables of real SQLite databases are all read, can be made on PostgreSQL, and are the same there."""
    path = Path(str(SAMPLES)) / "sqlite" / f"{name}.sqlite"
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(path.read_bytes())
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(copy))) as adapter:
        schema = Schema.from_database(adapter)
        assert sorted(schema.table_names) == adapter.list_tables()
        assert schema.check(adapter) == []
    with DatabaseAdapter(postgres_database) as adapter:
        fitting = schema.adapted("postgresql")
        adapter.create_tables(fitting)
        assert fitting.check(adapter) == []
        assert Schema.from_database(adapter) == fitting


@contextmanager
def _plain_postgresql(config: DatabaseConfig) -> Iterator[Any]:
    pool = config.pool
    with psycopg.connect(
        host=pool.host,
        port=pool.port,
        dbname=pool.database,
        user=pool.user,
        password=pool.password,
        autocommit=True,
    ) as connection:
        yield connection


def test_exported_sql_is_plain(postgres_database: DatabaseConfig) -> None:
    """What to_sql writes runs in one go in psql's way and in sqlite3, and makes the tables check expects."""
    schema = Schema.from_sql(POSTGRESQL)
    with _plain_postgresql(postgres_database) as connection:
        connection.execute(schema.to_sql("postgresql"))
    with DatabaseAdapter(postgres_database) as adapter:
        assert schema.check(adapter) == []
    lite = sqlite3.connect(":memory:")
    lite.executescript(schema.to_sql("sqlite"))
    names = [
        row[0] for row in lite.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    ]
    lite.close()
    assert names == sorted(schema.table_names)
    assert schema.to_sql("postgres") == schema.to_sql("postgresql")


def test_names_of_a_script_are_those_postgresql_gives(postgres_database: DatabaseConfig) -> None:
    """A script run by psql and the same script read by us name every constraint and index alike."""
    long = "a_very_long_table_name_that_goes_on_and_on_for_sixty_one_bytes"
    script = f"""
    CREATE TABLE parent (id int PRIMARY KEY, "Ünïcode" int UNIQUE, b int CHECK (b > 0) CHECK (b < 9), c text,
        CHECK (b > id), CHECK (b <> id), UNIQUE (b, c), UNIQUE (c, b));
    CREATE TABLE {long} (another_rather_long_column_name_here int REFERENCES parent, x int REFERENCES parent
        REFERENCES parent ("Ünïcode"), UNIQUE (another_rather_long_column_name_here, x),
        CHECK (another_rather_long_column_name_here > 1));
    CREATE INDEX ON parent (b, c); CREATE INDEX ON parent (b, c); CREATE INDEX ON parent (lower(c));
    CREATE INDEX ON parent ((b + 1), c); CREATE INDEX ON {long} (another_rather_long_column_name_here, x);
    """
    schema = Schema.from_sql(script)
    with _plain_postgresql(postgres_database) as connection:
        connection.execute(script)
    with DatabaseAdapter(postgres_database) as adapter:
        assert Schema.from_database(adapter) == schema
