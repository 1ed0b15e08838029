"""Any statement: the same text with the same parameters gives the same answer, or the same error, on both."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.differential.conftest import Pair, outcome

NOISE = ["", " ", "\n", " -- :no ? 'x\n", '/* ? :no " */', " /*'*/ "]
LITERALS = ["':no ?'", "'it''s'", "'%s %% :a'", "'--'", "'/*'", "'\"'", "''", "'$$'", "'\\'"]


class Text:
    """A statement under construction, with what its placeholders stand for."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.named = draw(st.booleans())
        self.params: list[tuple[str, Any]] = []

    def slot(self, value: Any) -> str:
        """A placeholder for ``value``; a named one is used again when its value is the same."""
        if not self.named:
            self.params.append(("", value))
            return "?"
        for name, held in self.params:
            if (type(held), held) == (type(value), value):
                return f":{name}"
        name = f"{self.draw(st.sampled_from(['a', 'b_c', 'ä', 'X', 'select']))}{len(self.params)}"
        self.params.append((name, value))
        return f":{name}"

    def noise(self) -> str:
        """Space or a comment."""
        return str(self.draw(st.sampled_from(NOISE)))

    def number(self, depth: int) -> str:
        """An integer expression; small, since the backends' arithmetic widths differ."""
        kind = self.draw(st.integers(0, 9 if depth else 1))
        if kind <= 1:
            value = self.draw(st.integers(0, 9))
            return str(value) if kind == 0 else f"CAST({self.slot(value)} AS INTEGER)"
        if kind == 2:
            sign = self.draw(st.sampled_from("+-*"))
            return f"({self.number(depth - 1)} {sign}{self.noise()} {self.number(depth - 1)})"
        if kind == 3:
            return f"({self.number(depth - 1)} % {self.draw(st.integers(1, 5))})"
        if kind == 4:
            return f"length({self.text(depth - 1)})"
        if kind == 5:
            condition, then = self.truth(depth - 1), self.number(depth - 1)
            return f"CASE WHEN {condition} THEN {then} ELSE {self.number(depth - 1)} END"
        if kind == 6:
            return f"(SELECT count(*) FROM n{self.noise()} WHERE {self.truth(depth - 1)})"
        if kind == 7:
            return f"coalesce({self.draw(st.sampled_from(['NULL, ', '']))}{self.number(depth - 1)}, 0)"
        if kind == 8:
            return f'(SELECT q."x ? :y" FROM (SELECT {self.number(depth - 1)} AS "x ? :y") q)'
        return f"-{self.noise()}({self.number(depth - 1)})"

    def text(self, depth: int) -> str:
        """A text expression."""
        kind = self.draw(st.integers(0, 3 if depth else 1))
        if kind == 0:
            return str(self.draw(st.sampled_from(LITERALS)))
        if kind == 1:
            return (
                f"CAST({self.slot(self.draw(st.sampled_from(['', '?', ':a', '100%', 'ü', '$1'])))} AS TEXT)"
            )
        if kind == 2:
            return f"({self.text(depth - 1)}{self.noise()}||{self.text(depth - 1)})"
        return f"coalesce({self.text(depth - 1)}, '?')"

    def truth(self, depth: int) -> str:
        """A condition; n and s are columns of the table."""
        kind = self.draw(st.integers(0, 6 if depth else 2))
        members = self.draw(st.lists(st.integers(0, 6), max_size=4))
        if kind == 0:
            negation = self.draw(st.sampled_from(["", "NOT "]))
            listed = self.draw(st.sampled_from(["{}", "({})", "( {})"]))
            given = members if listed == "{}" else self.draw(st.just(members) | st.integers(0, 6) | st.none())
            return f"{self.number(0)} {negation}IN{self.noise()} {listed.format(self.slot(given))}"
        if kind == 1:
            words = self.draw(st.lists(st.sampled_from(["a", "?", "it's"]), max_size=3))
            return f"{self.text(0)}{self.noise()} IN{self.noise()} {self.slot(words)}"
        if kind == 2:
            pattern = self.draw(st.sampled_from(["'%?%'", "'_n%'"]))
            return f"{self.text(0)} LIKE {pattern} ESCAPE '!'"
        if kind == 3:
            return f"{self.number(depth - 1)} BETWEEN {self.number(depth - 1)} AND {self.number(depth - 1)}"
        if kind == 4:
            word = self.draw(st.sampled_from(["AND", "OR"]))
            return f"({self.truth(depth - 1)} {word} NOT {self.truth(depth - 1)})"
        if kind == 5:
            wanted = self.draw(st.none() | st.integers(0, 3) | st.just(2**40))
            negation = self.draw(st.sampled_from(["", "NOT "]))
            return f"({self.slot(wanted)} IS {negation}NULL OR n.i = {self.slot(wanted)})"
        sign = self.draw(st.sampled_from(["=", "<>", "<", ">="]))
        return f"{self.number(depth - 1)} {sign} {self.number(depth - 1)}"

    def bound(self) -> Any:
        """The parameters in the statement's style."""
        if self.named:
            return dict(self.params)
        return [value for _, value in self.params]


@st.composite
def statements(draw: Any) -> tuple[str, Any]:
    """A SELECT of a number, a text and a truth, the latter as a column and as a condition, and its parameters."""
    text = Text(draw)
    body = (
        f"SELECT{text.noise()} {text.number(3)} AS a,{text.noise()}{text.text(2)} AS b, {text.truth(1)} AS c"
    )
    sql = f"{body} FROM n{text.noise()} WHERE {text.truth(2)} ORDER BY i{text.noise()}"
    return sql + draw(st.sampled_from(["", ";", " ; "])), text.bound()


@pytest.fixture
def table(pair: Pair) -> Pair:
    """Both with a small table."""
    for adapter in pair:
        adapter.execute("CREATE TABLE n (i INTEGER, s TEXT)")
        adapter.insert_many("n", [{"i": 1, "s": "a"}, {"i": 2, "s": "?"}, {"i": 3, "s": None}])
    return pair


@given(statements())
def test_generated_statements_agree(table: Pair, statement: tuple[str, Any]) -> None:
    """Expressions, comments, literals, IN lists and both placeholder styles: the same rows."""
    lite, post = (outcome(adapter.fetch_all, *statement) for adapter in table)
    assert lite == post
    assert lite[0] == "gave"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT CAST(sum(i * CAST(3000000000 AS BIGINT)) AS BIGINT) AS x FROM n",
        "SELECT CAST(avg(i) AS DOUBLE PRECISION) AS x FROM n",
        "SELECT CAST(round(2.6) AS DOUBLE PRECISION) AS x",
        "SELECT i FROM n WHERE lower(s) LIKE 'a%' ORDER BY i",
        "SELECT s FROM n ORDER BY s NULLS LAST",
        "SELECT i FROM n WHERE s = '1'",
    ],
)
def test_portable_spellings_agree(table: Pair, sql: str) -> None:
    """What docs/explanation/two-backends.md recommends where the databases differ gives the same values and types."""
    for adapter in table:
        adapter.insert_many("n", [{"i": 4, "s": "Anna"}, {"i": 5, "s": "1"}])
    lite, post = (outcome(adapter.fetch_all, sql) for adapter in table)
    assert lite == post
    assert lite[0] == "gave"


@given(statements(), st.data())
def test_wrong_parameters_agree(table: Pair, statement: tuple[str, Any], data: st.DataObject) -> None:
    """One parameter dropped, added or of the wrong kind: the same error, the same message."""
    sql, params = statement
    fault = data.draw(st.sampled_from(["drop", "add", "style", "none"]))
    if isinstance(params, dict):
        names = sorted(params)
        if fault == "drop" and names:
            params = {name: params[name] for name in names if name != data.draw(st.sampled_from(names))}
        elif fault == "add":
            params = {**params, "surplus": 1}
        elif fault == "style":
            params = list(params.values())
    elif fault == "drop":
        params = params[1:]
    elif fault == "add":
        params = [*params, 1]
    elif fault == "style":
        params = {f"p{n}": value for n, value in enumerate(params)}
    if fault == "none":
        params = None
    lite, post = (outcome(adapter.fetch_all, sql, params) for adapter in table)
    assert lite == post


@given(st.text(st.sampled_from("?:'\"-/*%$ a1;()[]|&\n"), max_size=12))
def test_scraps_of_sql_never_escape_the_tree(table: Pair, scrap: str) -> None:
    """Whatever is sent, it is an answer or an error of ours; what the parser refuses, it refuses for both."""
    outcomes = [outcome(adapter.fetch_all, f"SELECT 1 AS x {scrap}", ()) for adapter in table]
    assert len({told[1] == "ParameterError" for told in outcomes}) == 1
