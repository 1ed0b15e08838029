"""The command group, and the one place where an exception becomes a line and an exit code.

0: everything asked for holds; 1: it does not; 2: the request itself was wrong (arguments, URL, environment).
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Mapping, Sequence

import attrs
import click

from .. import __version__
from ..errors import ConfigError, DatabaseAdapterError
from .settings import connection_options
from .signals import Ended, ending_orderly

__all__ = ["main"]


@attrs.frozen
class Entry:
    """A command: where it is, and its line in ``--help``."""

    module: str
    summary: str
    attribute: str = "command"


# A command's module is imported when the command is used: `dbadapter --help` needs none of them.
COMMANDS: Mapping[str, Entry] = {
    "demo": Entry("demo", "Switch a working shop from SQLite to Postgres and back."),
    "status": Entry("status", "Show the database in use, its nodes and its pool.", "status"),
    "health": Entry("status", "Say whether the database answers.", "health"),
    "tables": Entry("tables", "List the tables, or describe one."),
    "switch": Entry("switch", "Move an app to another database while it runs."),
    "vectors": Entry("vectors", "List the vector collections, copy them, import Chroma's."),
    "serve": Entry("serve", "Serve state and data over HTTP, with a live page."),
    "doctor": Entry("doctor", "Say what is wrong with the database, and what to do."),
    "migrate": Entry("migrate", "Move all data between SQLite and Postgres."),
    "verify": Entry("verify", "Compare two databases after a transfer."),
    "schema": Entry("schema", "Write a schema as SQL, or compare one with the database."),
}

FAILED, USAGE, INTERRUPTED = 1, 2, 130

_URL_PASSWORD = re.compile(r"(\w://[^\s/@:]*:)\S+(?=@)")
_OPTION_PASSWORD = re.compile(r"(password=)[^\s&'\"]+", re.IGNORECASE)


class Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names in the order of their help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = getattr(importlib.import_module(f"dbadapter.cli.{entry.module}"), entry.attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands with their summaries, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dbadapter")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
@connection_options
def commands() -> None:
    """One database adapter for SQLite and Postgres.

    The database is named by --url, or by the environment: DATABASE_URL, DB_TYPE and the other DB_*,
    USE_POSTGRES and PG*; else it is the SQLite file ./data/app.db.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after the program's name; default: those of this process.

    Returns:
        The exit code: 0 when everything asked for holds, 1 when it does not, 2 for wrong usage; 128 and the signal's
        number when one ended it.
    """
    words = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that has no "…" shows "?" and is not an error
            stream.reconfigure(errors="replace")
    try:
        with ending_orderly():
            result = commands.main(args=words, prog_name="dbadapter", standalone_mode=False)
    except BaseException as exc:
        if isinstance(exc, SystemExit):
            raise
        if "--debug" in words and not isinstance(exc, click.ClickException):
            raise
        if isinstance(exc, click.exceptions.NoArgsIsHelpError):
            click.echo(exc.ctx.get_help() if exc.ctx else exc.format_message(), err=True)
            return USAGE
        code, line = _verdict(exc)
        click.echo(f"dbadapter: {without_secrets(line)}", err=True)
        return code
    return result if isinstance(result, int) else 0


def _verdict(exc: BaseException) -> tuple[int, str]:
    """The exit code and the one line that says what was wrong."""
    if isinstance(exc, click.ClickException):
        return exc.exit_code, " ".join(exc.format_message().split())
    signalled = exc.__cause__ if isinstance(exc, click.Abort) else exc
    if isinstance(signalled, Ended):
        return signalled.exit_code, str(signalled)
    if isinstance(exc, (click.Abort, KeyboardInterrupt)):
        return INTERRUPTED, "interrupted"
    if isinstance(exc, ConfigError):
        return USAGE, " ".join(str(exc).split())
    if isinstance(exc, DatabaseAdapterError):
        return FAILED, " ".join(str(exc).split())
    if isinstance(exc, OSError):
        place = f": {os.fsdecode(exc.filename)}" if isinstance(exc.filename, (str, bytes)) else ""
        return FAILED, f"{exc.strerror or type(exc).__name__}{place}"
    return FAILED, f"unexpected {type(exc).__name__}; `dbadapter --debug …` shows where"


def without_secrets(text: str) -> str:
    """`text` with the passwords of URLs in it starred: what a user typed wrongly is often shown back."""
    return _OPTION_PASSWORD.sub(r"\1***", _URL_PASSWORD.sub(r"\1***", text))
