"""What becomes of values that are not what their column says: each arrives, or widens its column, or is set aside."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from attrs import field, frozen

from dbadapter import DatabaseConfig
from dbadapter.transfer import plan_transfer, run_transfer

from .conftest import Maker
from .moving import asked, content, pg_type, there_and_back


@frozen
class Case:
    """A column, its values, and what they are in Postgres.

    Attributes:
        declared: the column's declaration in SQLite.
        values: what is stored.
        type: the type it gets.
        arrived: the values there; a rejected one is NULL.
        rejected: how many are rejected.
        kept: how many arrive with their original kept beside them.
    """

    declared: str
    values: list[Any]
    type: str
    arrived: list[Any]
    rejected: int = 0
    kept: int = 0
    key: bool = field(default=True, kw_only=True)


ID = UUID("12345678-1234-5678-9234-567812345678")
INF = math.inf
STAMP = "timestamp without time zone"
ZONED = "timestamp with time zone"

CASES = {
    "integers of 64 bits": Case(
        "INTEGER", [0, -(2**63), 2**63 - 1, None], "bigint", [0, -(2**63), 2**63 - 1, None]
    ),
    "text in INTEGER": Case("INTEGER", [1, "lots", None], "text", ["1", "lots", None]),
    "real in INTEGER": Case("INTEGER", [1, 2.5, 1e20], "numeric", [Decimal(1), Decimal("2.5"), Decimal("1e20")]),
    "empty text in INTEGER": Case("INT", [1, ""], "text", ["1", ""]),
    "text that looks like a number in an untyped column": Case(
        "", [5, "5", 5.0, "x"], "text", ["5", "5", "5.0", "x"], kept=1
    ),
    "empty text in a date": Case("DATE", ["2024-01-31", ""], "text", ["2024-01-31", ""]),
    "0 and 1 in BOOLEAN": Case("BOOLEAN", [0, 1, None], "boolean", [False, True, None]),
    "words in BOOLEAN": Case("BOOL", ["true", "false"], "boolean", [True, False]),
    "0, 1, 'true' and 2 in BOOLEAN": Case("BOOLEAN", [0, 1, "true", 2], "text", ["0", "1", "true", "2"]),
    "numbers beyond 0 and 1 in BOOLEAN": Case("BOOLEAN", [0, 1, 2], "bigint", [0, 1, 2]),
    "a few booleans spelled otherwise": Case(
        "BOOLEAN", [1] * 6 + ["t"], "boolean", [True] * 7, kept=1
    ),
    "epoch seconds": Case(
        "DATETIME", [1700000000, 1600000000], ZONED,
        [datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)],
    ),
    "epoch seconds with a fraction": Case(
        "TIMESTAMP", [1700000000.25], ZONED, [datetime(2023, 11, 14, 22, 13, 20, 250000, tzinfo=UTC)]
    ),
    "epoch milliseconds": Case(
        "DATETIME", [1700000000123], ZONED, [datetime(2023, 11, 14, 22, 13, 20, 123000, tzinfo=UTC)]
    ),
    "epoch microseconds": Case(
        "DATETIME", [1700000000123456], ZONED, [datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC)]
    ),
    "WebKit microseconds": Case(
        "DATETIME", [13344473600000001], ZONED, [datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC)]
    ),
    "Julian days": Case("DATETIME", [2460000.5], ZONED, [datetime(2023, 2, 25, tzinfo=UTC)]),
    "seconds that may count from 1970 or 2001 stay numbers": Case(
        "TIMESTAMP", [700000000, 700000001], "bigint", [700000000, 700000001]
    ),
    "digits of a date": Case("DATE", [20240131, 19991231], "date", [date(2024, 1, 31), date(1999, 12, 31)]),
    "one date format": Case(
        "DATETIME", ["2024-01-31 12:00:00", "1999-12-31 23:59:59"], STAMP,
        [datetime(2024, 1, 31, 12), datetime(1999, 12, 31, 23, 59, 59)],
    ),
    "dates with T and milliseconds": Case(
        "DATETIME", ["2024-01-31T12:00:00.250"], STAMP, [datetime(2024, 1, 31, 12, 0, 0, 250000)]
    ),
    "fractions left out where they are zero": Case(
        "DATETIME", ["2024-01-31 12:00:00", "2024-01-31 12:00:00.000001"], STAMP,
        [datetime(2024, 1, 31, 12), datetime(2024, 1, 31, 12, 0, 0, 1)],
    ),
    "fractions without trailing zeros": Case(
        "DATETIME", ["2024-01-31 12:00:00.5", "2024-01-31 12:00:00.25", "2024-01-31 12:00:00"], STAMP,
        [datetime(2024, 1, 31, 12, 0, 0, 500000), datetime(2024, 1, 31, 12, 0, 0, 250000), datetime(2024, 1, 31, 12)],
    ),
    "Z is UTC": Case("DATETIME", ["2024-01-31T12:00:00Z"], ZONED, [datetime(2024, 1, 31, 12, tzinfo=UTC)]),
    "one offset": Case("TIMESTAMP", ["2024-01-31 12:00:00+02:00"], ZONED, [datetime(2024, 1, 31, 10, tzinfo=UTC)]),
    "naive in a zoned column is UTC": Case(
        "TIMESTAMPTZ", ["2024-01-31 12:00:00"], ZONED, [datetime(2024, 1, 31, 12, tzinfo=UTC)]
    ),
    "naive and zoned mixed": Case(
        "DATETIME", ["2024-01-31 12:00:00", "2024-01-31 12:00:00Z"], "text",
        ["2024-01-31 12:00:00", "2024-01-31 12:00:00Z"],
    ),
    "a date without time among time stamps": Case(
        "DATETIME", ["2024-01-31 12:00:00", "2024-02-01 00:00:00", "2024-02-01"], STAMP,
        [datetime(2024, 1, 31, 12), datetime(2024, 2, 1), datetime(2024, 2, 1)], kept=1,
    ),
    "one column, two formats": Case(
        "DATETIME", ["2024-01-31 12:00:00", "31.01.2024"], "text", ["2024-01-31 12:00:00", "31.01.2024"]
    ),
    "ISO with and without T": Case(
        "DATETIME", ["2024-01-31 12:00:00", "2024-02-01T00:00:00", "2024-02-02 00:00:00"], STAMP,
        [datetime(2024, 1, 31, 12), datetime(2024, 2, 1), datetime(2024, 2, 2)], kept=1,
    ),
    "words that mean a date to Postgres": Case(
        "DATE", ["epoch", "infinity", "today", "allballs"], "text", ["epoch", "infinity", "today", "allballs"]
    ),
    "a leap second": Case("TIME", ["23:59:60"], "text", ["23:59:60"]),
    "ambiguous dates": Case("DATE", ["02/01/2024", "03/04/2024"], "text", ["02/01/2024", "03/04/2024"]),
    "words and hours that Postgres would take": Case(
        "DATETIME", ["now", "2024-01-31 24:00:00"], "text", ["now", "2024-01-31 24:00:00"]
    ),
    "a day that there is not": Case("DATE", ["2023-02-30"], "text", ["2023-02-30"]),
    "zero dates": Case("DATETIME", ["0000-00-00 00:00:00"], "text", ["0000-00-00 00:00:00"]),
    "a time in a date": Case(
        "DATE", ["2024-01-31 12:00:00"], STAMP, [datetime(2024, 1, 31, 12)]
    ),
    "times": Case("TIME", ["12:00:00", "23:59:59"], "time without time zone", [time(12), time(23, 59, 59)]),
    "NUL in text": Case("TEXT", ["nul\0inside", "plain"], "text", [None, "plain"], rejected=1),
    "a blob in TEXT": Case("TEXT", ["text", "word", b"\xff\x00"], "text", ["text", "word", None], rejected=1),
    "a readable blob in TEXT": Case("TEXT", ["text", b"blob"], "text", ["text", "blob"], kept=1),
    "text in BLOB": Case("BLOB", [b"\x00", "text", b""], "bytea", [b"\x00", b"text", b""], kept=1),
    "only text in BLOB": Case("BLOB", ["text"], "text", ["text"]),
    "infinities": Case("REAL", [INF, -INF, 0.1, 5e-324], "double precision", [INF, -INF, 0.1, 5e-324]),
    "floats to the last bit": Case(
        "DOUBLE", [0.1 + 0.2, 1.7976931348623157e308, 1e-310], "double precision",
        [0.1 + 0.2, 1.7976931348623157e308, 1e-310],
    ),
    "prices": Case("DECIMAL(10,2)", [4.99, 5, 0.1], "numeric(10,2)", [Decimal("4.99"), Decimal(5), Decimal("0.1")]),
    "more digits than declared": Case("NUMERIC(5,2)", [3.14159], "numeric", [Decimal("3.14159")]),
    "more digits than a double shows at first": Case(
        "NUMERIC", [0.1 + 0.2], "numeric", [Decimal("0.30000000000000004")]
    ),
    "doubles halfway between two others, which Postgres writes with more digits": Case(
        "NUMERIC", [1e23, 5e22, -9e-262], "numeric", [Decimal("1e23"), Decimal("5e22"), Decimal("-9e-262")]
    ),
    "more digits than fit, 29 places before the last": Case(
        "DECIMAL(31,2)", ["12345678901234567890123456789.129_"], "numeric",
        [Decimal("12345678901234567890123456789.129")],
    ),
    "decimals as the adapter stores them": Case(
        "DECIMAL", [1, 2.5, "12345678901234567890.5_"], "numeric",
        [Decimal(1), Decimal("2.5"), Decimal("12345678901234567890.5")],
    ),
    "words that mean a number to Postgres": Case("REAL", ["NaN", "Infinity"], "text", ["NaN", "Infinity"]),
    "hexadecimal digits are text": Case("INTEGER", ["0x10", 16], "text", ["0x10", "16"]),
    "zeros in a column of fractions": Case("NUMERIC(2,2)", [0, 0.25], "numeric(2,2)", [Decimal(0), Decimal("0.25")]),
    "both zeros": Case("", [-0.0, 0.0, 0.5], "double precision", [-0.0, 0.0, 0.5]),
    "text in NUMERIC": Case("NUMERIC", [1, "n/a"], "text", ["1", "n/a"]),
    "JSON": Case("JSON", ['{"b": 1, "a":2}', "[1]", "5", None], "json", [{"b": 1, "a": 2}, [1], 5, None]),
    "text that is no JSON": Case("JSON", ["{}", "{oops"], "text", ["{}", "{oops"]),
    "NaN in JSON": Case("JSON", ['{"a": NaN}'], "text", ['{"a": NaN}']),
    "JSONB": Case("JSONB", ['{"b": 1, "a":2}', "{}"], "jsonb", [{"a": 2, "b": 1}, {}], kept=1),
    "a key twice, which jsonb would lose": Case("JSONB", ['{"a": 1, "a": 2}'], "json", [{"a": 2}]),
    "\\u0000 in JSON, which jsonb refuses": Case("JSONB", ['"\\u0000"'], "json", ["\0"]),
    "UUIDs": Case("UUID", [str(ID)], "uuid", [ID]),
    "UUIDs as GUIDs": Case("GUID", [f"{{{str(ID).upper()}}}"], "uuid", [ID]),
    "UUIDs as bytes": Case("UNIQUEIDENTIFIER", [ID.bytes], "uuid", [ID]),
    "what is no UUID": Case("UUID", ["nope"], "text", ["nope"]),
    "intervals": Case("INTERVAL", [1_500_000, -1], "interval", [timedelta(seconds=1.5), timedelta(microseconds=-1)]),
    "vectors": Case(
        "VECTOR(2)", [b"\x00\x00\x80?\x00\x00\x00@", None], "vector(2)", ["[1,2]", None]
    ),
    "LONGVARCHAR": Case("LONGVARCHAR", ["x"], "text", ["x"]),
    "STRING keeps its numbers": Case("STRING", ["x", 7], "text", ["x", "7"]),
    "INTERGER": Case("INTERGER", [7], "bigint", [7]),
    "ENUM(...)": Case('"ENUM(\'a\',\'b\')"', ["a", "b"], "text", ["a", "b"]),
    "TINYINT UNSIGNED": Case("TINYINT UNSIGNED", [255], "bigint", [255]),
    "VARCHAR that is kept": Case("VARCHAR(3)", ["abc", "äöü"], "character varying(3)", ["abc", "äöü"]),
    "VARCHAR that is not": Case("VARCHAR(3)", ["abcd"], "text", ["abcd"]),
    "text that COPY has to escape": Case("TEXT", ["a\tb\\c\r\n\\.", "\\N", ""], "text", ["a\tb\\c\r\n\\.", "\\N", ""]),
    "no type and no values": Case("", [None], "text", [None]),
    "an unknown type": Case("GEOMETRY", ["POINT(1 2)"], "text", ["POINT(1 2)"]),
    "numbers of an unknown type": Case("YEAR", [2006], "bigint", [2006]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_values(case: Case, lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A column with such values gets this type; they arrive so, and come back to the byte."""
    rows = {"t": [(number, value) for number, value in enumerate(case.values)]}
    source = lite(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {case.declared})", rows)
    plan, report = there_and_back(source, postgres_database)
    assert pg_type(postgres_database, "t", "v") == case.type
    found = asked(postgres_database, "SELECT v, id FROM t ORDER BY id")
    assert [value for value, _ in found] == case.arrived
    column = plan.table("t").column("v")
    assert (column.at_risk, column.kept) == (report.rejects, report.tables[0].kept)
    assert (report.rejects, report.tables[0].kept) == (case.rejected, case.kept)
    assert report.ok == (not case.rejected)


def test_a_rejected_value_stands_in_the_rejects(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """The rejects hold table, key, column, storage class, bytes and the reason; the rest of the row arrives."""
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)", {"t": [(7, "a\0b")]})
    there_and_back(source, postgres_database)
    assert asked(postgres_database, "SELECT id, v FROM t") == [(7, None)]
    (reject,) = asked(
        postgres_database, "SELECT tbl, key, col, storage_class, raw, reason FROM _dbadapter_rejects"
    )
    assert reject[:5] == ("t", "[7]", "v", "text", b"a\0b")
    assert "NUL" in reject[5]


def test_a_row_that_needs_the_value_is_rejected_whole(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Where the column is NOT NULL the row cannot arrive: all its values stand in the rejects."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT NOT NULL, n)", {"t": [(1, "a\0b", 5), (2, "ok", 6)]}
    )
    _, report = there_and_back(source, postgres_database)
    assert asked(postgres_database, "SELECT id FROM t") == [2]
    assert report.tables[0].rejected_rows == 1
    found = asked(postgres_database, "SELECT col, raw FROM _dbadapter_rejects ORDER BY col")
    assert found == [("id", b"1"), ("n", b"5"), ("v", b"a\0b")]


def test_invalid_utf8(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Text that is not UTF-8 is rejected, unless an encoding is given: then it arrives and its bytes are kept."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
        "INSERT INTO t VALUES (1, CAST(x'4de97869636f' AS TEXT)), (2, 'plain')"
    )
    plan, report = there_and_back(source, postgres_database)
    assert plan.table("t").column("v").at_risk == report.rejects == 1
    assert asked(postgres_database, "SELECT raw FROM _dbadapter_rejects") == [b"M\xe9xico"]
    assert plan_transfer(source, postgres_database, encoding="cp1252").at_risk == 0


def test_utf16(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A database in UTF-16 moves; a lone surrogate in it is rejected with its bytes, and comes back."""
    source = lite(
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
        "INSERT INTO t VALUES (1, 'ünï🦉'), (2, CAST(x'00d84100' AS TEXT))"
    )
    _, report = there_and_back(source, postgres_database)
    assert report.rejects == 1
    assert asked(postgres_database, "SELECT v FROM t ORDER BY id") == ["ünï🦉", None]


def test_without_a_key_nothing_can_be_kept_beside_a_value(
    lite: Maker, postgres_database: DatabaseConfig
) -> None:
    """In a table without a key a value that would need its original kept is rejected with its row."""
    source = lite("CREATE TABLE t (v BLOB)", {"t": [(b"a",), (b"b",), ("text",)]})
    _, report = there_and_back(source, postgres_database)
    assert (report.tables[0].rejected_rows, report.tables[0].kept) == (1, 0)
    assert sorted(asked(postgres_database, "SELECT v FROM t")) == [b"a", b"b"]


def test_duplicate_rows_without_a_key(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Rows that are the same in a table without a key all arrive, and are all counted."""
    source = lite("CREATE TABLE t (a, b)", {"t": [(1, "x"), (1, "x"), (1, "x"), (2, None)]})
    _, report = there_and_back(source, postgres_database)
    assert report.rows == 4


def test_seconds_since_2001_when_the_plan_says_so(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Apple's epoch cannot be told from others by its numbers; a plan edited to say so makes dates of them."""
    rows = {"t": [(1, 700_000_000), (2, 0), (3, None)]}
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TIMESTAMP)", rows)
    plan = plan_transfer(source, postgres_database)
    column = plan.table("t").column("v")
    column.type, column.conversion = "timestamptz", {"kind": "epoch", "epoch": "apple"}
    report = run_transfer(plan)
    assert report.ok
    assert asked(postgres_database, "SELECT v FROM t ORDER BY id") == [
        datetime(2023, 3, 8, 20, 26, 40, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC), None,
    ]  # fmt: skip
    back = DatabaseConfig(sqlite_path=source.sqlite_path + ".back")
    assert run_transfer(plan_transfer(postgres_database, back)).ok
    assert content(back).rows == content(source).rows


def test_special_characters_and_nulls_in_many_rows(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """What COPY gives a meaning to arrives as it is, wherever in a table it turns up first."""
    plain = [(number, f"text {number}", number / 4, None if number % 3 else b"\\N") for number in range(5000)]
    odd = ["tab\there", "line\nhere", "return\rhere", "\\", "\\N", "\\.", "ü\\", "", "nul\0here"]
    rows = [*plain[:3000], *((9000 + at, text, -0.0, b"") for at, text in enumerate(odd)), *plain[3000:]]
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, n REAL, b BLOB)", {"t": rows})
    _, report = there_and_back(source, postgres_database)
    assert report.rejects == 1
    assert asked(postgres_database, "SELECT v FROM t WHERE id >= 9000 ORDER BY id") == [*odd[:-1], None]


def test_mostly_unusual_values(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """A column of which most values need their originals kept arrives as well, and is read row by row."""
    rows = {"t": [(number, number if number % 50 else f"{number}") for number in range(6000)]}
    source = lite("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)", rows)
    plan = plan_transfer(source, postgres_database)
    column = plan.table("t").column("v")
    column.type, column.conversion = "bigint", {"kind": "integer"}
    report = run_transfer(plan)
    assert report.verified
    assert (report.rejects, report.tables[0].kept) == (0, 120)


def test_what_is_no_date_at_all_among_dates(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """Values of which SQLite's own date functions make nothing are rejected, not passed over."""
    odd = ["soon", "31.01.2024", "", "2024-02-30", "2024-01-31"]
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v DATE, n DECIMAL(5,2), f REAL)",
        {"t": [(at, value, None, None) for at, value in enumerate(odd)]},
    )
    plan = plan_transfer(source, postgres_database)
    column = plan.table("t").column("v")
    column.type, column.conversion = "date", {"kind": "temporal", "target": "date", "format": "YYYY-MM-DD"}
    report = run_transfer(plan)
    assert (report.rows, report.rejects, report.verified) == (5, 4, True)
    assert asked(postgres_database, "SELECT v FROM t ORDER BY id") == [None] * 4 + [date(2024, 1, 31)]


def test_rowids_at_both_ends(lite: Maker, postgres_database: DatabaseConfig) -> None:
    """The least and the greatest rowid there can be are not passed over."""
    source = lite(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)",
        {"t": [(-(2**63), "least"), (0, "zero"), (2**63 - 1, "greatest")]},
    )
    _, report = there_and_back(source, postgres_database)
    assert report.rows == 3
