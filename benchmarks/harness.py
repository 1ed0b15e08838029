"""Measure several ways to do the same work, fairly: in turns, in one run, and compared as ratios.

The contenders of a suite take turns, in an order that changes from round to round, so that a slow moment of
the machine hits all of them; what counts is each one's median round. A ratio compares two contenders of the
same run and says nothing about the machine.
"""

from __future__ import annotations

import gc
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from attrs import field, frozen


@frozen
class Contender:
    """One way to do the work.

    ``run(n)`` does the work ``n`` times; whatever it needs was opened before. Contenders whose results differ
    do not belong into the same suite.
    """

    name: str
    run: Callable[[int], object]


@frozen
class Target:
    """A promise: ``ours`` takes at most ``at_most`` times as long as ``peer`` (0.5: it is twice as fast)."""

    peer: str
    at_most: float


@frozen
class Suite:
    """Contenders for the same work, the one that is ours first; ``unit`` says what one repetition is."""

    title: str
    unit: str
    contenders: Sequence[Contender]
    targets: Sequence[Target] = ()
    one_core: bool = False  # pin to one core: cross-core wake-ups make latencies bimodal


@frozen
class Outcome:
    """What a suite measured: seconds for one repetition, for each round of each contender."""

    suite: Suite
    seconds: dict[str, list[float]] = field(factory=dict)

    def median(self, name: str) -> float:
        """Return the seconds that one repetition takes ``name``."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, to: str) -> float:
        """Return how many times as long ``name`` takes as ``to``; the median of the rounds' own ratios."""
        pairs = zip(self.seconds[name], self.seconds[to], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    @property
    def ours(self) -> str:
        """The name of the first contender."""
        return self.suite.contenders[0].name

    def missed(self) -> list[str]:
        """Return the targets that were not met, in words."""
        measured = ((target, self.ratio(self.ours, target.peer)) for target in self.suite.targets)
        return [
            f"{self.suite.title}: {self.ours} takes {ratio:.2f} × {target.peer}, promised "
            f"{target.at_most:.2f} ×"
            for target, ratio in measured
            if ratio > target.at_most
        ]


@frozen
class Figure:
    """Something that is promised as a number rather than against a peer: a share, a delay, a cost.

    ``take()`` measures it once, in ``unit``; what counts is the worst turn, since it is promised to hold
    always.
    """

    name: str
    unit: str
    take: Callable[[], float]
    at_most: float | None = None
    at_least: float | None = None

    def worst(self, values: Sequence[float]) -> float:
        """Return the value that is furthest from what is promised."""
        return min(values) if self.at_least is not None else max(values)

    def is_kept(self, value: float) -> bool:
        """Say whether ``value`` is within what is promised."""
        return (self.at_most is None or value <= self.at_most) and (
            self.at_least is None or value >= self.at_least
        )

    @property
    def promised(self) -> str:
        """The promise in words; empty if there is none."""
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return "" if self.at_least is None else f"≥ {self.at_least:g} {self.unit}"


@frozen
class Figures:
    """A suite of figures; ``rounds`` is how many turns each has at most."""

    title: str
    unit: str  # what one turn is
    figures: Sequence[Figure]
    rounds: int = 9
    one_core: bool = False


@frozen
class FiguresOutcome:
    """What a suite of figures measured: the values of each, in the order of the turns."""

    suite: Figures
    values: dict[str, list[float]] = field(factory=dict)

    def missed(self) -> list[str]:
        """Return the promises that were not kept, in words."""
        worst = ((each, each.worst(self.values[each.name])) for each in self.suite.figures)
        return [
            f"{self.suite.title}: {each.name} was {value:.3g} {each.unit}, promised {each.promised}"
            for each, value in worst
            if not each.is_kept(value)
        ]


def take(suite: Figures, *, rounds: int = 9) -> FiguresOutcome:
    """Measure the figures of ``suite`` in turns."""
    outcome = FiguresOutcome(suite, {each.name: [] for each in suite.figures})
    with _on_one_core(suite.one_core), _without_collector():
        for _ in range(min(rounds, suite.rounds)):
            for each in suite.figures:
                outcome.values[each.name].append(each.take())
    return outcome


def measure(suite: Suite, *, rounds: int = 9, seconds: float = 0.25, seed: int = 1) -> Outcome:
    """Run ``suite``: ``rounds`` turns for each contender, of about ``seconds`` each."""
    outcome = Outcome(suite, {contender.name: [] for contender in suite.contenders})
    order = random.Random(seed)
    with _on_one_core(suite.one_core), _without_collector():
        repetitions = {each.name: _repetitions(each, seconds) for each in suite.contenders}
        for _ in range(rounds):
            for contender in order.sample(list(suite.contenders), len(suite.contenders)):
                n = repetitions[contender.name]
                begun = time.perf_counter()
                contender.run(n)
                outcome.seconds[contender.name].append((time.perf_counter() - begun) / n)
    return outcome


def _repetitions(contender: Contender, seconds: float) -> int:
    """Warm up, and find out how often the work fits into ``seconds``."""
    n = 1
    while True:
        begun = time.perf_counter()
        contender.run(n)
        taken = time.perf_counter() - begun
        if taken >= seconds / 10:
            return max(1, round(n * seconds / taken))
        n *= 4


@contextmanager
def _on_one_core(wanted: bool) -> Iterator[None]:
    """Keep this process on one core; what runs in other processes (a server) goes where it likes."""
    if not wanted or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
