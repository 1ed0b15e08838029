"""A cache by statement text, within bounds that hold for long texts too."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["StatementCache"]

_MOST_TEXTS = 4096
# Characters, of one text and of all: what is kept for a statement takes up to six times the memory of its text.
_LONGEST, _MOST_CHARACTERS = 100_000, 4_000_000

Value = TypeVar("Value")


class StatementCache(Generic[Value]):
    """Values by statement text; emptied when there are too many of them, or they are too long together.

    Threads may share it, as a dictionary's operations are atomic; the count of characters may be a little off then.

    Attributes:
        known: the values, to be read only: for a statement in use, one look-up in a dictionary is all it costs.
    """

    __slots__ = ("_characters", "known")

    def __init__(self) -> None:
        self.known: dict[str, Value] = {}
        self._characters = 0

    def keep(self, text: str, value: Value) -> Value:
        """Keep `value`, unless `text` is too long; returns it."""
        if len(text) <= _LONGEST:
            if text not in self.known:
                if len(self.known) >= _MOST_TEXTS or self._characters > _MOST_CHARACTERS - len(text):
                    self.clear()
                self._characters += len(text)
            self.known[text] = value
        return value

    def clear(self) -> None:
        """Forget everything."""
        self.known.clear()
        self._characters = 0
