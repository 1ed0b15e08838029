"""``dbadapter migrate``: move all data between SQLite and Postgres."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..config import DatabaseConfig, DatabaseType
from ..errors import ConfigError
from .output import print_json
from .settings import json_option, settings, tables_option
from .transfer_output import ProgressDisplay, print_check, print_plan, print_report

if TYPE_CHECKING:
    from ..transfer import TransferPlan

__all__ = ["command"]


@click.command("migrate", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sqlite", "sqlite_file", metavar="FILE", help="The SQLite file to read.")
@click.option("--from", "source", metavar="URL", help="The database to read, instead of --sqlite.")
@click.option("--to", "target", metavar="URL", help="The database to write.")
@tables_option
@click.option("--create-only", is_flag=True, help="Make the tables and leave them empty.")
@click.option("--dry-run", is_flag=True, help="Change nothing; print what would be done.")
@click.option(
    "--recreate", is_flag=True, help="Replace the tables that the target has already, after asking."
)
@click.option("--yes", is_flag=True, help="With --recreate: do not ask.")
@click.option(
    "--plan",
    "plan_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Carry out this plan; with --dry-run, and where there is no such file, write it.",
)
@click.option("--resume", is_flag=True, help="Go on with an interrupted run.")
@click.option("--encoding", metavar="NAME", help="How to read text that is not UTF-8 (cp1252, say).")
@click.option(
    "--no-profile", is_flag=True, help="Go by the declared types, without reading every value first."
)
@click.option("--no-verify", is_flag=True, help="Do not compare both ends afterwards.")
@json_option
def command(
    sqlite_file: str | None,
    source: str | None,
    target: str | None,
    tables: list[str] | None,
    create_only: bool,
    dry_run: bool,
    recreate: bool,
    yes: bool,
    plan_file: Path | None,
    resume: bool,
    encoding: str | None,
    no_profile: bool,
    no_verify: bool,
) -> int:
    """Move all data from one database to the other kind.

    Every value arrives, or stands in the target's table _dbadapter_rejects with the reason. The source is only
    read. Exits with 0 only if every value arrived and both ends were found equal.
    """
    import gc

    # This process does nothing else: millions of rows pass through, none of which is part of a cycle.
    gc.set_threshold(200_000, 50, 50)

    from ..transfer import plan_transfer, run_transfer

    if resume and recreate:
        raise click.UsageError("--resume goes on with what is there, --recreate drops it: give one of them")
    if plan_file is not None and not plan_file.absolute().parent.is_dir():
        raise click.UsageError(f"--plan: there is no directory {plan_file.parent}")
    given = plan_file is not None and plan_file.exists() and not (dry_run and tables)
    with ProgressDisplay(quiet=settings().as_json) as display:
        if given:
            assert plan_file is not None
            plan = _given(plan_file, _source(sqlite_file, source), target)
            _keep_to(plan, tables)
        else:
            source_config, target_config = _ends(_source(sqlite_file, source), target)
            plan = plan_transfer(
                source_config,
                target_config,
                tables=tables,
                profile=not (no_profile or resume),
                encoding=encoding,
                progress=display,
            )
        if plan_file is not None and not given:
            plan.save(plan_file)
        display.stop()
        if recreate and not dry_run and not yes:
            _ask(plan)
        report = run_transfer(
            plan,
            create_only=create_only,
            dry_run=dry_run,
            recreate=recreate,
            resume=resume,
            verify=not no_verify,
            progress=display,
        )
    if settings().as_json:
        print_json(report.to_dict() | ({"plan": plan.to_dict()} if dry_run else {}))
    else:
        if dry_run:
            print_plan(plan, report)
        else:
            print_report(report)
        if report.check is not None:
            print_check(report.check)
    return 0 if report.ok else 1


def _source(sqlite_file: str | None, source: str | None) -> DatabaseConfig | None:
    """The source that is named, if one is."""
    if sqlite_file is not None and source is not None:
        raise click.UsageError("--sqlite and --from both name the source: give one of them")
    if sqlite_file is not None:
        return DatabaseConfig(db_type=DatabaseType.SQLITE, sqlite_path=sqlite_file)
    return DatabaseConfig.from_url(source) if source is not None else None


def _ends(named: DatabaseConfig | None, target: str | None) -> tuple[DatabaseConfig, DatabaseConfig]:
    """The two databases: what is not named is the one of ``--url`` or the environment."""
    if target is None and named is None:
        raise click.UsageError(
            "name the target with --to URL, and the source with --sqlite FILE or --from URL"
        )
    wanted = DatabaseConfig.from_url(target) if target is not None else settings().config()
    return named or settings().config(), wanted


def _given(plan_file: Path, source: DatabaseConfig | None, target: str | None) -> TransferPlan:
    """A plan from a file: its ends are those that are named, else its own."""
    from ..transfer import TransferPlan
    from ..transfer._endpoints import display

    plan = TransferPlan.load(plan_file, source=source, target=target)
    asked = settings().config()  # with a password, which no plan has
    if source is None and plan.source == display(asked):
        plan.source_config = asked
    if target is None and plan.target == display(asked):
        plan.target_config = asked
    return plan


def _keep_to(plan: TransferPlan, chosen: list[str] | None) -> None:
    """Leave only the chosen tables in a plan that was read from a file."""
    if chosen is None:
        return
    known = {table.name.lower() for table in plan.tables}
    if missing := [name for name in chosen if name.lower() not in known]:
        raise ConfigError(f"the plan has no table {missing[0]!r}")
    names = {name.lower() for name in chosen}
    plan.tables = [table for table in plan.tables if table.name.lower() in names]
    plan.collections = []


def _ask(plan: TransferPlan) -> None:
    """Have the tables that will be replaced confirmed by name."""
    from ..transfer import existing_tables

    present = existing_tables(plan)
    if not present:
        return
    names = ", ".join(present)
    if not sys.stdin.isatty():
        raise click.UsageError(f"--recreate would drop {names} in {plan.target}; say so with --yes")
    click.confirm(f"Drop {names} in {plan.target} with all their rows?", abort=True, err=True)
