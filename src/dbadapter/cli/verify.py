"""``dbadapter verify``: compare two databases after a transfer."""

from __future__ import annotations

import click

from ..config import DatabaseConfig
from .output import print_json
from .settings import json_option, settings, tables_option
from .transfer_output import ProgressDisplay, print_check

__all__ = ["command"]


@click.command("verify", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--from", "source", metavar="URL", required=True, help="The database that the data came from.")
@click.option("--to", "target", metavar="URL", required=True, help="The database that it went to.")
@tables_option
@json_option
def command(source: str, target: str, tables: list[str] | None) -> int:
    """Compare two databases row by row; both are only read.

    Exits with 0 only if they hold the same values and none was rejected.
    """
    from ..transfer import verify_transfer

    with ProgressDisplay(quiet=settings().as_json) as display:
        check = verify_transfer(
            DatabaseConfig.from_url(source), DatabaseConfig.from_url(target), tables=tables, progress=display
        )
    if settings().as_json:
        print_json(check.to_dict())
    else:
        print_check(check)
    return 0 if check.equal and not check.rejected else 1
