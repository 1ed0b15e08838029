"""A database that was born in Postgres moves to SQLite as the adapter itself would have stored it, and back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseConfig
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import DatabaseUnavailable
from dbadapter.transfer import plan_transfer, run_transfer, verify_transfer
from tests.servers import fresh_database, standing_still

from .moving import asked, connect, move


@pytest.fixture
def target(tmp_path: Path) -> DatabaseConfig:
    """An SQLite file that there is not yet."""
    return DatabaseConfig(sqlite_path=str(tmp_path / "new" / "target.db"))


def stored(config: DatabaseConfig, query: str) -> list[Any]:
    """What SQLite has stored."""
    with closing(sqlite3.connect(config.sqlite_path)) as raw:
        return raw.execute(query).fetchall()


TYPES = [
    ("smallint", "-32768", "SMALLINT", "integer", -32768),
    ("integer", "2147483647", "INTEGER", "integer", 2147483647),
    ("bigint", "9223372036854775807", "BIGINT", "integer", 2**63 - 1),
    ("real", "0.1", "REAL", "real", 0.10000000149011612),
    ("double precision", "'-Infinity'", "REAL", "real", float("-inf")),
    ("numeric(10,2)", "4.50", "DECIMAL(10,2)", "real", 4.5),
    ("numeric", "12345678901234567890.125", "DECIMAL", "text", "12345678901234567890.125_"),
    ("boolean", "true", "BOOLEAN", "integer", 1),
    ("text", "'ünï'", "TEXT", "text", "ünï"),
    ("varchar(5)", "'abc'", "VARCHAR(5)", "text", "abc"),
    ("char(5)", "'abc'", "VARCHAR(5)", "text", "abc  "),
    ("bytea", "'\\x00ff'", "BLOB", "blob", b"\x00\xff"),
    ("date", "'2024-01-31'", "DATE", "text", "2024-01-31"),
    ("time", "'12:00:00.5'", "TIME", "text", "12:00:00.500000"),
    ("timestamp", "'2024-01-31 12:00:00'", "TIMESTAMP", "text", "2024-01-31 12:00:00"),
    ("timestamptz", "'2024-01-31 12:00:00.000001+02'", "TIMESTAMPTZ", "text", "2024-01-31 10:00:00.000001"),
    ("interval", "'1 day 00:00:01'", "INTERVAL", "integer", 86_401_000_000),
    (
        "uuid",
        "'12345678-1234-5678-9234-567812345678'",
        "UUID",
        "text",
        "12345678-1234-5678-9234-567812345678",
    ),
    ("json", '\'{"b":1,  "a":2}\'', "JSON", "text", '{"b":1,  "a":2}'),
    ("jsonb", "'5'", "JSON", "integer", 5),
    ("integer[]", "'{1,NULL,3}'", "INTEGER[]", "text", "[1,null,3]"),
    ("timestamp[]", "'{2024-01-31 12:00:00}'", "TIMESTAMP[]", "text", '["2024-01-31 12:00:00"]'),
    ("numeric[]", "'{1.50}'", "DECIMAL[]", "text", '["1.50"]'),
    ("mood", "'sad'", "TEXT", "text", "sad"),
    ("inet", "'10.0.0.1/8'", "TEXT", "text", "10.0.0.1/8"),
    ("int4range", "'[1,5)'", "TEXT", "text", "[1,5)"),
    ("money", "'12.34'", "TEXT", "text", "$12.34"),
    ("bit(3)", "B'101'", "TEXT", "text", "101"),
    ("vector(2)", "'[1,2]'", "VECTOR(2)", "blob", b"\x00\x00\x80?\x00\x00\x00@"),
    ("year", "2024", "INTEGER", "integer", 2024),
]


def test_types(postgres_database: DatabaseConfig, target: DatabaseConfig, tmp_path: Path) -> None:
    """Every type has its place in SQLite, what SQLite has not is text, and all of it comes back as it was."""
    columns = ", ".join(f"c{n} {kind}" for n, (kind, *_) in enumerate(TYPES))
    values = ", ".join(value for _, value, *_ in TYPES)
    nothing = ", ".join("NULL" for _ in TYPES)
    with connect(postgres_database) as raw:
        raw.execute("CREATE EXTENSION vector")
        raw.execute("CREATE TYPE mood AS ENUM ('sad', 'ok')")
        raw.execute("CREATE DOMAIN year AS integer CHECK (VALUE > 1900)")
        raw.execute(f"CREATE TABLE t (id bigint PRIMARY KEY, {columns})".encode())
        raw.execute(f"INSERT INTO t VALUES (1, {values}), (2, {nothing})".encode())
        before = raw.execute("SELECT t::text FROM t ORDER BY id").fetchall()
    _, report = move(postgres_database, target)
    assert report.ok, report
    declared = dict(stored(target, "SELECT name, type FROM pragma_table_info('t')"))
    for n, (kind, _, wanted, storage, value) in enumerate(TYPES):
        found = stored(target, f"SELECT typeof(c{n}), c{n} FROM t ORDER BY id")
        assert found == [(storage, value), ("null", None)], kind
        assert declared[f"c{n}"] == wanted, kind
    assert verify_transfer(target, postgres_database).equal
    with connect(postgres_database) as raw:
        raw.execute("DROP TABLE t")
        plan = plan_transfer(target, postgres_database)
        assert plan.table("t").column("c24").type == "inet"
        assert run_transfer(plan).verified
        assert raw.execute("SELECT t::text FROM t ORDER BY id").fetchall() == before


def test_what_sqlite_cannot_hold(postgres_database: DatabaseConfig, target: DatabaseConfig) -> None:
    """NaN, infinite dates, years beyond 9999 and months of no fixed length are rejected; their rows arrive."""
    with connect(postgres_database) as raw:
        raw.execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, f float8, d date, s timestamptz, n numeric, i interval);"
            "INSERT INTO t VALUES (1, 'NaN', 'infinity', '20000-01-01', 'NaN', '1 month'), (2, 1, '2024-01-01',"
            " '2024-01-01', 1, '1 day'); CREATE TABLE need (f float8 NOT NULL); INSERT INTO need VALUES ('NaN'), (1)"
        )
    plan, report = move(postgres_database, target)
    assert plan.at_risk == 6
    assert (report.rejects, report.verified, report.ok) == (6, True, False)
    assert stored(target, "SELECT id, f, d, s, n, i FROM t WHERE id = 1") == [
        (1, None, None, None, None, None)
    ]
    assert stored(target, "SELECT f FROM need") == [(1.0,)]
    found = stored(target, "SELECT tbl, col, CAST(raw AS TEXT) FROM _dbadapter_rejects ORDER BY tbl, col")
    assert ("t", "d", "infinity") in found
    assert ("need", "f", "NaN") in found


def test_structure(postgres_database: DatabaseConfig, target: DatabaseConfig) -> None:
    """Keys, checks, indexes, defaults and generated columns are made in SQLite's words; the rest is listed."""
    with connect(postgres_database) as raw:
        raw.execute(
            "CREATE TABLE p (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(20) NOT NULL UNIQUE,"
            " n integer DEFAULT 3 CHECK (n > 0), twice integer GENERATED ALWAYS AS (n * 2) STORED);"
            "CREATE TABLE c (id serial PRIMARY KEY, p bigint REFERENCES p ON DELETE CASCADE);"
            "CREATE INDEX partial ON p (lower(name)) WHERE n > 5;"
            "CREATE INDEX search ON c USING gist (int8range(p, p));"
            "INSERT INTO p (name, n) VALUES ('a', 7), ('b', 8); DELETE FROM p WHERE name = 'b';"
            "INSERT INTO c (p) VALUES (1);"
            "CREATE VIEW v AS SELECT 1; CREATE FUNCTION fn() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    _, report = move(postgres_database, target)
    assert report.ok, report
    kinds = {item.kind for item in report.dropped}
    assert {"view", "function", "part of a table"} <= kinds
    with closing(sqlite3.connect(target.sqlite_path)) as raw_file:
        raw_file.execute("PRAGMA foreign_keys = ON")
        assert raw_file.execute("SELECT name, n, twice FROM p").fetchall() == [("a", 7, 14)]
        assert raw_file.execute("INSERT INTO p (name) VALUES ('c') RETURNING id, n").fetchone() == (3, 3)
        for bad in ("INSERT INTO p (name, n) VALUES ('d', 0)", "INSERT INTO p (name) VALUES ('a')",
                    "INSERT INTO c (p) VALUES (99)", "INSERT INTO p (name, n) VALUES ('e', 'x')"):  # fmt: skip
            with pytest.raises(sqlite3.IntegrityError):
                raw_file.execute(bad)
        indexes = {row[0] for row in raw_file.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
        assert "partial" in indexes
        assert "search" not in indexes


def test_a_table_changed_since_it_came(tmp_path: Path, postgres_database: DatabaseConfig) -> None:
    """Columns added in Postgres go back too; the old ones keep their spelling, and rows what was done to them."""
    from .moving import make

    source = make(
        tmp_path / "source.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME, ok BOOLEAN);"
        "INSERT INTO t VALUES (1, '2024-01-31T00:00:00', 'true'), (2, '2024-02-01T00:00:00', 'false')",
    )
    move(source, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("ALTER TABLE t ADD COLUMN extra timestamptz")
        raw.execute("UPDATE t SET at = '2024-03-01 12:00:00.5', extra = '2024-01-01' WHERE id = 2")
        raw.execute("INSERT INTO t VALUES (3, '2024-04-01', true, NULL)")
    back = DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    _, report = move(postgres_database, back)
    assert report.verified, report.check
    assert stored(back, "SELECT * FROM t") == [
        (1, "2024-01-31T00:00:00", "true", None),
        (2, "2024-03-01 12:00:00.5", "false", "2024-01-01 00:00:00"),
        (3, "2024-04-01T00:00:00", "true", None),
    ]


def test_duplicates_under_nocase_on_the_way_back(tmp_path: Path, postgres_database: DatabaseConfig) -> None:
    """A row that SQLite's rules refuse is rejected there with the reason, and the others arrive."""
    from .moving import make

    source = make(
        tmp_path / "source.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE UNIQUE)"
    )
    move(source, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("DROP INDEX t_name_idx")
        raw.execute("INSERT INTO t (name) VALUES ('Bob'), ('BOB'), ('Eve')")
    back = DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    _, report = move(postgres_database, back)
    assert stored(back, "SELECT name FROM t ORDER BY id") == [("Bob",), ("Eve",)]
    assert (report.tables[0].rejected_rows, report.verified, report.ok) == (1, True, False)
    assert "UNIQUE" in stored(back, "SELECT reason FROM _dbadapter_rejects")[0][0]


def test_hidden_rows_are_an_error(postgres_database: DatabaseConfig, target: DatabaseConfig) -> None:
    """Rows that a policy would hide from the reader are not left out silently."""
    import attrs

    from dbadapter.errors import TransferError

    with connect(postgres_database) as raw:
        raw.execute(
            "CREATE TABLE t (a int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
            "DROP ROLE IF EXISTS transfer_reader; CREATE ROLE transfer_reader LOGIN PASSWORD 'reader';"
            "GRANT SELECT ON t TO transfer_reader"
        )
    try:
        reader = attrs.evolve(
            postgres_database,
            pool=attrs.evolve(postgres_database.pool, user="transfer_reader", password="reader"),
        )
        with pytest.raises(TransferError, match="row-level security"):
            move(reader, target)
    finally:
        with connect(postgres_database) as raw:
            raw.execute("DROP OWNED BY transfer_reader; DROP ROLE transfer_reader")
    assert asked(postgres_database, "SELECT a FROM t") == [1]


def test_of_several_servers_the_primary_is_read(
    postgres_cluster: EmbeddedPostgres, target: DatabaseConfig
) -> None:
    """Wherever it stands in the list, since a replica may lag; replicas are read where there is nothing else."""
    with fresh_database(postgres_cluster) as config:
        first, second = postgres_cluster.replicas
        ports = {"primary": postgres_cluster.port, "first": first.port, "second": second.port, "nobody": 1}

        def servers(*names: str) -> DatabaseConfig:
            hosts = ",".join(f"127.0.0.1:{ports[name]}" for name in names)
            return attrs.evolve(config, pool=attrs.evolve(config.pool, host=hosts))

        with connect(config) as raw:
            raw.execute("CREATE TABLE t (a int PRIMARY KEY)")
            postgres_cluster.wait_for_replicas()
            assert [table.name for table in plan_transfer(servers("first", "second"), target).tables] == ["t"]
            with standing_still(postgres_cluster):
                raw.execute("CREATE TABLE u (a int PRIMARY KEY)")
                found = plan_transfer(servers("first", "nobody", "second", "primary"), target)
                assert [table.name for table in found.tables] == ["t", "u"]
        with pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1"):
            plan_transfer(servers("first", "nobody"), target)
