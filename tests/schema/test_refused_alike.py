"""What a column cannot hold is refused on both backends by the same error; what it can comes back."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import CheckViolation, DataError, NotNullViolation
from dbadapter.schema import Column, Schema, Table
from dbadapter.schema import types as t

TYPES: dict[str, t.Type] = {
    "small": t.SmallInteger(),
    "whole": t.Integer(),
    "big": t.BigInteger(),
    "flag": t.Boolean(),
    "real": t.Float(),
    "free": t.Decimal(),
    "money": t.Decimal(10, 2),
    "wide": t.Decimal(30, 5),
    "words": t.Text(),
    "short": t.Varchar(3),
    "mood": t.Enum("sad", "it's ok"),
    "raw": t.Bytes(),
    "day": t.Date(),
    "hour": t.Time(),
    "naive": t.Timestamp(),
    "zoned": t.Timestamp(tz=True),
    "span": t.Interval(),
    "key": t.Uuid(),
    "doc": t.Json(),
    "point": t.Vector(3),
}
SCHEMA = Schema(
    [Table("v", Column("id", t.Identity()), *(Column(name, kind) for name, kind in TYPES.items()))]
)

GOOD: list[tuple[str, Any]] = [
    ("small", -32768),
    ("small", 32767),
    ("whole", -(2**31)),
    ("whole", 2**31 - 1),
    ("big", -(2**63)),
    ("big", 2**63 - 1),
    ("flag", True),
    ("flag", False),
    ("real", 1.5),
    ("real", float("-inf")),
    ("real", 1e300),
    ("free", Decimal("12345678901234567890.123456789")),
    ("free", Decimal("-0.000000000000000000001")),
    ("money", Decimal("99999999.99")),
    ("money", Decimal("-99999999.99")),
    ("money", Decimal(0)),
    ("wide", Decimal("9999999999999999999999999.99999")),
    ("wide", Decimal("-1234567890123456789012345.5")),
    ("words", "héllo 🦉"),
    ("words", ""),
    ("short", "äöü"),
    ("short", "🦉🦉🦉"),
    ("mood", "it's ok"),
    ("raw", b"\x00\xff"),
    ("raw", b""),
    ("day", date(1, 1, 1)),
    ("day", date(9999, 12, 31)),
    ("hour", time(23, 59, 59, 999999)),
    ("hour", time(0)),
    ("naive", datetime(2024, 2, 29, 23, 59, 59, 999999)),
    ("naive", datetime(1, 1, 1)),
    ("zoned", datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=UTC)),
    ("span", timedelta(days=-3, microseconds=1)),
    ("key", UUID("12345678-1234-5678-9234-567812345678")),
    ("doc", {"a": [1, None]}),
    ("doc", []),
]

# Out of range, too long, of the wrong size: both backends know the type and not the value.
BAD: list[tuple[str, Any]] = [
    ("small", 32768),
    ("small", -32769),
    ("whole", 2**31),
    ("whole", -(2**31) - 1),
    ("money", Decimal("100000000")),
    ("money", Decimal("-99999999.999")),
    ("money", Decimal("123456789012345678.25")),
    ("wide", Decimal("10000000000000000000000000")),
    ("short", "four"),
    ("mood", "other"),
    ("mood", ""),
    ("point", np.ones(2, dtype="f4")),
]

# As SQL text: what someone writes past the adapter, or a program without it.
BAD_SQL: list[tuple[str, str]] = [
    ("small", "'x'"),
    ("whole", "'1.5'"),
    ("big", "'9223372036854775808'"),
    ("flag", "'perhaps'"),
    ("real", "'fast'"),
    ("free", "'1,5'"),
    ("money", "'much'"),
    ("day", "'2023-02-29'"),
    ("day", "'2023-13-01'"),
    ("day", "'soon'"),
    ("hour", "'25:00:00'"),
    ("naive", "'2023-02-29 00:00:00'"),
    ("zoned", "'whenever'"),
    ("span", "'long'"),
    ("key", "'12345678-1234-5678-9234-56781234567x'"),
    ("doc", "'{\"a\": }'"),
    ("doc", "''"),
    ("point", "'[1,2]'"),
    ("mood", "'SAD'"),
]


@pytest.fixture
def table(sync_adapter: DatabaseAdapter) -> DatabaseAdapter:
    """An adapter with the table of all types."""
    sync_adapter.create_tables(SCHEMA)
    return sync_adapter


def test_what_fits_comes_back(table: DatabaseAdapter) -> None:
    """The bounds of every type, and NULL, pass the checks and come back equal and of the same type."""
    for name, value in GOOD:
        table.execute(f"INSERT INTO v ({name}) VALUES (?)", (value,))
        found = table.fetch_value(f"SELECT {name} FROM v ORDER BY id DESC LIMIT 1")
        assert (name, found, type(found)) == (name, value, type(value))
    table.execute("INSERT INTO v (point) VALUES (?)", (np.array([1.5, -2, 0], dtype="f4"),))
    assert table.fetch_value("SELECT point FROM v ORDER BY id DESC LIMIT 1").tolist() == [1.5, -2, 0]
    table.execute("INSERT INTO v (words) VALUES (NULL)")
    assert set(list(table.fetch_all("SELECT * FROM v ORDER BY id DESC LIMIT 1")[0].values())[1:]) == {None}


def test_a_value_that_does_not_fit(table: DatabaseAdapter) -> None:
    """A value beyond its column's type is a DataError, in an INSERT, an UPDATE and a bulk load."""
    table.execute("INSERT INTO v (id) VALUES (1)")
    for name, value in BAD:
        with pytest.raises(DataError):
            table.execute(f"INSERT INTO v ({name}) VALUES (?)", (value,))
        with pytest.raises(DataError):
            table.execute(f"UPDATE v SET {name} = ?", (value,))
        with pytest.raises(DataError):
            table.insert_many("v", [{name: value}])
        assert table.fetch_all(f"SELECT id, {name} AS found FROM v") == [{"id": 1, "found": None}]


def test_sql_text_that_does_not_fit(table: DatabaseAdapter) -> None:
    """A literal that is no value of the type is a DataError."""
    for name, literal in BAD_SQL:
        with pytest.raises(DataError):
            table.execute(f"INSERT INTO v ({name}) VALUES ({literal})")
    assert table.fetch_value("SELECT count(*) FROM v") == 0


# What PostgreSQL would take and rewrite, or refuse for reasons of its own.
NOT_STORED_SO: list[tuple[str, str]] = [
    ("naive", "'2024-01-01T10:00:00'"),
    ("naive", "'2024-01-01 10:00'"),
    ("zoned", "'2024-01-01 10:00:00+02:00'"),
    ("zoned", "1700000000"),
    ("day", "20240101"),
    ("naive", "'now'"),
    ("hour", "'10:00'"),
    ("words", "X'00'"),
    ("raw", "'text'"),
    ("flag", "2"),
    ("big", "1.5"),
    ("doc", "X'7b7d'"),
    ("free", "'NaN'"),
    ("key", "'12345678123456789234567812345678'"),
]


def test_sqlite_keeps_the_stored_forms_only(sqlite_database: DatabaseConfig) -> None:
    """On SQLite no value gets in that would read or sort unlike those the adapter stores."""
    with DatabaseAdapter(sqlite_database) as adapter:
        adapter.create_tables(SCHEMA)
        for name, literal in NOT_STORED_SO:
            with pytest.raises(DataError):
                adapter.execute(f"INSERT INTO v ({name}) VALUES ({literal})")


def test_checks_of_ones_own_are_check_violations(sync_adapter: DatabaseAdapter) -> None:
    """A condition the schema states is a CheckViolation that names the constraint; NOT NULL keeps its own error."""
    schema = Schema(
        [
            Table(
                "items",
                Column("price", t.Decimal(10, 2), check="price >= 0"),
                Column("name", t.Text(), nullable=False),
            )
        ]
    )
    sync_adapter.create_tables(schema)
    with pytest.raises(CheckViolation) as refused:
        sync_adapter.execute("INSERT INTO items (price, name) VALUES (?, ?)", (Decimal(-1), "x"))
    assert (refused.value.table, refused.value.constraint) == ("items", "items_price_check")
    with pytest.raises(NotNullViolation) as missing:
        sync_adapter.execute("INSERT INTO items (price) VALUES (1)")
    assert (missing.value.table, missing.value.columns) == ("items", ("name",))


def test_arrays(sync_adapter: DatabaseAdapter) -> None:
    """On both backends an array column refuses what is no list."""
    schema = Schema([Table("a", Column("tags", t.Array(t.Text())))])
    sync_adapter.create_tables(schema)
    for literal in ("'x'", "'{\"a\": 1}'", "'1'"):
        with pytest.raises(DataError):
            sync_adapter.execute(f"INSERT INTO a (tags) VALUES ({literal})")


def test_identity(sync_adapter: DatabaseAdapter) -> None:
    """An Identity counts up, takes a number that is given, and hands the last one back."""
    schema = Schema([Table("a", Column("id", t.Identity(autoincrement=True)), Column("x", t.Text()))])
    sync_adapter.create_tables(schema)
    assert sync_adapter.execute("INSERT INTO a (x) VALUES ('one')").last_id == 1
    assert sync_adapter.execute("INSERT INTO a (id, x) VALUES (7, 'seven')").rowcount == 1
    assert [row["id"] for row in sync_adapter.fetch_all("SELECT id FROM a ORDER BY id")] == [1, 7]


def test_defaults(sync_adapter: DatabaseAdapter) -> None:
    """Default values and expressions give the same values on both backends."""
    zoned = datetime(2020, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
    values: dict[str, tuple[t.Type, Any]] = {
        "flag": (t.Boolean(), True),
        "money": (t.Decimal(10, 2), Decimal("1.25")),
        "wide": (t.Decimal(), Decimal("12345678901234567890.5")),
        "words": (t.Text(), "it's ''"),
        "mood": (t.Enum("a", "b"), "b"),
        "raw": (t.Bytes(), b"\x00'"),
        "day": (t.Date(), date(2020, 2, 29)),
        "hour": (t.Time(), time(8, 30, 0, 5)),
        "zoned": (t.Timestamp(tz=True), zoned),
        "span": (t.Interval(), timedelta(days=-2, seconds=3)),
        "key": (t.Uuid(), UUID(int=5)),
        "doc": (t.Json(), {"a": ["b"]}),
        "tags": (t.Array(t.Text()), ("x", 'y"z')),
        "inf": (t.Float(), float("inf")),
    }
    columns = [Column(name, kind, default=value) for name, (kind, value) in values.items()]
    schema = Schema([Table("d", Column("id", t.Identity()), *columns)])
    sync_adapter.create_tables(schema)
    sync_adapter.execute("INSERT INTO d (id) VALUES (1)")
    row = sync_adapter.fetch_one("SELECT * FROM d")
    assert row is not None
    expected = {
        name: list(value) if isinstance(value, tuple) else value for name, (_, value) in values.items()
    }
    assert row == {"id": 1, **expected}


def test_now_and_random_uuid(sync_adapter: DatabaseAdapter) -> None:
    """t.now() is the present time in UTC in every kind of column, and t.random_uuid() a UUID of version 4."""
    schema = Schema(
        [
            Table(
                "d",
                Column("x", t.Integer()),
                Column("zoned", t.Timestamp(tz=True), default=t.now()),
                Column("naive", t.Timestamp(), default=t.now()),
                Column("day", t.Date(), default=t.now()),
                Column("hour", t.Time(), default=t.now()),
                Column("key", t.Uuid(), default=t.random_uuid()),
                Column("text", t.Text(), default=t.random_uuid()),
            )
        ]
    )
    sync_adapter.create_tables(schema)
    before = datetime.now(UTC) - timedelta(seconds=1)  # SQLite cuts to milliseconds
    for number in range(3):
        sync_adapter.execute("INSERT INTO d (x) VALUES (?)", (number,))
    after = datetime.now(UTC) + timedelta(seconds=1)
    rows = sync_adapter.fetch_all("SELECT * FROM d")
    assert len({row["key"] for row in rows} | {UUID(row["text"]) for row in rows}) == 6
    for row in rows:
        assert before <= row["zoned"] <= after
        assert before <= row["naive"].replace(tzinfo=UTC) <= after
        assert before.date() <= row["day"] <= after.date()
        assert isinstance(row["hour"], time)
        assert row["key"].version == UUID(row["text"]).version == 4
        assert sync_adapter.fetch_value("SELECT count(*) FROM d WHERE zoned = ?", (row["zoned"],)) >= 1
