"""Write ``docs/reference/command-line.md`` from the commands themselves.

``python tools/reference_cli.py`` writes the page, ``--check`` only compares it with what is committed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from dbadapter.cli.app import commands

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"

HEAD = """\
# Command line

`dbadapter`, also `python -m dbadapter`. This page is written by `tools/reference_cli.py` from the commands themselves;
how to use them: [Use the command line](../how-to/command-line.md).

Exit codes: 0 when everything asked for holds, 1 when it does not, 2 when the request itself was wrong; 130 when it was
interrupted, 143 when it was told to end (SIGTERM).
"""


def page() -> str:
    """The text of the page."""
    root = click.Context(commands, info_name="dbadapter", help_option_names=["-h", "--help"])
    return HEAD + "".join(_sections(commands, root, 2))


def _sections(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"\n{'#' * min(level, 3)} {context.command_path}\n\n```text\n{_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            part = command.get_command(context, name)
            assert part is not None
            yield from _sections(part, click.Context(part, info_name=name, parent=context), level + 1)


def _help(context: click.Context) -> str:
    """What ``--help`` prints on a terminal of 100 columns."""
    context.terminal_width = context.max_content_width = 100
    return "\n".join(line.rstrip() for line in context.get_help().splitlines())


def main() -> int:
    """Write or compare; 1 if the page is stale."""
    text = page()
    if "--check" in sys.argv[1:]:
        if PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE} is stale: run python tools/reference_cli.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
