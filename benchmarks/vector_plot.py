"""A small plot as SVG, both axes logarithmic; no library needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e")
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 640, 400, 60, 20, 140, 40


def write_plot(path: Path, rows: Sequence[Mapping[str, float]], series: Sequence[str]) -> None:
    """Draw each series over the number of vectors; the dotted line grows as they do."""
    xs = [math.log10(row["vectors"]) for row in rows]
    ys = [math.log10(row[name]) for name in series for row in rows]
    low_x, high_x, low_y, high_y = min(xs), max(*xs, min(xs) + 1), math.floor(min(ys)), math.ceil(max(ys))

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - low_x) / (high_x - low_x) * (WIDTH - LEFT - RIGHT)
        up = (y - low_y) / max(1, high_y - low_y) * (HEIGHT - TOP - BOTTOM)
        return across, HEIGHT - BOTTOM - up

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for exponent in range(low_y, high_y + 1):
        left, y = place(low_x, exponent)
        right, _ = place(high_x, exponent)
        parts.append(f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">{10.0**exponent:g}</text>')
    for row, x in zip(rows, xs, strict=True):
        across, y = place(x, low_y)
        parts.append(
            f'<text x="{across:.1f}" y="{y + 18:.1f}" text-anchor="middle">{row["vectors"]:,.0f}</text>'
        )
    begin, end = place(low_x, low_y), place(high_x, low_y + high_x - low_x)
    parts.append(
        f'<path d="M{begin[0]:.1f} {begin[1]:.1f}L{end[0]:.1f} {end[1]:.1f}" stroke="#999" stroke-dasharray="2 4"/>'
    )
    for name, colour, line in zip(series, COLOURS, range(len(series)), strict=False):
        points = [place(x, math.log10(row[name])) for row, x in zip(rows, xs, strict=True)]
        path_data = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        parts.append(f'<path d="{path_data}" fill="none" stroke="{colour}" stroke-width="2"/>')
        label = (
            f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 20 + 18 * line}" fill="{colour}">{escape(name)}</text>'
        )
        parts.append(label)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")
