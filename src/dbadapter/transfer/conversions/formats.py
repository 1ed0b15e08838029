"""Spellings of dates and times: ``YYYY-MM-DD HH24:MI:SS[.US]`` and the like.

The words are those of Postgres' ``to_char``: ``YYYY MM DD HH24 MI SS MS US``; ``[.US]`` is a fraction of six
digits that is left out when it is zero, ``[.FF]`` one without trailing zeros; everything else stands for itself.
A last ``Z``, ``UTC`` or ``+02:00`` is a zone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from attrs import define, field

from ..._dialects import POSTGRESQL

__all__ = ["ISO_TIME", "Format", "iso_parts"]

_TOKENS = re.compile(r"YYYY|MM|DD|HH24|MI|SS|MS|US|\[\.US\]|\[\.FF\]")
_ZONE = re.compile(r"(?: ?UTC|Z|[+-]\d\d(?::?\d\d)?)$")
_WIDTH = {"YYYY": 4, "MM": 2, "DD": 2, "HH24": 2, "MI": 2, "SS": 2, "MS": 3, "US": 6}
_OPTIONAL = ("[.US]", "[.FF]")
# How Postgres writes values without a fraction, given DateStyle ISO.
_AS_TEXT = {"date": "YYYY-MM-DD", "time": "HH24:MI:SS", "timestamp": "YYYY-MM-DD HH24:MI:SS"}
_DIGITS_TO_NINE = bytes.maketrans(b"0123456789", b"9999999999")

# Any spelling of ISO 8601's kind, to understand values that are not in their column's format.
ISO_TIME = re.compile(
    r"(?:(?P<date>\d{4}-\d\d-\d\d)(?:[ T](?=\d)|$))?"
    r"(?:(?P<time>\d\d:\d\d(?::\d\d)?)(?:\.(?P<fraction>\d{1,9}))?)?"
    r"(?: ?(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?))?",
    re.ASCII,
)


def iso_parts(text: str) -> tuple[str | None, str | None, str, str | None] | None:
    """Date, time, fraction (at most six digits) and zone of an ISO spelling; None if it is no such."""
    match = ISO_TIME.fullmatch(text)
    if not match or not (match["date"] or match["time"]):
        return None
    fraction = (match["fraction"] or "").rstrip("0")
    if len(fraction) > 6 or (match["zone"] and not match["time"]):
        return None
    zone = match["zone"]
    return match["date"], match["time"], fraction, "+00" if zone in ("Z", "UTC") else zone


@define(eq=False)
class Format:
    """One spelling, taken apart."""

    text: str
    parts: list[tuple[bool, str]] = field(init=False)  # (is a word, text)
    zone: str | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        zone = _ZONE.search(self.text) if "HH24" in self.text else None
        self.zone = zone.group() if zone else None
        body = self.text[: zone.start()] if zone else self.text
        self.parts, at = [], 0
        for match in _TOKENS.finditer(body):
            if match.start() > at:
                self.parts.append((False, body[at : match.start()]))
            self.parts.append((True, match.group()))
            at = match.end()
        if at < len(body):
            self.parts.append((False, body[at:]))

    @property
    def words(self) -> list[str]:
        """The words, in order."""
        return [text for is_word, text in self.parts if is_word]

    @property
    def optional(self) -> str | None:
        """The optional fraction, if there is one."""
        return next((word for word in self.words if word in _OPTIONAL), None)

    @cached_property
    def is_iso(self) -> bool:
        """Whether Python and Postgres read a text of this format as it is."""
        plain = "".join(text for _, text in self.parts).replace("T", " ")
        known = ("YYYY-MM-DD", "YYYY-MM-DD HH24:MI", "YYYY-MM-DD HH24:MI:SS", "HH24:MI:SS", "HH24:MI")
        return re.sub(r"\[?\.(US|MS|FF)\]?$", "", plain) in known and self.zone not in ("UTC", " UTC")

    @property
    def offset_minutes(self) -> int:
        """The zone's distance from UTC."""
        match = re.fullmatch(r"([+-])(\d\d):?(\d\d)?", self.zone or "")
        if not match:
            return 0
        return (-1 if match[1] == "-" else 1) * (int(match[2]) * 60 + int(match[3] or 0))

    # -- recognising ---------------------------------------------------------------------------------------------------

    def shape(self, fraction: int = 0) -> bytes:
        """The format with every digit a 9, its optional fraction having so many digits (0: it is left out)."""
        out = []
        for is_word, text in self.parts:
            if text in _OPTIONAL and is_word:
                out.append("." + "9" * fraction if fraction else "")
            elif is_word:
                out.append("9" * _WIDTH[text])
            else:
                out.append(re.sub(r"\d", "9", text))
        return ("".join(out) + re.sub(r"\d", "9", self.zone or "")).encode()

    def matches(self, values: Sequence[str]) -> bool:
        """Whether all values are spelled so, the hour not being 24; that they are dates is not looked at."""
        if self._digits_in_zone and not all(value.endswith(self.zone or "") for value in values):
            return False
        if self._have_shape(values, self.shape()):
            return True
        if not self.optional:
            return False
        by_length: dict[int, list[str]] = {}
        for value in values:
            by_length.setdefault(len(value), []).append(value)
        bare = len(self.shape())
        for length, group in by_length.items():
            digits = max(length - bare - 1, 0)
            if length == bare + 1 or digits > 6 or not self._have_shape(group, self.shape(digits)):
                return False
            if not digits:
                continue
            end = length - len(self.zone or "")
            if self.optional == "[.US]":
                if digits != 6 or any(value.endswith("000000", 0, end) for value in group):
                    return False
            elif any(value.endswith("0", 0, end) for value in group):
                return False
        return True

    @cached_property
    def _digits_in_zone(self) -> bool:
        return any(map(str.isdigit, self.zone or ""))

    @cached_property
    def _midnight(self) -> bytes:
        """What a time of 24:00 has in it, in a text of many values one to a line."""
        before, _, _ = self.text.partition("HH24")
        return (before[-1] if before else "\n").encode() + b"24"

    def _have_shape(self, values: Sequence[str], shape: bytes) -> bool:
        joined = "\n".join(values)
        if len(joined) != len(values) * (len(shape) + 1) - 1 or not joined.isascii():
            return False
        lines = joined.encode()
        if lines.translate(_DIGITS_TO_NINE) != b"\n".join([shape] * len(values)):
            return False
        return "HH24" not in self.text or self._midnight not in b"\n" + lines

    @cached_property
    def _pattern(self) -> Any:
        out = []
        for is_word, text in self.parts:
            if text == "[.US]" and is_word:
                out.append(r"(?:\.(?P<US>\d{6}))?")
            elif text == "[.FF]" and is_word:
                out.append(r"(?:\.(?P<FF>\d{1,6}))?")
            elif is_word:
                out.append(rf"(?P<{text}>\d{{{_WIDTH[text]}}})")
            else:
                out.append(re.escape(text))
        return re.compile("".join(out) + re.escape(self.zone or ""), re.ASCII)

    def to_iso(self, value: str) -> str:
        """A text of this format as ISO 8601, zone included."""
        found = self._pattern.fullmatch(value).groupdict()
        date = f"{found['YYYY']}-{found['MM']}-{found['DD']}" if "YYYY" in found else ""
        time = f"{found['HH24']}:{found['MI']}:{found.get('SS') or '00'}" if "HH24" in found else ""
        fraction = next((found[word] for word in ("US", "MS", "FF") if found.get(word)), None)
        zone = "+00" if self.zone in ("UTC", " UTC") else (self.zone or "")
        return " ".join(filter(None, (date, time))) + (f".{fraction}" if fraction else "") + zone

    # -- writing -------------------------------------------------------------------------------------------------------

    def to_sql(self, expression: str, pg_type: str) -> str:
        """A Postgres expression that writes a date, time or timestamp in this format.

        A value finer than the format can say is written to the microsecond instead.
        """
        if self.text == "YYYY-MM-DD HH24:MI:SS[.FF]":
            return f"{expression}::text"
        zone = f"||{POSTGRESQL.literal(self.zone)}" if self.zone else ""
        if pg_type == "date":
            return self._whole(expression, pg_type) + zone
        if "US" in self.words:
            return self._to_char(expression, "") + zone
        if self.optional:
            finer = self._to_char(expression, ".US")
            if self.optional == "[.FF]":
                finer = f"rtrim({finer},'0')"
            written = (
                f"CASE WHEN {expression}::{pg_type}(0)={expression} THEN {self._whole(expression, pg_type)}"
                f" ELSE {finer} END"
            )
        else:
            if "MS" in self.words:
                fits = f"{expression}::{pg_type}(3)={expression}"
            elif "SS" in self.words:
                fits = f"{expression}::{pg_type}(0)={expression}"
            elif "MI" in self.words:
                fits = f"extract(second from {expression})=0"
            else:
                fits = f"{expression}::date={expression}"
            written = f"CASE WHEN {fits} THEN {self._whole(expression, pg_type)} ELSE {expression}::text END"
        return f"({written}){zone}" if zone else written

    def _whole(self, expression: str, pg_type: str) -> str:
        """A value that is no finer than the format without its optional fraction."""
        body = "".join(text for is_word, text in self.parts if not (is_word and text in _OPTIONAL))
        if body == _AS_TEXT.get(pg_type):
            return f"{expression}::text"  # several times as fast as to_char
        return self._to_char(expression, "")

    def _to_char(self, expression: str, fraction: str) -> str:
        out = []
        for is_word, text in self.parts:
            if is_word:
                out.append(fraction if text in _OPTIONAL else text)
            else:
                out.append('"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
        return f"to_char({expression},{POSTGRESQL.literal(''.join(out))})"
