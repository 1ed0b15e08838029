"""Conversions that SQLite carries out itself, in SQL: the same as `Conversion.many`, without a Python object a value.

Each has a condition that is true only of values which conform; for all others the conversion in Python decides.
"""

from __future__ import annotations

import random
import re
import sqlite3
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from attrs import frozen

from ..._dialects import SQLITE
from .base import Conversion
from .booleans import Boolean
from .documents import Json
from .formats import Format
from .numbers import BITS, Float, Integer, Number
from .storage_classes import is_blob, is_integer, is_real, is_text
from .texts import Bytes, Text
from .times import Epoch, Temporal
from .uuids import Uuid

__all__ = ["InSQLite", "in_sqlite", "install"]


@frozen
class InSQLite:
    """SQL over one column's values that are not NULL.

    Attributes:
        condition: true of values that conform, and are written as `text` says; false or NULL for others.
        text: an expression for the value's field in COPY's text format, but for special characters.
        format: how ``printf`` writes `text`; ``%s`` stops at a NUL character.
        free: the text is the user's: it may have characters that are special to COPY.
        backslashes: how many of them each value's text has of its own.
        certain: what meets the condition conforms; otherwise Postgres has to look as well.
    """

    condition: str
    text: str
    format: str = "%s"
    free: bool = False
    backslashes: int = 0
    certain: bool = True


def in_sqlite(conversion: Conversion, column: str) -> InSQLite | None:
    """The conversion of a (quoted) column in SQL; None where only Python can."""
    write = _WRITERS.get(type(conversion))
    return write(conversion, column) if write else None


# An exact integer as a double, and what a quotient of such is rounded from.
_EXACT_INTEGER = 9_000_000_000_000_000


def _integer(conversion: Integer, x: str) -> InSQLite | None:
    low, high = BITS[conversion.bits]
    fits = f" AND {x} BETWEEN {low} AND {high}" if conversion.bits != 64 else ""
    return InSQLite(f"{is_integer(x)}{fits}", x, "%d")


def _float(conversion: Float, x: str) -> InSQLite | None:
    if not _prints_doubles():
        return None
    # printf leaves out the sign of a zero.
    common = (
        f"CASE WHEN {x} BETWEEN 1e-5 AND 1e15 THEN 1 WHEN {x}=0 THEN {_UNSIGNED}({x}) "
        f"ELSE {x} BETWEEN -1e15 AND -1e-5 END"
    )
    return InSQLite(f"{common} AND {is_real(x)}", x, "%!.17g")


_UNSIGNED = "_dbadapter_unsigned"


def install(raw: sqlite3.Connection) -> None:
    """Give a connection of ours what the expressions call."""
    raw.create_function(_UNSIGNED, 1, lambda zero: str(zero) != "-0.0", deterministic=True)


@lru_cache(maxsize=1)
def _prints_doubles() -> bool:
    """Whether this SQLite writes doubles of common size so that they are read back to the bit.

    Those built without a ``long double`` did not before version 3.43; they fail for about every other number.
    """
    made = random.Random(17)
    found: list[float] = [made.uniform(-1, 1) * 10.0**place for place in range(-4, 16) for _ in range(25)]
    found += [
        struct.unpack("<d", struct.pack("<q", struct.unpack("<q", struct.pack("<d", x))[0] + 1))[0]
        for x in found
    ]
    with sqlite3.connect(":memory:") as raw:
        texts = [raw.execute("SELECT printf('%!.17g', ?)", (x,)).fetchone()[0] for x in found]
    raw.close()
    return [float(text) for text in texts] == found


def _number(conversion: Number, x: str) -> InSQLite | None:
    """n / 10^scale, which a division of doubles rounds as reading the decimal number does: they are the same double."""
    if conversion.precision is None or not 0 <= (scale := conversion.scale or 0) <= 15:
        return None
    unit = 10**scale
    bound = min(10 ** (conversion.precision - scale), _EXACT_INTEGER // unit) - 1
    # Texts and blobs are greater than all numbers, so that a number between two others is one.
    condition = (
        f"{x} BETWEEN {-bound} AND {bound} AND round({x}*{unit}.0)/{unit}.0={x}"
        f" AND CASE WHEN {x}<>CAST({x} AS INTEGER) THEN 1 ELSE {is_integer(x)} END"
    )
    return InSQLite(condition, f"round({x}*{unit}.0)", f"%de-{scale}")


def _boolean(conversion: Boolean, x: str) -> InSQLite | None:
    if (conversion.true, conversion.false) == (1, 0):
        return InSQLite(f"{is_integer(x)} AND {x} BETWEEN 0 AND 1", x, "%d")
    if not isinstance(conversion.true, str) or not isinstance(conversion.false, str):
        return None
    true, false = (
        f"(+{x}={SQLITE.literal(word)} COLLATE BINARY)" for word in (conversion.true, conversion.false)
    )
    return InSQLite(f"{is_text(x)} AND ({true} OR {false})", f"CASE WHEN {true} THEN 't' ELSE 'f' END")


def _text(conversion: Text, x: str) -> InSQLite | None:
    if conversion.padded:
        return None
    fits = f" AND length({x})<={conversion.length}" if conversion.length is not None else ""
    return InSQLite(f"{is_text(x)} AND instr({x},char(0))=0{fits}", x, free=True)


def _json(conversion: Json, x: str) -> InSQLite | None:
    """Objects and arrays; that they are JSON is looked at by Postgres, which keeps their text."""
    if conversion.binary:
        return None
    begins = f"(substr({x},1,1)='{{' OR substr({x},1,1)='[')"
    return InSQLite(f"{is_text(x)} AND {begins} AND instr({x},char(0))=0", x, free=True, certain=False)


def _bytes(conversion: Bytes, x: str) -> InSQLite | None:
    return InSQLite(f"{is_blob(x)}", f"'\\\\x'||hex({x})", backslashes=2)


def _uuid(conversion: Uuid, x: str) -> InSQLite | None:
    if conversion.spelling == "bytes":
        return InSQLite(f"{is_blob(x)} AND length({x})=16", f"hex({x})")
    digit = "[0-9A-F]" if conversion.spelling.isupper() or conversion.spelling == "upper" else "[0-9a-f]"
    if conversion.spelling.lower() == "hex":
        pattern = digit * 32
    else:
        pattern = "-".join(digit * count for count in (8, 4, 4, 4, 12))
    if conversion.spelling.lower() == "braces":
        pattern = "{" + pattern + "}"
    return InSQLite(f"{is_text(x)} AND {x} GLOB '{pattern}'", x)


# What gives a text of this format back as it is, if it is a date; adding nothing makes 2 March of 30 February.
_CANONICAL = {
    "YYYY-MM-DD": (10, "date({},'+0 days')"),
    "HH24:MI:SS": (8, "time({},'+0 days')"),
    "YYYY-MM-DD HH24:MI:SS": (19, "datetime({},'+0 days')"),
    "YYYY-MM-DDTHH24:MI:SS": (19, "replace(datetime({},'+0 days'),' ','T')"),
}
_FRACTION = re.compile(r"(\.US|\.MS|\[\.US\]|\[\.FF\])$")


def _temporal(conversion: Temporal, x: str) -> InSQLite | None:
    format = Format(conversion.format)
    zone = format.zone or ""
    body = conversion.format[: len(conversion.format) - len(zone)]
    fraction = _FRACTION.search(body)
    base = _CANONICAL.get(body[: fraction.start()] if fraction else body)
    if conversion.digits or base is None or not format.is_iso:
        return None
    length, canonical = base
    whole = f"substr({x},1,{length})"
    typed = f"{is_text(x)} AND instr({x},char(0))=0"
    begins = f"{whole}={canonical.format(whole)} COLLATE BINARY"
    ends = f" AND substr({x},{-len(zone)})={SQLITE.literal(zone)} COLLATE BINARY" if zone else ""
    if zone:
        plain = f"{typed} AND length({x})={length + len(zone)} AND {begins}{ends}"
    else:  # what equals such a text is one
        plain = f"+{x}={canonical.format(x)} COLLATE BINARY"
    condition = plain
    if fraction:
        digits = f"substr({x},{length + 2},length({x})-{length + 1 + len(zone)})"
        condition = (
            f"{typed} AND {begins} AND substr({x},{length + 1},1)='.' AND {digits} NOT GLOB '*[^0-9]*'"
            f" AND length({digits}) {_DIGITS[fraction[1]].format(digits)}{ends}"
        )
        if fraction[1].startswith("["):
            condition = f"CASE WHEN {plain} THEN 1 ELSE {condition} END"
    if body.startswith("YYYY"):  # years before the first begin with a minus, or are 0000
        condition = f"{condition} AND +{x}>='0001' COLLATE BINARY"
    return InSQLite(condition, x)


_DIGITS = {
    ".US": "=6",
    ".MS": "=3",
    "[.US]": "=6 AND {0}<>'000000' COLLATE BINARY",
    "[.FF]": "BETWEEN 1 AND 6 AND {0} NOT GLOB '*0'",
}


def _epoch(conversion: Epoch, x: str) -> InSQLite | None:
    places = {"unix": 0, "unix_ms": 3, "unix_us": 6}.get(conversion.epoch)
    if places is None or conversion.real:
        return None
    unit = 10**places
    text = (
        f"datetime({x}/{unit},'unixepoch')"
        + (f"||printf('.%0{places}d',{x}%{unit})" if places else "")
        + "||'+00'"
    )
    return InSQLite(f"{is_integer(x)} AND {x} BETWEEN 0 AND {253_402_300_800 * unit - 1}", text)


_WRITERS: dict[type[Conversion], Callable[[Any, str], InSQLite | None]] = {
    Boolean: _boolean, Bytes: _bytes, Epoch: _epoch, Float: _float, Integer: _integer, Json: _json, Number: _number,
    Temporal: _temporal, Text: _text, Uuid: _uuid,
}  # fmt: skip
