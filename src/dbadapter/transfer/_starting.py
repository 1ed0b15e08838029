"""What a run does before it copies, whichever way it goes: look at what the target has, or take up an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import TransferError
from .plan import TablePlan, TransferPlan
from .report import TableReport

__all__ = ["planned_report", "refuse_existing", "require_interrupted", "take_up"]


def refuse_existing(present: Iterable[str]) -> None:
    """Raise `TransferError` if the target has tables of the plan already."""
    names = sorted(present)
    if names:
        shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        raise TransferError(
            f"the target is not empty: it has {shown} already; recreate replaces the tables of the plan, "
            "resume goes on with an interrupted run"
        )


def require_interrupted(recorded: Mapping[str, tuple[str, TablePlan]]) -> None:
    """Raise `TransferError` unless the target has a run on record that did not end."""
    if not any(state != "done" for state, _ in recorded.values()):
        complete = ": all its tables are complete; verify compares both ends" if recorded else ""
        raise TransferError(f"there is no interrupted transfer in the target to resume{complete}")


def take_up(plan: TransferPlan, earlier: TransferPlan, recorded: Mapping[str, tuple[str, TablePlan]]) -> None:
    """Make a plan go on with an interrupted run.

    Args:
        plan: the plan to change.
        earlier: the interrupted run's plan.
        recorded: its tables as they were made in the target, by name there.
    """
    plan.tables = [recorded[table.target][1] for table in earlier.tables if table.target in recorded]
    plan.enums, plan.facts, plan.dropped = earlier.enums, earlier.facts, earlier.dropped


def planned_report(table: TablePlan) -> TableReport:
    """What a dry run says of a table."""
    return TableReport(
        table=table.name,
        target=table.target,
        rows=max(table.rows, 0),
        rejected=sum(column.at_risk for column in table.columns),
        kept=sum(column.kept for column in table.columns),
    )
