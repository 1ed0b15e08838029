"""UUIDs, in one of their spellings."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from attrs import frozen

from .base import Conversion

__all__ = ["SPELLINGS", "Uuid"]

SPELLINGS: dict[str, tuple[str, Callable[[uuid.UUID], Any], str]] = {
    "lower": ("text", str, "{}::text"),
    "upper": ("text", lambda value: str(value).upper(), "upper({}::text)"),
    "hex": ("text", lambda value: value.hex, "replace({}::text,'-','')"),
    "HEX": ("text", lambda value: value.hex.upper(), "upper(replace({}::text,'-',''))"),
    "braces": ("text", lambda value: f"{{{value}}}", "'{{'||{}::text||'}}'"),
    "BRACES": ("text", lambda value: f"{{{str(value).upper()}}}", "'{{'||upper({}::text)||'}}'"),
    "bytes": ("blob", lambda value: value.bytes, "uuid_send({})"),
}


@frozen
class Uuid(Conversion):
    """A UUID in one spelling ↔ uuid.

    Attributes:
        spelling: ``lower`` ``upper`` ``hex`` ``HEX`` ``braces`` ``BRACES`` or ``bytes``.
    """

    kind: ClassVar[str] = "uuid"
    spelling: str = "lower"

    @property
    def storage(self) -> str:  # type: ignore[override]
        """BLOB for bytes, else TEXT."""
        return SPELLINGS[self.spelling][0]

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        if kinds not in ({str}, {bytes}):
            return None
        spell = SPELLINGS[self.spelling][1]
        out = []
        for value in values:
            found = _uuid(value)
            if found is None or spell(found) != value:
                return None
            out.append(str(found))
        return out

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; other spellings arrive with their original kept."""
        found = _uuid(value)
        if found is None:
            raise self.refuse(value, "a UUID")
        return str(found), SPELLINGS[self.spelling][1](found) == value

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        return SPELLINGS[self.spelling][2].format(column)


_UUID_TEXT = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}",
    re.ASCII | re.IGNORECASE,
)


def _uuid(value: Any) -> uuid.UUID | None:
    if isinstance(value, bytes) and len(value) == 16:
        return uuid.UUID(bytes=value)
    if isinstance(value, str) and _UUID_TEXT.fullmatch(value):
        return uuid.UUID(value)
    return None
