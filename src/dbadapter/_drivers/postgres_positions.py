"""What a Postgres server is asked about itself, and how its answers are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._core.consistency import parse_position
from .._core.topology import Sample

__all__ = ["IDENTITY", "POSITION", "TRANSACTION_FATE", "WHOLE", "read_sample"]

_POSITION = """pg_is_in_recovery(),
CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END::text"""

# A standby tells its timeline by three ways; all may lag behind, none runs ahead. The first needs pg_read_all_stats.
_TIMELINE = """CASE WHEN pg_is_in_recovery() THEN greatest(
(SELECT received_tli FROM pg_stat_wal_receiver), (SELECT timeline_id FROM pg_control_checkpoint()),
(SELECT min_recovery_end_timeline FROM pg_control_recovery()))::text
ELSE '16#' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END"""

# One run of one server. A crash of a backend starts all others anew without a new postmaster, and discards statistics.
IDENTITY = """pg_postmaster_start_time()::text || '/' || coalesce(pg_stat_get_bgwriter_stat_reset_time()::text, '')"""

POSITION = f"SELECT {_POSITION}"
WHOLE = f"""SELECT {_POSITION}, {_TIMELINE}, {IDENTITY},
(SELECT system_identifier FROM pg_control_system())"""

TRANSACTION_FATE = f"SELECT pg_xact_status($1::xid8), {IDENTITY}"


def read_sample(
    row: Sequence[Any], *, started: float, connected: float, server: str = "", system: int = 0
) -> Sample:
    """A row of `POSITION`, with what is known of the connection, or of `WHOLE`."""
    standby, position = row[:2]
    timeline = None
    if len(row) > 2:
        text, server, system = row[2:5]
        timeline = int(text.removeprefix("16#"), 16) if text.startswith("16#") else int(text)
    return Sample(
        started=started,
        standby=standby,
        position=parse_position(position or "0/0"),
        timeline=timeline,
        connected=connected,
        server=server,
        system=system,
    )
