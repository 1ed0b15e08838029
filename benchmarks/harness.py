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
