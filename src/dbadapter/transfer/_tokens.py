"""The part of a row's digest that one value makes: written by SQLite, by Postgres and by Python, each for itself.

A token is the stored value of SQLite with its class, so that no two values of a column have the same: ``i5;``,
``t3:abc;`` (the length is in bytes), ``m2024-01-31;`` for a text without a semicolon in a column of dates or times,
``b00ff;``, and for a REAL what both engines write quickly and exactly:

* of a `double precision`: the whole part, and the rest in units of 2^-62: ``r2:1152921504606846976;`` is 2.25. This is
  exact from 2^-10 to 2^53;
* of a `numeric` of up to 15 digits: the decimal number whose nearest double it is: ``d2.25;``. An INTEGER in such a
  column is ``d2.00;``, and a REAL that is a whole number one of the others;
* of anything else: its bits, ``r4002000000000000;``.

NULL is the column's form with nothing in it: ``i;``. Values that are not what their column is for are written in
`to_token`'s form, which has none of the shapes above.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from typing import Any

from attrs import frozen

from .._dialects import POSTGRESQL, SQLITE
from . import conversions as c
from ._values import RawText, to_token

__all__ = ["Tokens", "install", "postgres_line", "sqlite_line", "tokens_of"]

_LOW, _HIGH, _UNITS = 2.0**-10, 2**53, 2**62
# Functions take at most 127 arguments in SQLite and 100 in Postgres.
_ARGUMENTS = 99
_CONSTANT = re.compile("'[^']*'")


def _plain(x: str) -> str:
    """The column for a comparison: one by a collation of the app's own is an error, even of numbers."""
    return f"({x} COLLATE BINARY)"


@frozen
class Tokens:
    """How one column's tokens are written: the general form, for what has none of its own.

    Attributes:
        conversion: the column's.
        null: the token of NULL.
    """

    conversion: c.Conversion
    null: str = "n;"

    def python(self, value: Any) -> bytes:
        """The token of a stored value."""
        return self.null.encode() if value is None else to_token(value)

    def postgres(self, x: str) -> list[str]:
        """Arguments for Postgres' ``concat``: the token of what a column's value must have been in SQLite."""
        return [self._postgres_general(x)]

    def _postgres_general(self, x: str) -> str:
        return f"coalesce({self.conversion.token_sql(x)},'{self.null}')"

    @property
    def function(self) -> str:
        """The SQL function, on a connection of ours, that gives the token of numbers and blobs that are not usual."""
        return "_dbadapter_token"

    def usual(self, x: str) -> tuple[str, str, list[str]]:
        """How SQLite writes usual values and NULL: a condition, which may be NULL for others, format and arguments.

        No argument is a text with a NUL character in it.
        """
        return f"(typeof({x})<>'text' OR instr({x},char(0))=0)", "%s", [self.exact(x)]

    def exact(self, x: str) -> str:
        """An SQLite expression for the token of any value."""
        return (
            f"CASE typeof({x}) WHEN 'text' THEN 't'||length(CAST({x} AS BLOB))||':'||{x}||';' "
            f"WHEN 'null' THEN '{self.null}' ELSE {self.function}({x}) END"
        )


class _Integers(Tokens):
    def postgres(self, x: str) -> list[str]:
        if self.conversion.refuses_sql(x):
            return super().postgres(x)
        return ["'i'", self.conversion.sqlite_sql(x), "';'"]

    def usual(self, x: str) -> tuple[str, str, list[str]]:
        return f"(typeof({x})='integer' OR {x} IS NULL)", "i%s;", [x]


class _Texts(Tokens):
    def postgres(self, x: str) -> list[str]:
        if self.conversion.refuses_sql(x):
            return super().postgres(x)
        text = f"({self.conversion.sqlite_sql(x)})"
        return ["'t'", f"octet_length({text})", "':'", text, "';'"]

    def usual(self, x: str) -> tuple[str, str, list[str]]:
        condition = f"({x} IS NULL OR typeof({x})='text' AND instr({x},char(0))=0)"
        return condition, "t%s:%s;", [f"length(CAST({x} AS BLOB))", x]


class _Moments(Tokens):
    """Of dates and times as text, which are short, and need no length."""

    def python(self, value: Any) -> bytes:
        if isinstance(value, (str, RawText)):
            data = value.data if isinstance(value, RawText) else value.encode("utf-8", "surrogatepass")
            if not (b";" in data or b"\0" in data):
                return b"m%b;" % data
        return super().python(value)

    def postgres(self, x: str) -> list[str]:
        token = f"concat('m',{self.conversion.sqlite_sql(x)},';')"
        if refuses := self.conversion.refuses_sql(x):
            return [f"CASE WHEN {refuses} THEN {self._postgres_general(x)} ELSE {token} END"]
        return [token]

    def _is_short(self, x: str) -> str:
        """A condition in SQLite: it is a text that can be told from others without its length."""
        return f"typeof({x})='text' AND instr({x},';')=0 AND instr({x},char(0))=0"

    def usual(self, x: str) -> tuple[str, str, list[str]]:
        return f"({x} IS NULL OR {self._is_short(x)})", "m%s;", [x]

    def exact(self, x: str) -> str:
        return f"CASE WHEN {self._is_short(x)} THEN 'm'||{x}||';' ELSE {super().exact(x)} END"


class _Blobs(Tokens):
    def usual(self, x: str) -> tuple[str, str, list[str]]:
        return f"typeof({x}) IN ('blob','null')", "b%s;", [f"lower(hex({x}))"]


class _Doubles(Tokens):
    """Of double precision."""

    def python(self, value: Any) -> bytes:
        if isinstance(value, float) and _LOW <= abs(value) < _HIGH:
            return b"r%d:%d;" % (int(value), int((value - int(value)) * _UNITS))
        return super().python(value)

    def postgres(self, x: str) -> list[str]:
        double = f"{x}::float8"
        return [
            f"CASE WHEN abs({double})>={_LOW!r}::float8 AND abs({double})<{_HIGH}::float8 "
            f"THEN concat('r',trunc({double})::bigint,':',(({double}-trunc({double}))*{_UNITS}::float8)::bigint,';') "
            f"ELSE {self._postgres_general(x)} END"
        ]

    @property
    def function(self) -> str:
        return "_dbadapter_token_of_double"

    def usual(self, x: str) -> tuple[str, str, list[str]]:
        plain = _plain(x)
        last = _HIGH - 1  # for BETWEEN; there is no double between this and the limit
        common = f"{plain} BETWEEN 1.0/1024 AND {last}.0 OR {plain} BETWEEN -{last}.0 AND -1.0/1024"
        return f"typeof({x})='real' AND ({common})", "r%d:%d;", [x, f"({x}-CAST({x} AS INTEGER))*{_UNITS}"]


@frozen
class _Decimals(Tokens):
    """Of numeric(p, s) with p up to 15: n / 10^s is the nearest double, so rounding finds n again."""

    places: int = 0
    bound: int = 0

    def python(self, value: Any) -> bytes:
        unit = 10**self.places
        if isinstance(value, (int, float)) and abs(value) < self.bound:
            number = round(value * unit)
            if isinstance(value, int) or (number / unit == value and not value.is_integer()):
                sign = "-" if number < 0 else ""
                return f"d{sign}{abs(number) // unit}.{abs(number) % unit:0{self.places}};".encode()
        return super().python(value)

    def postgres(self, x: str) -> list[str]:
        rounded = f"round({x},{self.places})"
        return [
            f"CASE WHEN abs({x})<{self.bound} AND scale({x})={self.places} THEN concat('d',{x},';') "
            f"WHEN abs({x})<{self.bound} AND {x}={rounded} THEN concat('d',{rounded},';') "
            f"ELSE {self._postgres_general(x)} END"
        ]

    @property
    def function(self) -> str:
        return f"_dbadapter_token_of_decimal_{self.places}_{self.bound}"

    def usual(self, x: str) -> tuple[str, str, list[str]]:
        unit, last, plain = 10**self.places, self.bound - 1, _plain(x)
        condition = (
            f"{plain} BETWEEN {-last} AND {last} AND "
            f"({plain}<>CAST({x} AS INTEGER) AND round({x}*{unit}.0)/{unit}.0={plain} OR typeof({x})='integer')"
        )
        return condition, f"d%.{self.places}f;", [x]


class _Vectors(Tokens):
    """Of vectors: the bytes of each float32 the other way round, as Postgres sends them."""

    def python(self, value: Any) -> bytes:
        if isinstance(value, bytes) and len(value) % 4 == 0:
            return b"v%b;" % c.swap_float32(value).hex().encode()
        return super().python(value)

    @property
    def function(self) -> str:
        return "_dbadapter_token_of_vector"


_OF_STORAGE: dict[str, tuple[type[Tokens], str]] = {
    "integer": (_Integers, "i;"),
    "text": (_Texts, "t:;"),
    "blob": (_Blobs, "b;"),
    "real": (_Doubles, "n;"),
    "vector": (_Vectors, "n;"),
}


def tokens_of(conversion: c.Conversion) -> Tokens:
    """How the tokens of a column with this conversion are written."""
    if isinstance(conversion, c.Number):
        precision, places = conversion.precision, conversion.scale or 0
        if precision is not None and precision <= 15 and 0 < places <= precision:
            return _Decimals(conversion, "n;", places, 10 ** (precision - places))
    if isinstance(conversion, c.Temporal) and conversion.storage == "text" and ";" not in conversion.format:
        return _Moments(conversion, "m;")
    kind, null = _OF_STORAGE.get(conversion.storage, (Tokens, "n;"))
    return kind(conversion, null)


def install(raw: sqlite3.Connection, tokens: list[Tokens]) -> None:
    """Give a connection of ours the functions that `sqlite_line` calls for unusual values."""
    for each in tokens:
        raw.create_function(each.function, 1, _as_text(each), deterministic=True)


def _as_text(tokens: Tokens) -> Callable[[Any], str]:
    return lambda value: tokens.python(value).decode()


def sqlite_line(names: list[str], tokens: list[Tokens]) -> str:
    """An SQLite expression for all tokens of a row: quickly where all values are usual, exactly in any case."""
    quoted = [SQLITE.quote(name) for name in names]
    usual = [each.usual(x) for each, x in zip(tokens, quoted, strict=True)]
    groups: list[tuple[str, list[str]]] = [("", [])]
    for _, format, arguments in usual:
        if len(groups[-1][1]) + len(arguments) > _ARGUMENTS:
            groups.append(("", []))
        groups[-1] = (groups[-1][0] + format, groups[-1][1] + arguments)
    quick = "||".join(f"printf('{format}',{','.join(arguments)})" for format, arguments in groups)
    exact = "||".join(each.exact(x) for each, x in zip(tokens, quoted, strict=True))
    return f"CASE WHEN {' AND '.join(condition for condition, _, _ in usual)} THEN {quick} ELSE {exact} END"


def postgres_line(names: list[str], tokens: list[Tokens]) -> str:
    """A Postgres expression for all tokens of a row."""
    parts: list[str] = []
    for each, name in zip(tokens, names, strict=True):
        for part in each.postgres(POSTGRESQL.quote(name)):
            if parts and _CONSTANT.fullmatch(parts[-1]) and _CONSTANT.fullmatch(part):
                parts[-1] = parts[-1][:-1] + part[1:]  # each argument costs
            else:
                parts.append(part)
    groups = [parts[at : at + _ARGUMENTS] for at in range(0, len(parts), _ARGUMENTS)]
    return "||".join(f"concat({','.join(group)})" for group in groups)
