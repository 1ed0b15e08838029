"""SQL expressions in SQLite's words.

Whatever both backends read alike is taken over to the letter. The rest is rewritten where SQLite can say the
same, and refused (ConfigError naming the word) where it cannot: a check that is silently weaker is worse than
an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from .._dialects import SQLITE
from ..errors import ConfigError
from . import types as t
from .expressions import NUMERIC_CASTS, Node, array_items, parse, strip_parens
from .intervals import interval_from_text, microseconds
from .literal_values import value_from_text
from .literals import sqlite_literal
from .patterns import like_to_glob, regex_to_sqlite
from .scan import scan, with_next
from .spelling import COMMON_FUNCTIONS, KEYWORDS_BEFORE_PARENTHESIS, alike_on_both, has_letters
from .values import normalized

__all__ = ["Kinds", "kinds_of", "to_sqlite"]

Kinds = tuple[tuple[str, t.Type], ...]
"""The types of columns, by name."""

# What SQLite has in every build, as this module may write it.
_SQLITE = COMMON_FUNCTIONS | frozenset(
    [
        "char", "date", "datetime", "hex", "iif", "ifnull", "instr", "json_array_length", "json_extract",
        "json_type",
        "json_valid", "ltrim", "max", "min", "printf", "quote", "random", "randomblob", "rtrim", "strftime",
        "substr", "substring", "time", "trim", "typeof", "unicode", "zeroblob",
    ]
)  # fmt: skip
# Types whose literals SQLite keeps in another form than a script may write them in.
_SPELLED = (t.Interval, t.Timestamp, t.Date, t.Time, t.Boolean, t.Uuid)


def kinds_of(columns: Iterable[tuple[str, t.Type]]) -> Kinds:
    """The types that matter for reading literals."""
    return tuple((name, kind) for name, kind in columns if isinstance(kind, _SPELLED))


@lru_cache(maxsize=2000)
def to_sqlite(text: str, kinds: Kinds = ()) -> str:
    """An expression in PostgreSQL's words as SQLite reads it.

    Args:
        text: the expression.
        kinds: the types of the table's columns, from `kinds_of`: a literal compared with one of them is written
            as SQLite keeps it.

    Raises ConfigError where SQLite has no words for it.
    """
    if alike_on_both(text) and not (kinds and "'" in text):
        return text
    from sqlglot import exp

    root = exp.Paren(this=parse(text).copy())  # a root of its own, so that any node can be replaced
    respelled = _respell(root, dict(kinds)) if kinds else False
    if alike_on_both(text) and not respelled:
        return text
    for node in list(root.walk(bfs=False))[::-1]:  # leaves first
        replacement = _translated(node)
        if replacement is not node:
            node.replace(replacement)
    written: str = root.this.sql(dialect="sqlite")
    _refuse_foreign(text, written)
    return written


def _respell(root: Node, kinds: dict[str, t.Type]) -> bool:
    """Write each literal that a column is compared with as SQLite keeps it."""
    from sqlglot import exp

    changed = False
    for column in list(root.find_all(exp.Column)):
        kind = kinds.get(column.name)
        holder = column.parent
        while isinstance(holder, (exp.Paren, exp.Cast)):
            holder = holder.parent
        if kind is None or not isinstance(holder, (exp.Binary, exp.Between, exp.In)):
            continue
        for value in [*holder.iter_expressions()]:
            literal = strip_parens(value)
            while isinstance(literal, exp.Cast):
                literal = strip_parens(literal.this)
            if isinstance(literal, exp.Literal) and literal.is_string:
                try:
                    found = normalized(kind, value_from_text(kind, literal.name))
                except ValueError:
                    continue
                value.replace(_sql(sqlite_literal(kind, found)))
                changed = True
    return changed


def _refuse_foreign(text: str, written: str) -> None:
    tokens = scan(written)
    for token, after in with_next(tokens):
        word = token.text.lower()
        called = token.kind == "word" and after.is_op("(") and word not in KEYWORDS_BEFORE_PARENTHESIS
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
            # Of no document at all, neither yes nor no can be said.
            there = f"json_type({_text(node.this)}, {SQLITE.literal(path)}) IS NOT NULL"
            return _sql(f"CASE WHEN {_text(node.this)} IS NOT NULL THEN {there} END")
    if isinstance(node, exp.ArraySize):
        return _sql(f"nullif(json_array_length({_text(node.this)}), 0)")  # NULL for an empty array
    if isinstance(node, exp.Left):
        return _sql(f"substr({_text(node.this)}, 1, {_text(node.expression)})")
    if isinstance(node, exp.Extract):
        return _extract(node)
    if isinstance(node, exp.Interval):
        unit = node.args.get("unit")
        return _interval(f"{node.name} {unit.name if unit else ''}") or node
    if isinstance(node, (exp.Greatest, exp.Least)) and node.expressions:
        return _extreme(node, [_text(item) for item in (node.this, *node.expressions)])
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


def _extreme(node: Node, items: list[str]) -> Node:
    """GREATEST and LEAST pass over NULLs, and SQLite's functions do not."""
    from sqlglot import exp

    function = "max" if isinstance(node, exp.Greatest) else "min"
    turns = (items[place:] + items[:place] for place in range(len(items)))
    return _sql(f"{function}({', '.join(f'coalesce({chr(44).join(turn)})' for turn in turns)})")


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
    if not has_letters(pattern.name) and "\\" not in pattern.name:
        return node  # nothing whose case could be ignored
    return _sql(f"{_text(node.this)} {negated}GLOB {SQLITE.literal(like_to_glob(pattern.name))}")


_FIELDS = {"YEAR": "%Y", "MONTH": "%m", "DAY": "%d", "HOUR": "%H", "MINUTE": "%M", "DOW": "%w", "DOY": "%j"}


def _extract(node: Node) -> Node:
    field = _FIELDS.get(node.name.upper())
    return _sql(f"CAST(strftime('{field}', {_text(node.expression)}) AS INTEGER)") if field else node


def _text(node: Node) -> str:
    return str(node.sql(dialect="sqlite"))


def _sql(text: str) -> Node:
    return parse(text, "sqlite")
