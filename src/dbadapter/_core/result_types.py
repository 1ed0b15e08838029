"""The types of result columns that are expressions, as far as a statement's text tells them.

SQLite knows declared types of plain columns only. But ``max(made)`` has the type of ``made``: so when the types are
looked up (which does not run the statement), a call of a function that keeps its argument's type is replaced by that
argument. A result column that is only a placeholder has the type of its parameter, and a comparison is a boolean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import attrs

from .parsing import TOKEN, comment_end
from .statement import Statement

__all__ = ["ADDING", "KEEPING", "echoes", "reduced", "told_types"]

KEEPING = frozenset("coalesce first_value ifnull lag last_value lead max min nth_value nullif".split())
"""Functions whose result is one of their arguments."""
ADDING = KEEPING | {"abs", "avg", "round", "sum"}
"""Also functions whose result has the type of their argument where that is a decimal number or a duration."""

_NO_COLUMNS = frozenset("null true false current_date current_time current_timestamp".split())
_AFTER_THE_COLUMNS = frozenset("from where group having window order limit offset".split())
_COMPOUND = frozenset("union intersect except".split())
_PREDICATES = frozenset("and between exists glob in is isnull like not notnull or regexp".split())
_SPEAKING = {
    "true": "BOOLEAN",
    "false": "BOOLEAN",
    "current_date": "DATE",
    "current_timestamp": "TIMESTAMPTZ",
}


@attrs.frozen
class _Token:
    kind: str
    text: str
    word: str = ""
    slot: int | None = None
    spaced: bool = attrs.field(default=False, eq=False)  # `<` and `=` make `<=` only side by side


@lru_cache(maxsize=8)
def _tokens(statement: Statement) -> tuple[_Token, ...]:
    found: list[_Token] = []
    spaced = False
    for number, piece in enumerate(statement.pieces):
        position = 0
        while match := TOKEN.match(piece, position):
            kind, text, position = match.lastgroup or "", match.group(), match.end()
            if kind == "comment":
                position = comment_end(piece, match.start())
            is_token = kind not in ("comment", "space")
            if is_token:
                found.append(_Token(kind, text, text.lower() if kind == "word" else "", spaced=spaced))
            spaced = not is_token
        if number < len(statement.slots):
            expands = statement.slots[number].expands
            found.append(_Token("slot", "(NULL)" if expands else "NULL", slot=number, spaced=spaced))
            spaced = False
    return tuple(found)


def reduced(statement: Statement, functions: frozenset[str]) -> str | None:
    """The text without parameters and with each call of one of `functions` as its argument; None: there is none."""
    tokens = _tokens(statement)
    result = _reduce(tokens, functions)
    if result == list(tokens):
        return None
    return "".join(" " * token.spaced + token.text for token in result).rstrip("; ")


def echoes(statement: Statement) -> tuple[tuple[int, int], ...]:
    """The result columns that are a parameter as it was given, as (position, which of the values bound to ``?``)."""
    items = [(position, item[0].slot) for position, item in enumerate(_items(statement)) if len(item) == 1]
    return tuple(
        (position, slot)
        for position, slot in items
        if slot is not None and not any(before.expands for before in statement.slots[: slot + 1])
    )


def told_types(statement: Statement) -> Iterator[tuple[int, str]]:
    """The result columns whose type their text tells, as (position, as a column of the type is declared)."""
    for position, item in enumerate(_items(statement)):
        words = [token.word for token in item]
        if len(item) == 1 and words[0] in _SPEAKING:
            yield position, _SPEAKING[words[0]]
        elif words[:1] == ["cast"] and _within(item, 1)[1] == len(item) and "as" in words:
            place = len(words) - words[::-1].index("as")
            yield position, " ".join(token.text for token in item[place:-1])
        elif _is_predicate(item):
            yield position, "BOOLEAN"


def _items(statement: Statement) -> list[list[_Token]]:
    """The columns of a query's result without their names; none where it cannot be told which is which."""
    tokens = _tokens(statement)
    if statement.verb != "select" or any(token.word in _COMPOUND for token in tokens):
        return []
    start = 2 if len(tokens) > 1 and tokens[1].word in ("all", "distinct") else 1
    items = _split(_until(tokens[start:], _AFTER_THE_COLUMNS))
    if any(not item or item[-1].text == "*" for item in items):  # more columns than one
        return []
    return [_without_name(item) for item in items]


def _without_name(item: list[_Token]) -> list[_Token]:
    if len(item) > 2 and item[-2].word == "as":
        return item[:-2]
    named = len(item) == 2 and item[0].kind == "slot" and item[1].kind in ("word", "quoted")
    return item[:1] if named and item[1].word not in _PREDICATES else item


def _is_predicate(item: list[_Token]) -> bool:
    """Its outermost operator gives true or false."""
    while len(item) > 2 and item[0].text == "(" and _within(item, 0)[1] == len(item):
        item = item[1:-1]
    if item[0].word in ("select", "values"):
        return False
    depth = 0
    for place, token in enumerate(item):
        depth += {"(": 1, ")": -1}.get(token.text, 0) + {"case": 1, "end": -1}.get(token.word, 0)
        if depth == 0 and token.word in _PREDICATES:
            return True
        if depth == 0 and token.text in ("=", "<", ">"):
            around = [other.text for other in item[max(place - 1, 0) : place + 2]]
            if around[0] != "-" and around.count(token.text) == 1:  # not `->`, `->>`, `<<` or `>>`
                return True
    return False


def _reduce(tokens: Sequence[_Token], functions: frozenset[str]) -> list[_Token]:
    result: list[_Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        called = place + 1 < len(tokens) and tokens[place + 1].text == "("
        after, candidates = place + 1, []
        if token.word in functions and called:
            inner, after = _within(tokens, place + 1)
            candidates = [part[part[:1] == [_DISTINCT] :] for part in _split(inner)]
            after = _without_window(tokens, after)
        elif token.word == "case":
            candidates, after = _results_of_case(tokens, place)
        shown = [_reduce(candidate, functions) for candidate in candidates]
        if chosen := next((part for part in shown if _has_a_type(part)), None):
            result += [_OPEN, *chosen, _CLOSE]
            place = after
        else:
            result.append(token)
            place += 1
    return result


_OPEN, _CLOSE, _DISTINCT = _Token("other", "("), _Token("other", ")"), _Token("word", "distinct", "distinct")


def _has_a_type(tokens: list[_Token]) -> bool:
    """A column, or a subquery."""
    while len(tokens) > 1 and (tokens[0].text, tokens[-1].text) == ("(", ")"):
        tokens = tokens[1:-1]
    if tokens and tokens[0].word == "select":
        return True
    return bool(tokens) and all(
        token.kind == "quoted" or token.text == "." or (token.word and token.word not in _NO_COLUMNS)
        for token in tokens
    )


def _within(tokens: Sequence[_Token], start: int) -> tuple[Sequence[_Token], int]:
    """What stands in the parentheses that open at `start`, and where it goes on after them."""
    depth = 0
    for place in range(start, len(tokens)):
        depth += {"(": 1, ")": -1}.get(tokens[place].text, 0)
        if depth == 0:
            return tokens[start + 1 : place], place + 1
    return tokens[start + 1 :], len(tokens)


def _without_window(tokens: Sequence[_Token], place: int) -> int:
    """Past FILTER (…) and OVER (…) or OVER name."""
    while place + 1 < len(tokens) and tokens[place].word in ("filter", "over"):
        place = _within(tokens, place + 1)[1] if tokens[place + 1].text == "(" else place + 2
    return place


def _results_of_case(tokens: Sequence[_Token], start: int) -> tuple[list[list[_Token]], int]:
    """What follows each THEN and the ELSE of the CASE at `start`, and where it goes on after its END."""
    results: list[list[_Token]] = []
    depth, open_result = 0, False
    for place in range(start, len(tokens)):
        token = tokens[place]
        if token.word == "case":
            depth += 1
        elif token.word == "end":
            depth -= 1
            if depth == 0:
                return results, place + 1
        if depth == 1 and token.word in ("then", "else", "when"):
            open_result = token.word != "when"
            if open_result:
                results.append([])
        elif open_result:
            results[-1].append(token)
    return [], len(tokens)


def _until(tokens: Sequence[_Token], words: frozenset[str]) -> list[_Token]:
    depth = 0
    for place, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and (token.word in words or token.text == ";"):
            return list(tokens[:place])
    return list(tokens)


def _split(tokens: Sequence[_Token]) -> list[list[_Token]]:
    """The parts between the commas that stand in no parentheses."""
    parts: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if depth == 0 and token.text == ",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
