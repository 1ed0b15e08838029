"""What a switch that is under way looks like on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from dbadapter.cli.switch_display import Figures, _panel, showing

COURSE = [
    {"phase": "examining", "table": "events", "rows": 500},
    *(
        {"phase": "copying", "table": "events", "rows": n, "total": 4000, "rows_copied": n}
        for n in (1000, 2000)
    ),
    {"phase": "catching up", "backlog": 1234, "writes_per_second": 2100, "rounds": 3, "rows_copied": 4000},
    {"phase": "switched", "paused_ms": 43.21, "rows_copied": 4000},
]


def test_the_panel_has_the_figures_of_the_phase() -> None:
    """A bar while a table is copied, backlog and write rate while changes are caught up with, the pause at the end."""
    figures, shown = Figures(), []
    for told in COURSE:
        figures.note(told)
        text = io.StringIO()
        Console(file=text, width=100).print(_panel(figures))
        shown.append(text.getvalue())
    assert "examining events" in shown[0]
    assert "50%" in shown[2]
    assert "1,234 changes" in shown[3]
    assert "2,100 changes/s" in shown[3]
    assert "43.2 ms" in shown[4]
    assert "backlog" not in shown[4]


def test_elsewhere_a_line_for_each_phase(capsys: pytest.CaptureFixture[str]) -> None:
    """Chunks of one table do not fill the log; standard output stays free for the report."""
    with showing() as progress:
        for told in COURSE:
            progress(told)
    printed = capsys.readouterr()
    assert printed.out == ""
    phases = [line.partition(":")[0] for line in printed.err.splitlines()]
    assert phases == ["examining events", "copying events", "catching up", "switched"]
