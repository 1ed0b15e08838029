"""Showing the board: a live panel on a terminal, a line a second elsewhere, nothing for programs."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from .board import Board, Moment

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Lines", "display"]

REFRESH = 8
_NAMES = {"sqlite": "SQLite", "postgresql": "Postgres"}
_SPARKS = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 40


def display(board: Board, *, quiet: bool) -> AbstractContextManager[Any]:
    """What shows the board for the length of a with block."""
    if quiet:
        return nullcontext()
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        return Lines(board)
    from rich.live import Live

    return Live(
        console=console,
        get_renderable=lambda: _panel(board),
        refresh_per_second=REFRESH,
        redirect_stderr=False,
    )


class Lines:
    """A line a second, and one for each event."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._stop = threading.Event()
        self._told = 0
        self._thread = threading.Thread(target=self._run, name="demo-lines", daemon=True)

    def __enter__(self) -> Lines:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join()
        self._tell_events()

    def _run(self) -> None:
        while not self._stop.wait(1.0):
            self._tell_events()
            click.echo(_line(self._board.now()))

    def _tell_events(self) -> None:
        events = self._board.events[self._told :]
        self._told += len(events)
        for seconds, text in events:
            click.echo(f"{seconds:6.1f} s  {text}")


def _line(moment: Moment) -> str:
    pool = moment.pool
    return (
        f"{moment.seconds:6.1f} s  {_NAMES[moment.backend]:8}  {moment.rate:6,.0f} requests/s  "
        f"p50 {moment.middle:.1f} ms  p95 {moment.slow:.1f} ms  longest {moment.longest:.0f} ms  "
        f"pool {pool['active']}/{pool['max']} in use, {pool['waiting']} waiting  errors {moment.errors}"
    )


def _panel(board: Board) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    moment = board.now()
    board.rates.append(moment.rate)
    pool = moment.pool
    grid = Table.grid(padding=(0, 3))
    grid.add_column(justify="left", style="dim")
    grid.add_column(justify="left")
    grid.add_row("database", Text(_NAMES[moment.backend], style="bold cyan"))
    grid.add_row("now", Text(board.doing))
    grid.add_row("requests/s", Text(f"{moment.rate:8,.0f}  {_spark(board.rates)}"))
    grid.add_row(
        "wait", f"p50 {moment.middle:.1f} ms   p95 {moment.slow:.1f} ms   longest {moment.longest:.0f} ms"
    )
    grid.add_row(
        "pool",
        f"{pool['active']} in use, {pool['idle']} idle, of {pool['max']}; {pool['waiting']} waiting; "
        f"p95 wait {pool['wait_ms']['p95']:.1f} ms",
    )
    grid.add_row("so far", f"{moment.requests:,} requests, {moment.written:,} orders acknowledged")
    grid.add_row("errors", Text(str(moment.errors), style="bold red" if moment.errors else "bold green"))
    events = Text("\n".join(f"{seconds:6.1f} s  {text}" for seconds, text in board.events[-6:]))
    return Panel(Group(grid, Text(), events), title="dbadapter demo", padding=(1, 2))


def _spark(rates: list[float]) -> str:
    shown = rates[-_SPARK_WIDTH:]
    top = max(shown, default=0) or 1
    return "".join(_SPARKS[min(int(rate / top * len(_SPARKS)), len(_SPARKS) - 1)] for rate in shown)
