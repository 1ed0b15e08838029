"""How often the servers are asked where they stand, in view of what reads are in need of."""

from __future__ import annotations

import pytest

from dbadapter import PoolConfig
from dbadapter._core.consistency import NEVER
from dbadapter._core.pool_state import PoolState
from dbadapter._core.topology import NodeState
from dbadapter._core.wishes import AT_REST, Wishes


def replica(fresh_until: float) -> NodeState:
    """A replica that shows everything until a moment."""
    node = NodeState("r", 5432, PoolState.of(PoolConfig(), minimum=0, maximum=9), False)
    node.fresh_until = fresh_until
    return node


def looks(lag: float, seconds: float = 3.0) -> int:
    """How often one looks in so long at a replica that is so far behind, while somebody writes and reads all along."""
    wishes, node, now, count = Wishes(), replica(100.0), 100.0, 0
    while now < 100.0 + seconds:
        wishes.add(now - 0.0001, now)
        node.fresh_until = now - lag
        now += max(wishes.due([node], now)[0], 0.0005)
        count += 1
    return count


def test_nobody_in_need() -> None:
    """Without wishes one looks now and then; so also when they are fulfilled, or were left long ago."""
    wishes, node = Wishes(), replica(1000.0)
    assert wishes.due([node], 1000.5)[0] == AT_REST
    wishes.add(999.0, 1000.5)
    assert wishes.due([node], 1000.6)[0] == AT_REST
    wishes.add(1001.0, 1001.0)
    assert wishes.due([node], 1001.01)[0] < AT_REST
    assert wishes.due([node], 1002.0)[0] == AT_REST
    wishes.add(1002.0, 1002.0)
    assert wishes.due([], 1002.0)[0] == AT_REST


def test_a_wish_is_followed_closely() -> None:
    """Right after a write one looks again at once; the longer it takes, the less often."""
    wishes, node = Wishes(), replica(NEVER)
    wishes.add(10.0, 10.0)
    dues = [wishes.due([node], 10.0 + age)[0] for age in (0.001, 0.01, 0.1, 0.4)]
    assert dues == sorted(dues)
    assert dues[0] < 0.001
    assert dues[-1] < 0.1


@pytest.mark.parametrize("lag", [0.0005, 0.002, 0.01])
def test_wishes_that_never_end_are_followed_as_closely_as_the_first(lag: float) -> None:
    """Under steady writing there is always an open wish; quick replicas are still looked at closely."""
    assert looks(lag) > 3.0 / (lag + 0.001) / 2


def test_replicas_far_behind_are_left_alone() -> None:
    """A replica that is minutes behind is not asked a thousand times a second for it."""
    assert looks(300.0) < 60
    assert looks(0.3) < 600


def test_a_new_need_after_a_long_pause() -> None:
    """What was wished for long ago does not slow down the first look for a new wish."""
    wishes, node = Wishes(), replica(NEVER)
    wishes.add(10.0, 10.0)
    wishes.add(500.0, 500.0)
    assert wishes.due([node], 500.001)[0] < 0.001
