"""``dbadapter demo``: see a switch under load on your own machine."""

from __future__ import annotations

from pathlib import Path

import click

from .output import print_json
from .settings import json_option, settings

__all__ = ["command"]


@click.command("demo")
@click.option(
    "--sqlite",
    "own_file",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Use the data of your own SQLite file. It is copied, and only read.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(3, 3600),
    default=12.0,
    show_default=True,
    help="How long the shop works; starting Postgres and checking come on top.",
)
@click.option(
    "--workers", type=click.IntRange(1, 64), default=4, show_default=True, help="Threads of the shop."
)
@json_option
def command(own_file: Path | None, seconds: float, workers: int) -> int:
    """Let a small shop work on SQLite, switch it to an embedded Postgres and back, and count what went wrong.

    Everything is kept in a temporary directory and removed at the end. Exits with 0 only if no request failed
    and every acknowledged write was found again.
    """
    from .demonstration.story import run_demo

    as_json = settings().as_json
    report = run_demo(own_file=own_file, seconds=seconds, workers=workers, quiet=as_json)
    if as_json:
        print_json(report)
    return 0 if report.passed else 1
