"""`run_transfer`: carry out a plan."""

from __future__ import annotations

import os
from time import perf_counter

from .._core.arguments import check_flags, check_progress
from ..config import DatabaseConfig
from ..errors import ConfigError
from ._arguments import Progress
from ._endpoints import direction, open_postgres, resolve, sqlite_source
from ._faults import reporting
from ._plan_validity import check_plan
from .plan import TransferPlan
from .report import TransferReport

__all__ = ["existing_tables", "run_transfer"]


def run_transfer(
    plan: TransferPlan,
    *,
    create_only: bool = False,
    dry_run: bool = False,
    recreate: bool = False,
    resume: bool = False,
    verify: bool = True,
    progress: Progress | None = None,
) -> TransferReport:
    """Carry out a plan. The source is only read.

    Args:
        plan: from `plan_transfer` or ``TransferPlan.load``.
        create_only: make the tables with their keys and indexes, and leave them empty.
        dry_run: change nothing; the report has the statements that would be executed.
        recreate: drop the tables and collections that the plan names, and no others, if the target has them already.
        resume: go on where an interrupted run of this plan stopped.
        verify: compare both ends when all is done (see `verify_transfer`).
        progress: called as ``progress(phase, table, rows, total)``; phases are ``copy``, ``index`` and
            ``verify``; the total is -1 where it is not known.

    Raises:
        ConfigError: an argument or something in the plan is not what it may be; nothing was done.
        TransferError: the target has some of the tables already, a statement failed, or there is nothing to resume.
        DatabaseUnavailable: an end cannot be opened, or was lost; `resume` goes on later.
    """
    if not isinstance(plan, TransferPlan):
        raise ConfigError(f"plan must be a TransferPlan (TransferPlan.load reads a saved one), not {plan!r}")
    check_flags(create_only=create_only, dry_run=dry_run, recreate=recreate, resume=resume, verify=verify)
    check_progress(progress, "phase, table, rows and total")
    check_plan(plan)
    if resume and recreate:
        raise ConfigError("resume goes on with what is there, recreate drops it: give one of them")
    started = perf_counter()
    source, target = _ends(plan)
    moves_rows = not (dry_run or create_only)
    if plan.collections and moves_rows and not recreate:
        from ._collections import refuse_other_collections

        refuse_other_collections(source, target, plan.collections)
    if plan.direction == "sqlite-postgresql":
        from ._run_postgres import to_postgres as carry_out
    else:
        from ._run_sqlite import to_sqlite as carry_out
    report = carry_out(
        plan, create_only=create_only, dry_run=dry_run, recreate=recreate, resume=resume, progress=progress
    )
    if plan.collections and moves_rows:
        from ._collections import copy_planned

        report.collections = copy_planned(
            source, target, plan.collections, recreate=recreate, progress=progress
        )
    if verify and moves_rows:
        from .verifying import verify as verify_now

        names = [table.name for table in plan.tables]
        report.check = verify_now(
            source, target, tables=names, collections=plan.collections, progress=progress
        )
    report.seconds = perf_counter() - started
    return report


def _ends(plan: TransferPlan) -> tuple[DatabaseConfig, DatabaseConfig]:
    """The configurations of source and target, kept with the plan. Raises `ConfigError` if it is for other ends."""
    if plan.source_config is None:
        plan.source_config = resolve(plan.source)
    if plan.target_config is None:
        plan.target_config = resolve(plan.target)
    if (found := direction(plan.source_config, plan.target_config)) != plan.direction:
        raise ConfigError(f"the plan is for {plan.direction}, and these ends are {found}")
    return plan.source_config, plan.target_config


def existing_tables(plan: TransferPlan) -> list[str]:
    """The names, in the target, of those of the plan's tables that it has already: what ``recreate`` would drop.

    Raises `DatabaseUnavailable` if the target cannot be opened, `TransferError` if it cannot be read.
    """
    config = plan.target_config or resolve(plan.target)
    names = {table.target for table in plan.tables}
    if plan.direction == "sqlite-postgresql":
        with open_postgres(config) as post, reporting("cannot read the target"):
            query = (
                "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
                "AND relkind IN ('r', 'p') ORDER BY 1"
            )
            present = [name for (name,) in post.execute(query.encode()).fetchall()]
        return [name for name in present if name in names]
    if not os.path.exists(config.sqlite_path):
        return []
    folded = {name.lower() for name in names}
    with sqlite_source(config) as lite:
        rows = lite.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
    return [name for (name,) in rows if name.lower() in folded]
