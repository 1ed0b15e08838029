"""Defaults, checks, index parts and generated columns of SQLite in Postgres' words, in the target's names.

Nothing here is trusted: the statement with the expression is tried inside a savepoint, and what fails is listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._dialects import POSTGRESQL, datatype_constraint
from ..errors import ConfigError
from ..schema.expressions import Node, parse, strip_parens
from ..schema.expressions_from_sqlite import from_sqlite
from ..schema.scan import Token, scan, unwrapped
from . import conversions as c
from ._types import canonical

if TYPE_CHECKING:
    from sqlglot import exp

    from .plan import ColumnPlan

__all__ = ["is_datatype_check", "postgres_default", "postgres_expression", "postgres_generated"]

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "double precision", "real")


def postgres_expression(text: str, columns: Mapping[str, ColumnPlan], *, condition: bool = False) -> str:
    """An expression over the table's columns for Postgres. Raises ConfigError where it cannot be read.

    Args:
        text: the expression as SQLite has it.
        columns: the table's columns by their names in lower case.
        condition: it is a condition as a whole, which Postgres wants boolean.
    """
    from sqlglot import exp

    for token in scan(text):
        if token.is_word("TYPEOF", "JSON_VALID"):
            raise ConfigError(f"{token.text} is SQLite's own")
    names = tuple(column.name for column in columns.values())
    root = exp.Paren(this=parse(from_sqlite(_standard_names(text), names)).copy())
    for node in list(root.walk(bfs=False)):
        if isinstance(node, exp.Column) and node.name.lower() in columns:
            node.replace(exp.column(exp.to_identifier(columns[node.name.lower()].target, quoted=True)))
    inner = root.this
    if condition:
        inner.replace(_boolean(inner.copy(), columns))
    for node in list(root.walk(bfs=False)):
        if isinstance(node, (exp.EQ, exp.NEQ, exp.Is, exp.In)):
            _compare_booleans(node, columns)
    return str(root.this.sql(dialect="postgres"))


def _standard_names(text: str) -> str:
    """``[name]`` and backticks as double quotes."""
    out, at = [], 0
    for token in scan(text):
        if token.kind == "name" and text[token.start] in "[`":
            out += [text[at : token.start], POSTGRESQL.quote(token.text)]
            at = token.end
    return "".join(out) + text[at:]


def _kind(node: Node, columns: Mapping[str, ColumnPlan]) -> str | None:
    """The Postgres type of a column node."""
    from sqlglot import exp

    node = strip_parens(node)
    if not isinstance(node, exp.Column):
        return None
    found = next((column for column in columns.values() if column.target == node.name), None)
    return canonical(found.type)[0] if found else None


def _boolean(node: exp.Expression, columns: Mapping[str, ColumnPlan]) -> exp.Expression:
    """A number as a condition: true where it is not 0."""
    from sqlglot import exp

    if isinstance(node, (exp.And, exp.Or)):
        for side in ("this", "expression"):
            node.set(side, _boolean(node.args[side].copy(), columns))
    elif isinstance(node, (exp.Not, exp.Paren)):
        node.set("this", _boolean(node.this.copy(), columns))
    elif _kind(node, columns) in _NUMBERS:
        return exp.NEQ(this=node, expression=exp.Literal.number(0))
    return node


def _compare_booleans(node: exp.Expression, columns: Mapping[str, ColumnPlan]) -> None:
    """``active = 1`` for a boolean column: the literal becomes what the column's conversion makes of it."""
    from sqlglot import exp

    sides = [node.this, *(node.expressions if isinstance(node, exp.In) else [node.expression])]
    booleans = [side for side in sides if _kind(side, columns) == "boolean"]
    if not booleans:
        return
    column = next(column for column in columns.values() if column.target == strip_parens(booleans[0]).name)
    conversion = c.load(column.conversion)
    for side in sides:
        literal = strip_parens(side)
        if isinstance(literal, exp.Literal):
            value: Any = literal.name if literal.is_string else float(literal.name)
            try:
                meant, _ = conversion.one(int(value) if not literal.is_string else value)
            except c.Refused:
                raise ConfigError(f"{literal.name} is no boolean") from None
            side.replace(exp.Boolean(this=meant == "t"))


# -- generated columns ---------------------------------------------------------------------------------------------


def postgres_generated(text: str, columns: Mapping[str, ColumnPlan]) -> str:
    """A generated column's expression, if it is of the few kinds that give the same on both sides.

    Raises ConfigError otherwise: the column's values are copied then, as they stand.
    """
    from sqlglot import exp

    found = parse(postgres_expression(text, columns))
    plain = (exp.Column, exp.Identifier, exp.Literal, exp.Paren, exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Coalesce,
             exp.DPipe)  # fmt: skip
    for node in found.walk():
        if not isinstance(node, plain):
            raise ConfigError(f"{type(node).__name__.lower()} may differ between the two databases")
        if isinstance(node, exp.Column):
            kind = _kind(node, columns)
            exact = any(
                column.target == node.name and column.conversion["kind"] in ("integer", "float", "text")
                for column in columns.values()
            )
            text_wanted = found.find(exp.DPipe) is not None
            if not exact or (kind in ("text", "character varying")) != text_wanted:
                raise ConfigError(f"it computes with {node.name}, which is {kind} there")
    return str(found.sql(dialect="postgres"))


# -- defaults ------------------------------------------------------------------------------------------------------

_NOW_WORDS = {
    "current_timestamp": "YYYY-MM-DD HH24:MI:SS",
    "current_date": "YYYY-MM-DD",
    "current_time": "HH24:MI:SS",
    "datetime now": "YYYY-MM-DD HH24:MI:SS",
    "date now": "YYYY-MM-DD",
    "time now": "HH24:MI:SS",
    "strftime %Y-%m-%d %H:%M:%f , now": "YYYY-MM-DD HH24:MI:SS.MS",
    "strftime %Y-%m-%d %H:%M:%S , now": "YYYY-MM-DD HH24:MI:SS",
    "strftime %Y-%m-%dT%H:%M:%fZ , now": 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"',
    "strftime %Y-%m-%dT%H:%M:%SZ , now": 'YYYY-MM-DD"T"HH24:MI:SS"Z"',
    "replace strftime %Y-%m-%d %H:%M:%f , now || 000 , .000000 ,": "YYYY-MM-DD HH24:MI:SS.MS",
    "replace strftime %H:%M:%f , now || 000 , .000000 ,": "HH24:MI:SS.MS",
}
_PRECISION = {"YYYY-MM-DD": "day", "YYYY-MM-DD HH24:MI:SS": "second", "HH24:MI:SS": "second"}
_UTC = "(now() AT TIME ZONE 'UTC')"


def postgres_default(text: str, column: ColumnPlan) -> str | None:
    """A default of SQLite for the column in Postgres; None for NULL. Raises ConfigError where there is none."""
    tokens = unwrapped([token for token in scan(text) if token.kind != "comment"])
    words = " ".join(token.text for token in tokens if token.text not in ("(", ")")).strip()
    low = words if words in _NOW_WORDS else words.lower()
    if low in _NOW_WORDS:
        return _now(_NOW_WORDS[low], column)
    if words.lower().startswith("lower hex randomblob 4 || - ||"):
        return "gen_random_uuid()" if canonical(column.type)[0] == "uuid" else "(gen_random_uuid()::text)"
    literal = _literal(tokens)
    if literal is None:
        if any(token.is_op("(") or token.kind == "word" for token in tokens):
            raise ConfigError(f"the default {text} has no sure counterpart")
        return postgres_expression(text, {})
    value = literal[0]
    if value is None:
        return None
    conversion = c.load(column.conversion)
    if isinstance(conversion, c.Text) and not isinstance(value, str):
        value = str(value)
    try:
        written, _ = conversion.one(value)
    except c.Refused as refusal:
        raise ConfigError(f"the default {refusal}") from None
    if canonical(column.type)[0] in _NUMBERS and re.fullmatch(r"-?[\d.]+", written):
        return written
    return POSTGRESQL.literal(written)


def _literal(tokens: list[Token]) -> tuple[Any] | None:
    """The value of a literal, as SQLite would store it, in a tuple."""
    sign = 1
    if len(tokens) == 2 and tokens[0].kind == "op" and tokens[0].text in "+-":
        sign, tokens = (-1 if tokens[0].text == "-" else 1), tokens[1:]
    if len(tokens) != 1:
        return None
    token = tokens[0]
    if token.kind == "string" or token.kind == "name":
        return (token.text,)
    if token.kind == "blob":
        return (bytes.fromhex(token.text),)
    if token.kind == "number":
        number: int | float
        try:
            number = int(token.text, 0) if token.text.lower().startswith("0x") else int(token.text)
        except ValueError:
            number = float(token.text)
        return (sign * number,)
    if token.kind == "word":
        known = {"null": None, "true": 1, "false": 0}
        # A bare word is text, as SQLite takes it.
        return (known.get(token.text.lower(), token.text),)
    return None


def _now(format: str, column: ColumnPlan) -> str:
    kind = canonical(column.type)[0]
    precision = _PRECISION.get(format, "milliseconds")
    if kind == "timestamp with time zone":
        return "now()" if precision == "milliseconds" else f"date_trunc('{precision}', now())"
    if kind == "timestamp without time zone":
        return f"date_trunc('{precision}', {_UTC})"
    if kind == "date":
        return f"({_UTC}::date)"
    if kind == "time without time zone":
        return f"(date_trunc('{precision}', {_UTC})::time)"
    if kind in ("text", "character varying"):
        return f"to_char({_UTC}, '{format}')"
    raise ConfigError(f"the time of the insert is no default for {column.type}")


def is_datatype_check(name: str | None, table: str, column: str) -> bool:
    """Whether a check is the one with which the adapter's own DDL enforces the column's type."""
    return name == datatype_constraint(table, column)
