"""What is remembered of statements, within bounds that hold for long texts too."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Remembered"]

_MOST_TEXTS = 4096
# Characters, of one text and of all: what is remembered of a statement takes up to six times the memory of its text.
_LONGEST, _MOST_CHARACTERS = 100_000, 4_000_000

Value = TypeVar("Value")


class Remembered(Generic[Value]):
    """Values by statement text, all forgotten once there are many, or they are long together.

    Threads may share it, as a dictionary's operations are atomic; the count of characters may be a little off then.

    Attributes:
        known: what is remembered, to be read only: a dictionary's own look-up is all that a statement in use costs.
    """

    __slots__ = ("_characters", "known")

    def __init__(self) -> None:
        self.known: dict[str, Value] = {}
        self._characters = 0

    def keep(self, text: str, value: Value) -> Value:
        """Remember `value`, unless `text` is long; returns it."""
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
