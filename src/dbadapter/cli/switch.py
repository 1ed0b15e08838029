"""``dbadapter switch``: move an app to another database while it runs."""

from __future__ import annotations

from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING

import click

from ..config import DatabaseConfig
from ..errors import SwitchError
from ..types import SwitchReport
from .output import print_json
from .settings import connection_options, existing_config, settings
from .switch_display import showing

if TYPE_CHECKING:
    from .. import DatabaseAdapter

__all__ = ["command"]


@click.command("switch")
@click.option("--to", "target", metavar="URL", required=True, help="The database to go over to.")
@click.option("--rehearse", is_flag=True, help="Do it with a scratch database, and change nothing.")
@click.option("--follow-back", is_flag=True, help="Keep the old database up to date until Ctrl-C.")
@click.option(
    "--drain-timeout", type=click.FloatRange(0.1, 3600), default=30.0, show_default=True, help="Seconds."
)
@connection_options
def command(target: str, rehearse: bool, follow_back: bool, drain_timeout: float) -> int:
    """Move rows and vectors from the database of --url to another one while the app goes on writing, then switch.

    All processes that use the adapter on the old database go over to the new one. If anything fails before that
    moment, nothing has changed. Exits with 1 if it did not happen, or a row was rejected.
    """
    from .. import DatabaseAdapter

    source = existing_config(settings().config())
    config = DatabaseConfig.from_url(target)
    if rehearse and follow_back:
        raise click.UsageError("--rehearse changes nothing, so there is nothing to --follow-back")
    with DatabaseAdapter(source) as adapter:
        with showing() as progress:
            if rehearse:
                report = adapter.rehearse_switch(config, drain_timeout=drain_timeout, progress=progress)
            else:
                report = adapter.switch_database(
                    config,
                    carry_data=True,
                    follow_back=follow_back,
                    drain_timeout=drain_timeout,
                    progress=progress,
                )
        if settings().as_json:
            print_json(report)
        else:
            _print_report(report, "rehearsed" if rehearse else "switched")
        if follow_back:
            _follow(adapter)
    return 1 if report.rejects else 0


def _follow(adapter: DatabaseAdapter) -> None:
    """Keep the old database up to date until Ctrl-C: it is this process that does it."""
    click.echo("keeping the old database up to date, for the way back; Ctrl-C ends it", err=True)
    with suppress(KeyboardInterrupt):
        while True:
            Event().wait(1.0)
            state = adapter.status()["follow_back"]
            if state is None or not state["active"]:
                reason = (state or {}).get("problem") or "the app has switched again"
                raise SwitchError(f"the old database is not kept up to date any more: {reason}")


def _print_report(report: SwitchReport, what: str) -> None:
    click.echo(
        f"{what} from {report.source} to {report.target}: {report.rows_copied:,} rows in {report.rounds} rounds, "
        f"{'verified' if report.verified else 'not verified'}; new work waited {report.paused_ms:.1f} ms"
    )
    for reject in report.rejects:
        click.echo(f"rejected: {dict(reject)}")
