"""Replicas: copied from the primary, following it, promoted.

A replica is *attached* when the primary keeps a replication slot for it and its log is the beginning of the
primary's. An attached replica just starts; any other is brought there first: by a slot alone if its log still
is a beginning of the primary's, else by a new copy.
"""

from __future__ import annotations

import re
import shutil
import time
from typing import Any, LiteralString

from .._core.consistency import parse_position
from ..errors import DatabaseUnavailable
from . import _sql
from ._cluster import Cluster
from ._datadir import SUPERUSER, TOOL_TIMEOUT, tail
from ._guard import POLL, Argument, wire
from ._node import Node

FAST = ("--no-manifest", "--no-verify-checksums")  # a copy of a running server, used at once
FOLLOW_TIMEOUT = 15.0  # s that a repositioned replica gets to stream before it is copied anew


def start_replica(cluster: Cluster, node: Node) -> None:
    """Start a node as a replica of the primary; nothing to do when it runs."""
    if node.running:
        return
    if node.name not in cluster.attached:
        if not cluster.primary.running:
            raise DatabaseUnavailable(
                f"{node.name} must be brought up to date from the primary, which is not running: start that"
            )
        if _can_follow(cluster, node):
            _make_slot(cluster.primary, node)
            _start(cluster, node)
            if _streams(cluster.primary, node):
                return cluster.attach(node)
            node.stop("immediate", node.start_timeout)
        _copy_primary(cluster, node)
        cluster.attach(node)
    _start(cluster, node)


def promote(cluster: Cluster, node: Node) -> None:
    """Make a replica the primary; see `EmbeddedPostgres.promote`."""
    start_replica(cluster, node)
    old = cluster.primary
    rejoin = old.running
    if rejoin:
        # A proper shutdown ends only when every connected replica has the whole log; a started one connects later.
        if not _streams(old, node, ("catchup", "streaming")):
            raise DatabaseUnavailable(
                f"{node.name} does not follow the primary, so it would lose commits:\n{tail(node.log)}"
            )
        old.stop("fast", old.start_timeout)
    if not _ask(node, "SELECT pg_promote(true, %s)", int(node.start_timeout) or 1):
        raise DatabaseUnavailable(
            f"{node.name} did not become the primary within {node.start_timeout:g} s:\n{tail(node.log)}"
        )
    cluster.crown(node)
    for other in cluster.replicas:
        if other is not old and other.running:
            _redirect(cluster, other)
    if rejoin:
        start_replica(cluster, old)


def wait_until_replayed(cluster: Cluster, timeout: float) -> None:
    """Wait until every running replica shows what the primary has committed until now."""
    # A position that is certain to be sent: the current one may belong to a record that nobody flushes for a while.
    mark = "SELECT pg_logical_emit_message(false, 'dbadapter', '', true)::text"
    position = _ask(cluster.primary, mark)
    until = time.monotonic() + timeout
    for node in cluster.replicas:
        if not node.running:
            continue
        with _sql.connected(node.sockets, node.port) as connection:
            question = "SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, false)"
            while not connection.execute(question, (position,)).fetchone()[0]:  # type: ignore[index]
                if time.monotonic() > until:
                    raise DatabaseUnavailable(
                        f"{node.name} has not replayed {position} of the primary within {timeout:g} s"
                    )
                time.sleep(POLL)


def drop_unused_slots(cluster: Cluster) -> None:
    """Forget replicas that this process was not asked for: their slots would keep the log for ever."""
    expected = [_slot(node) for node in cluster.replicas if node.name in cluster.attached]
    _ask(
        cluster.primary,
        "SELECT count(pg_drop_replication_slot(slot_name)) FROM pg_replication_slots "
        "WHERE slot_name LIKE 'dbadapter\\_node%%' AND NOT active AND slot_name <> ALL (%s)",
        expected,
    )
    cluster.save()


def follower_settings(cluster: Cluster, node: Node) -> dict[str, str]:
    """What a node needs to know to follow the primary."""
    directory = str(cluster.primary.sockets).replace("\\", "\\\\").replace("'", "\\'")
    return {
        "primary_conninfo": f"host='{directory}' port={cluster.primary.port} user={SUPERUSER} "
        f"application_name={node.name} connect_timeout=10",
        "primary_slot_name": _slot(node),
        "recovery_min_apply_delay": f"{round(node.apply_delay * 1000)}ms",
    }


def _start(cluster: Cluster, node: Node) -> None:
    signal_file = node.data / "standby.signal"
    signal_file.touch(mode=0o600)
    if node.account is not None:
        node.account.own(signal_file)
    node.start(follower_settings(cluster, node), cluster.taken_ports())


def _redirect(cluster: Cluster, node: Node) -> None:
    """Have a running replica follow the new primary."""
    received = _ask(node, "SELECT coalesce(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0')::text")
    forks = _forks(cluster.primary)
    if forks and parse_position(received) <= max(forks.values()):
        _make_slot(cluster.primary, node)
        node.reload(follower_settings(cluster, node))
        if _streams(cluster.primary, node):
            return cluster.attach(node)
    # It got more from the old primary than the new one did.
    node.stop("immediate", node.start_timeout)
    _copy_primary(cluster, node)
    cluster.attach(node)
    _start(cluster, node)


def _can_follow(cluster: Cluster, node: Node) -> bool:
    """Whether the log of a stopped server is a beginning of the primary's."""
    if not (node.data / "PG_VERSION").exists():
        return False
    output = cluster.run / f"{node.name}.control"
    output.unlink(missing_ok=True)
    tool: list[Argument] = [node.binaries.program("pg_controldata"), "-D", node.data]
    if node.guard.run(tool, account=node.account, output=output, directory=node.data, timeout=TOOL_TIMEOUT):
        return False
    said = dict(re.findall(r"^([^:\n]+):\s*(.*)$", output.read_text(errors="replace"), re.MULTILINE))
    if said.get("Database cluster state") != "shut down":
        return False  # crashed, or a replica: there may be more in its log than the last checkpoint tells
    fork = _forks(cluster.primary).get(int(said["Latest checkpoint's TimeLineID"]))
    return fork is not None and parse_position(said["Latest checkpoint location"]) < fork


def _forks(primary: Node) -> dict[int, int]:
    """Where the primary's history left each of its earlier timelines, in order."""
    timeline = _ask(primary, "SELECT left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)")
    history = _ask(primary, "SELECT pg_read_file('pg_wal/' || %s || '.history', true)", timeline) or ""
    lines = (line.split() for line in history.splitlines())
    return {
        int(words[0]): parse_position(words[1]) for words in lines if len(words) > 1 and words[0].isdigit()
    }


def _slot(node: Node) -> str:
    return f"dbadapter_{node.name}"


def _make_slot(primary: Node, node: Node) -> None:
    """A slot on the primary, from now on: it keeps the log that the replica has not received yet."""
    _drop_slot(primary, node)
    _ask(primary, "SELECT pg_create_physical_replication_slot(%s, true)", _slot(node))


def _drop_slot(primary: Node, node: Node) -> None:
    until = time.monotonic() + FOLLOW_TIMEOUT
    with _sql.connected(primary.sockets, primary.port) as connection:
        while row := connection.execute(
            "SELECT active_pid FROM pg_replication_slots WHERE slot_name = %s", (_slot(node),)
        ).fetchone():
            if row[0] is None:
                connection.execute("SELECT pg_drop_replication_slot(%s)", (_slot(node),))
            elif time.monotonic() > until:
                raise DatabaseUnavailable(
                    f"the replication slot of {node.name} stays in use by process {row[0]}"
                )
            else:  # of a replica that was killed
                connection.execute("SELECT pg_terminate_backend(%s)", (row[0],))
                time.sleep(POLL)


def _streams(primary: Node, node: Node, states: tuple[str, ...] = ("streaming",)) -> bool:
    """Wait until the primary sends its log to a replica, which has all of the past in state "streaming"."""
    until = time.monotonic() + FOLLOW_TIMEOUT
    question: LiteralString = (
        "SELECT count(*) FROM pg_stat_replication WHERE application_name = %s AND state = ANY(%s)"
    )
    with _sql.connected(primary.sockets, primary.port) as connection:
        while time.monotonic() < until and node.running:
            if connection.execute(question, (node.name, list(states))).fetchone()[0]:  # type: ignore[index]
                return True
            time.sleep(POLL)
    return False


def _copy_primary(cluster: Cluster, node: Node) -> None:
    """Make the data directory of a node a copy of the primary's, with a slot from the copy's beginning."""
    _drop_slot(cluster.primary, node)
    new = node.data.with_name(f"{node.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    if node.account is not None:
        node.account.own(new)
    output = cluster.run / f"{node.name}.copy"
    copy: list[Argument] = [
        *(node.binaries.program("pg_basebackup"), "-D", new, "-X", "stream", "-c", "fast", *FAST),
        *("-h", cluster.primary.sockets, "-p", str(cluster.primary.port), "-U", SUPERUSER),
        *("-C", "-S", _slot(node), *(["--no-sync"] if cluster.temporary else [])),
    ]
    if node.guard.run(copy, account=node.account, output=output, directory=new, timeout=TOOL_TIMEOUT):
        raise DatabaseUnavailable(f"pg_basebackup could not make {node.data}:\n{tail(output)}")
    if node.data.exists():
        node.guard.ask("forget", directory=wire(node.data))
        shutil.rmtree(node.data)
    new.rename(node.data)


def _ask(node: Node, question: LiteralString, *parameters: object) -> Any:
    return _sql.value(node.sockets, node.port, question, *parameters)
