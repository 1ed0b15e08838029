"""How often to ask the servers for their positions: as often as reads need it, and as it is of use.

A read that finds no replica fresh enough leaves a demand: that one show everything until a certain moment. While a
demand is open, the next round of questions is due after a share of the time for which it has been open already. So
replicas that are a millisecond behind are asked at short intervals, and those that are minutes behind hardly more often
than at rest; the time lost by asking late stays the same share of the replica's own delay.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .consistency import NEVER
from .topology import NodeState

__all__ = ["AT_REST", "Demand"]

AT_REST = 0.5
"""Seconds between two rounds when there is no demand."""

# The interval as a share of the demand's age, and the shortest interval (s).
_SHARE_OF_AGE, _SHORTEST = 0.2, 0.0001
# A further demand may bring the next round forward to this share of the interval.
_HASTE = 0.4
# So long (s) after a read found no replica fresh enough, nobody is assumed to be interested any more.
_LIFETIME = 0.5


@attrs.define(eq=False)
class Demand:
    """What reads would have needed replicas to show; moments are seconds of one monotonic clock.

    Attributes:
        newest: everything until this moment, as the most demanding of the reads needs.
        oldest: the same for the oldest demand that is still open, as far as it is known.
        at: when the last one was left.
    """

    newest: float = NEVER
    oldest: float = NEVER
    at: float = NEVER

    def add(self, needed: float, now: float) -> None:
        """A read needed a replica that shows everything until `needed`. Callers need no lock."""
        if now - self.at > _LIFETIME:
            self.newest = self.oldest = needed
        elif needed > self.newest:
            self.newest = needed
        self.at = now

    def due(self, readers: Sequence[NodeState], now: float) -> tuple[float, float]:
        """In how many seconds the next round is due, and in how many at the earliest if a further demand comes."""
        if now - self.at > _LIFETIME or not readers:
            return AT_REST, _SHORTEST
        shown = max([node.fresh_until for node in readers])
        if shown > self.oldest:
            if shown > self.newest:
                return AT_REST, _SHORTEST
            self.oldest = self.newest
        due = min(max((now - self.oldest) * _SHARE_OF_AGE, _SHORTEST), AT_REST)
        return due, due * _HASTE
