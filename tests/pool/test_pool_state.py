"""The state of a pool's connections where limits change and servers go."""

from __future__ import annotations

from typing import Any

import attrs

from dbadapter import PoolConfig
from dbadapter._core.pool_state import Grant, Place, PoolState


@attrs.define(eq=False)
class Connection:
    """What the state needs of a connection."""

    created_at: float = 0.0
    released_at: float = 0.0
    expires_at: float = float("inf")
    holder: Any = None


@attrs.define(eq=False)
class Waiter:
    """Somebody who waits."""

    value: Any = None
    holder: Any = None
    nudges: int = 0

    def deliver(self, value: Any) -> None:
        """Take what is handed over."""
        self.value = value

    def nudge(self) -> None:
        """Be told to look."""
        self.nudges += 1


def full(size: int, maximum: int) -> tuple[PoolState[Connection], list[Connection]]:
    """A state with so many connections, all in use."""
    state: PoolState[Connection] = PoolState.of(PoolConfig(), minimum=0, maximum=maximum)
    connections = []
    for _ in range(size):
        connections.append(Connection())
        open_one(state, connections[-1])
    return state, connections


def open_one(state: PoolState[Connection], connection: Connection) -> None:
    """Be told to open one, and do so."""
    place = state.take()
    assert isinstance(place, Place)
    state.opened(place, connection)


def test_growing_serves_those_who_wait() -> None:
    """Each place that is added goes to the next in line."""
    state, _ = full(2, 2)
    waiters = [Waiter() for _ in range(3)]
    for waiter in waiters:
        assert state.take() is Grant.WAIT
        state.waiters.append(waiter)
    assert state.resize(0, 4) == []
    assert [isinstance(waiter.value, Place) for waiter in waiters] == [True, True, False]
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
    fresh = Connection()
    open_one(state, fresh)
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


def in_turn() -> tuple[PoolState[Connection], Connection, list[Waiter]]:
    """The only connection, in use since 0 s by "a", whose turn lasts until 1 s, and two that wait."""
    state: PoolState[Connection] = PoolState.of(PoolConfig(), minimum=0, maximum=1, turn=1.0)
    connection = Connection()
    open_one(state, connection)
    assert state.give_back(connection, 0.0, True) is None
    assert state.take(holder="a") is connection
    connection.holder = "a"
    waiters = [Waiter(holder=name) for name in "bc"]
    for waiter in waiters:
        assert state.take(holder=waiter.holder) is Grant.WAIT
        state.waiters.append(waiter)
    return state, connection, waiters


def test_a_turn_lets_its_holder_go_on() -> None:
    """Until its turn ends, who had the connection may take it again; then it goes to the next in line, for a turn."""
    state, connection, (b, c) = in_turn()
    for moment in (0.1, 0.2, 0.9):
        assert state.give_back(connection, moment, True) is None
        assert state.take(holder="d") is Grant.WAIT  # nobody else may
        assert state.take(holder="a") is connection
        assert state.take_next(b, moment) == 1.0  # it looks again when the turn has ended
    assert b.nudges == 1  # woken once, not at each use
    assert state.give_back(connection, 1.0, True) is None
    assert b.value is connection
    assert state.waiters[0] is c
    connection.holder = "b"
    assert state.give_back(connection, 1.5, True) is None
    assert (c.value, c.nudges) == (None, 1)
    assert state.take(holder="a") is Grant.WAIT  # its turn is over
    assert state.take(holder="b") is connection


def test_what_is_left_in_a_turn_is_for_the_next_in_line() -> None:
    """If the holder does not come back, the one that was woken takes the connection, and nobody behind it does."""
    state, connection, (b, c) = in_turn()
    assert state.give_back(connection, 0.1, True) is None
    assert state.take_next(c, 0.2) == float("inf")
    assert state.take_next(b, 0.2) is connection
    assert list(state.waiters) == [c]
    assert state.active == {connection}


def test_a_pause_that_ends_in_a_turn() -> None:
    """Who was told to look before it is told again: it may have looked during the pause, when there was nothing."""
    state, connection, (b, _) = in_turn()
    assert state.give_back(connection, 0.1, True) is None
    assert state.take(holder="a") is connection
    state.pause(lambda holder: False)
    assert state.take_next(b, 0.2) == float("inf")
    state.resume()
    assert state.give_back(connection, 0.3, True) is None
    assert b.nudges == 2
    assert state.take_next(b, 0.4) is connection


def test_one_that_leaves_wakes_the_next() -> None:
    """The woken caller may have run out of time: the connection that was left for it is the next one's."""
    state, connection, (b, c) = in_turn()
    assert state.give_back(connection, 0.1, True) is None
    state.leave(b)
    assert c.nudges == 1
    assert state.take_next(c, 0.2) is connection


def test_what_is_forgotten_is_had_again() -> None:
    """A connection, a place and a waiter that nobody refers to any more are in nobody's way."""
    state, connections = full(2, 3)
    kept, place = connections[0], state.take()
    del connections
    state.waiters.append(Waiter())  # interrupted before it could leave the line
    waiter = Waiter()
    state.waiters.append(waiter)
    assert isinstance(place, Place)
    (closing,) = state.forgotten()
    assert closing is not kept
    assert state.active == {kept}
    assert isinstance(waiter.value, Place)
    assert not state.waiters
    assert state.size == 3
    del place
    assert state.forgotten() == []
    assert (state.size, state.reasons) == (2, {"forgotten": 1})
