"""The placeholder parser: what is a placeholder, what is not, and what each backend is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbadapter._core.parsing import parse, parse_work
from dbadapter._core.statement import MAX_PARAMETERS, MOST_PLACEHOLDERS
from dbadapter._core.statement_cache import StatementCache
from dbadapter.errors import ParameterError, QueryError, SQLSyntaxError


@pytest.mark.parametrize(
    ("text", "params", "plain", "numbered"),
    [
        ("SELECT ?, ?", (1, 2), ("SELECT ?, ?", [1, 2]), ("SELECT $1, $2", [1, 2])),
        ("SELECT :a, :b, :a", {"a": 1, "b": 2}, ("SELECT ?, ?, ?", [1, 2, 1]), ("SELECT $1, $2, $1", [1, 2])),
        ("SELECT 1", None, ("SELECT 1", []), ("SELECT 1", [])),
        ("a IN ?", ([1, 2],), ("a IN (?, ?)", [1, 2]), ("a IN ($1, $2)", [1, 2])),
        ("a IN :m", {"m": []}, ("a IN ()", []), ("a = ANY ('{}')", [])),
        ("a NOT IN :m", {"m": ()}, ("a NOT IN ()", []), ("a <> ALL ('{}')", [])),
        ("a not  in\n:m", {"m": [7]}, ("a not  in\n(?)", [7]), ("a not  in\n($1)", [7])),
        (
            "a IN :m AND b = :x AND c IN :m",
            {"m": [1, 2], "x": 3},
            ("a IN (?, ?) AND b = ? AND c IN (?, ?)", [1, 2, 3, 1, 2]),
            ("a IN ($1, $2) AND b = $3 AND c IN ($4, $5)", [1, 2, 3, 1, 2]),
        ),
    ],
)
def test_what_each_backend_is_sent(text: str, params: Any, plain: Any, numbered: Any) -> None:
    """SQLite gets ?, Postgres $n, each with its values in order; IN lists are spread out."""
    for bound, expected in (
        (parse(text).bind_plain(params), plain),
        (parse(text).bind_numbered(params), numbered),
    ):
        assert (bound[0], list(bound[1])) == expected


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ':a ? it''s'",
        'SELECT "a :a ? ""b"',
        "SELECT 1 -- :a ?",
        "SELECT 1 /* :a ? /* nested */ ? */ + 1",
        "SELECT $$ :a ? $$",
        "SELECT $q$ :a $$ ? $q$",
        "SELECT E'it\\'s :a ?'",
        "SELECT '1'::int, x::text",
        "SELECT a[1:2], a[i:j]",
        "SELECT j ? 'k', j ?| x, j ?& x",
        "SELECT a.b ? c, (a) ? b, a[1] ? b, 'x' ? 'y', \"q\" ? 'k'",
        "SELECT 1 % 2, '%s'",
        "SELECT `a ? :b`",
    ],
)
def test_no_placeholder(text: str) -> None:
    """Literals, names, comments, quotes, casts, slices and operators are no placeholders."""
    assert parse(text).slots == ()
    assert parse(text).bind_plain(None) == (text, ())
    assert parse(text).bind_numbered(()) == (text, ())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("SELECT ? ? ?", 2),
        ("SELECT j ? ? FROM t WHERE a = ? AND j ?| ARRAY[?]", 3),
        ("INSERT INTO t VALUES (?, ?), (?, ?)", 4),
        ("UPDATE t SET a = ?, b = b || ? WHERE c BETWEEN ? AND ? OR d LIKE ? ESCAPE ?", 6),
        ("SELECT CASE ? WHEN ? THEN ? ELSE ? END", 4),
        ("SELECT * FROM t LIMIT ? OFFSET ?", 2),
        ("SELECT count(*) * ?, -?, +?, ~?, NOT ?", 5),
        ("SELECT ?::int, CAST(? AS text)", 2),
        ("SELECT a FROM t WHERE ? = a", 1),
        ("SELECT x AT TIME ZONE ?, substring(y FROM ? FOR ?), z SIMILAR TO ?", 4),
        ("DELETE FROM t RETURNING ?", 1),
        ("SELECT 1--\n+?", 1),
    ],
)
def test_placeholders_are_told_from_operators(text: str, count: int) -> None:
    """A ? is a placeholder where an operand is due, an operator after an operand."""
    assert len(parse(text).slots) == count


@pytest.mark.parametrize(
    "text", ["SELECT 'a", 'SELECT "a', "SELECT /* a", "SELECT $$a", "SELECT $x$ a $$", "", " -- "]
)
def test_unfinished_texts(text: str) -> None:
    """What is not ended, or not there, is a syntax error before anything is sent."""
    with pytest.raises(SQLSyntaxError) as caught:
        parse(text)
    assert caught.value.statement == text


@pytest.mark.parametrize("text", ["SELECT 1; SELECT 2", "SELECT 1;;x", "SELECT ';'; DROP TABLE t"])
def test_one_statement_at_a_time(text: str) -> None:
    """A second statement is refused; a semicolon at the end, or in a literal, is fine."""
    with pytest.raises(SQLSyntaxError):
        parse(text)
    parse("SELECT ';' ; -- done")


def test_a_trigger_keeps_its_semicolons() -> None:
    """The body of CREATE TRIGGER is part of the one statement."""
    text = "CREATE TRIGGER x AFTER INSERT ON t BEGIN UPDATE t SET a = 1; DELETE FROM u; END"
    assert parse(text).bind_plain(None) == (text, ())


def test_too_many_values() -> None:
    """More values than a backend takes is told before it is sent, on both."""
    many = list(range(MAX_PARAMETERS + 1))
    for bind in (parse("SELECT 1 WHERE 1 IN ?").bind_plain, parse("SELECT 1 WHERE 1 IN ?").bind_numbered):
        with pytest.raises(ParameterError, match="insert_many"):
            bind((many,))
        assert len(bind((many[1:],))[1]) == MAX_PARAMETERS


def test_what_is_no_text() -> None:
    """A statement that is not text is refused as such."""
    for wrong in (None, b"SELECT 1", 5, ["SELECT 1"], {"SELECT 1"}):
        for read in (parse, parse_work):
            with pytest.raises(SQLSyntaxError, match="a statement is text, not"):
                read(wrong)  # type: ignore[arg-type]


def test_too_many_placeholders() -> None:
    """Postgres counts placeholders in 16 bits, so that is how many there may be; marks are counted once each."""
    for marker in ("?", ":name"):
        text = f"SELECT 1 IN ({', '.join([marker] * MOST_PLACEHOLDERS)})"
        assert len(parse(text).slots) == MOST_PLACEHOLDERS
        with pytest.raises(ParameterError, match=r"65,536 placeholders are too many.*insert_many"):
            parse(text.replace("(", f"({marker}, ", 1))
    assert [slot.key for slot in parse("SELECT ?, '?', ?, ?").slots] == [0, 1, 2]


def test_what_is_remembered_of_statements_has_bounds() -> None:
    """However many texts there are, and however long they are; a long one is not remembered at all."""
    memory: StatementCache[int] = StatementCache()
    assert memory.keep("x" * 200_000, 1) == 1
    assert not memory.known
    for number in range(10_000):
        assert memory.keep(f"SELECT {number}", number) == number
        assert memory.known[f"SELECT {number}"] == number
        assert len(memory.known) <= 4096
    for number in range(500):
        text = f"{number}" + "x" * 50_000
        memory.keep(text, number)
        assert memory.keep(text, -number) == memory.known[text] == -number
        assert sum(map(len, memory.known)) <= 4_000_000
    assert len(memory.known) > 1


@given(st.text(st.sampled_from("?:ab'\"$-/*%;()[]|&E\n 1."), max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Whatever comes in, the pieces between the placeholders make up the text again."""
    try:
        statement = parse(text)
    except QueryError:
        return
    markers = [f":{slot.key}" if isinstance(slot.key, str) else "?" for slot in statement.slots]
    parts = [statement.pieces[0]]
    for marker, piece in zip(markers, statement.pieces[1:], strict=True):
        parts += [marker, piece]
    assert "".join(parts) == text
