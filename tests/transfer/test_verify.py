"""Verifying finds what differs, whoever made it differ, and shows it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import ConfigError
from dbadapter.schema import Column, Schema, Table
from dbadapter.schema import types as t
from dbadapter.transfer import plan_transfer, run_transfer, verify_transfer
from dbadapter.transfer._digest import postgres_digest
from dbadapter.transfer._pairs import ColumnPair, TablePair
from dbadapter.transfer.conversions import load

from .conftest import Maker
from .moving import connect, move

SCRIPT = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, at DATETIME, price DECIMAL(6,2), data BLOB)"
ROWS = {
    "t": [(n, f"name {n}", f"2024-01-{n % 28 + 1:02} 00:00:00", n / 4, bytes([n % 256])) for n in range(500)]
}


@pytest.mark.parametrize(
    ("change", "column", "source", "target"),
    [
        ("UPDATE t SET name = 'Name 77' WHERE id = 77", "name", "'name 77'", "'Name 77'"),
        ("UPDATE t SET name = NULL WHERE id = 77", "name", "'name 77'", "NULL"),
        ("UPDATE t SET at = at + interval '1 microsecond' WHERE id = 77", "at", "'2024-01-22 00:00:00'",
         "'2024-01-22 00:00:00.000001'"),
        ("UPDATE t SET price = 19.26 WHERE id = 77", "price", "19.25", "19.26"),
        ("UPDATE t SET data = '\\x4e' WHERE id = 77", "data", "x'4d'", "x'4e'"),
        ("DELETE FROM t WHERE id = 77", None, "the row is here", None),
    ],
)  # fmt: skip
def test_a_changed_value_is_found(
    change: str,
    column: str | None,
    source: str,
    target: str | None,
    lite: Maker,
    postgres_database: DatabaseConfig,
) -> None:
    """One value in five hundred rows that is not the same is found and shown, with the row's key."""
    file = lite(SCRIPT, ROWS)
    move(file, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute(change.encode())
    check = verify_transfer(file, postgres_database)
    assert not check.equal
    (difference,) = check.tables[0].differences
    assert (difference.key, difference.column) == ("[77]", column)
    assert (difference.source, difference.target) == (source, target)
    back = verify_transfer(postgres_database, file)
    assert (back.tables[0].differences[0].source, back.tables[0].differences[0].target) == (target, source)


def test_a_surplus_row_is_found(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A row that only the target has is a difference too."""
    file = lite(SCRIPT, ROWS)
    move(file, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("INSERT INTO t (id) VALUES (1000)")
    (table,) = verify_transfer(file, postgres_database).tables
    assert (table.source_rows, table.target_rows) == (500, 501)
    assert [(d.key, d.source, d.target) for d in table.differences] == [("[1000]", None, "the row is here")]


def test_a_duplicate_that_is_missing_is_found(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Without a key two equal rows instead of three are a difference, and so is one pair for another."""
    file = lite("CREATE TABLE t (a, b)", {"t": [(1, "x")] * 3 + [(2, "y")] * 2})
    move(file, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("DELETE FROM t WHERE ctid = (SELECT min(ctid) FROM t WHERE a = 1)")
        assert not verify_transfer(file, postgres_database).equal
        raw.execute("INSERT INTO t VALUES (2, 'y')")
    (table,) = verify_transfer(file, postgres_database).tables
    assert table.source_rows == table.target_rows
    assert len(table.differences) == 2


def test_a_rejected_value_that_is_gone_is_found(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """The rejects are part of what arrived: when an entry of theirs is lost, the value is."""
    file = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", {"t": [(1, "a\0b"), (2, "c\0d")]})
    _, report = move(file, postgres_database)
    assert report.verified
    assert not report.ok
    with connect(postgres_database) as raw:
        raw.execute("DELETE FROM _dbadapter_rejects WHERE key = '[1]'")
    check = verify_transfer(file, postgres_database)
    assert (check.equal, check.rejected) == (False, 1)


def test_what_came_back_out_of_the_rejects_is_not_rejected(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path
) -> None:
    """A value that stands in the source's rejects and in the target's table has arrived."""
    file = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", {"t": [(1, "a\0b")]})
    move(file, postgres_database)
    returned = DatabaseConfig(sqlite_path=str(tmp_path / "back.db"))
    _, report = move(postgres_database, returned)
    assert report.check is not None
    assert (report.check.equal, report.check.rejected) == (True, 0)


def test_an_original_counts_as_long_as_its_value_stands(
    lite: Maker, postgres_database: DatabaseConfig
) -> None:
    """A value kept in its old spelling is equal; once it is changed in Postgres, what is there now counts."""
    values = ["2024-01-31 00:00:00"] * 20 + ["2024-01-31"]
    file = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, at DATETIME)", {"t": list(enumerate(values, start=1))}
    )
    _, report = move(file, postgres_database)
    assert (report.verified, report.tables[0].kept) == (True, 1)
    with connect(postgres_database) as raw:
        raw.execute("UPDATE t SET at = '2024-02-01' WHERE id = 21")
    (difference,) = verify_transfer(file, postgres_database).tables[0].differences
    assert (difference.source, difference.target) == ("'2024-01-31'", "'2024-02-01 00:00:00'")


def test_a_missing_table_and_a_new_column(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """What there is nothing to compare with is said so, and is no success."""
    file = lite("CREATE TABLE a (x); CREATE TABLE b (x)")
    move(file, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("DROP TABLE a")
    with closing(sqlite3.connect(file.sqlite_path)) as raw_file:
        raw_file.execute("ALTER TABLE b ADD COLUMN y")
    check = verify_transfer(file, postgres_database)
    assert not check.equal
    assert [table.problem for table in check.tables] == [
        "Postgres has no table a",
        "the column y of b is in SQLite only",
    ]


def test_databases_that_no_transfer_made(both: DatabaseConfig, postgres_database: DatabaseConfig) -> None:
    """What the adapter wrote on both backends compares as equal, without a transfer's notes."""
    schema = Schema(
        [Table("t", Column("id", t.BigInteger(), primary_key=True), Column("d", t.Decimal(30, 3)),
               Column("at", t.Timestamp(tz=True)), Column("ok", t.Boolean()), Column("v", t.Varchar(9)))]
    )  # fmt: skip
    row = {
        "id": 1,
        "d": Decimal("123456789012345678901.25"),
        "at": datetime(2024, 1, 31, 12, 0, 0, 5, tzinfo=UTC),
        "ok": True,
        "v": "x",
    }
    for config in (both, postgres_database):
        with DatabaseAdapter(config) as adapter:
            adapter.create_tables(schema)
            adapter.insert_many("t", [row])
    assert verify_transfer(both, postgres_database).equal


def test_two_of_a_kind(lite: Maker) -> None:
    """Two SQLite files cannot be verified against each other here; the message says what can."""
    file = lite("CREATE TABLE t (x)")
    with pytest.raises(ConfigError, match="both ends are sqlite"):
        verify_transfer(file, file)


def test_a_digest_in_portions(postgres_database: DatabaseConfig) -> None:
    """Each row is digested once, however often the digest rests in between."""
    columns = (
        ColumnPair("id", "id", load({"kind": "integer"}), "bigint"),
        ColumnPair("name", "name", load({"kind": "text"}), "text"),
    )
    pair = TablePair("t", "t", columns, ("id",))
    with connect(postgres_database) as raw:
        raw.execute("CREATE TABLE t (id bigint, name text)")
        raw.execute("INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 15000) n")
        rests: list[None] = []
        found = postgres_digest(raw, pair, lambda: rests.append(None))
        assert len(rests) > 2
        assert found.rows == 15000
        assert found == postgres_digest(raw, pair)


def test_rejected_rows_elsewhere_are_no_differences(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A row that stands in the rejects as a whole is accounted for, whatever differs in other rows."""
    file = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", {"t": [(1, "a"), (2, "x\0y")]})
    move(file, postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("UPDATE t SET name = 'b' WHERE id = 1")
    for ends in ((file, postgres_database), (postgres_database, file)):
        (table,) = verify_transfer(*ends).tables
        assert [(d.key, d.column) for d in table.differences] == [("[1]", "name")]


def test_percent_signs_in_names_and_formats(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Rejected values are put back and differences found where names have what looks like a placeholder."""
    script = 'CREATE TABLE "t%s" ("100%d" INTEGER PRIMARY KEY, "n%Y" TEXT NOT NULL, "at%b" DATE)'
    file = lite(script, {'"t%s"': [(1, "a", "2024%01%31"), (2, "x\0y", None), (3, "c", "31.1.")]})
    plan = plan_transfer(file, postgres_database)
    column = plan.table("t%s").column("at%b")
    column.type, column.conversion = "date", {"kind": "temporal", "target": "date", "format": "YYYY%MM%DD"}
    report = run_transfer(plan)
    assert (report.rejects, report.verified) == (4, True)
    with connect(postgres_database) as raw:
        raw.execute(b"""UPDATE "t%s" SET "at%b" = '2024-02-01' WHERE "100%d" = 1""")
    (table,) = verify_transfer(file, postgres_database).tables
    assert [(d.column, d.target) for d in table.differences] == [("at%b", "'2024%02%01'")]
