"""SQL expressions (checks, index parts, generated columns, defaults): compare them by meaning.

A model keeps an expression as it was written, in PostgreSQL's spelling. PostgreSQL itself gives it back
rewritten (``a IN ('x')`` as ``(a)::text = ANY ((ARRAY['x'::character varying])::text[])``), so two texts are
compared by a key that leaves such rewriting out. sqlglot reads them; it is imported on first use.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, TypeAlias

from ..errors import ConfigError
from .scan import scan, with_next

__all__ = [
    "NUMERIC_CASTS",
    "Node",
    "array_items",
    "expression_key",
    "parse",
    "same_expression",
    "strip_parens",
    "to_postgresql",
]

Node: TypeAlias = Any
"""An expression of sqlglot's; the class at the root of them has had two names."""

NUMERIC_CASTS = frozenset(
    ["INT", "BIGINT", "SMALLINT", "DECIMAL", "DOUBLE", "FLOAT", "REAL", "UINT", "TINYINT", "BIGDECIMAL"]
)


def parse(text: str, dialect: str = "postgres") -> Node:
    """Read one expression; ConfigError with sqlglot's words if it cannot."""
    import sqlglot
    from sqlglot.errors import SqlglotError

    try:
        found: Node = sqlglot.parse_one(_with_names_quoted(text), dialect=dialect)
    except (SqlglotError, RecursionError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"cannot read the SQL expression {text!r}: {line}") from error
    return found


# Words that PostgreSQL takes for a column's name and writes without quotes, and sqlglot for the start of a statement.
_NOT_STATEMENTS = ("ALTER", "DROP", "IF", "INSERT", "REVOKE", "ROLLBACK")


def _with_names_quoted(text: str) -> str:
    """The text with quotes around names that sqlglot would stumble over; a call of `if()` is left as it is."""
    pieces, at = [], 0
    for token, after in with_next(scan(text)):
        if token.is_word(*_NOT_STATEMENTS) and not after.is_op("("):
            pieces += [text[at : token.start], f'"{token.text}"']
            at = token.end
    return "".join([*pieces, text[at:]])


def same_expression(one: str | None, other: str | None) -> bool:
    """Whether two expressions (or None) mean the same."""
    if one is None or other is None:
        return one is other
    return one == other or expression_key(one) == expression_key(other)


# What an expression read from SQLite may still hold when there were no other words for it.
_SQLITE_FUNCTIONS = frozenset(
    [
        "datetime", "glob", "hex", "ifnull", "iif", "instr", "json_extract", "json_group_array", "json_type",
        "json_valid", "julianday", "printf", "randomblob", "strftime", "timediff", "total", "typeof", "unhex",
        "unicode", "unixepoch", "zeroblob",
    ]
)  # fmt: skip


def to_postgresql(text: str) -> str:
    """The expression as it is; ConfigError where it has words that only SQLite has."""
    tokens = scan(text)
    for token, after in with_next(tokens):
        called = after.is_op("(") and token.text.lower() in _SQLITE_FUNCTIONS
        if token.kind == "word" and (called or token.is_word("GLOB", "REGEXP", "MATCH")):
            raise ConfigError(f"PostgreSQL has no words for {token.text} in {text!r}")
    return text


@lru_cache(maxsize=2000)
def expression_key(text: str) -> object:
    """A hashable value, equal for expressions that differ only in spelling, casts and parentheses."""
    try:
        return _key(parse(text))
    except ConfigError:
        return (
            "text",
            *((token.kind, token.text.lower()) for token in scan(text) if token.kind != "comment"),
        )


def strip_parens(node: Node) -> Node:
    """The expression inside any parentheses around it."""
    from sqlglot import exp

    while isinstance(node, exp.Paren):
        node = node.this
    return node


def array_items(node: Node) -> list[Node] | None:
    """The items of ``ANY (ARRAY[...])``'s argument, whatever casts stand around it."""
    from sqlglot import exp

    while isinstance(node, (exp.Paren, exp.Cast)):
        node = node.this
    return list(node.expressions) if isinstance(node, exp.Array) else None


def _key(node: Node) -> Any:
    from sqlglot import exp

    node = strip_parens(node)
    special = _operator_key(node)
    if special is not None:
        return special
    if isinstance(node, exp.Cast):
        return _cast_key(node)
    if isinstance(node, exp.Column):
        return ("column", node.name.lower())
    if isinstance(node, exp.Identifier):
        return ("name", node.name.lower())
    if isinstance(node, exp.Literal):
        return ("text", node.name) if node.is_string else _number(node.name)
    if isinstance(node, exp.Boolean):
        return ("boolean", bool(node.this))
    if isinstance(node, exp.Interval):
        unit = node.args.get("unit")
        return ("text", f"{node.name} {unit.name}".strip().lower() if unit else node.name.lower())
    if isinstance(node, exp.Trim) and str(node.args.get("position") or "BOTH").upper() == "BOTH":
        return ("Trim", (("this", (_key(node.this),)),))
    if isinstance(node, exp.JSONPath) and len(node.expressions) == 2:  # -> 'a' as it stands in a cast
        return ("text", str(node.expressions[1].this))
    name = node.name.lower() if isinstance(node, exp.Anonymous) else type(node).__name__
    parts = []
    for label, value in sorted(node.args.items()):
        if label == "this" and isinstance(node, exp.Anonymous):
            continue
        items = value if isinstance(value, list) else [value]
        keys = tuple(_key(item) for item in items if isinstance(item, exp.Expression))
        if keys:
            parts.append((label, keys))
        elif isinstance(value, str) and value:
            parts.append((label, (value.lower(),)))
    return (_SYNONYMS.get(name, name), tuple(parts))


_SYNONYMS = dict.fromkeys(["JSONType", "json_typeof", "json_type"], "jsonb_typeof") | dict.fromkeys(
    ["cardinality", "json_array_length", "JSONArrayLength"], "jsonb_array_length"
)


def _operator_key(node: Node) -> Any:
    """Keys of what has several spellings; None for all else."""
    from sqlglot import exp

    if node.args.get("negate"):  # NOT LIKE, IS NOT
        plain = node.copy()
        plain.set("negate", None)
        return _negated(_key(plain))
    if isinstance(node, exp.Not):
        return _negated(_key(node.this))
    if isinstance(node, (exp.And, exp.Or)):
        return (type(node).__name__, tuple(_key(item) for item in _flat(node, type(node))))
    if isinstance(node, exp.Between):
        value = _key(node.this)
        low, high = _key(node.args["low"]), _key(node.args["high"])
        return ("And", (_compare(">=", value, low), _compare("<=", value, high)))
    if isinstance(node, exp.In) and node.expressions:
        return _in(_key(node.this), [_key(item) for item in node.expressions])
    if isinstance(node, (exp.EQ, exp.NEQ)):
        return _equality_key(node)
    if isinstance(node, (exp.GT, exp.GTE, exp.LT, exp.LTE)):
        sign = {exp.GT: ">", exp.GTE: ">=", exp.LT: "<", exp.LTE: "<="}[type(node)]
        return _compare(sign, _key(node.this), _key(node.expression))
    if isinstance(node, exp.Neg):
        inner = _key(node.this)
        return ("number", -inner[1]) if inner[0] == "number" else ("-", inner)
    return None


def _equality_key(node: Node) -> Any:
    from sqlglot import exp

    right = strip_parens(node.args["expression"])
    equal = isinstance(node, exp.EQ)
    if isinstance(right, exp.Any) or (
        isinstance(right, exp.Anonymous) and right.name.upper() in ("ANY", "ALL")
    ):
        argument = right.this if isinstance(right, exp.Any) else right.expressions[0]
        items = array_items(argument)
        if items is not None:
            found = _in(_key(node.this), [_key(item) for item in items])
            return found if equal else _negated(found)
    if isinstance(right, exp.All) and not equal:
        items = array_items(right.this)
        if items is not None:
            return _negated(_in(_key(node.this), [_key(item) for item in items]))
    return _compare("=" if equal else "<>", _key(node.this), _key(right))


def _in(value: Any, items: list[Any]) -> Any:
    if len(items) == 1:
        return _compare("=", value, items[0])
    return ("in", value, tuple(items))


_ALL_DIGITS = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)  # the thread's own may round
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def _negated(key: Any) -> Any:
    """NOT of it; comparisons turn round, so that NOT BETWEEN meets the < OR > PostgreSQL makes of it."""
    if key[0] == "compare":
        return ("compare", _OPPOSITE[key[1]], key[2], key[3])
    if key[0] in ("And", "Or"):
        return ("Or" if key[0] == "And" else "And", tuple(_negated(item) for item in key[1]))
    if key[0] == "not":
        return key[1]
    return ("not", key)


def _compare(sign: str, left: Any, right: Any) -> Any:
    return ("compare", sign, left, right)


def _flat(node: Node, kind: Any) -> list[Node]:
    node = strip_parens(node)
    if isinstance(node, kind):
        return [*_flat(node.this, kind), *_flat(node.args["expression"], kind)]
    return [node]


def _cast_key(node: Node) -> Any:
    inner = strip_parens(node.this)
    key = _key(inner)
    kind = node.to.this  # a word; an expression where the type has parts, as an array's
    if key[0] == "text" and getattr(kind, "name", None) in NUMERIC_CASTS:
        return _number(key[1])
    return key


def _number(text: str) -> Any:
    try:
        return ("number", Decimal(text.strip()).normalize(_ALL_DIGITS) or Decimal())
    except InvalidOperation:
        return ("text", text)
