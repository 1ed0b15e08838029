"""``dbadapter doctor``: what is wrong, and what to do about it."""

from __future__ import annotations

import click

from .output import print_json
from .settings import connection_options, settings

__all__ = ["command"]

_COLORS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command("doctor")
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings too.")
@connection_options
def command(strict: bool) -> int:
    """Look for what keeps the database from working: server, login, rights, TLS, pooler, replicas; or the file.

    Nothing is changed. Exits with 1 if something is broken.
    """
    from ..doctor import diagnose

    report = diagnose(settings().config())
    if settings().as_json:
        print_json({"healthy": report.healthy, "findings": report.findings})
    else:
        for finding in report.findings:
            level = finding.severity.value
            click.echo(f"{click.style(f'{level:8}', fg=_COLORS[level])} {finding.text}  [{finding.code}]")
            if finding.remedy:
                click.echo(f"{'':8} → {finding.remedy}")
        click.echo(f"{len(report.errors)} errors, {len(report.warnings)} warnings")
    return 1 if report.errors or (strict and report.warnings) else 0
