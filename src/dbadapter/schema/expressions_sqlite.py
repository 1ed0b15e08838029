"""SQL expressions in SQLite's words, and SQLite's in the common ones (PostgreSQL's).

Whatever both backends read alike is taken over to the letter. The rest is rewritten where SQLite can say the
same, and refused (ConfigError naming the word) where it cannot: a check that is silently weaker is worse than
an error.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..errors import ConfigError
from .expressions import NUMERIC_CASTS, Node, array_items, parse, strip_parens
from .literals import interval_from_text, microseconds
from .patterns import glob_to_like, glob_to_regex, like_to_glob, regex_to_sqlite
from .scan import Token, scan

__all__ = ["from_sqlite", "to_sqlite"]

# Functions with the same name and meaning on both backends.
_COMMON = frozenset(["abs", "coalesce", "length", "lower", "nullif", "replace", "round", "upper"])
# What SQLite has in every build, as this module may write it.
_SQLITE = _COMMON | frozenset(
    [
        "char", "date", "datetime", "hex", "iif", "ifnull", "instr", "json_array_length", "json_extract",
        "json_type",
        "json_valid", "ltrim", "max", "min", "printf", "quote", "random", "randomblob", "rtrim", "strftime",
        "substr", "substring", "time", "trim", "typeof", "unicode", "zeroblob",
    ]
)  # fmt: skip
_KEYWORDS_BEFORE_PARENTHESIS = frozenset(
    ["and", "between", "case", "cast", "else", "in", "is", "like", "not", "or", "then", "when"]
)
_PLAIN_OPERATORS = frozenset(
    ["=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "||", "(", ")", ","]
)
_REFUSED_WORDS = frozenset(
    [
        "all", "any", "array", "at", "cast", "collate", "current_date", "current_time",
        "current_timestamp", "date",
        "distinct", "extract", "glob", "ilike", "interval", "isnull", "like", "localtimestamp", "notnull",
        "overlaps",
        "position", "regexp", "row", "similar", "some", "time", "timestamp", "trim",
    ]
)  # fmt: skip


def _same_on_both(tokens: list[Token]) -> bool:
    for token, after in zip(tokens, [*tokens[1:], Token("op", ";", 0, 0)], strict=True):
        word = token.text.lower()
        if token.kind in ("comment", "bad", "blob") or (token.kind == "op" and word not in _PLAIN_OPERATORS):
            return False
        if token.kind == "word":
            called = after.is_op("(") and word not in _KEYWORDS_BEFORE_PARENTHESIS
            if word in _REFUSED_WORDS or (called and word not in _COMMON):
                return False
    return True


def _written_plainly(text: str, tokens: list[Token]) -> bool:
    """No strings or names in one dialect's own quoting (E'..', $$..$$, [name])."""
    return all(text[token.start] in "'\"" for token in tokens if token.kind in ("string", "name"))


@lru_cache(maxsize=2000)
def to_sqlite(text: str) -> str:
    """An expression in PostgreSQL's words as SQLite reads it.

    Raises ConfigError where SQLite has no words for it.
    """
    tokens = scan(text)
    if _same_on_both(tokens) and _written_plainly(text, tokens):
        return text
    from sqlglot import exp

    root = exp.Paren(this=parse(text).copy())  # a root of its own, so that any node can be replaced
    for node in list(root.walk(bfs=False))[::-1]:  # leaves first
        replacement = _translated(node)
        if replacement is not node:
            node.replace(replacement)
    written: str = root.this.sql(dialect="sqlite")
    _refuse_foreign(text, written)
    return written


def _refuse_foreign(text: str, written: str) -> None:
    tokens = scan(written)
    for token, after in zip(tokens, [*tokens[1:], Token("op", ";", 0, 0)], strict=True):
        word = token.text.lower()
        called = token.kind == "word" and after.is_op("(") and word not in _KEYWORDS_BEFORE_PARENTHESIS
        foreign = (called and word not in _SQLITE) or (
            token.kind == "word"
            and word in ("regexp", "array", "similar", "interval", "any", "all", "extract")
        )
        if foreign or (
            token.kind == "op" and ("?" in word or "@" in word or "~" in word or word in ("&&", "#>"))
        ):
            raise ConfigError(
                f"SQLite has no words for {token.text} in {text!r}; give the SQLite expression with "
                'sqlite=..., or sqlite="" to leave a check out there'
            )


def _translated(node: Node) -> Node:
    from sqlglot import exp

    if isinstance(node, exp.Cast):
        return _cast(node)
    if isinstance(node, (exp.EQ, exp.NEQ)):
        return _membership(node)
    if isinstance(node, (exp.Like, exp.ILike, exp.RegexpLike)):
        return _pattern(node)
    if isinstance(node, exp.JSONBContainsTopKey):
        key = node.expression
        if isinstance(key, exp.Literal):
            path = '$."' + key.name.replace('"', '\\"') + '"'
            return _sql(f"json_type({_text(node.this)}, {_string(path)}) IS NOT NULL")
    if isinstance(node, exp.ArraySize):
        return _sql(f"nullif(json_array_length({_text(node.this)}), 0)")  # NULL for an empty array
    if isinstance(node, exp.Left):
        return _sql(f"substr({_text(node.this)}, 1, {_text(node.expression)})")
    if isinstance(node, exp.Extract):
        return _extract(node)
    if isinstance(node, exp.Interval):
        unit = node.args.get("unit")
        return _interval(f"{node.name} {unit.name if unit else ''}") or node
    if isinstance(node, exp.Greatest) and node.expressions:
        return _sql(f"max({', '.join(map(_text, [node.this, *node.expressions]))})")
    if isinstance(node, exp.Anonymous):
        return _function(node)
    return node


_JSON_KINDS = "WHEN 'text' THEN 'string' WHEN 'integer' THEN 'number' WHEN 'real' THEN 'number'"


def _function(node: Node) -> Node:
    name, items = node.name.lower(), [_text(item) for item in node.expressions]
    if name in ("jsonb_typeof", "json_typeof"):
        other = node.parent.args.get("expression") if node.parent and node.parent.arg_key != "to" else None
        if other is not None and other.name in ("object", "array", "null") and node.arg_key == "this":
            return _sql(f"json_type({items[0]})")
        return _sql(
            f"CASE json_type({items[0]}) {_JSON_KINDS} WHEN 'true' THEN 'boolean' "
            f"WHEN 'false' THEN 'boolean' ELSE json_type({items[0]}) END"
        )
    if name in ("cardinality", "jsonb_array_length"):
        return _sql(f"json_array_length({items[0]})")
    if name == "num_nonnulls":
        return _sql("(" + " + ".join(f"({item} IS NOT NULL)" for item in items) + ")")
    if name == "num_nulls":
        return _sql("(" + " + ".join(f"({item} IS NULL)" for item in items) + ")")
    if name == "octet_length":
        return _sql(f"length(CAST({items[0]} AS BLOB))")
    return node


def _cast(node: Node) -> Node:
    """PostgreSQL's casts mostly tell it what SQLite need not know; some change the value."""
    from sqlglot import exp

    inner, kind = strip_parens(node.this), node.to.this.name
    if isinstance(inner, exp.Literal):
        if kind == "INTERVAL":
            return _interval(inner.name) or node
        if kind in NUMERIC_CASTS and inner.is_string:
            return _sql(inner.name)
        return inner
    if kind in ("DECIMAL", "DOUBLE", "FLOAT"):
        return _sql(f"CAST({_text(inner)} AS REAL)")
    if kind in NUMERIC_CASTS:
        return _sql(f"CAST({_text(inner)} AS INTEGER)")
    if kind == "DATE":
        return _sql(f"date({_text(inner)})")
    return inner if isinstance(inner, exp.Column) else exp.Paren(this=inner.copy())


def _interval(text: str) -> Node | None:
    found = interval_from_text(text)
    return None if found is None else _sql(str(microseconds(found)))


def _membership(node: Node) -> Node:
    """``= ANY (ARRAY[...])`` and ``<> ALL (ARRAY[...])`` as IN and NOT IN."""
    from sqlglot import exp

    right = strip_parens(node.args["expression"])
    quantifier = right.name.upper() if isinstance(right, exp.Anonymous) else type(right).__name__.upper()
    if quantifier != ("ANY" if isinstance(node, exp.EQ) else "ALL"):
        return node
    items = array_items(right.expressions[0] if isinstance(right, exp.Anonymous) else right.this)
    if items is None:
        return node
    word = "IN" if quantifier == "ANY" else "NOT IN"
    return _sql(f"{_text(node.this)} {word} ({', '.join(map(_text, items))})")


def _pattern(node: Node) -> Node:
    from sqlglot import exp

    pattern, negated = strip_parens(node.expression), "NOT " if node.args.get("negate") else ""
    if isinstance(node, exp.ILike):
        return _sql(f"{_text(node.this)} {negated}LIKE {_text(pattern)}")
    if not isinstance(pattern, exp.Literal) or isinstance(node.parent, exp.Escape):
        return node
    if isinstance(node, exp.RegexpLike):
        found = regex_to_sqlite(_text(node.this), pattern.name)
        return node if found is None else _sql(found)
    if not _has_letters(pattern.name) and "\\" not in pattern.name:
        return node  # nothing whose case could be ignored
    return _sql(f"{_text(node.this)} {negated}GLOB {_string(like_to_glob(pattern.name))}")


_FIELDS = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "DOW": "%w", "DOY": "%j"}


def _extract(node: Node) -> Node:
    field = _FIELDS.get(node.name.upper())
    return _sql(f"CAST(strftime('{field}', {_text(node.expression)}) AS INTEGER)") if field else node


def _text(node: Node) -> str:
    return str(node.sql(dialect="sqlite"))


def _string(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _sql(text: str) -> Node:
    return parse(text, "sqlite")


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
    if _same_on_both(tokens) and _written_plainly(text, tokens) and not (columns and quoted):
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
        and _has_letters(node.expression.name)
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


def _has_letters(text: str) -> bool:
    """Whether the case of something in it could matter to LIKE."""
    return any(char.isascii() and char.isalpha() for char in text)
