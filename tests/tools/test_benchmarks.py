"""The harness of the benchmarks: turns, ratios and promises; not speed."""

from __future__ import annotations

import json
from collections import Counter

from benchmarks import __main__ as command
from benchmarks import report
from benchmarks.harness import Contender, Figure, Figures, Outcome, Suite, Target, measure, take


def suite(*targets: Target) -> Suite:
    """Return a suite of two contenders that do nothing."""
    idle = [Contender("ours", lambda n: None), Contender("peer", lambda n: None)]
    return Suite("Nothing", "nothing at all", idle, targets)


def test_every_contender_has_every_turn() -> None:
    """Each contender is measured once a round, after it was warmed up."""
    turns: Counter[str] = Counter()

    def busy(name: str) -> Contender:
        def run(n: int) -> None:
            turns[name] += 1
            sum(range(n * 100))

        return Contender(name, run)

    outcome = measure(Suite("Sum", "one sum", [busy("a"), busy("b")]), rounds=3, seconds=0.001)
    assert {name: len(seconds) for name, seconds in outcome.seconds.items()} == {"a": 3, "b": 3}
    assert min(turns.values()) > 3


def test_ratios_are_taken_within_a_round() -> None:
    """A round in which the whole machine was slow does not count for or against anybody."""
    outcome = Outcome(suite(), {"ours": [1.0, 10.0, 1.0], "peer": [2.0, 20.0, 2.0]})
    assert outcome.ratio("ours", "peer") == 0.5
    assert outcome.median("ours") == 1.0


def test_a_missed_promise_is_named() -> None:
    """The report and the list of missed promises agree, and say by how much."""
    measured = {"ours": [3.0], "peer": [2.0]}
    kept = Outcome(suite(Target("peer", 2.0)), measured)
    missed = Outcome(suite(Target("peer", 1.0)), measured)
    assert kept.missed() == []
    assert missed.missed() == ["Nothing: ours takes 1.50 × peer, promised 1.00 ×"]
    assert "| peer | 2 s | 1.50 × | ≤ 2.00 × | kept |" in list(report.markdown([kept]))
    assert "| peer | 2 s | 1.50 × | ≤ 1.00 × | **missed** |" in list(report.markdown([missed]))
    assert json.loads(json.dumps(report.plain([missed])))["suites"][0]["ratios"]["peer"] == 1.5


def test_figures_are_judged_by_their_worst_turn() -> None:
    """A delay by the longest, a share by the smallest; the report shows it beside the median."""
    delays, shares = iter([1.0, 5.0, 2.0]), iter([90.0, 50.0, 80.0])
    figures = [
        Figure("delay", "s", lambda: next(delays), at_most=5),
        Figure("share", "%", lambda: next(shares), at_least=60),
    ]
    outcome = take(Figures("Numbers", "one number", figures, rounds=3), rounds=9)
    assert outcome.missed() == ["Numbers: share was 50 %, promised ≥ 60 %"]
    lines = list(report.markdown([outcome]))
    assert "| delay | 2 s | 5 s | ≤ 5 s | kept |" in lines
    assert "| share | 80 % | 50 % | ≥ 60 % | **missed** |" in lines
    assert json.loads(json.dumps(report.plain([outcome])))["suites"][0]["values"]["delay"] == [1, 5, 2]


def test_the_suites_are_found() -> None:
    """Every module of benchmarks/suites is a suite by its name."""
    assert "sqlite_point_read" in command.names()
