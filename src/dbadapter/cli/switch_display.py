"""What a switch that is under way looks like: a live panel on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Figures", "showing"]

_BAR = 30
# Where there is no terminal, a line a second will do for each table and phase.
_SECONDS_BETWEEN_LINES = 1.0
_OVER = frozenset({"deciding", "decided", "checking", "switched"})


class Figures:
    """The last that was told of each figure."""

    def __init__(self) -> None:
        self.phase = "beginning"
        self.told: dict[str, Any] = {}
        self._began = perf_counter()

    def note(self, told: Mapping[str, Any]) -> None:
        """Take what `progress` was called with."""
        if told["phase"] != self.phase:
            self.told.pop("rows", None)
            self.told.pop("total", None)
        self.phase = told["phase"]
        self.told.update(told)
        if self.phase in _OVER:
            self.told.pop("backlog", None)
            self.told.pop("writes_per_second", None)

    def rows(self) -> list[tuple[str, str]]:
        """Names and figures, as far as they are known."""
        told = self.told
        found = [("phase", self.phase)]
        if told.get("table") is not None and self.phase in ("examining", "copying", "verifying"):
            found[0] = ("phase", f"{self.phase} {told['table']}")
        if told.get("total"):
            share = min(told.get("rows", 0) / told["total"], 1.0)
            found.append(("table", f"{'█' * round(share * _BAR):░<{_BAR}} {share:4.0%}"))
        for name, label, unit in (
            ("rows_copied", "rows copied", ""),
            ("rounds", "rounds", ""),
            ("backlog", "backlog", " changes"),
            ("writes_per_second", "the app writes", " changes/s"),
        ):
            if told.get(name) is not None:
                found.append((label, f"{told[name]:,}{unit}"))
        if told.get("paused_ms") is not None:
            found.append(("pause", f"{told['paused_ms']:.1f} ms"))
        found.append(("time", f"{perf_counter() - self._began:.0f} s"))
        return found

    def line(self) -> str:
        """All of it in one line."""
        (_, phase), *others = [row for row in self.rows() if row[0] not in ("table", "time")]
        return f"{phase}: " + ", ".join(f"{label} {text}" for label, text in others) if others else phase


@contextmanager
def showing() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """What `progress` is to be for the length of a with block; everything goes to standard error."""
    figures = Figures()
    if not sys.stderr.isatty():
        printed: tuple[Any, float] = (None, 0.0)

        def print_line(told: Mapping[str, Any]) -> None:
            nonlocal printed
            figures.note(told)
            about, now = (told["phase"], told.get("table")), perf_counter()
            if about != printed[0] or now - printed[1] > _SECONDS_BETWEEN_LINES:
                printed = (about, now)
                click.echo(figures.line(), err=True)

        yield print_line
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False)
    with Live(console=console, get_renderable=lambda: _panel(figures), refresh_per_second=8):
        yield figures.note


def _panel(figures: Figures) -> RenderableType:
    from rich.panel import Panel
    from rich.table import Table

    grid = Table.grid(padding=(0, 3))
    grid.add_column(style="dim")
    grid.add_column()
    for label, text in figures.rows():
        grid.add_row(label, text)
    return Panel(grid, title="live switch", border_style="cyan", expand=False)
