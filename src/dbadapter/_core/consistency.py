"""How fresh a replica is, and how fresh a read wants it: positions in the write-ahead log, their history, and tokens.

The history answers one question without asking anybody: *up to which moment does a replica show everything that had
been acknowledged?* A sample says: the request was sent at `started`, and the primary's log then reached `position`.
Whatever had been acknowledged before `started` lies below `position`. So a replica that has replayed `position` shows
all of it, and a read that wants to see a write acknowledged at time w may use any replica with ``fresh_until > w``.
Moments are seconds of one monotonic clock of this process; late samples and slow answers only make this stricter.
"""

from __future__ import annotations

import re
from bisect import bisect_right

import attrs

from ..errors import ParameterError

__all__ = ["ANY", "CONSISTENCIES", "NEVER", "SQLITE_TOKEN", "History", "Token", "parse_position", "settled"]

CONSISTENCIES = ("session", "strong", "eventual")

NEVER = -1.0
"""A moment before all others, since the clock is never negative. It is the last write of a session that has written
nothing, and the freshness of a replica of which nothing is known."""

ANY = float("-inf")
"""The freshness that a read asks for when any replica will do."""

SQLITE_TOKEN = "sqlite"
"""The token of every SQLite file: whoever reads the file sees every committed write."""

_KEPT = 512  # samples of the history
_TOKEN = re.compile(r"pg1-([0-9a-f]{1,16})-([0-9a-f]{1,8})-([0-9a-f]{1,16})", re.ASCII)

# Bytes: a page of the write-ahead log, its header, and the longer header of the first page of each file of the log.
_PAGE, _PAGE_HEADER, _FILE_HEADER = 8192, 24, 40


def parse_position(text: str) -> int:
    """``16/B374D848`` as a number of bytes."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def settled(position: int) -> int:
    """Where the last record before an insert position ends.

    As soon as a page is full, the primary's insert position skips the header of the next one. A replica reports the end
    of the last record: without this, it would seem to lag by a header for as long as the primary is idle.
    """
    header = position % _PAGE
    return position - header if header in (_PAGE_HEADER, _FILE_HEADER) else position


class History:
    """The primary's positions, oldest first; both columns only grow. One timeline has one history."""

    __slots__ = ("_positions", "_started")

    def __init__(self) -> None:
        self._started: list[float] = []
        self._positions: list[int] = []

    def add(self, started: float, position: int) -> None:
        """A sample that was asked for at `started`; samples that come out of order say nothing new."""
        if self._started and (started <= self._started[-1] or position < self._positions[-1]):
            return
        if self._positions and position == self._positions[-1]:
            self._started[-1] = started  # nothing was written meanwhile
            return
        self._started.append(started)
        self._positions.append(position)
        if len(self._started) > _KEPT:
            # Thin out the older half: what falls away makes a far-behind replica seem a little further behind.
            half = _KEPT // 2
            self._started[:half] = self._started[1:half:2]
            self._positions[:half] = self._positions[1:half:2]

    def shown_by(self, position: int) -> float:
        """The moment up to which a replica at `position` shows everything acknowledged; `NEVER` if unknown."""
        index = bisect_right(self._positions, position) - 1
        return self._started[index] if index >= 0 else NEVER

    def lag(self, position: int) -> tuple[int, float] | None:
        """How far `position` is behind the newest sample, in bytes and in seconds; None before the first sample.

        Seconds are those between the newest sample and the newest one that is shown, so an idle primary causes none.
        """
        if not self._started:
            return None
        behind = self._positions[-1] - position
        if behind <= 0:
            return 0, 0.0
        shown = self.shown_by(position)
        return behind, self._started[-1] - (shown if shown > NEVER else self._started[0])

    @property
    def newest(self) -> tuple[float, int]:
        """When the newest sample was asked for, and its position; `NEVER` and 0 before the first."""
        return (self._started[-1], self._positions[-1]) if self._started else (NEVER, 0)


@attrs.frozen
class Token:
    """A point in the life of one database cluster that a read wants to have passed.

    Attributes:
        system: the cluster's identifier.
        timeline: which of its histories; promoting a replica begins a new one.
        position: how far in the write-ahead log, in bytes.
    """

    system: int
    timeline: int
    position: int

    def __str__(self) -> str:
        return f"pg1-{self.system:x}-{self.timeline:x}-{self.position:x}"

    @classmethod
    def parse(cls, text: str) -> Token | None:
        """The token that ``consistency_token()`` wrote; None for a SQLite file's.

        Raises `ParameterError` for anything else: tokens come back from browsers.
        """
        if text == SQLITE_TOKEN:
            return None
        match = _TOKEN.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ParameterError(
                "after must be what consistency_token() gave, not something else", sqlstate="22023"
            )
        system, timeline, position = (int(part, 16) for part in match.groups())
        return cls(system, timeline, position)
