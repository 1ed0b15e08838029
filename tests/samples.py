"""Values that both backends carry, values that both refuse, and a table with a column for each type."""

from __future__ import annotations

import enum
import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

COLUMNS = {
    "b": "BOOLEAN",
    "i": "BIGINT",
    "f": "DOUBLE PRECISION",
    "n": "NUMERIC",
    "s": "TEXT",
    "y": "BYTEA",
    "d": "DATE",
    "t": "TIME",
    "ts": "TIMESTAMP",
    "tz": "TIMESTAMPTZ",
    "iv": "INTERVAL",
    "u": "UUID",
    "j": "JSONB",
}

CREATE = f"CREATE TABLE v (id BIGINT PRIMARY KEY, {', '.join(f'{k} {v}' for k, v in COLUMNS.items())})"


class Colour(enum.Enum):
    """An Enum that is not a str."""

    RED = "red"


class Level(enum.IntEnum):
    """An Enum that is an int."""

    HIGH = 3


class Title(str):
    """A subclass of str, as frameworks love to pass."""

    __slots__ = ()


EAST = timezone(timedelta(hours=5, minutes=30))
WEST = timezone(timedelta(hours=-8))
NOON = datetime(2024, 2, 29, 12, 0, 0, 123456)
ID = UUID("12345678-1234-5678-9234-567812345678")
NESTED: dict[str, Any] = {
    "naïve": ["ünï", {"🦉": None}],
    "n": [1, 2.5, True, -(2**53), 2**70],
    "": "",
    'q"': "\\'%?:a",
}

SAME: list[tuple[str, Any]] = [
    ("b", True),
    ("b", False),
    ("i", 0),
    ("i", 1),
    ("i", 2**31),
    ("i", 2**63 - 1),
    ("i", -(2**63)),
    ("f", 0.1),
    ("f", 1.0),
    ("f", -2.5e-308),
    ("f", 1.7976931348623157e308),
    ("f", 5e-324),
    ("f", math.inf),
    ("f", -math.inf),
    ("n", Decimal(0)),
    ("n", Decimal("-1.5")),
    ("n", Decimal("0.1")),
    ("n", Decimal("123456789012345678901234567890")),
    ("n", Decimal("-0.123456789012345678901234567891")),
    ("n", Decimal("9007199254740993")),
    ("n", Decimal("1E+20")),
    ("s", ""),
    ("s", " padded "),
    ("s", 'it\'s "quoted" 100% :a ? \\ \n\t'),
    ("s", "🦉 Grüße \u0301 \U0010ffff"),
    ("s", "42"),
    ("s", "2024-02-29"),
    ("s", "x" * 70_000),
    ("y", b""),
    ("y", bytes(range(256))),
    ("d", date(2024, 2, 29)),
    ("d", date(1, 1, 1)),
    ("d", date(9999, 12, 31)),
    ("t", time(0, 0)),
    ("t", time(23, 59, 59, 999999)),
    ("t", time(12, 30)),
    ("ts", NOON),
    ("ts", datetime(2024, 1, 1)),
    ("ts", datetime.min),
    ("ts", datetime.max),
    ("tz", NOON.replace(tzinfo=UTC)),
    ("tz", datetime(2024, 1, 1, tzinfo=UTC)),
    ("tz", datetime.max.replace(tzinfo=UTC)),
    ("iv", timedelta(0)),
    ("iv", timedelta(days=400, seconds=1, microseconds=1)),
    ("iv", timedelta(microseconds=-1)),
    ("iv", timedelta(days=-3, hours=5)),
    ("u", ID),
    ("u", UUID(int=0)),
    ("j", {}),
    ("j", []),
    ("j", NESTED),
    ("j", [NESTED, [1, [2]]]),
    ("j", {"escaped": "\\u0000", "slash": "\\\\u0000", "emoji": "\\ud83e"}),
    *[(name, None) for name in COLUMNS],
]
"""(column, value): comes back equal and of the same type."""

CHANGED: list[tuple[str, Any, Any]] = [
    ("tz", NOON.replace(tzinfo=EAST), NOON.replace(tzinfo=UTC) - timedelta(hours=5, minutes=30)),
    ("tz", NOON.replace(tzinfo=WEST), NOON.replace(tzinfo=UTC) + timedelta(hours=8)),
    ("s", Colour.RED, "red"),
    ("i", Level.HIGH, 3),
    ("s", Title("a title"), "a title"),
    ("y", bytearray(b"\x00\xff"), b"\x00\xff"),
    ("y", memoryview(b"\x00\xff"), b"\x00\xff"),
    ("j", {"colour": ("a", "b")}, {"colour": ["a", "b"]}),
]
"""(column, value, what comes back)."""

CASES: list[tuple[str, Any, Any]] = [(column, value, value) for column, value in SAME] + CHANGED

REFUSED: list[tuple[str, Any]] = [
    ("s", "nul\x00inside"),
    ("s", "lone \ud800 surrogate"),
    ("i", 2**63),
    ("i", -(2**63) - 1),
    ("j", {"x": [math.nan]}),
    ("j", {"x": math.inf}),
    ("j", {"x": "nul\x00inside"}),
    ("j", {"nul\x00key": 1}),
    ("j", ["\udfff"]),
    ("iv", timedelta.max),
    ("tz", datetime.min.replace(tzinfo=EAST)),
    ("tz", datetime.max.replace(tzinfo=WEST)),
    ("n", Decimal("1E+200000")),
    ("s", ...),
    ("s", 1j),
]
"""(column, value): refused on both backends before anything is sent."""


def differences(rows: list[dict[str, Any]]) -> list[str]:
    """What is wrong with ``rows``, the table ``v`` in order of id after all `CASES` were stored in it."""
    wrong = []
    for (column, value, expected), row in zip(CASES, rows, strict=True):
        got = row[column]
        if type(got) is not type(expected) or got != expected:
            wrong.append(f"{column}: {value!r:.80} came back as {got!r:.80}, not {expected!r:.80}")
        if column == "tz" and got is not None and got.tzinfo is not UTC:
            wrong.append(f"{column}: {value!r} came back with the zone {got.tzinfo!r}")
        others = {name: row[name] for name in COLUMNS if name != column and row[name] is not None}
        if others:
            wrong.append(f"{column}: {value!r} spilled into {others}")
    return wrong
