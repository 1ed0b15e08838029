"""Whether the primary is one, and whether the replicas follow it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..config import PoolConfig
from .findings import Finding, error, ok, warning

if TYPE_CHECKING:
    import psycopg

    from .diagnosis import Surroundings

__all__ = ["check_primary", "check_replica"]

# A replica that cannot say when it last heard from the primary is called late when it is this far behind.
_FAR_BEHIND = 16 * 1024 * 1024

_STATE = """
SELECT pg_is_in_recovery(),
    (SELECT count(*) FROM pg_stat_wal_receiver),
    CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END,
    CASE WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(%s::pg_lsn, pg_last_wal_replay_lsn()) END,
    extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8
"""


def check_primary(
    connection: psycopg.Connection[Any], config: PoolConfig, _around: Surroundings
) -> Iterator[Finding]:
    """Findings about the primary's role."""
    row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    if row is not None and row[0]:
        yield error(
            "primary-is-replica",
            f"{connection.info.host}:{connection.info.port} is a replica, so nothing can be written",
            "name the primary as host, and this one in read_hosts; after a failover, several hosts may stand in host",
        )


def check_replica(
    place: str, replica: psycopg.Connection[Any], primary: psycopg.Connection[Any], config: PoolConfig
) -> Iterator[Finding]:
    """Findings about a node that serves reads."""
    now = primary.execute(
        "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text"
    ).fetchone()
    row = replica.execute(_STATE, now).fetchone()
    assert row is not None
    in_recovery, receivers, paused, behind, seconds = row
    if not in_recovery:
        yield error(
            "replica-is-primary",
            f"{place} in read_hosts is no replica but a primary: it would serve other data",
            "take it out of read_hosts, or set it up as a replica (pg_basebackup -R)",
        )
    elif not receivers:
        yield error(
            "replica-not-streaming",
            f"{place} does not receive changes from a primary; it is {int(behind)} bytes behind",
            "see its log; check primary_conninfo, the replication slot, max_wal_senders and pg_hba.conf of the primary",
        )
    elif paused:
        yield error(
            "replica-paused",
            f"{place} receives changes but does not replay them",
            "SELECT pg_wal_replay_resume() there",
        )
    elif _is_late(behind, seconds, config.max_replica_lag):
        yield warning(
            "replica-late",
            f"{place} is {int(behind)} bytes behind, its last change is {seconds or 0:.0f} s old",
            "see whether it is overloaded, or held up by a long query (max_standby_streaming_delay)",
        )
    else:
        yield ok("replica", f"{place} is a replica and follows")


def _is_late(behind: float, seconds: float | None, most: float | None) -> bool:
    if behind <= 0:
        return False  # on an idle primary the age of the last change says nothing
    if most is not None and seconds is not None:
        return seconds > most
    return behind > _FAR_BEHIND
