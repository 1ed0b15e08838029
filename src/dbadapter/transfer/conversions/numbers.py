"""Integers, doubles and exact numbers."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, InvalidOperation
from decimal import Decimal as PythonDecimal
from functools import lru_cache
from typing import Any, ClassVar

from attrs import frozen

from ..._drivers.values import EXACT_DIGITS, sqlite_decimal
from .._values import INT64_MAX, INT64_MIN, show
from .base import Conversion, Refused, double_hex

__all__ = ["BITS", "Decimal", "Float", "Integer", "Number"]

_CANONICAL_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?")
_LEAST_DOUBLE = 5e-324  # what is nearer to zero is an error to Postgres, as is what is beyond the largest
_ALL_DIGITS = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)  # the thread's own may round
BITS = {16: (-(2**15), 2**15 - 1), 32: (-(2**31), 2**31 - 1), 64: (INT64_MIN, INT64_MAX)}


@frozen
class Integer(Conversion):
    """INTEGER ↔ smallint, integer or bigint."""

    kind: ClassVar[str] = "integer"
    storage = "integer"
    bits: int = 64

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        if kinds != {int}:
            return None
        if self.bits != 64:
            low, high = BITS[self.bits]
            if min(values) < low or max(values) > high:
                return None
        return list(map(str, values))

    def accepts(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """See `Conversion`."""
        return kinds == {int} if self.bits == 64 else self.many(values, kinds) is not None

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; a whole real and canonical digits as text arrive with their original kept."""
        low, high = BITS[self.bits]
        number: int
        if isinstance(value, int):
            number = value
        elif (isinstance(value, float) and value.is_integer()) or (
            isinstance(value, str) and _CANONICAL_INTEGER.fullmatch(value)
        ):
            number = int(value)
        else:
            raise self.refuse(value, "an integer")
        if not low <= number <= high:
            raise Refused(f"{show(value)} is beyond {self.bits} bits")
        return str(number), isinstance(value, int)

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return column


@frozen
class Float(Conversion):
    """REAL ↔ double precision."""

    kind: ClassVar[str] = "float"
    storage = "real"

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        return list(map(repr, values)) if kinds == {float} else None

    def accepts(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """See `Conversion`."""
        return kinds == {float}

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; an integer that is exact as a double arrives with its original kept."""
        if isinstance(value, float):
            return repr(value), True
        if isinstance(value, int) and int(float(value)) == value:
            return repr(float(value)), False
        if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value):
            number = float(value)
            if PythonDecimal(value) == PythonDecimal(repr(number)):
                return repr(number), False
        raise self.refuse(value, "exactly a double-precision number")

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return f"{column}::float8"

    def refuses_sql(self, column: str) -> str | None:
        """See `Conversion`: SQLite makes NULL of NaN."""
        return f"{column}='NaN'"


def _fits(number: PythonDecimal, precision: int | None, scale: int | None) -> bool:
    if precision is None:
        return True
    if not number.is_finite():
        return False
    exponent = number.normalize(_ALL_DIGITS).as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent <= (scale or 0) and (not number or number.adjusted() < precision - (scale or 0))


@lru_cache(maxsize=64)
def _misfit(digits: int, scale: int) -> re.Pattern[str]:
    """Finds what may not fit: too many digits, an exponent, inf, or a double that is a whole number."""
    return re.compile(rf"\.\d{{{scale + 1}}}|\.0(?!\d)|(?<![.\d])\d{{{digits + 1}}}|[ein]")


def _digits_sql(number: str) -> str:
    """An expression of Postgres for how many digits of a numeric count."""
    return f"length(trim('0' from replace(abs({number})::text,'.','')))"


def _exact(value: Any) -> PythonDecimal:
    """The number that a stored value is. Raises `Refused`."""
    if isinstance(value, (int, float)):
        return PythonDecimal(repr(value))
    if isinstance(value, str):
        try:
            number = PythonDecimal(value.rstrip("_")) if value[:1] not in "_ " else None
        except InvalidOperation:
            number = None
        if number is not None and number.is_finite():
            return number
    raise Refused(f"{show(value)} is not a number")


class _Exact(Conversion):
    """What `Number` and `Decimal`, the two conversions to numeric, have in common."""

    storage = "tagged"
    precision: int | None
    scale: int | None

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`."""
        number = _exact(value)
        if not _fits(number, self.precision, self.scale):
            raise Refused(f"{show(value)} does not fit numeric({self.precision},{self.scale})")
        return str(number), self._conforms(value, number)

    def _conforms(self, value: Any, number: PythonDecimal) -> bool:
        raise NotImplementedError


@frozen
class Number(_Exact):
    """INTEGER and REAL ↔ numeric: whole numbers of 64 bits are integers, others doubles."""

    kind: ClassVar[str] = "number"
    precision: int | None = None
    scale: int | None = None

    @property
    def fits_double(self) -> bool:
        """Whether every number of so many digits is exact as a double."""
        return self.precision is not None and self.precision <= EXACT_DIGITS

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`; looked at together where all fit at first sight, as prices do."""
        if self.precision is not None and kinds <= {int, float}:
            texts = list(map(repr, values))
            scale = self.scale or 0
            if _misfit(self.precision - scale, scale).search("\n".join(texts)) is None:
                return texts
        return super().many(values, kinds)

    def accepts(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """See `Conversion`; n / 10^scale is rounded as reading the decimal number is, so they are the same double."""
        if self.fits_double and kinds <= {int, float}:
            assert self.precision is not None
            unit, bound = 10 ** (self.scale or 0), 10 ** (self.precision - (self.scale or 0))
            if -bound < min(values) and max(values) < bound:
                floats = values if kinds == {float} else [value for value in values if type(value) is float]
                if not [
                    value for value in floats if round(value * unit) / unit != value or value.is_integer()
                ]:
                    return True
        return super().accepts(values, kinds)

    def _conforms(self, value: Any, number: PythonDecimal) -> bool:
        if isinstance(value, float):
            return not value.is_integer() or not INT64_MIN <= value <= INT64_MAX
        return isinstance(value, int)

    def tagged(self, column: str, text: str) -> str:
        """See `Conversion`."""
        return (
            f"CASE WHEN {column} BETWEEN {INT64_MIN} AND {INT64_MAX} AND {column} = trunc({column})"
            f" THEN 'i'||trunc({column})::text ELSE {double_hex(column + '::float8')} END"
        )

    def refuses_sql(self, column: str) -> str | None:
        """See `Conversion`: NaN, and what a double does not hold exactly (a number changed in Postgres may not)."""
        if self.fits_double:
            return f"{column}='NaN'"
        whole = f"{column} BETWEEN {INT64_MIN} AND {INT64_MAX} AND {column}=trunc({column})"
        double = f"{column}::float8::text::numeric"
        # Python writes the shortest number that is read as the double; Postgres leaves out those that lie as near to
        # the next double (1e23), and then needs more digits.
        exact = f"({double}={column} OR {_digits_sql(column)}<{_digits_sql(double)})"
        # Up to 15 digits (and a point) are exact in a double; that is quickly seen.
        return (
            f"({column}='NaN' OR length({column}::text)>16 AND NOT({whole}) AND abs({column})<>'Infinity'"
            f" AND (abs({column}) NOT BETWEEN {_LEAST_DOUBLE!r} AND {sys.float_info.max!r} OR NOT({exact})))"
        )


@frozen
class Decimal(_Exact):
    """A number as the adapter stores a Python Decimal ↔ numeric.

    An INTEGER or REAL where that is exact, else TEXT of the plain digits with an underscore after them.
    """

    kind: ClassVar[str] = "decimal"
    precision: int | None = None
    scale: int | None = None

    def _conforms(self, value: Any, number: PythonDecimal) -> bool:
        if not number.is_finite():
            return False
        stored = sqlite_decimal(number)
        return type(stored) is type(value) and stored == value

    def tagged(self, column: str, text: str) -> str:
        """See `Conversion`: the rule of `sqlite_decimal` in SQL."""
        plain = f"trim_scale({column})"
        return (
            f"CASE WHEN scale({plain})=0 AND abs({column})<1e18 THEN 'i'||{plain}::text"
            f" WHEN {_digits_sql(column)}<={EXACT_DIGITS} AND abs({column})>=1e-289 AND abs({column})<1e290"
            f" THEN {double_hex(column + '::float8')}"
            f" ELSE {text.format(f'({plain}::text||chr(95))')} END"
        )

    def refuses_sql(self, column: str) -> str | None:
        """See `Conversion`: what is no number."""
        return f"{column} IN ('NaN','Infinity','-Infinity')"
