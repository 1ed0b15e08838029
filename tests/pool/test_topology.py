"""Who is the primary and what replicas may serve, decided from what the servers say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from dbadapter import PoolConfig
from dbadapter._core.consistency import ANY, NEVER, Token
from dbadapter._core.pool_state import PoolState
from dbadapter._core.routing import LoadBalancer
from dbadapter._core.topology import Change, ChangeKind, NodeState, Role, Sample, Topology

CLUSTER = 77


def node(host: str, *, candidate: bool = False) -> NodeState:
    """A server nothing is known of."""
    return NodeState(host, 5432, PoolState.of(PoolConfig(), minimum=0, maximum=9), candidate)


def said(
    at: float,
    position: int,
    *,
    standby: bool = True,
    timeline: int | None = 1,
    server: str = "",
    connected: float = 0.0,
    system: int = CLUSTER,
) -> Sample:
    """What a server says; by default a replica on timeline 1."""
    return Sample(at, standby, position, timeline, connected, server, system)


def kinds(changes: list[Change]) -> list[tuple[ChangeKind, str]]:
    """What changed, and where."""
    return [(change.kind, change.node.host) for change in changes]


@pytest.fixture
def three() -> tuple[Topology, NodeState, NodeState, NodeState]:
    """A primary at position 100 with two replicas that have replayed it, sampled at 1 and 2."""
    nodes = [node("a", candidate=True), node("b"), node("c")]
    topology = Topology(nodes, None)
    topology.sampled(nodes[0], said(1.0, 100, standby=False, server="A"))
    topology.sampled(nodes[1], said(2.0, 100, server="B"))
    topology.sampled(nodes[2], said(2.0, 100, server="C"))
    return topology, *nodes


Three = tuple[Topology, NodeState, NodeState, NodeState]


def test_roles_come_from_the_servers(three: Three) -> None:
    """Whoever takes writes is the primary, whatever the configuration calls it; standbys serve reads."""
    topology, a, b, c = three
    assert topology.primary is a
    assert topology.readers == (b, c)
    other = Topology([node("x", candidate=True), node("y")], None)
    assert kinds(other.sampled(other.nodes[0], said(1.0, 5, server="X"))) == []
    assert kinds(other.sampled(other.nodes[1], said(1.1, 5, standby=False, server="Y"))) == [
        (ChangeKind.PROMOTED, "y")
    ]
    assert other.primary is other.nodes[1]
    assert other.readers == (other.nodes[0],)


def test_a_replica_is_fresh_by_the_primary_s_positions(three: Three) -> None:
    """It is fresh as of the sample it has replayed, not as of its own."""
    topology, a, b, _ = three
    assert b.fresh_until == 1.0
    topology.sampled(a, said(3.0, 200, standby=False, server="A"))
    topology.sampled(b, said(3.5, 150, server="B"))
    assert (b.fresh_until, b.lag_bytes, b.lag_seconds) == (1.0, 50, 2.0)
    topology.sampled(b, said(4.0, 200, server="B"))
    assert (b.fresh_until, b.lag_bytes, b.lag_seconds) == (3.0, 0, 0.0)


def test_a_restarted_replica_is_not_believed(three: Three) -> None:
    """After a restart it may show less than before, so what was known of its position counts no more."""
    topology, _, b, _ = three
    changes = topology.opened(b, said(5.0, 90, server="B2", connected=5.0), 5.1)
    assert kinds(changes) == [(ChangeKind.REPLACED, "b")]
    assert b.fresh_until == NEVER
    assert topology.sampled(b, said(5.05, 100, server="B", connected=0.0)) == []  # asked before the restart
    assert b.fresh_until == NEVER
    topology.sampled(b, said(5.2, 90, server="B2", connected=5.15))
    assert b.fresh_until == NEVER
    topology.sampled(b, said(5.4, 100, server="B2", connected=5.15))
    assert b.fresh_until == 1.0


def test_what_is_taken_back_is_an_upset(three: Three) -> None:
    """Whoever has chosen a replica is told that it may be older now; late and repeated news are none."""
    topology, a, b, c = three
    assert topology.upsets == 0
    topology.sampled(b, said(3.0, 100, server="B"))
    assert topology.upsets == 0
    topology.opened(b, said(5.0, 90, server="B2", connected=5.0), 5.1)
    assert topology.upsets == 1
    topology.failed(b, "gone")
    assert topology.upsets == 1
    topology.failed(c, "gone")
    assert topology.upsets == 2
    topology.sampled(a, said(6.0, 100, standby=False, timeline=2, server="A"))
    topology.sampled(c, said(6.2, 100, timeline=2, server="C"))
    topology.sampled(a, said(7.0, 100, standby=False, timeline=2, server="A2", connected=6.5))
    assert topology.upsets > 2


def test_a_position_that_goes_back_is_a_restart(three: Three) -> None:
    """Also where the server's identity tells nothing."""
    topology, _, b, _ = three
    topology.opened(b, said(5.0, 99, server="B"), 5.1)
    assert b.fresh_until == NEVER


def test_promotion_moves_the_primary(three: Three) -> None:
    """A server on a newer timeline takes over; until a replica follows it, its position means nothing."""
    topology, a, b, c = three
    topology.failed(a, "gone")
    assert topology.primary is a
    assert not topology.writable
    changes = topology.sampled(b, said(6.0, 90, standby=False, timeline=2, server="B"))
    assert kinds(changes) == [(ChangeKind.DEMOTED, "a"), (ChangeKind.PROMOTED, "b")]
    assert topology.writable
    # Beyond the point where timeline 2 began: another history.
    topology.sampled(c, said(6.1, 120, server="C"))
    assert c.fresh_until == NEVER
    topology.sampled(c, said(6.2, 90, timeline=2, server="C"))
    assert c.fresh_until == 6.0


def test_a_primary_that_comes_back_gets_no_writes(three: Three) -> None:
    """Two servers that take writes: the one on the newer timeline is the primary."""
    topology, a, b, _ = three
    topology.sampled(b, said(6.0, 100, standby=False, timeline=2, server="B"))
    changes = topology.sampled(a, said(6.1, 300, standby=False, server="A"))
    assert kinds(changes) == [(ChangeKind.LEFT, "a")]
    assert "timeline 1" in (a.problem or "")
    assert a not in topology.readers
    assert topology.primary is b
    assert kinds(topology.sampled(a, said(7.0, 100, timeline=2, server="A2", connected=6.9))) == [
        (ChangeKind.REPLACED, "a"),
        (ChangeKind.RETURNED, "a"),
    ]
    assert a in topology.readers


def test_a_demoted_primary_is_waited_for(three: Three) -> None:
    """It serves nothing as long as nobody else is the primary, since writers wait in its place."""
    topology, a, b, c = three
    assert kinds(topology.stepped_down(a)) == [(ChangeKind.DEMOTED, "a")]
    assert topology.primary is None
    topology.sampled(a, said(5.0, 100, server="A"))
    assert topology.readers == (b, c)
    topology.sampled(b, said(6.0, 100, standby=False, timeline=2, server="B"))
    assert topology.readers == (a, c)


def test_another_cluster_s_server_is_refused(three: Three) -> None:
    """A server with another system identifier is neither primary nor replica of ours."""
    topology, a, b, _ = three
    topology.sampled(b, said(5.0, 900, server="B", system=CLUSTER + 1))
    assert b not in topology.readers
    assert "another database cluster" in (b.problem or "")
    topology.failed(a, "gone")
    topology.sampled(b, said(6.0, 900, standby=False, timeline=9, server="B", system=CLUSTER + 1))
    assert topology.primary is a


def test_a_read_host_is_no_primary_before_the_candidates_had_their_say() -> None:
    """Listed by mistake among the replicas, a foreign primary must not win a race at the start."""
    candidate, stranger = node("a", candidate=True), node("b")
    topology = Topology([candidate, stranger], None)
    topology.sampled(stranger, said(1.0, 5, standby=False, timeline=3, server="B"))
    assert topology.primary is None
    topology.sampled(candidate, said(1.1, 5, standby=False, server="A", system=CLUSTER + 1))
    assert topology.primary is candidate


def test_the_same_server_by_two_names_is_one_primary(three: Three) -> None:
    """The name that came first stays in use; there is no going to and fro."""
    topology, a, b, _ = three
    for at in (5.0, 6.0):
        assert kinds(topology.sampled(b, said(at, 100, standby=False, server="A"))) in (
            [],
            [(ChangeKind.REPLACED, "b")],
        )
        assert topology.primary is a
    assert b not in topology.readers


def test_a_moved_address_is_not_an_old_server_s_word(three: Three) -> None:
    """Our watch still hears the old server; a connection opened since has led to another: only that counts."""
    topology, a, b, _ = three
    topology.opened(a, said(5.0, 500, standby=False, timeline=2, server="A2", connected=5.0), 5.1)
    changes = topology.sampled(a, said(6.0, 100, standby=False, server="A", connected=0.5))
    assert kinds(changes) == [(ChangeKind.CONFLICT, "a")]
    topology.sampled(b, said(6.1, 100, server="B"))
    assert b.fresh_until == 1.0  # nothing that is claimed after the move
    topology.sampled(a, said(7.0, 500, standby=False, timeline=2, server="A2", connected=6.5))
    assert topology.timeline == 2
    assert b.fresh_until == NEVER


def test_a_balanced_address_serves_eventual_reads_only(three: Three) -> None:
    """One name for several replicas: the position of one says nothing about another's."""
    topology, _, b, _ = three
    for round_ in range(3):
        topology.opened(b, said(10.0 + round_, 100, server="B2", connected=10.0 + round_), 10.1 + round_)
        topology.sampled(b, said(10.2 + round_, 100, server="B", connected=0.0))
        topology.sampled(b, said(10.3 + round_, 100, server="B", connected=10.25 + round_))
    assert b.several
    assert b.fresh_until == NEVER
    assert b in topology.readers
    assert not b.shows(Token(CLUSTER, 1, 5))


def test_a_replica_too_far_behind_serves_nothing() -> None:
    """``max_replica_lag`` takes it out of use, and it comes back by itself."""
    a, b = node("a", candidate=True), node("b")
    topology = Topology([a, b], 1.5)
    topology.sampled(a, said(1.0, 100, standby=False, server="A"))
    topology.sampled(b, said(1.1, 100, server="B"))
    topology.sampled(a, said(3.0, 200, standby=False, server="A"))
    topology.sampled(b, said(3.1, 150, server="B"))
    assert topology.readers == ()
    topology.sampled(b, said(3.2, 200, server="B"))
    assert topology.readers == (b,)


def test_tokens_know_the_timeline(three: Three) -> None:
    """A higher position on an older timeline is no proof; on a newer one it is."""
    _, _, b, _ = three
    assert b.shows(Token(CLUSTER, 1, 100))
    assert not b.shows(Token(CLUSTER, 1, 101))
    assert not b.shows(Token(CLUSTER, 2, 50))
    assert not b.shows(Token(CLUSTER + 1, 1, 50))
    b.timeline = 2
    assert b.shows(Token(CLUSTER, 1, 100))


# -- choosing


def readers(*fresh: float) -> list[NodeState]:
    """Replicas that are fresh until these moments."""
    found = [node(str(number)) for number in range(len(fresh))]
    for state, until in zip(found, fresh, strict=True):
        state.fresh_until = until
    return found


@pytest.mark.parametrize("balance", ["least_busy", "round_robin", "random"])
def test_only_fresh_replicas_are_chosen(balance: str) -> None:
    """None is chosen rather than a stale one; a read that takes anything gets anything."""
    nodes = readers(5.0, 3.0, NEVER)
    balancer = LoadBalancer(balance)
    assert {balancer.choose(nodes, 4.0).host for _ in range(50)} == {"0"}  # type: ignore[union-attr]
    assert {balancer.choose(nodes, 2.0).host for _ in range(200)} == {"0", "1"}  # type: ignore[union-attr]
    assert {balancer.choose(nodes, ANY).host for _ in range(400)} == {"0", "1", "2"}  # type: ignore[union-attr]
    assert balancer.choose(nodes, 5.0) is None  # a write at that very moment may be missing
    assert balancer.choose([], ANY) is None


def test_least_busy_counts_users_and_those_that_wait() -> None:
    """The replica with the fewest connections in use and callers waiting is taken; idle ones share the reads evenly."""
    nodes: list[Any] = readers(5.0, 5.0, 5.0)
    balancer = LoadBalancer("least_busy")
    counts = Counter(balancer.choose(nodes, 1.0).host for _ in range(960))  # type: ignore[union-attr]
    assert min(counts[host] for host in "012") >= 300
    nodes[0].pool.active.update({object(), object()})
    nodes[1].pool.active.add(object())
    nodes[2].pool.active.add(object())
    nodes[2].pool.waiters.append(object())
    assert {balancer.choose(nodes, 1.0).host for _ in range(9)} == {"1"}  # type: ignore[union-attr]


def test_round_robin_takes_turns() -> None:
    """One after the other, busy or not."""
    nodes = readers(5.0, 5.0, 5.0)
    balancer = LoadBalancer("round_robin")
    assert [balancer.choose(nodes, 1.0).host for _ in range(6)] == ["1", "2", "0", "1", "2", "0"]  # type: ignore[union-attr]


def test_unknown_roles_at_first() -> None:
    """Nothing is claimed of servers that have said nothing."""
    topology = Topology([node("a", candidate=True), node("b")], None)
    assert topology.readers == ()
    assert not topology.writable
    assert {state.role for state in topology.nodes} == {Role.UNKNOWN}
