"""Expressions mean the same on both backends, and are recognized in whatever spelling they come back."""

from __future__ import annotations

import re
import sqlite3
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbadapter.config import DatabaseConfig
from dbadapter.errors import ConfigError
from dbadapter.schema import types as t
from dbadapter.schema.expressions import expression_key, same_expression
from dbadapter.schema.expressions_from_sqlite import from_sqlite
from dbadapter.schema.expressions_to_sqlite import kinds_of, to_sqlite
from dbadapter.schema.patterns import glob_to_like, glob_to_regex, like_to_glob, regex_to_sqlite

COLUMNS = """status varchar(20), mood mood, price numeric(10,2), n int, b bigint, email text, j jsonb, d date,
    ts timestamptz, ts2 timestamptz, span interval, f double precision, ok boolean, tags text[], raw bytea, u uuid,
    "if" int, "drop" text"""

# Expressions that say the same on both backends once they are translated.
SHARED = """
status IN ('a', 'b') | status = 'a' | status IN ('a') | status NOT IN ('a', 'b') | status <> 'it''s'
price >= 0 | price > 0.50 AND price < 10 | price BETWEEN -1.5 AND 1.50 | n BETWEEN 1 AND 5 | n NOT BETWEEN 1 AND 5
n between -5 and -1 | n = -1 | n <> -1 | n % 2 = 0 | n + b * 2 - 1 > 0 | (n + b) * 2 > 0 | n / 2.0 > 1 | n / 2 = 1
email LIKE '%@%' | email LIKE 'a%' | email NOT LIKE 'A_c%' | email ILIKE 'A%' | email NOT ILIKE '%X'
email ~ '^[a-z]+$' | email !~ '^[a-z]+$' | email ~ '^[a-z]{2}-[0-9]$' | email ~ '@' | email ~ '^a.*z$'
char_length(email) > 3 | length(trim(email)) > 0 | btrim(email) <> '' | lower(email) = email
substring(email from 1 for 2) = 'ab' | upper(left(email, 1)) = 'A' | position('@' in email) > 1
email || status <> 'ab' | email || ' ' || status <> 'ab' | octet_length(email) <= 3
n IS DISTINCT FROM b | (n IS NULL) <> (b IS NULL) | n IS NULL OR b IS NOT NULL | NOT (n > 1 AND b < 2)
CASE WHEN n > 1 THEN b > 0 ELSE true END | CASE status WHEN 'a' THEN n > 0 ELSE n < 0 END
coalesce(n, 0) > 0 | nullif(email, '') IS NOT NULL | num_nonnulls(n, b) = 1 | greatest(n, b) < 100 | least(n, b, f) > 0
abs(n) < 3
"if" > -5 | "drop" = 'a'
f > 0.5 | f >= 1 | ok | NOT ok | ok = true | ok IS TRUE | status = ANY (ARRAY['a', 'b']) | status <> ALL (ARRAY['a'])
jsonb_typeof(j) = 'object' | jsonb_typeof(j) <> 'array' | jsonb_typeof(j) = 'string' | j ->> 'a' IS NOT NULL | j ? 'a'
j->>'a' = 'x' | EXTRACT(year FROM d) > 2000 | d > '2020-01-01' | d >= DATE '2020-01-01' | ts < ts2
n > 0 AND (b > 0 OR n < 5) AND ok
u <> '00000000-0000-0000-0000-000000000000'
"""
# Literals that each backend writes in a form of its own.
LITERALS = (
    """
ts = '2024-01-01' | ts >= '2024-01-01T02:00:00+02' | ts IN ('2024-01-01 00:00', '2024-01-02') | ok = 't' | span = '0s'
span > interval '1 hour' | span > '1 day 02:00:00'
"""
    ""
)
# Expressions of PostgreSQL's alone, which are still compared by their meaning.
POSTGRESQL_ONLY = """
email ~* '^[a-z]+$' | (j->'a'->>'b')::int > 3 | 'a' = ANY(tags) | tags <@ ARRAY['a', 'b'] | cardinality(tags) <= 5
array_length(tags, 1) > 0 | ts::date > '2020-01-01' | n::text LIKE '1%' | starts_with(email, 'x') | mood IN ('a', 'b')
round(price, 2) = price | octet_length(raw) <= 10 | mood <> 'a'
"""


def _split(text: str) -> list[str]:
    return [part.strip() for line in text.strip().splitlines() for part in line.split(" | ")]


KINDS = kinds_of(
    {
        "d": t.Date(),
        "ts": t.Timestamp(tz=True),
        "ts2": t.Timestamp(tz=True),
        "span": t.Interval(),
        "ok": t.Boolean(),
        "u": t.Uuid(),
    }.items()
)

ROWS: list[dict[str, Any]] = [
    {"status": "a", "price": 0, "n": 1, "b": 2, "email": "ab-1", "j": '{"a": "x"}', "d": "2024-02-29", "ok": True,
     "ts": "2024-01-01 00:00:00", "ts2": "2024-01-01 00:00:00.5", "span": 7_200_000_000, "f": 0.75},
    {"status": "b", "price": -1.25, "n": -3, "b": 0, "email": "Abc", "j": "[1]", "d": "1999-12-31", "ok": False,
     "ts": "2024-01-02 00:00:00", "ts2": "2024-01-01 12:00:00", "span": 93_600_000_000, "f": -2.5},
    {"status": "it's", "price": 5.5, "n": 4, "b": None, "email": "x@y.z", "j": '"s"', "d": "2020-01-01", "ok": None,
     "ts": None, "ts2": None, "span": 1, "f": 1e9},
    {"status": None, "price": None, "n": None, "b": 7, "email": "", "j": '{"b": null}', "d": None, "ok": True,
     "ts": None, "ts2": "2024-01-01 00:00:00", "span": None, "f": None},
    {"status": "ab", "price": 1.5, "n": 2, "b": 2, "email": "aqz", "j": None, "d": "2020-01-02", "ok": False,
     "ts": "2024-01-01 00:00:00", "ts2": "2024-01-01 00:00:00", "span": 0, "f": 0.5},
    {"status": "c", "price": 9.99, "n": 500, "b": -500, "email": "  ", "j": '{"a": 5}', "d": "2001-01-01", "ok": True,
     "ts": None, "ts2": None, "span": -5, "f": 0.0},
]  # fmt: skip


@pytest.fixture
def connection(postgres_database: DatabaseConfig) -> Any:
    """A connection to PostgreSQL with a table of all kinds of columns."""
    pool = postgres_database.pool
    with psycopg.connect(
        host=pool.host,
        port=pool.port,
        dbname=pool.database,
        user=pool.user,
        password=pool.password,
        autocommit=True,
    ) as found:
        found.execute("SET timezone = 'UTC'")
        found.execute("CREATE TYPE mood AS ENUM ('a', 'b')")
        found.execute(f"CREATE TABLE x ({COLUMNS})")
        yield found


def test_postgresql_gives_back_what_is_recognized(connection: Any) -> None:
    """A check comes back from PostgreSQL rewritten, and still counts as the same."""
    unknown = []
    for text in _split(SHARED) + _split(POSTGRESQL_ONLY):
        connection.execute(f"ALTER TABLE x ADD CONSTRAINT c CHECK ({text})")
        row = connection.execute(
            "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'c'"
        ).fetchone()
        connection.execute("ALTER TABLE x DROP CONSTRAINT c")
        if not same_expression(text, row[0]):
            unknown.append((text, row[0]))
    assert unknown == []


def test_translations_agree(connection: Any) -> None:
    """A translated check holds for the same rows on SQLite as the original does on PostgreSQL."""
    lite = sqlite3.connect(":memory:", isolation_level=None)
    lite.execute(
        """CREATE TABLE x (status VARCHAR, price DECIMAL, n INTEGER, b BIGINT, email TEXT, j JSON, d DATE,
           ts TIMESTAMPTZ, ts2 TIMESTAMPTZ, span INTERVAL, f REAL, ok BOOLEAN, u UUID, "if" INTEGER, "drop" TEXT)"""
    )
    for row in ROWS:
        names = ", ".join(row)
        lite.execute(f"INSERT INTO x ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))
        native = row | {"span": None if row["span"] is None else f"{row['span']} microseconds"}
        marks = ", ".join(["%s"] * len(row))
        values = [
            Decimal(str(value)) if name == "price" and value else value for name, value in native.items()
        ]
        connection.execute(f"INSERT INTO x ({names}) VALUES ({marks})", values)
    for text in _split(SHARED) + _split(LITERALS):
        translated = to_sqlite(text, KINDS)
        # A check is a condition to SQLite too: this fails for what it cannot read there.
        lite.execute(
            'CREATE TABLE probe (status, price, n, b, email, j, d, ts, ts2, span, f, ok, u, "if", "drop", '
            f"CHECK ({translated}))"
        )
        lite.execute("DROP TABLE probe")
        expected = [
            row[0] for row in connection.execute(f"SELECT ({text})::boolean FROM x ORDER BY ctid").fetchall()
        ]
        found = [row[0] for row in lite.execute(f"SELECT {translated} FROM x ORDER BY rowid").fetchall()]
        assert [None if value is None else bool(value) for value in found] == expected, (text, translated)
    lite.close()


def test_translations_come_back() -> None:
    """Reading a translated expression gives the meaning it had, where SQLite's words allow it."""
    lost = {text for text in _split(SHARED) if not same_expression(text, from_sqlite(to_sqlite(text, KINDS)))}
    # SQLite has other words for these, which could stand for something else as well.
    assert lost == {
        "EXTRACT(year FROM d) > 2000",
        "email ~ '@'",
        "email ~ '^[a-z]{2}-[0-9]$'",
        "email ~ '^a.*z$'",
        "greatest(n, b) < 100",
        "j ? 'a'",
        "jsonb_typeof(j) = 'string'",
        "least(n, b, f) > 0",
        "n IS DISTINCT FROM b",
        "num_nonnulls(n, b) = 1",
        "octet_length(email) <= 3",
        "upper(left(email, 1)) = 'A'",
    }


@pytest.mark.parametrize(
    "text",
    [
        "email ~* 'x'",
        "tags <@ ARRAY['a']",
        "email ~ '(a|b)+'",
        "similarity(email, 'x') > 1",
        "email SIMILAR TO 'a'",
    ],
)
def test_what_sqlite_cannot_say_is_refused(text: str) -> None:
    """An expression without a counterpart is a ConfigError that names it, never a weaker check."""
    with pytest.raises(ConfigError, match="SQLite has no words"):
        to_sqlite(text)


def test_plain_expressions_stay_as_they_are() -> None:
    """What both backends read alike is not touched."""
    for text in ("price  >= 0", "a IN ('x','y')", 'length("Name") > 1', "a + b*2 > 3 AND NOT c"):
        assert to_sqlite(text) == text
        assert from_sqlite(text) == text


def test_other_expressions_are_not_the_same() -> None:
    """Differences that matter make different keys."""
    for one, two in [
        ("a > 1", "a >= 1"),
        ("a = 'x'", "a = 'X'"),
        ("a = '1'", "b = '1'"),
        ("a AND b OR c", "a AND (b OR c)"),
        ("a - (b - c) > 0", "a - b - c > 0"),
        ("a IN ('x', 'y')", "a IN ('x')"),
        ("a LIKE 'x%'", "a ILIKE 'x%'"),
        ("lower(a) = 'x'", "upper(a) = 'x'"),
        ("a IS NULL", "a IS NOT NULL"),
        ("a = TRUE", "a = FALSE"),
        ("a IS TRUE", "a IS FALSE"),
        ("coalesce(a, true)", "coalesce(a, false)"),
    ]:
        assert expression_key(one) != expression_key(two)


def test_casts_to_types_of_several_parts() -> None:
    """A type with dimensions is read as any other."""
    assert same_expression("a = '{}'::int[][]", "a = '{}'")
    assert same_expression("a <> 'x'::\"char\"", "a <> 'x'")


def test_unreadable_expressions_are_compared_as_text() -> None:
    """What the parser does not know still equals itself, whatever its spacing and case."""
    assert same_expression("x OPERATOR(pg_catalog.@@@) )y", "X  operator(pg_catalog.@@@) ) Y")
    assert not same_expression("x OPERATOR(pg_catalog.@@@) )y", "z OPERATOR(pg_catalog.@@@) )y")


SQLITE = sqlite3.connect(":memory:", check_same_thread=False)
ALPHABET = "aB-%_*?[]^.\\1é"


def _matches(sql: str, value: str) -> bool:
    return bool(SQLITE.execute(f"SELECT {sql}", {"x": value}).fetchone()[0])


@given(pattern=st.text(ALPHABET, max_size=6), value=st.text(ALPHABET, max_size=6))
def test_like_and_glob(pattern: str, value: str) -> None:
    """A LIKE and the GLOB made of it match the same texts, as LIKE is on PostgreSQL: with regard to case."""
    if re.search(r"(?:^|[^\\])(?:\\\\)*\\$", pattern):
        return  # PostgreSQL refuses a pattern that ends in an escape
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    regex = "".join({"%": ".*", "_": "."}.get(part) or re.escape(part[-1]) for part in parts)
    glob = like_to_glob(pattern)
    expected = re.fullmatch(regex, value, re.DOTALL) is not None
    assert _matches("CAST(:x AS TEXT) GLOB '" + glob + "'", value) == expected
    back = glob_to_like(glob)
    assert back is not None
    assert like_to_glob(back) == glob


@given(
    pattern=st.sampled_from(
        [r"^[a-z]+$", r"^[^a-z]*$", r"^\d{3}$", r"^[A-Z]{2}-\d$", r"^a.*z$", r"a.+", r"^\w+$", r"^x\.y$", "@", r"^.$",
         r"[0-9]$", r"^[A-Z][a-z0-9_]*$", r"^\d{2}[x.]+$", r"^a\d*$", r"^[a-z0-9-]+$", "^[]x]a$"]
    ),
    value=st.text("aAzZ09-_.@xy]é", max_size=5),
)  # fmt: skip
def test_regular_expressions_and_glob(pattern: str, value: str) -> None:
    """A regular expression and the GLOBs made of it match the same texts."""
    sql = regex_to_sqlite(":x", pattern)
    assert sql is not None
    expected = re.search(pattern, value, re.ASCII | re.DOTALL) is not None
    assert _matches(sql, value) == expected
    glob = re.fullmatch(r":x GLOB '(.*)'", sql)
    if glob:
        assert (re.search(glob_to_regex(glob.group(1)), value, re.DOTALL) is not None) == expected


@pytest.mark.parametrize(
    "pattern",
    ["a|b", "(a)", "a*", "a+", "[a-z]+x", "x{0}", "^a.*[b]+$", "a{2,3}", r"\bx", "^a?$", "[[:alpha:]]"],
)
def test_regular_expressions_without_a_glob(pattern: str) -> None:
    """A pattern GLOB cannot match exactly has no translation."""
    assert regex_to_sqlite("x", pattern) is None
