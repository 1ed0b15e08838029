"""SQL expressions in SQLite's words, in the common ones (PostgreSQL's) that a model keeps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from ..errors import ConfigError
from . import types as t
from .expressions import Node, parse, strip_parens
from .patterns import glob_to_like, glob_to_regex
from .scan import scan, with_next
from .spelling import alike_on_both, has_letters

__all__ = ["from_sqlite", "with_values"]

# Functions of the moment and of formats: what other words make of them is something else, so they stay as they are,
# and PostgreSQL refuses them.
_ITS_OWN = frozenset(["date", "datetime", "julianday", "printf", "strftime", "time", "timediff", "unixepoch"])


@lru_cache(maxsize=2000)
def from_sqlite(text: str, columns: tuple[str, ...] = ()) -> str:
    """An expression in SQLite's words as a model keeps it; as it is where it cannot be read.

    Args:
        text: the expression.
        columns: the table's columns: SQLite takes a name in double quotes that is none of them for text.
    """
    from sqlglot import exp

    tokens = scan(text)
    known = {column.lower() for column in columns}
    quoted = any(token.kind == "name" and token.text.lower() not in known for token in tokens)
    if alike_on_both(text) and not (columns and quoted):
        return text
    if any(
        token.kind == "word" and token.text.lower() in _ITS_OWN and after.is_op("(")
        for token, after in with_next(tokens)
    ):
        return text
    try:
        root = exp.Paren(this=parse(text, "sqlite").copy())
    except ConfigError:
        return text
    for node in list(root.walk(bfs=False))[::-1]:
        replacement = _common(node, known)
        if replacement is not node:
            node.replace(replacement)
    return str(root.this.sql(dialect="postgres"))


def _common(node: Node, columns: set[str]) -> Node:
    from sqlglot import exp

    if isinstance(node, exp.Column) and columns and node.name.lower() not in columns:
        quoted = isinstance(node.this, exp.Identifier) and node.this.quoted and not node.table
        return exp.Literal.string(node.name) if quoted else node
    if isinstance(node, exp.And):
        return _filled(node)
    if isinstance(node, exp.Not) and isinstance(node.this, exp.RegexpLike):
        # NOT GLOB '*[^a-z]*': nothing but these characters.
        if only := re.fullmatch(r"\^\.\*\[\^(.+)\]\.\*\$", node.this.expression.name):
            return _regex(node.this.this, f"^[{only.group(1)}]*$")
        return node
    if isinstance(node, exp.Glob) and isinstance(node.expression, exp.Literal):
        pattern = glob_to_like(node.expression.name)
        if pattern is not None:
            return exp.Like(this=node.this.copy(), expression=exp.Literal.string(pattern))
        return _regex(node.this, glob_to_regex(node.expression.name))
    if (
        isinstance(node, exp.Like)
        and isinstance(node.expression, exp.Literal)
        and has_letters(node.expression.name)
    ):
        return exp.ILike(
            this=node.this.copy(), expression=node.expression.copy(), negate=node.args.get("negate")
        )
    if isinstance(node, exp.JSONType) and not node.args.get("expression"):
        return exp.Anonymous(this="jsonb_typeof", expressions=[node.this.copy()])
    if isinstance(node, exp.Anonymous) and node.name.lower() == "json_array_length":
        return exp.Anonymous(
            this="jsonb_array_length", expressions=[item.copy() for item in node.expressions]
        )
    return node


def _filled(node: Node) -> Node:
    """``x ~ '^[a-z]*$' AND x <> ''`` as ``x ~ '^[a-z]+$'``."""
    from sqlglot import exp

    one, two = node.this, node.args["expression"]
    if isinstance(one, exp.RegexpLike) and isinstance(two, exp.NEQ) and one.this == two.this:
        pattern = one.expression.name
        if re.fullmatch(r"\^\[[^\]]+\]\*\$", pattern) and two.expression == exp.Literal.string(""):
            return _regex(one.this, pattern[:-2] + "+$")
    return node


def _regex(tested: Node, pattern: str) -> Node:
    from sqlglot import exp

    return exp.RegexpLike(this=tested.copy(), expression=exp.Literal.string(pattern))


def with_values(text: str, kinds: Mapping[str, t.Type]) -> str:
    """An expression in which what SQLite stores for a truth value or an interval stands as such a literal.

    ``active IN (0, 1)`` is what an SQLite script says where PostgreSQL takes ``active IN (FALSE, TRUE)`` only.

    Args:
        text: the expression, in the common words.
        kinds: the types of the table's columns, by name in lower case.
    """
    from sqlglot import exp

    words = {token.text.lower() for token in scan(text)}
    if not any(isinstance(kind, (t.Boolean, t.Interval)) and name in words for name, kind in kinds.items()):
        return text
    try:
        root = exp.Paren(this=parse(text).copy())
    except ConfigError:
        return text
    changed = False
    for node in list(root.walk()):
        for tested, values in _compared(node):
            kind = kinds.get(tested.name.lower()) if isinstance(tested, exp.Column) else None
            for value in values:
                if (literal := _value(value, kind)) is not None:
                    value.replace(literal)
                    changed = True
    return str(root.this.sql(dialect="postgres")) if changed else text


def _compared(node: Node) -> list[tuple[Node, list[Node]]]:
    """What is compared with which values."""
    from sqlglot import exp

    if isinstance(node, (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is)):
        one, two = strip_parens(node.this), strip_parens(node.expression)
        return [(one, [two]), (two, [one])]
    if isinstance(node, exp.In):
        return [(strip_parens(node.this), list(node.expressions))]
    if isinstance(node, exp.Between):
        return [(strip_parens(node.this), [node.args["low"], node.args["high"]])]
    return []


def _value(value: Node, kind: t.Type | None) -> Node | None:
    """The literal of that type which a number in SQLite stands for; None if it is no such."""
    from sqlglot import exp

    number = value.this if isinstance(value, exp.Neg) else value
    if not isinstance(number, exp.Literal) or number.is_string or not number.name.isdecimal():
        return None
    if isinstance(kind, t.Boolean) and value.sql() in ("0", "1"):
        return exp.Boolean(this=number.name == "1")
    if isinstance(kind, t.Interval):
        return exp.Literal.string(f"{value.sql()} microseconds")
    return None
