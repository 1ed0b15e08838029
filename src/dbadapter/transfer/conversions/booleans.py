"""Truth values: two numbers or words of SQLite for the boolean of Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import frozen

from ..._dialects import POSTGRESQL
from .base import Conversion

__all__ = ["Boolean"]

_TRUE = {1, "1", "true", "t", "yes", "y", "on"}
_FALSE = {0, "0", "false", "f", "no", "n", "off"}


@frozen
class Boolean(Conversion):
    """Two values of SQLite, numbers or words, ↔ boolean."""

    kind: ClassVar[str] = "boolean"
    true: int | str = 1
    false: int | str = 0

    @property
    def storage(self) -> str:  # type: ignore[override]
        """The class of the two values."""
        return "integer" if isinstance(self.true, int) else "text"

    def many(self, values: Sequence[Any], kinds: set[type]) -> Sequence[str] | None:
        """See `Conversion`."""
        if kinds != {type(self.true)}:
            return None
        words = {self.true: "t", self.false: "f"}
        try:
            return [words[value] for value in values]
        except KeyError:
            return None

    def one(self, value: Any) -> tuple[str, bool]:
        """See `Conversion`; other spellings of true and false arrive with their original kept."""
        for word, meant in ((self.true, "t"), (self.false, "f")):
            if type(value) is type(word) and value == word:
                return meant, True
        word = value.lower() if isinstance(value, str) else value
        if word in _TRUE or word in _FALSE:
            return "t" if word in _TRUE else "f", False
        raise self.refuse(value, "true or false")

    def sqlite_sql(self, column: str) -> str:
        """See `Conversion`."""
        if (self.true, self.false) == (1, 0):
            return f"{column}::int"
        true, false = (
            str(v) if isinstance(v, int) else POSTGRESQL.literal(v) for v in (self.true, self.false)
        )
        return f"CASE {column} WHEN true THEN {true} WHEN false THEN {false} END"
