"""What becomes of keys, indexes, names and everything else around the values."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbadapter import DatabaseConfig
from dbadapter.transfer import plan_transfer, run_transfer

from .conftest import Maker
from .moving import asked, connect, move, pg_type, there_and_back

INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = %s ORDER BY indexname"


def constraints(config: DatabaseConfig, table: str, kind: str) -> list[Any]:
    """The definitions of a table's constraints of one kind (p, u, f, c)."""
    query = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass(%s) AND contype = %s "
        "ORDER BY conname"
    )
    return asked(config, query, f'"{table}"', kind)


def dropped(report: Any, kind: str) -> list[str]:
    """The names of what a report lists as left behind."""
    return [item.name for item in report.dropped if item.kind == kind]


# -- keys ----------------------------------------------------------------------------------------------------------


def test_rowid_alias_counts_on(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """INTEGER PRIMARY KEY becomes an identity BY DEFAULT that goes on after the highest number ever given."""
    source = lite(
        "CREATE TABLE plain (id INTEGER PRIMARY KEY, v); INSERT INTO plain VALUES (41, 'a');"
        "CREATE TABLE auto (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO auto VALUES (90, 'a'), (7, 'b');"
        "DELETE FROM auto WHERE id = 90; CREATE TABLE empty (id INTEGER PRIMARY KEY)"
    )
    there_and_back(source, postgres_database)
    with connect(postgres_database) as raw:
        for table, following in (("plain", 42), ("auto", 91), ("empty", 1)):
            row = raw.execute(f"INSERT INTO {table} DEFAULT VALUES RETURNING id".encode()).fetchone()
            assert row == (following,)
            # BY DEFAULT: given numbers are taken.
            raw.execute(f"INSERT INTO {table} (id) VALUES (1000)".encode())
    assert asked(postgres_database, "SELECT DISTINCT identity_generation FROM information_schema.columns "
                                    "WHERE is_identity = 'YES'") == ["BY DEFAULT"]  # fmt: skip


def test_the_way_back_counts_on(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Back in SQLite an AUTOINCREMENT key goes on where Postgres had come to."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO t VALUES (5, 'a')")
    move(source, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("INSERT INTO t (v) VALUES ('b'), ('c')")
        raw.execute("DELETE FROM t WHERE v = 'c'")
    back = DatabaseConfig(sqlite_path=source.sqlite_path + ".back")
    move(postgres_database, back)
    with closing(sqlite3.connect(back.sqlite_path)) as raw_back:
        assert raw_back.execute("INSERT INTO t (v) VALUES ('d') RETURNING id").fetchone() == (8,)


def test_int_primary_key_is_no_identity(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """INT PRIMARY KEY and INTEGER PRIMARY KEY DESC are not the rowid, so nothing counts them up."""
    source = lite(
        "CREATE TABLE a (id INT PRIMARY KEY); INSERT INTO a VALUES (3);"
        "CREATE TABLE b (id INTEGER PRIMARY KEY DESC); INSERT INTO b VALUES (3)"
    )
    plan, _ = there_and_back(source, postgres_database)
    assert not any(column.identity for table in plan.tables for column in table.columns)
    assert constraints(postgres_database, "a", "p") == ["PRIMARY KEY (id)"]


def test_null_in_a_primary_key(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """SQLite lets NULL into a primary key; the rows arrive, and a UNIQUE constraint stands for the key."""
    source = lite("CREATE TABLE t (code TEXT PRIMARY KEY, v)", {"t": [("a", 1), (None, 2), (None, 3)]})
    _, report = there_and_back(source, postgres_database)
    assert constraints(postgres_database, "t", "p") == []
    assert constraints(postgres_database, "t", "u") == ["UNIQUE (code)"]
    assert dropped(report, "primary key") == ["t"]


def test_composite_keys(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Keys of several columns, and foreign keys to them, arrive in their order."""
    source = lite(
        "CREATE TABLE p (a INTEGER, b TEXT, PRIMARY KEY (b, a)); INSERT INTO p VALUES (1, 'x');"
        "CREATE TABLE c (x TEXT, y INTEGER, FOREIGN KEY (x, y) REFERENCES p);"
        "INSERT INTO c VALUES ('x', 1), ('q', NULL)"
    )
    there_and_back(source, postgres_database)
    assert constraints(postgres_database, "p", "p") == ["PRIMARY KEY (b, a)"]
    assert constraints(postgres_database, "c", "f") == ["FOREIGN KEY (x, y) REFERENCES p(b, a)"]


# -- foreign keys --------------------------------------------------------------------------------------------------


def test_orphans(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Rows that refer to nothing arrive and are listed; the key is NOT VALID, and holds for new rows."""
    source = lite(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p (id));"
        "INSERT INTO c VALUES (1, 1), (2, 77), (3, 78), (4, NULL)"
    )
    plan, report = there_and_back(source, postgres_database)
    assert plan.table("c").foreign_keys[0].orphans == 2
    (orphans,) = report.orphans
    assert (orphans.table, orphans.columns, orphans.count, orphans.examples) == ("c", ["p"], 2, ["77", "78"])
    assert constraints(postgres_database, "c", "f") == ["FOREIGN KEY (p) REFERENCES p(id) NOT VALID"]
    with connect(postgres_database) as raw, pytest.raises(psycopg.errors.ForeignKeyViolation):
        raw.execute("INSERT INTO c (p) VALUES (79)")


def test_foreign_keys_of_all_kinds(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Implicit targets, self-references, cycles, actions and DEFERRABLE are kept; names differ by case."""
    source = lite(
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES B DEFERRABLE INITIALLY DEFERRED,"
        " boss INTEGER REFERENCES a ON DELETE SET NULL ON UPDATE CASCADE);"
        "CREATE TABLE b (ID INTEGER PRIMARY KEY, a INTEGER REFERENCES a (Id) DEFERRABLE);"
        "INSERT INTO a VALUES (1, 1, 1); INSERT INTO b VALUES (1, 1)"
    )
    there_and_back(source, postgres_database)
    assert constraints(postgres_database, "a", "f") == [
        'FOREIGN KEY (b) REFERENCES b("ID") DEFERRABLE INITIALLY DEFERRED',
        "FOREIGN KEY (boss) REFERENCES a(id) ON UPDATE CASCADE ON DELETE SET NULL",
    ]
    assert constraints(postgres_database, "b", "f") == ["FOREIGN KEY (a) REFERENCES a(id) DEFERRABLE"]


def test_foreign_keys_that_cannot_be(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A key to a missing table, to columns that are not unique, or of another type is listed with the reason."""
    source = lite(
        "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO p VALUES (1, 'x');"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, a INTEGER REFERENCES nowhere (id), b TEXT REFERENCES p (name),"
        " d TEXT REFERENCES p (id)); INSERT INTO c VALUES (1, 5, 'x', 'abc')"
    )
    _, report = there_and_back(source, postgres_database)
    reasons = [item.reason for item in report.dropped if item.kind == "foreign key"]
    assert len(reasons) == 3
    assert "no table nowhere" in reasons[0]
    assert "not unique" in reasons[1]
    assert "d is text and id is bigint" in reasons[2]


def test_what_is_no_key_in_a_foreign_key_is_rejected(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """'' in a column that refers to integers is rejected rather than the column, and the key with it, made text."""
    source = lite(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER REFERENCES p); INSERT INTO c VALUES (1, 1), (2, '')"
    )
    _, report = there_and_back(source, postgres_database)
    assert report.rejects == 1
    assert asked(postgres_database, "SELECT id, p FROM c ORDER BY id") == [(1, 1), (2, None)]
    assert constraints(postgres_database, "c", "f") == ["FOREIGN KEY (p) REFERENCES p(id)"]


# -- indexes, checks, defaults, generated columns ------------------------------------------------------------------


def test_indexes(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Partial, descending, expression and unique indexes arrive as they are, not made full."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b INTEGER, active BOOLEAN, UNIQUE (a, b));"
        "CREATE INDEX i1 ON t (b DESC); CREATE UNIQUE INDEX i2 ON t (a) WHERE active = 1 AND b > 3;"
        "CREATE INDEX i3 ON t (lower(a), \"b\"); INSERT INTO t VALUES (1, 'x', 1, 1)"
    )
    there_and_back(source, postgres_database)
    found = asked(postgres_database, INDEXES, "t")
    assert "CREATE INDEX i1 ON public.t USING btree (b DESC)" in found
    assert "CREATE UNIQUE INDEX i2 ON public.t USING btree (a) WHERE ((active = true) AND (b > 3))" in found
    assert "CREATE INDEX i3 ON public.t USING btree (lower(a), b)" in found
    assert constraints(postgres_database, "t", "u") == ["UNIQUE (a, b)"]


def test_nocase_is_still_unique(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A column unique without regard to case stays so, and the collation is listed."""
    source = lite("CREATE TABLE t (name TEXT COLLATE NOCASE UNIQUE); INSERT INTO t VALUES ('Bob')")
    _, report = there_and_back(source, postgres_database)
    assert dropped(report, "collation") == ["name"]
    with connect(postgres_database) as raw, pytest.raises(psycopg.errors.UniqueViolation):
        raw.execute("INSERT INTO t VALUES ('BOB')")


def test_checks_and_not_null(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Checks and NOT NULL hold in Postgres; a check that rows violate already holds for new rows."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, [Price] REAL NOT NULL CHECK ([Price] >= 0), s TEXT,"
        " CONSTRAINT known CHECK (s IN ('a', 'b')), CHECK (typeof(s) = 'text'));"
        "PRAGMA ignore_check_constraints = ON; INSERT INTO t VALUES (1, 1.5, 'a'), (2, 2.5, 'z')"
    )
    _, report = there_and_back(source, postgres_database)
    found = constraints(postgres_database, "t", "c")
    assert any('"Price" >= ' in text for text in found)
    assert any("NOT VALID" in text and "'a'" in text for text in found)
    assert sorted(dropped(report, "check")) == ["known", "typeof(s) = 'text'"]
    with connect(postgres_database) as raw:
        with pytest.raises(psycopg.errors.NotNullViolation):
            raw.execute("INSERT INTO t (s) VALUES ('a')")
        with pytest.raises(psycopg.errors.CheckViolation):
            raw.execute("INSERT INTO t VALUES (3, -1, 'a')")


def test_defaults(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Literal defaults and the time of the insert are kept in the column's type; others are listed."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER DEFAULT -3, s TEXT DEFAULT \"quoted\", e TEXT DEFAULT '',"
        " b BOOLEAN DEFAULT 1, at DATETIME DEFAULT CURRENT_TIMESTAMP,"
        " x BLOB DEFAULT x'00ff', q DECIMAL(4,2) DEFAULT 4.99,"
        " bad DATETIME DEFAULT 0, l TEXT DEFAULT (datetime('now','localtime')));"
        "INSERT INTO t (id, at, bad) VALUES (1, '2024-01-31 00:00:00', '2024-01-31 00:00:00')"
    )
    _, report = there_and_back(source, postgres_database)
    assert sorted(dropped(report, "default")) == ["bad", "l"]
    with connect(postgres_database) as raw:
        raw.execute("INSERT INTO t (id) VALUES (2)")
        row = raw.execute(
            "SELECT n, s, e, b, at IS NOT NULL, x, q::text, bad, l FROM t WHERE id = 2"
        ).fetchone()
    assert row == (-3, "quoted", "", True, True, b"\x00\xff", "4.99", None, None)


def test_generated_columns(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A generated column of plain arithmetic is generated in Postgres too; the values of others are copied."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER, twice INTEGER AS (a * 2) STORED,"
        " day TEXT GENERATED ALWAYS AS (strftime('%d', s)) VIRTUAL, s TEXT); "
        "INSERT INTO t (id, a, s) VALUES (1, 21, '2024-01-31')"
    )
    _, report = there_and_back(source, postgres_database)
    assert asked(postgres_database, "SELECT twice, day FROM t") == [(42, "31")]
    generated = "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attgenerated = 's'"
    assert asked(postgres_database, generated) == ["twice"]
    assert dropped(report, "generated column") == ["day"]


# -- tables of other kinds -----------------------------------------------------------------------------------------


def test_without_rowid_and_strict(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """WITHOUT ROWID and STRICT tables move, and come back as what they were."""
    source = lite(
        "CREATE TABLE w (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO w VALUES ('b', 1), ('a', NULL);"
        "CREATE TABLE s (id INTEGER PRIMARY KEY, n INT, x ANY) STRICT; INSERT INTO s VALUES (1, 2, '3')"
    )
    _, report = there_and_back(source, postgres_database)
    assert report.rows == 3


def test_views_triggers_and_functions(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Views, triggers and columns computed by functions of the app's own are listed, never fatal."""
    source = lite("CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
    with closing(sqlite3.connect(source.sqlite_path)) as raw:
        raw.create_function("own", 1, lambda value: value, deterministic=True)
        raw.executescript(
            "CREATE VIEW v AS SELECT own(a) FROM t; CREATE INDEX i ON t (own(a));"
            "CREATE TRIGGER tr AFTER INSERT ON t BEGIN SELECT own(1); END;"
            "CREATE TABLE g (a INTEGER, b AS (own(a))); INSERT INTO g (a) VALUES (5)"
        )
    _, report = move(source, postgres_database)
    assert report.verified
    kinds = {(item.kind, item.name) for item in report.dropped}
    assert {("view", "v"), ("trigger", "tr"), ("index", "i"), ("column", "b")} <= kinds
    assert asked(postgres_database, "SELECT a FROM g") == [5]


def test_virtual_tables(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Rows of a search index move as a plain table; indexes over other tables and missing modules are listed."""
    source = lite(
        "CREATE VIRTUAL TABLE notes USING fts5(title, body);"
        "INSERT INTO notes (rowid, title, body) VALUES (7, 'a', 'b');"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT); INSERT INTO t VALUES (1, 'hello');"
        "CREATE VIRTUAL TABLE seek USING fts5(x, content='t', content_rowid='id');"
        "INSERT INTO seek(seek) VALUES ('rebuild');"
        "PRAGMA writable_schema = ON; INSERT INTO sqlite_master (type, name, tbl_name, rootpage, sql) VALUES "
        "('table', 'gone', 'gone', 0, 'CREATE VIRTUAL TABLE gone USING nosuch(a)')"
    )
    _, report = move(source, postgres_database)
    assert report.verified
    assert asked(postgres_database, "SELECT rowid, title, body FROM notes") == [(7, "a", "b")]
    assert asked(postgres_database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
                 "AND tablename NOT LIKE '\\_dbadapter%' ORDER BY 1") == ["notes", "t"]  # fmt: skip
    assert sorted(dropped(report, "virtual table")) == ["gone", "notes", "seek"]
    back = DatabaseConfig(sqlite_path=source.sqlite_path + ".back")
    _, returned = move(postgres_database, back)
    assert returned.verified
    with closing(sqlite3.connect(back.sqlite_path)) as raw:
        assert raw.execute("SELECT rowid FROM notes WHERE notes MATCH 'b'").fetchall() == [(7,)]
        assert raw.execute("SELECT rowid FROM seek WHERE seek MATCH 'hello'").fetchall() == [(1,)]


# -- names ---------------------------------------------------------------------------------------------------------


def test_names(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Names with spaces, quotes and ß, reserved and over-long ones, and those of system columns all find a place."""
    long = "ü" * 40
    source = lite(
        f'CREATE TABLE "Order ""Details""" (id INTEGER PRIMARY KEY, "select" TEXT, "straße" TEXT, "{long}1" TEXT, '
        f'"{long}2" TEXT, ctid TEXT, "" TEXT, "a.b" TEXT);'
        "INSERT INTO \"Order \"\"Details\"\"\" VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f', 'g');"
        f'CREATE TABLE "{long}" (x); CREATE TABLE "user" (x); CREATE INDEX "{long}i" ON "user" (x)'
    )
    plan, _ = there_and_back(source, postgres_database)
    table = plan.table('Order "Details"')
    targets = [column.target for column in table.columns]
    assert targets[:3] == ["id", "select", "straße"]
    assert targets[5:] == ["ctid_", "unnamed", "a.b"]
    assert len(set(targets)) == 8
    assert all(len(name.encode()) <= 63 for name in targets)
    assert asked(postgres_database, 'SELECT "straße", ctid_ FROM "Order ""Details"""') == [("b", "e")]


def test_names_that_differ_by_case(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Names keep their case; what SQLite tells apart (letters beyond ASCII) stays apart."""
    source = lite(
        "CREATE TABLE Mixed (CamelCase INTEGER, É TEXT, é TEXT); INSERT INTO Mixed VALUES (1, 'a', 'b')"
    )
    there_and_back(source, postgres_database)
    assert asked(postgres_database, 'SELECT "CamelCase", "É", "é" FROM "Mixed"') == [(1, "a", "b")]


def test_an_index_may_be_named_like_nothing_else(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Indexes share their names with tables and keys in Postgres; one that is taken gets another."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX t_pkey ON t (a); INSERT INTO t VALUES (1, 'x')"
    )
    _, report = there_and_back(source, postgres_database)
    assert dropped(report, "index") == []
    assert len(asked(postgres_database, INDEXES, "t")) == 2


def test_names_that_the_target_has_already(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Another table's index there has the name of ours, or the server itself has: both find another name."""
    with connect(postgres_database) as raw:
        raw.execute("CREATE TABLE other (x int)")
        raw.execute("CREATE INDEX by_a ON other (x)")
        raw.execute("CREATE INDEX t_pkey ON other (x)")
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX by_a ON t (a); INSERT INTO t VALUES (1, 'x');"
        "CREATE TABLE pg_class (x INTEGER); INSERT INTO pg_class VALUES (5)"
    )
    plan, report = move(source, postgres_database)
    assert report.verified
    assert report.dropped == []
    assert len(asked(postgres_database, INDEXES, "t")) == 2
    assert asked(postgres_database, f'SELECT x FROM "{plan.table("pg_class").target}"') == [5]
    # What belongs to the tables that are replaced is in nobody's way.
    plan, _ = move(source, postgres_database, recreate=True)
    assert len(asked(postgres_database, INDEXES, "t")) == 2
    assert plan.table("t").indexes[0].name.startswith("by_a_")


# -- tables of a schema of the adapter's own -----------------------------------------------------------------------


def test_tables_of_a_schema_keep_their_types(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A table that the adapter's own DDL made has in Postgres the types that the same schema has there."""
    from dbadapter.schema import Column, Schema, Table
    from dbadapter.schema import types as t

    schema = Schema(
        [
            Table(
                "tasks", Column("id", t.Identity()), Column("n", t.Integer()), Column("s", t.Enum("open", "done")),
                Column("m", t.Json()), Column("at", t.Timestamp(tz=True)), Column("d", t.Decimal(10, 2)),
                Column("ok", t.Boolean(), nullable=False), Column("e", t.Vector(2)), Column("tags", t.Array(t.Text())),
            )
        ]
    )  # fmt: skip
    source = lite(
        schema.to_sql("sqlite"),
        {
            "tasks": [
                (
                    1,
                    5,
                    "open",
                    '{"b":1,"a":2}',
                    "2024-01-31 12:00:00",
                    4.5,
                    1,
                    b"\0\0\x80?\0\0\0@",
                    '["x","y"]',
                )
            ]
        },
    )
    plan, report = there_and_back(source, postgres_database)
    assert [column.type for column in plan.table("tasks").columns] == [
        "bigint", "integer", '"tasks_s_enum"', "jsonb", "timestamptz", "numeric(10,2)", "boolean", "vector(2)",
        "text[]",
    ]  # fmt: skip
    assert report.rejects == 0
    assert [item for item in report.dropped if item.kind not in ("collation",)] == []


def test_tables_that_are_there_already_are_filled(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Empty tables of the same columns, made by a migration tool, are filled in their own types."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, at DATETIME)",
        {"t": [(1, "x", "2024-01-31 12:00:00")]},
    )
    with connect(postgres_database) as raw:
        raw.execute("CREATE TABLE t (id integer PRIMARY KEY, v varchar(50) DEFAULT 'd', at timestamptz)")
    plan, report = there_and_back(source, postgres_database)
    assert plan.table("t").existing
    assert pg_type(postgres_database, "t", "at") == "timestamp with time zone"
    assert report.rows == 1


def test_only_some_tables(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """With tables= the others stay where they are, and keys to them are listed."""
    source = lite(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p INTEGER REFERENCES p); INSERT INTO c VALUES (1)"
    )
    plan = plan_transfer(source, postgres_database, tables=["C"])
    report = run_transfer(plan)
    assert [table.table for table in report.tables] == ["c"]
    assert "neither in this transfer nor in the target" in report.dropped[0].reason


def test_a_collation_of_the_apps_own(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A table and an index by a collation that only the app has: the rows arrive, the collation is listed."""
    path = Path(lite("CREATE TABLE other (x)").sqlite_path)
    with closing(sqlite3.connect(path)) as raw:
        raw.create_collation("by_app", lambda one, two: (one > two) - (one < two))
        raw.execute(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE by_app, n INTEGER COLLATE by_app, "
            "r REAL COLLATE by_app, d DECIMAL(5,2) COLLATE by_app, b BOOLEAN COLLATE by_app)"
        )
        raw.execute("CREATE INDEX t_v ON t (v)")
        raw.executemany("INSERT INTO t VALUES (?, ?, 1, 0.5, 0.25, 1)", [(1, "b"), (2, "a")])
        raw.commit()
    plan, report = move(DatabaseConfig(sqlite_path=str(path)), postgres_database)
    assert report.ok
    assert sorted(asked(postgres_database, "SELECT v FROM t")) == ["a", "b"]
    assert any("by_app" in item.reason.lower() for item in plan.dropped)


def test_keys_hold_where_the_data_keeps_them(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Without orphans a foreign key is validated, so that it holds for the rows that came as well."""
    source = lite(
        "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a (id));"
        "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1), (NULL)"
    )
    _, report = there_and_back(source, postgres_database)
    assert report.orphans == []
    assert asked(postgres_database, "SELECT convalidated FROM pg_constraint WHERE contype = 'f'") == [True]
