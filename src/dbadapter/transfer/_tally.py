"""How conversions fare with a column's values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field

from . import conversions as c
from ._values import show

__all__ = ["MOST_EXAMPLES", "Candidate", "Tally"]

MOST_EXAMPLES = 3


@define
class Tally:
    """How one conversion fares: values that conform, that arrive with their original kept, that are refused.

    A `guess` is still to be tried on all values.
    """

    conversion: c.Conversion
    exact: int = 0
    kept: int = 0
    refused: int = 0
    examples: list[str] = field(factory=list)
    guess: bool = False

    def add(self, values: Sequence[Any], kinds: set[type]) -> bool:
        """Count values (none NULL); True if all conform."""
        if self.conversion.accepts(values, kinds):
            self.exact += len(values)
            return True
        for value in values:
            try:
                _, exact = self.conversion.one(value)
            except c.Refused as refusal:
                self.refused += 1
                self._example(str(refusal))
            else:
                self.exact += exact
                self.kept += not exact
                if not exact:
                    self._example(f"{show(value)} is not spelled as the others are")
        return False

    def _example(self, text: str) -> None:
        if len(self.examples) < MOST_EXAMPLES and text not in self.examples:
            self.examples.append(text)

    @property
    def total(self) -> int:
        """How many values were counted."""
        return self.exact + self.kept + self.refused


class Candidate:
    """Conversions of which each holds whatever the one before it holds."""

    def __init__(self, *found: c.Conversion) -> None:
        self.tallies = [Tally(conversion) for conversion in found]

    def add(self, values: Sequence[Any], kinds: set[type]) -> None:
        """Count values (none NULL)."""
        for place, tally in enumerate(self.tallies):
            if tally.add(values, kinds):
                for wider in self.tallies[place + 1 :]:
                    wider.exact += len(values)
                return

    def expected(self, sample: Sequence[Any]) -> c.Conversion | None:
        """What all values probably conform to, going by a few of them (none NULL); None if there is no telling."""
        return self.tallies[0].conversion

    def conform(self, conversion: c.Conversion, count: int) -> None:
        """Count values in that all conform to what was expected; there are no others."""
        for tally in self.tallies:
            tally.exact += count

    def ranked(self) -> list[Tally]:
        """The tallies, the most wanted first."""
        return self.tallies
