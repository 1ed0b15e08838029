"""Positions and their history: what a replica shows for certain, and what a token asks for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbadapter._core.consistency import NEVER, History, Token, parse_position, settled
from dbadapter.errors import ParameterError


def test_a_replica_is_as_fresh_as_the_newest_sample_it_has_replayed() -> None:
    """It shows everything acknowledged before that sample was asked for, and nothing is claimed beyond it."""
    history = History()
    for started, position in [(1.0, 100), (2.0, 200), (3.0, 300)]:
        history.add(started, position)
    assert [history.shown_by(position) for position in (99, 100, 199, 250, 300, 999)] == [
        NEVER,
        1.0,
        1.0,
        2.0,
        3.0,
        3.0,
    ]


def test_an_idle_primary_makes_no_lag() -> None:
    """While nothing is written a replica that has everything is fresh as of the newest sample."""
    history = History()
    for started in range(1, 2000):
        history.add(float(started), 100)
    assert history.shown_by(100) == 1999.0
    assert history.lag(100) == (0, 0.0)
    assert History().lag(100) is None


def test_lag_in_seconds_is_between_samples() -> None:
    """It is how long before the newest sample the replica's state was the primary's."""
    history = History()
    history.add(10.0, 100)
    history.add(15.0, 200)
    assert history.lag(150) == (50, 5.0)
    assert history.lag(50) == (150, 5.0)


def test_late_and_lower_samples_say_nothing() -> None:
    """A sample that is older than the newest, or lower (a crash lost what was not flushed), changes nothing."""
    history = History()
    history.add(5.0, 100)
    history.add(4.0, 150)
    history.add(6.0, 90)
    assert history.newest == (5.0, 100)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(1, 50)), min_size=1, max_size=2000), st.integers(0, 2**32)
)
def test_no_acknowledged_write_is_ever_missed(steps: list[tuple[bool, int]], seed: int) -> None:
    """Whatever is sampled when, a replica said to be fresh until t has every write acknowledged before t."""
    chance = random.Random(seed)
    history, position, now = History(), 1000, 0.0
    acknowledged: list[tuple[float, int]] = []
    for writes, amount in steps:
        now += chance.random()
        if writes:
            position += amount
            acknowledged.append((now, position))
        else:
            # Others may have written into the log what is acknowledged later, or never.
            history.add(now, position + chance.randrange(3))
    for replayed in range(990, position + 5, max(1, (position - 990) // 50)):
        fresh_until = history.shown_by(replayed)
        assert all(at <= replayed for when, at in acknowledged if when < fresh_until)


def test_memory_is_bounded() -> None:
    """A long history is thinned out, and still never claims too much."""
    history = History()
    for step in range(100_000):
        history.add(float(step), step * 10)
    assert len(history._started) == len(history._positions) <= 512
    for position in range(0, 1_000_000, 9_973):
        assert history.shown_by(position) <= position / 10


@pytest.mark.parametrize(
    ("inserted", "end"),
    [
        ("0/6000028", "0/6000000"),  # the beginning of a file of the log: a long page header
        ("0/6002018", "0/6002000"),  # of a page: a short one
        ("0/6014BC8", "0/6014BC8"),
        ("0/6002000", "0/6002000"),
    ],
)
def test_the_header_of_a_new_page_is_no_lag(inserted: str, end: str) -> None:
    """The insert position jumps over page headers; a replica reports where the last record ends."""
    assert settled(parse_position(inserted)) == parse_position(end)


def test_tokens_are_short_text_and_come_back() -> None:
    """A token is made of letters, digits and hyphens, fits a cookie, and parses to what it was."""
    token = Token(system=2**63 + 5, timeline=7, position=parse_position("16/B374D848"))
    assert Token.parse(str(token)) == token
    assert len(str(token)) < 48
    assert set(str(token)) <= set("0123456789abcdefpg-")
    assert Token.parse("sqlite") is None


@pytest.mark.parametrize(
    "text",
    ["", "x", "pg1-1-1", "pg1-g-1-1", "pg1-1-1-1 ", "pg1-1-1-" + "f" * 17, 5, "PG1-1-1-1", "pg1-١-1-1"],
)
def test_what_is_no_token_is_refused(text: object) -> None:
    """Tokens come back from browsers: anything else is a ParameterError that does not repeat it."""
    with pytest.raises(ParameterError, match="consistency_token") as caught:
        Token.parse(text)  # type: ignore[arg-type]
    assert str(text) not in str(caught.value) or text in ("", "x", 5)
