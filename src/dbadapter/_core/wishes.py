"""How often to ask the servers where they stand: as often as reads are in need of it, and as it is of use.

A read that found no replica fresh enough leaves a wish: that one show everything until a certain moment. As long as a
wish is open, the next look is due after a share of the time for which it has been open already: closely where replicas
are a millisecond behind, hardly more often than at rest where they are minutes behind, at the same relative loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .consistency import NEVER
from .topology import NodeState

__all__ = ["AT_REST", "Wishes"]

AT_REST = 0.5
"""Seconds between two looks when nobody is in need."""

# The share of a wish's age, and the shortest time (s).
_OF_AGE, _CLOSEST = 0.2, 0.0001
# New wishes may bring the next look forward to this share of the time.
_HASTE = 0.4
# For this long (s) after a read found no replica fresh enough, it is taken to be still of interest.
_DEMAND = 0.5


@attrs.define(eq=False)
class Wishes:
    """What reads would have wanted replicas to show.

    Attributes:
        newest: everything until this moment, as the most demanding of them wants.
        oldest: of those that are open, as far as it is known.
        at: when the last one was left.
    """

    newest: float = NEVER
    oldest: float = NEVER
    at: float = NEVER

    def add(self, needed: float, now: float) -> None:
        """A read wanted a replica that shows everything until `needed`. Callers need not take turns."""
        if now - self.at > _DEMAND:
            self.newest = self.oldest = needed
        elif needed > self.newest:
            self.newest = needed
        self.at = now

    def due(self, readers: Sequence[NodeState], now: float) -> tuple[float, float]:
        """In how many seconds to look again, and how soon at the earliest if another wish is left until then."""
        if now - self.at > _DEMAND or not readers:
            return AT_REST, _CLOSEST
        shown = max([node.fresh_until for node in readers])
        if shown > self.oldest:
            if shown > self.newest:
                return AT_REST, _CLOSEST
            self.oldest = self.newest
        due = min(max((now - self.oldest) * _OF_AGE, _CLOSEST), AT_REST)
        return due, due * _HASTE
