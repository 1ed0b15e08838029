"""Latency over time, drawn with characters."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence

from .ledger import Sample

__all__ = ["chart_width", "latency_chart"]

_BLOCKS = " ▁▂▃▄▅▆▇█"
_DECADES = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0)


_SCALE = 13  # characters to the left of the chart
_NARROWEST, _WIDEST = 16, 72


def chart_width() -> int:
    """How wide the chart may be for its lines to fit the terminal (or 80 characters, where there is none)."""
    return max(_NARROWEST, min(shutil.get_terminal_size().columns - _SCALE - 1, _WIDEST))


def latency_chart(
    samples: Sequence[Sample], marks: Sequence[tuple[float, str]], *, width: int = _WIDEST, height: int = 8
) -> list[str]:
    """The longest wait in each stretch of time, on a logarithmic scale.

    Args:
        samples: requests, as (moment of their end, duration), seconds.
        marks: moments to point at, with a letter for each.
        width, height: of the chart, in characters.

    Returns:
        Lines of text; none without samples.
    """
    if not samples:
        return []
    first = min(moment for moment, _ in samples)
    last = max(*(moment for moment, _ in samples), first + 1e-9)
    worst = [0.0] * width
    for moment, seconds in samples:
        column = min(int((moment - first) / (last - first) * width), width - 1)
        worst[column] = max(worst[column], seconds * 1000)
    floor = _DECADES[0]
    top = next((decade for decade in _DECADES if decade >= max(worst)), max(worst))
    span = math.log10(top / floor)
    eighths = [
        0 if value <= 0 else max(1, round(math.log10(max(value, floor) / floor) / span * height * 8))
        for value in worst
    ]
    lines = []
    for row in range(height - 1, -1, -1):
        upper = floor * 10 ** (span * (row + 1) / height)
        cells = "".join(_BLOCKS[min(max(level - row * 8, 0), 8)] for level in eighths)
        lines.append(f"{upper:>8.3g} ms │{cells}")
    lines.append(f"{'':>{_SCALE - 2}} └{'─' * width}")
    pointers = [" "] * width
    for moment, letter in marks:
        pointers[min(max(int((moment - first) / (last - first) * width), 0), width - 1)] = letter
    lines.append(f"{'':>{_SCALE}}{''.join(pointers)}".rstrip())
    end = f"{last - first:.1f} s"
    lines.append(f"{'':>{_SCALE}}0{end:>{width - 1}}")
    return lines
