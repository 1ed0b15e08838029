"""What cannot be moved, said before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from attrs import define, field

from .._core.switching import Record
from .._dialects import POSTGRESQL
from ..errors import SwitchAborted
from ..transfer._plan_context import Target
from ..transfer._postgres_catalog import empty_tables, has_vectors, read_tables
from ..transfer.plan import TransferPlan
from ..vectors.executor import postgres_executor
from .collections import drop_collections, has_collections

if TYPE_CHECKING:
    import psycopg

__all__ = ["TargetState", "present_target", "refuse_plan", "same_place", "target_state"]

# What an app would miss after the switch, or would be silently different.
_MISSED = frozenset(
    {"table", "column", "view", "trigger", "virtual table", "generated column", "primary key"}
)


@define
class TargetState:
    """The target as it is found.

    Attributes:
        target: what the plan has to know.
        present: the tables that are there.
        superseded: the rows in them are those of an earlier home or attempt of the same data, and will be replaced.
        index_options: of the indexes that its vector collections had, by uid; such collections are made anew.
    """

    target: Target
    present: set[str] = field(factory=set)
    superseded: bool = False
    index_options: dict[str, dict[str, Any]] = field(factory=dict)


def same_place(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two places are one database."""
    names = ("db_type", "path", "host", "port", "database")
    return all(one.get(name) == other.get(name) for name in names)


def target_state(
    raw: psycopg.Connection[Any],
    record: Record | None,
    source: Record | None,
    source_place: Mapping[str, Any],
) -> TargetState:
    """Look at a Postgres target; leavings of an attempt that was cut short are taken away."""
    row = raw.execute("SHOW server_encoding").fetchone()
    if row and row[0] != "UTF8":
        raise SwitchAborted(f"the target database is encoded in {row[0]}, which cannot hold all text")
    superseded, options = False, {}
    executor = postgres_executor(raw)
    if record is not None and record.state != "here":
        ours = source is not None and record.token == source.token
        if record.state == "away":
            ours = same_place(record.place, source_place)
        if not ours:
            raise SwitchAborted(
                f"the target takes part in another switch ({record.state}, the other end: {dict(record.place)})"
            )
        superseded = True
        options = drop_collections(executor)
        if record.state == "arriving" and record.tables:
            names = ", ".join(POSTGRESQL.quote(name) for name in record.tables)
            raw.execute(f"DROP TABLE IF EXISTS {names}".encode())
    elif has_collections(executor):
        raise SwitchAborted(
            "the target has vector collections of its own; delete them or choose another target"
        )
    tables = read_tables(raw)
    empty = set(tables) if superseded else empty_tables(raw, list(tables))
    return TargetState(Target(tables, empty, has_vectors(raw)), set(tables), superseded, options)


def present_target(raw: psycopg.Connection[Any]) -> Target:
    """A Postgres database whose tables are to be written to as they are."""
    tables = read_tables(raw)
    return Target(tables, set(tables), has_vectors(raw))


def refuse_plan(plan: TransferPlan, state: TargetState) -> None:
    """Raise `SwitchAborted` where the plan would lose or change anything."""
    at_risk = [
        f"{table.name}.{column.name} ({column.at_risk} values as {column.type})"
        for table in plan.tables
        for column in table.columns
        if column.at_risk
    ]
    if at_risk:
        raise SwitchAborted(f"the target cannot hold every value: {', '.join(at_risk)}")
    keyless = [table.name for table in plan.tables if not table.key or not _is_copied(table)]
    if keyless:
        raise SwitchAborted(
            f"tables without a primary key cannot be followed while they change: {', '.join(keyless)}"
        )
    missed = [f"{item.kind} {item.name} ({item.reason})" for item in plan.dropped if item.kind in _MISSED]
    if missed:
        raise SwitchAborted(f"the target would not have {'; '.join(missed[:5])}")
    for table in plan.tables:
        if table.target not in state.present:
            continue
        if table.target not in state.target.empty:
            raise SwitchAborted(f"the target's table {table.target} is not empty")
        if not table.existing:
            raise SwitchAborted(f"the target's table {table.target} has other columns than the source's")


def _is_copied(table: Any) -> bool:
    return set(table.key) <= {column.name for column in table.copied}


def refuse_back_plan(plan: TransferPlan) -> None:
    """Raise `SwitchAborted` where the plan to SQLite would lose or change anything."""
    at_risk = [
        f"{table.name}.{column.name} ({column.at_risk} values)"
        for table in plan.tables
        for column in table.columns
        if column.at_risk
    ]
    if at_risk:
        raise SwitchAborted(f"SQLite cannot hold every value: {', '.join(at_risk)}")
    keyless = [table.name for table in plan.tables if not table.key or not _is_copied(table)]
    if keyless:
        raise SwitchAborted(
            f"tables without a primary key cannot be followed while they change: {', '.join(keyless)}"
        )
    missed = [
        f"{item.kind} {item.name} ({item.reason})"
        for item in plan.dropped
        if item.kind in ("view", "materialized view", "trigger", "policy")
    ]
    if missed:
        raise SwitchAborted(f"the target would not have {'; '.join(missed[:5])}")
