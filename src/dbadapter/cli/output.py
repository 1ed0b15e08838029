"""Printing: tables and lines for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

from .._jsonable import jsonable

__all__ = ["print_json", "print_lines", "print_table"]


def print_json(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(jsonable(value), indent=2, ensure_ascii=False, allow_nan=False))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines."""
    for line in lines:
        click.echo(line)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None) -> None:
    """Print a table; numbers to the right. Without a terminal it is as wide as its content."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    listed = [list(row) for row in rows]
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, header in enumerate(headers):
        numbers = bool(listed) and all(isinstance(row[index], (int, float)) for row in listed)
        table.add_column(header, justify="right" if numbers else "left", overflow="fold")
    for row in listed:
        table.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=4096, no_color=True)
        with console.capture() as captured:
            console.print(table)
        print_lines(line.rstrip() for line in captured.get().splitlines())
        return
    console.print(table)
