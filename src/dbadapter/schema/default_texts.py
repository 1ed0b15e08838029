"""Defaults as scripts and catalogs write them, as values and expressions of the model."""

from __future__ import annotations

import re
from typing import Any

from . import types as t
from .expressions_from_sqlite import from_sqlite
from .literal_values import value_from_text
from .scan import Token, closing, scan, unwrapped, without_parentheses
from .values import fault, normalized

__all__ = ["read_default"]

# The time of the insert in the words of both, without parentheses, casts and zone.
_NOW = frozenset(
    [
        "now", "current_timestamp", "localtimestamp", "transaction_timestamp", "current_date", "current_time",
        "localtime", "now at time zone utc", "timezone utc , now", "current_timestamp at time zone utc",
        "timezone utc , current_timestamp", "datetime now", "date now", "time now",
        "strftime %Y-%m-%d %H:%M:%f , now",
        "strftime %Y-%m-%d %H:%M:%S , now", "replace strftime %Y-%m-%d %H:%M:%f , now || 000 , .000000 ,",
        "replace strftime %H:%M:%f , now || 000 , .000000 ,",
    ]
)  # fmt: skip
_TYPE_WORDS = frozenset(["timestamp", "time", "with", "without", "character", "double"])  # more words follow
_RANDOM_UUID = frozenset(["gen_random_uuid", "uuid_generate_v4"])


def read_default(text: str, kind: t.Type, dialect: str) -> Any:
    """The default that the SQL text gives a column of that type; None for NULL.

    Raises ValueError where it is a literal that is no value of the type.
    """
    tokens = _bare([token for token in scan(text) if token.kind != "comment"])
    words = _words(tokens)
    if words in _NOW:
        return _now(words, kind, text, dialect)
    if words in _RANDOM_UUID or (dialect == "sqlite" and words.startswith("lower hex randomblob 4 || - ||")):
        return t.RandomUuid()
    literal = _literal(tokens, dialect)
    if literal is None:
        if dialect == "sqlite":
            return t.Sql(from_sqlite(without_parentheses(text)), without_parentheses(text))
        return t.Sql(without_parentheses(text))
    kind_of, content = literal
    if kind_of == "null":
        return None
    value = _value(kind_of, content, kind, dialect)
    problem = fault(kind, value)
    if problem:
        raise ValueError(problem)
    return value


def _now(words: str, kind: t.Type, text: str, dialect: str) -> Any:
    if isinstance(kind, (t.Timestamp, t.Date, t.Time)):
        return t.Now()
    if dialect == "postgresql":
        return t.Sql(without_parentheses(text))
    form = "YYYY-MM-DD" if words.split(maxsplit=1)[0] in ("date", "current_date") else "YYYY-MM-DD HH24:MI:SS"
    return t.Sql(f"to_char(now() AT TIME ZONE 'UTC', '{form}')", without_parentheses(text))


def _bare(tokens: list[Token]) -> list[Token]:
    """Without parentheses around the whole and without casts after it."""
    while True:
        tokens = unwrapped(tokens)
        casts = [place for place, token in enumerate(tokens) if token.is_op("::")]
        if not casts or not _is_type(tokens[casts[-1] + 1 :]) or not _whole(tokens[: casts[-1]]):
            return tokens
        tokens = tokens[: casts[-1]]


def _whole(tokens: list[Token]) -> bool:
    """One operand that a cast after it is a cast of: a literal, a call or something in parentheses."""
    if tokens and (tokens[0].is_op("-") or tokens[0].is_op("+")):
        tokens = tokens[1:]
    if any(token.is_op("::") for token in tokens):
        place = next(place for place, token in enumerate(tokens) if token.is_op("::"))
        return _whole(tokens[:place]) and _is_type(tokens[place + 1 :])
    if len(tokens) == 1:
        return True
    if tokens and tokens[0].kind == "word" and len(tokens) > 1 and tokens[1].is_op("["):
        return tokens[-1].is_op("]")
    start = 1 if tokens and tokens[0].kind == "word" else 0
    return (
        bool(tokens[start:])
        and tokens[start].is_op("(")
        and closing(tokens[start:]) == len(tokens) - start - 1
    )


def _is_type(tokens: list[Token]) -> bool:
    return bool(tokens) and all(
        token.kind in ("word", "name", "number") or token.text in ("(", ")", ",", "[", "]", ".", "::")
        for token in tokens
    )


def _words(tokens: list[Token]) -> str:
    """What the tokens say, without parentheses, casts to types, and the case of words and zones."""
    kept: list[str] = []
    skipping = False  # a type's words after a cast
    for token in tokens:
        if token.is_op("::"):
            skipping = True
        elif skipping and token.kind in ("word", "name"):
            skipping = token.text.lower() in _TYPE_WORDS
        elif not (token.is_op("(") or token.is_op(")")):
            skipping = False
            zone = token.kind == "string" and token.text.upper() == "UTC"
            kept.append(token.text.lower() if token.kind == "word" or zone else token.text)
    return " ".join(part for part in kept if part)


def _literal(tokens: list[Token], dialect: str) -> tuple[str, str] | None:
    """(kind, content) of a literal: ``number``, ``string``, ``blob``, ``array``, ``boolean`` or ``null``."""
    if len(tokens) == 2 and tokens[0].kind == "op" and tokens[0].text in "+-" and tokens[1].kind == "number":
        return "number", tokens[0].text.replace("+", "") + tokens[1].text
    if len(tokens) == 1:
        token = tokens[0]
        if token.kind in ("number", "string", "blob"):
            return token.kind, token.text
        if token.is_word("TRUE", "FALSE"):
            return "boolean", token.text.lower()
        if token.is_word("NULL"):
            return "null", ""
        # SQLite takes "text" for text where no column is called so.
        if dialect == "sqlite" and token.kind == "name":
            return "string", token.text
    is_array = len(tokens) > 2 and tokens[0].is_word("ARRAY")
    if is_array and tokens[1].is_op("[") and tokens[-1].is_op("]"):
        return _array(tokens[2:-1], dialect)
    return None


def _array(tokens: list[Token], dialect: str) -> tuple[str, str] | None:
    items: list[str] = []
    current: list[Token] = []
    for token in [*tokens, Token("op", ",", 0, 0)]:
        if token.is_op(","):
            if current:
                found = _literal(_bare(current), dialect)
                if found is None or found[0] == "null":
                    return None
                items.append('"' + found[1].replace("\\", "\\\\").replace('"', '\\"') + '"')
            current = []
        else:
            current.append(token)
    return "array", "{" + ",".join(items) + "}"


def _value(kind_of: str, content: str, kind: t.Type, dialect: str) -> Any:
    if kind_of == "blob":
        data = bytes.fromhex(content)
        if isinstance(kind, t.Vector):
            import numpy as np

            return tuple(float(item) for item in np.frombuffer(data, dtype="<f4"))
        return data if isinstance(kind, t.Bytes) else data.decode()
    if dialect == "sqlite":
        if isinstance(kind, t.Interval) and re.fullmatch(r"-?\d+", content):
            content += " microseconds"
        elif isinstance(kind, t.Decimal):
            content = content.removesuffix("_")
        elif isinstance(kind, t.Float) and "999" in content:
            content = content.replace("9e999", "inf")
    return normalized(kind, value_from_text(kind, content))
