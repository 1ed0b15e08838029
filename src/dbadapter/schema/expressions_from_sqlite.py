"""SQL expressions in SQLite's words, in the common ones (PostgreSQL's) that a model keeps."""

from __future__ import annotations

import re
from functools import lru_cache

from ..errors import ConfigError
from .expressions import Node, parse
from .patterns import glob_to_like, glob_to_regex
from .scan import scan
from .spelling import alike_on_both, has_letters

__all__ = ["from_sqlite"]


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
