"""What the workers were told: every write that was acknowledged, where, and how long each request took."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from decimal import Decimal

import attrs

__all__ = ["Acknowledged", "Check", "Ledger", "Sample"]

Sample = tuple[float, float]
"""When a request ended, by the monotonic clock, and how long it took; seconds."""


@attrs.frozen
class Acknowledged:
    """One write that the adapter said was committed.

    Attributes:
        id: the order.
        total: its amount.
        home: the database that took it, by its own word, read in the same transaction.
    """

    id: uuid.UUID
    total: Decimal
    home: str


@attrs.frozen
class Check:
    """One thing that must hold at the end.

    Attributes:
        claim: what is claimed.
        holds: whether it does.
        figures: the numbers behind it.
    """

    claim: str
    holds: bool
    figures: str


@attrs.define(eq=False)
class Ledger:
    """One worker's record; only that worker writes to it, and others may read along."""

    samples: list[Sample] = attrs.field(factory=list)
    written: list[Acknowledged] = attrs.field(factory=list)
    errors: list[str] = attrs.field(factory=list)


def recent(ledgers: Sequence[Ledger], since: float) -> Iterator[Sample]:
    """The samples that ended after `since`."""
    for ledger in ledgers:
        for sample in reversed(ledger.samples):
            if sample[0] < since:
                break
            yield sample
