# Generated from tests/_async/test_statements.py by tools/unasync.py; do not edit.
"""The same text with the same parameters gives the same answer, or the same error, on both backends."""

from __future__ import annotations

from typing import Any

import pytest

from dbadapter import DatabaseAdapter
from dbadapter.errors import ParameterError, QueryError, SQLSyntaxError

ALIKE: list[tuple[str, Any, Any]] = [
    ("SELECT :a + :b", {"a": 1, "b": 2}, 3),
    ("SELECT ? + ?", (1, 2), 3),
    ("SELECT ? + ?", [1, 2], 3),
    ("SELECT :a + :a * :b - :a", {"a": 5, "b": 3}, 15),
    ("SELECT :a", {"a": "text"}, "text"),
    ("SELECT :größe + 1", {"größe": 1}, 2),
    ("SELECT :a_1 + :A", {"a_1": 1, "A": 2}, 3),
    ("SELECT ':a' || :a || '?'", {"a": "x"}, ":ax?"),
    ("SELECT 'it''s :b ?' || ?", ("!",), "it's :b ?!"),
    ('SELECT q."c :a ?" FROM (SELECT 7 AS "c :a ?") q', None, 7),
    ('SELECT q."c""d :a" + :a FROM (SELECT 7 AS "c""d :a") q', {"a": 1}, 8),
    ("SELECT 1 -- :a ?\n + ?", (1,), 2),
    ("SELECT 1 /* :a ? 'x */ + :b", {"b": 1}, 2),
    ("/* :a */ SELECT 1 -- ?", None, 1),
    ("SELECT 10 % 4", None, 2),
    ("SELECT :a % 4", {"a": 10}, 2),
    ("SELECT ? % ? ", (10, 4), 2),
    ("SELECT '100%'", None, "100%"),
    ("SELECT '%s %(a)s %%' || ?", ("%",), "%s %(a)s %%%"),
    ("SELECT CASE WHEN 'abc' LIKE 'a%' THEN 1 ELSE 0 END", None, 1),
    ("SELECT CASE WHEN 'abc' LIKE ? THEN ? ELSE ? END", ("a%", 1, 0), 1),
    ("SELECT CASE WHEN 'abc' NOT LIKE :like THEN 1 ELSE 0 END", {"like": "b%"}, 1),
    ("SELECT CAST(:a AS INTEGER) + 1", {"a": "41"}, 42),
    ("SELECT CAST(? AS TEXT)", ("x",), "x"),
    ("SELECT 7 / 2", None, 3),
    ("SELECT ? * ?", (300, 300), 90000),
    ("SELECT substr('abcdef', ?, ?)", (2, 3), "bcd"),
    ("SELECT -?", (4,), -4),
    ("SELECT (?)", (4,), 4),
    ("SELECT 1 WHERE 2 BETWEEN ? AND ?", (1, 3), 1),
    ("SELECT 1 WHERE ? IS NOT NULL AND NOT ? > 3 OR ? = 9", (1, 2, 3), 1),
    ("SELECT coalesce(:a, 'none')", {"a": None}, "none"),
    ("SELECT 3 ORDER BY 1 LIMIT ? OFFSET ?", (1, 0), 3),
    ("WITH q(a) AS (VALUES (?), (?)) SELECT max(a) FROM q", (3, 5), 5),
    ("SELECT count(*) FROM (SELECT 1 UNION ALL SELECT ?) q", (1,), 2),
    ("SELECT 1;", None, 1),
    ("  SELECT 1 ; -- done", (), 1),
    ("SELECT 1", {}, 1),
    ("select count(*) from n where i in :many", {"many": [1, 2, 9]}, 2),
    ("SELECT count(*) FROM n WHERE i IN ?", ([1, 2, 9],), 2),
    ("SELECT count(*) FROM n WHERE i IN ?", ((1,),), 1),
    ("SELECT count(*) FROM n WHERE i IN :many", {"many": {1, 2}}, 2),
    ("SELECT count(*) FROM n WHERE i IN :many", {"many": range(3)}, 2),
    ("SELECT count(*) FROM n WHERE i IN :many", {"many": []}, 0),
    ("SELECT count(*) FROM n WHERE i NOT IN :many", {"many": []}, 3),
    ("SELECT count(*) FROM n WHERE s IN ?", ([],), 0),
    ("SELECT count(*) FROM n WHERE i NOT IN :many", {"many": [1]}, 2),
    ("SELECT count(*) FROM n WHERE i NOT IN ? AND s = ?", ([1], "b"), 1),
    ("SELECT count(*) FROM n WHERE i IN :m AND i + 1 IN :m OR s IN :t", {"m": [1, 2], "t": ["c"]}, 2),
    ("SELECT count(*) FROM n WHERE s IN :many", {"many": ["a", "it's", "?", ":x"]}, 1),
    ("SELECT count(*) FROM n WHERE i IN (?, ?)", (1, 2), 2),
    ("SELECT count(*) FROM n WHERE i IN (:a, :b)", {"a": 1, "b": 2}, 2),
    ("SELECT count(*) FROM n WHERE i IN (:many)", {"many": [1, 2]}, 2),
    ("SELECT count(*) FROM n WHERE i NOT IN ( ? ) AND s = ?", ([1], "b"), 1),
    ("SELECT count(*) FROM n WHERE i IN (?) OR s IN (?)", ([], {"a"}), 1),
    ("SELECT count(*) FROM n WHERE i NOT IN (:many)", {"many": []}, 3),
    ("SELECT count(*) FROM n WHERE i IN (:one) AND s IN (:two)", {"one": 1, "two": "a"}, 1),
    ("SELECT count(*) FROM n WHERE i IN (?)", (None,), 0),
    ("SELECT count(*) FROM n WHERE :s IS NULL OR s = :s", {"s": None}, 3),
    ("SELECT count(*) FROM n WHERE :s IS NULL OR s = :s", {"s": "a"}, 1),
    ("SELECT count(*) FROM n WHERE (? IS NULL OR i = ?) AND ? is not null", (2, 2, "x"), 1),
    ("SELECT count(*) FROM n WHERE :i IS NULL OR i IN :many OR i = :i", {"i": 30, "many": [1]}, 2),
    ("SELECT 1 WHERE :x IS NULL", {"x": None}, 1),
    ("SELECT count(*) FROM n WHERE i IN (SELECT i FROM n WHERE s = ?)", ("a",), 1),
    ("SELECT count(*) FROM n WHERE i IN :many", {"many": list(range(5000))}, 3),
]

WRONG: list[tuple[str, Any, str]] = [
    ("SELECT :a", {}, "a"),
    ("SELECT :a", None, "a"),
    ("SELECT :alpha, :beta", {"alpha": 1}, "beta"),
    ("SELECT :alpha", {"alpha": 1, "gamma": 2}, "gamma"),
    ("SELECT 1", {"gamma": 2}, "gamma"),
    ("SELECT ':gamma'", {"gamma": 2}, "gamma"),
    ("SELECT ?", None, "1"),
    ("SELECT ?, ?", (1,), "2"),
    ("SELECT ?", (1, 2), "2"),
    ("SELECT 1", (1,), "1"),
    ("SELECT '?'", (1,), "1"),
    ("SELECT ?", {"alpha": 1}, "mapping|sequence"),
    ("SELECT :alpha", (1,), "alpha"),
    ("SELECT :alpha, ?", {"alpha": 1}, "alpha"),
    ("SELECT :alpha, ?", (1, 2), "alpha"),
    ("SELECT ?", "a", "sequence|str"),
    ("SELECT ?", b"a", "sequence|bytes"),
    ("SELECT ?", 5, "int"),
    ("SELECT ?", {1}, "set"),
    ("SELECT 1 WHERE 1 IN :many", {"many": 1}, "many"),
    ("SELECT 1 WHERE 1 IN ?", (bytearray(b"ab"),), "parameter 1"),
    ("SELECT ?1", (1,), "numbered"),
    ("SELECT 1 WHERE 'a' IN :many", {"many": "abc"}, "many"),
    ("SELECT 1 WHERE 1 IN :many", {"many": None}, "many"),
    ("SELECT 1 WHERE 1 IN :many", {"many": list(range(70_000))}, "many"),
]


@pytest.fixture
def numbers(adapter: DatabaseAdapter) -> DatabaseAdapter:
    """The adapter with three rows to look among."""
    adapter.execute("CREATE TABLE n (i BIGINT, s TEXT)")
    adapter.insert_many("n", [{"i": 1, "s": "a"}, {"i": 2, "s": "b"}, {"i": 30, "s": "c"}])
    return adapter


def test_texts_mean_the_same_everywhere(numbers: DatabaseAdapter) -> None:
    """Placeholders are bound; literals, quoted names, comments and % are left alone; IN lists expand."""
    wrong = []
    for text, params, expected in ALIKE:
        try:
            got = numbers.fetch_value(text, params)
        except QueryError as error:
            got = error
        if got != expected or type(got) is not type(expected):
            wrong.append((text, params if len(repr(params)) < 60 else "...", got, expected))
    assert wrong == []


def test_wrong_parameters_are_named(numbers: DatabaseAdapter) -> None:
    """A missing, surplus or misplaced parameter is a ParameterError naming it, wherever it is given."""
    for text, params, name in WRONG:
        for method in (numbers.execute, numbers.fetch_all, numbers.fetch_one, numbers.fetch_value):
            with pytest.raises(ParameterError, match=name) as caught:
                method(text, params)
            assert caught.value.statement == text
        with pytest.raises(ParameterError, match=name):
            for _ in numbers.stream(text, params):
                pass
        with numbers.transaction() as tx:
            with pytest.raises(ParameterError, match=name):
                tx.fetch_one(text, params)


def test_wrong_parameters_do_not_spoil_a_transaction(numbers: DatabaseAdapter) -> None:
    """What is refused before anything is sent leaves the transaction usable, on both backends."""
    with numbers.transaction() as tx:
        tx.execute("INSERT INTO n (i) VALUES (?)", (50,))
        with pytest.raises(ParameterError):
            tx.execute("INSERT INTO n (i) VALUES (?)", ())
        tx.execute("INSERT INTO n (i) VALUES (?)", (51,))
    assert numbers.fetch_value("SELECT count(*) FROM n WHERE i IN ?", ([50, 51],)) == 2


@pytest.mark.parametrize("text", ["", "  ", "-- nothing", "/* nothing */", ";"])
def test_an_empty_statement_is_an_error(adapter: DatabaseAdapter, text: str) -> None:
    """Nothing to run is a mistake of the caller's, on both backends."""
    with pytest.raises(SQLSyntaxError):
        adapter.execute(text)


@pytest.mark.parametrize(
    "text",
    ["SELECT 'a", 'SELECT "a', "SELECT /* a", "SELECT (1", "SELECT 1 1 1", "SELEC 1", "SELECT 1; SELECT 2"],
)
def test_syntax_errors(adapter: DatabaseAdapter, text: str) -> None:
    """Unterminated, misspelt and several statements: SQLSyntaxError with the statement as it was written."""
    with pytest.raises(SQLSyntaxError) as caught:
        adapter.fetch_all(text)
    assert caught.value.statement == text
    assert caught.value.sqlstate == "42601"


def test_positional_parameters_in_many_rows(numbers: DatabaseAdapter) -> None:
    """execute_many checks every row, names the parameter, and a wrong row leaves nothing behind."""
    with pytest.raises(ParameterError, match="2"):
        numbers.execute_many("INSERT INTO n (i, s) VALUES (?, ?)", [(60, "x"), (61,)])
    with pytest.raises(ParameterError, match="s"):
        numbers.execute_many("INSERT INTO n (i, s) VALUES (:i, :s)", [{"i": 60, "s": "x"}, {"i": 61}])
    assert numbers.fetch_value("SELECT count(*) FROM n WHERE i >= 60") == 0


def test_the_same_text_with_parameters_of_other_types(adapter: DatabaseAdapter) -> None:
    """A prepared or cached statement is not bound to the types of its first call."""
    adapter.execute("CREATE TABLE x (a BIGINT, b DOUBLE PRECISION)")
    for _ in range(8):
        for value in (1, None, 2**40, 0):
            adapter.execute("INSERT INTO x (a, b) VALUES (?, ?)", (value, value))
        for other in (1.5, None, 3):
            adapter.execute("UPDATE x SET b = ? WHERE a = ?", (other, 1))
    assert adapter.fetch_value("SELECT count(*) FROM x WHERE b = ?", (3,)) == 8


def test_a_cached_statement_notices_a_changed_table(adapter: DatabaseAdapter) -> None:
    """SELECT *, run often enough to be prepared, still works after the table was changed."""
    adapter.execute("CREATE TABLE x (a BIGINT)")
    adapter.execute("INSERT INTO x (a) VALUES (1)")
    for _ in range(10):
        assert adapter.fetch_one("SELECT * FROM x") == {"a": 1}
    adapter.execute("ALTER TABLE x ADD COLUMN b BOOLEAN")
    adapter.execute("UPDATE x SET b = ?", (True,))
    row = adapter.fetch_one("SELECT * FROM x")
    assert row == {"a": 1, "b": True}
    assert row["b"] is True
    adapter.execute("DROP TABLE x")
    adapter.execute("CREATE TABLE x (a TEXT)")
    adapter.execute("INSERT INTO x (a) VALUES ('now text')")
    assert adapter.fetch_one("SELECT * FROM x") == {"a": "now text"}


POSTGRES_ONLY: list[tuple[str, Any, Any]] = [
    ("SELECT $$it's :a ?$$ || ?", ("!",), "it's :a ?!"),
    ("SELECT $tag$ $$ :a ? $tag$", None, " $$ :a ? "),
    ("SELECT E'it\\'s :a ?' || :b", {"b": "!"}, "it's :a ?!"),
    ("SELECT '7'::int + :a::int", {"a": "1"}, 8),
    ("SELECT ?::text", (5,), "5"),
    ("SELECT (:a)::jsonb ? 'k'", {"a": '{"k": 1}'}, True),
    ("SELECT '{\"k\": 1}'::jsonb ? 'k'", None, True),
    ("SELECT '{\"k\": 1}'::jsonb ? ?", ("k",), True),
    ("SELECT '{\"k\": 1}'::jsonb ? :key", {"key": "no"}, False),
    ("SELECT ?::jsonb ?| ARRAY['x', ?]", ({"k": 1}, "k"), True),
    ("SELECT q.j ?& ARRAY[:a, :b] FROM (SELECT '{\"k\": 1}'::jsonb AS j) q", {"a": "k", "b": "x"}, False),
    ("SELECT q.j->>'k' = ? FROM (SELECT '{\"k\": 1}'::jsonb AS j) q", ("1",), True),
    ("SELECT (ARRAY[10, 20, 30])[2:3] = ARRAY[20, 30]", None, True),
    ("SELECT (ARRAY[10, 20, 30])[?]", (2,), 20),
    ("SELECT 'x' SIMILAR TO ?", ("x",), True),
    ("SELECT (TIMESTAMPTZ '2024-01-01 12:00Z' AT TIME ZONE ?)::text", ("UTC",), "2024-01-01 12:00:00"),
    ("SELECT substring('abcdef' FROM ? FOR ?)", (2, 3), "bcd"),
    ("SELECT /* outer /* inner ? */ :a */ ?::int", (1,), 1),
    ("SELECT 3 = ANY(?::int[])", ("{1,2,3}",), True),
    ("SELECT 1 % 1 = 0 AND 'a' LIKE '%%'", None, True),
]


def test_postgres_syntax_is_left_alone(numbers: DatabaseAdapter, on_sqlite: bool) -> None:
    """Dollar quotes, casts, JSON operators, slices and nested comments of Postgres reach it unchanged."""
    if on_sqlite:
        texts = [text for text, _, _ in POSTGRES_ONLY if "::" in text]
        for text in texts:  # what SQLite cannot parse is its own clear error, never a ParameterError
            params = next(p for t, p, _ in POSTGRES_ONLY if t == text)
            with pytest.raises(SQLSyntaxError):
                numbers.fetch_value(text, params)
        return
    wrong = []
    for text, params, expected in POSTGRES_ONLY:
        try:
            got = numbers.fetch_value(text, params)
        except QueryError as error:
            got = error
        if got != expected:
            wrong.append((text, params, got, expected))
    assert wrong == []
