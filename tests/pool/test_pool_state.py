"""The state of a pool's connections where limits change and servers go."""

from __future__ import annotations

from typing import Any

import attrs

from dbadapter import PoolConfig
from dbadapter._core.pool_state import Grant, PoolState


@attrs.define(eq=False)
class Connection:
    """What the state needs of a connection."""

    created_at: float = 0.0
    released_at: float = 0.0
    expires_at: float = float("inf")


@attrs.define(eq=False)
class Waiter:
    """Somebody who waits."""

    value: Any = None
    holder: Any = None

    def deliver(self, value: Any) -> None:
        """Take what is handed over."""
        self.value = value


def full(size: int, maximum: int) -> tuple[PoolState[Connection], list[Connection]]:
    """A state with so many connections, all in use."""
    state: PoolState[Connection] = PoolState.of(PoolConfig(), minimum=0, maximum=maximum)
    connections = []
    for _ in range(size):
        assert state.take() is Grant.OPEN
        connections.append(Connection())
        state.opened(connections[-1])
    return state, connections


def test_growing_serves_those_who_wait() -> None:
    """Each place that is added goes to the next in line."""
    state, _ = full(2, 2)
    waiters = [Waiter() for _ in range(3)]
    for waiter in waiters:
        assert state.take() is Grant.WAIT
        state.waiters.append(waiter)
    assert state.resize(0, 4) == []
    assert [waiter.value for waiter in waiters] == [Grant.OPEN, Grant.OPEN, None]
    assert state.size == 4


def test_shrinking_closes_idle_ones_now_and_others_on_return() -> None:
    """Never more are closed than are too many, also when one breaks meanwhile."""
    state, connections = full(5, 5)
    for connection in connections[:2]:
        state.give_back(connection, 1.0, True)
    assert state.resize(0, 2) == connections[:2]
    assert (state.size, state.surplus) == (3, 1)
    assert state.give_back(connections[2], 1.0, False) == "broken"
    assert state.give_back(connections[3], 1.0, True) is None
    assert state.give_back(connections[4], 1.0, True) is None
    assert (len(state.idle), state.surplus) == (2, 0)
    assert state.reasons == {"pool shrunk": 2, "broken": 1}


def test_eviction_says_why() -> None:
    """Idle connections go at once, those in use when they are given back, with the reason in the figures."""
    state, connections = full(3, 3)
    state.give_back(connections[0], 1.0, True)
    assert state.evict("no longer the primary") == [connections[0]]
    assert state.give_back(connections[1], 1.0, True) == "no longer the primary"
    assert state.reasons == {"no longer the primary": 2}
    assert state.take() is Grant.OPEN
    fresh = Connection()
    state.opened(fresh)
    assert state.give_back(fresh, 1.0, True) is None


def test_dismissed_callers_ask_elsewhere() -> None:
    """Those who wait for a server that is not the primary any more are sent to the one that is."""
    state, _ = full(1, 1)
    waiter = Waiter()
    assert state.take() is Grant.WAIT
    state.waiters.append(waiter)
    state.dismiss()
    assert waiter.value is Grant.MOVED
    assert not state.waiters
