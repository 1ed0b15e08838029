"""How often the servers are asked for their positions, in view of what reads need."""

from __future__ import annotations

import pytest

from dbadapter import PoolConfig
from dbadapter._core.consistency import NEVER
from dbadapter._core.demand import AT_REST, Demand
from dbadapter._core.pool_state import PoolState
from dbadapter._core.topology import NodeState


def replica(fresh_until: float) -> NodeState:
    """A replica that shows everything until a moment."""
    node = NodeState("r", 5432, PoolState.of(PoolConfig(), minimum=0, maximum=9), False)
    node.fresh_until = fresh_until
    return node


def looks(lag: float, seconds: float = 3.0) -> int:
    """How often one looks in so long at a replica that is so far behind, while somebody writes and reads all along."""
    demand, node, now, count = Demand(), replica(100.0), 100.0, 0
    while now < 100.0 + seconds:
        demand.add(now - 0.0001, now)
        node.fresh_until = now - lag
        now += max(demand.due([node], now)[0], 0.0005)
        count += 1
    return count


def test_nobody_in_need() -> None:
    """Without a demand the servers are asked now and then; so also when it is met, or was left long ago."""
    demand, node = Demand(), replica(1000.0)
    assert demand.due([node], 1000.5)[0] == AT_REST
    demand.add(999.0, 1000.5)
    assert demand.due([node], 1000.6)[0] == AT_REST
    demand.add(1001.0, 1001.0)
    assert demand.due([node], 1001.01)[0] < AT_REST
    assert demand.due([node], 1002.0)[0] == AT_REST
    demand.add(1002.0, 1002.0)
    assert demand.due([], 1002.0)[0] == AT_REST


def test_a_wish_is_followed_closely() -> None:
    """Right after a write one looks again at once; the longer it takes, the less often."""
    demand, node = Demand(), replica(NEVER)
    demand.add(10.0, 10.0)
    dues = [demand.due([node], 10.0 + age)[0] for age in (0.001, 0.01, 0.1, 0.4)]
    assert dues == sorted(dues)
    assert dues[0] < 0.001
    assert dues[-1] < 0.1


@pytest.mark.parametrize("lag", [0.0005, 0.002, 0.01])
def test_demands_that_never_end_are_followed_as_closely_as_the_first(lag: float) -> None:
    """Under steady writing there is always an open wish; quick replicas are still looked at closely."""
    assert looks(lag) > 3.0 / (lag + 0.001) / 2


def test_replicas_far_behind_are_left_alone() -> None:
    """A replica that is minutes behind is not asked a thousand times a second for it."""
    assert looks(300.0) < 60
    assert looks(0.3) < 600


def test_a_new_need_after_a_long_pause() -> None:
    """What was wished for long ago does not slow down the first look for a new wish."""
    demand, node = Demand(), replica(NEVER)
    demand.add(10.0, 10.0)
    demand.add(500.0, 500.0)
    assert demand.due([node], 500.001)[0] < 0.001
