"""What the demo shows at any moment: the shared state that the story writes and the display reads."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs

from .ledger import recent
from .workers import Workers

if TYPE_CHECKING:
    from dbadapter import DatabaseAdapter

__all__ = ["Board", "Moment"]

WINDOW = 1.0


@attrs.frozen
class Moment:
    """The figures of one moment; times in milliseconds.

    Attributes:
        seconds: since the shop opened.
        backend: the database in use.
        rate: requests per second, over the last second.
        middle, slow: median and 95th percentile of the last second's waits.
        longest: the longest wait so far.
        requests, written, errors: counts so far.
        pool: the pool's own figures.
    """

    seconds: float
    backend: str
    rate: float
    middle: float
    slow: float
    longest: float
    requests: int
    written: int
    errors: int
    pool: dict[str, Any]


@attrs.define(eq=False)
class Board:
    """The story so far.

    Attributes:
        doing: what is being done now.
        events: what has happened, with the seconds since the beginning.
        marks: the moments of the switches, by the monotonic clock.
    """

    adapter: DatabaseAdapter
    workers: Workers
    began: float = attrs.field(factory=perf_counter)
    doing: str = ""
    events: list[tuple[float, str]] = attrs.field(factory=list)
    marks: list[tuple[float, str]] = attrs.field(factory=list)
    rates: list[float] = attrs.field(factory=list)

    def say(self, text: str) -> None:
        """Note an event."""
        self.events.append((perf_counter() - self.began, text))

    def now(self) -> Moment:
        """The figures of this moment."""
        now = perf_counter()
        ledgers = self.workers.ledgers
        waits = sorted(seconds * 1000 for _, seconds in recent(ledgers, now - WINDOW))
        longest = max((seconds for ledger in ledgers for _, seconds in ledger.samples[:]), default=0.0)
        return Moment(
            seconds=now - self.began,
            backend=self.adapter.db_type.value,
            rate=len(waits) / min(WINDOW, max(now - self.began, 0.001)),
            middle=waits[len(waits) // 2] if waits else 0.0,
            slow=waits[int(len(waits) * 0.95)] if waits else 0.0,
            longest=longest * 1000,
            requests=sum(len(ledger.samples) for ledger in ledgers),
            written=sum(len(ledger.written) for ledger in ledgers),
            errors=sum(len(ledger.errors) for ledger in ledgers),
            pool=self.adapter.get_stats(),
        )
