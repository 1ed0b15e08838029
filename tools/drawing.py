"""Drawings as SVG files: boxes, arrows, lines of text, bars. They follow the reader's light or dark scheme."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

import attrs

__all__ = ["Sheet"]

# The reader's colours where the file is shown as an image: inside of it, the media query asks the browser.
_STYLE = """
  text { font-family: system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1b232d; font-size: 14px }
  .title { font-weight: 600 }
  .small { font-size: 12px; fill: #55606e }
  .big { font-size: 17px; font-weight: 600 }
  .box { fill: #f5f7fa; stroke: #8a96a5; stroke-width: 1.2 }
  .room { fill: #ffffff; stroke: #0b5cad; stroke-width: 1.5 }
  .data { fill: #e7f0fa; stroke: #0b5cad; stroke-width: 1.5 }
  .accent { fill: #fdeee0; stroke: #a34700; stroke-width: 1.5 }
  .line { fill: none; stroke: #55606e; stroke-width: 1.6 }
  .hot { fill: none; stroke: #a34700; stroke-width: 2.4 }
  .dashed { stroke-dasharray: 5 4 }
  .head { fill: #55606e } .hothead { fill: #a34700 }
  .grid { stroke: #ccd3dc; stroke-width: 1 }
  .one { fill: #0b5cad } .two { fill: #a34700 } .three { fill: #8a96a5 }
  .curve { fill: none; stroke: #0b5cad; stroke-width: 2.5; stroke-linejoin: round }
  .curve2 { fill: none; stroke: #a34700; stroke-width: 2.5; stroke-linejoin: round }
  .shade { fill: #0b5cad; opacity: .10 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6ebf1 } .small { fill: #a3afbc }
    .box { fill: #1a212a; stroke: #6b7888 } .room { fill: #11161c; stroke: #6cb6ff }
    .data { fill: #14283d; stroke: #6cb6ff } .accent { fill: #3a2718; stroke: #ffb077 }
    .line { stroke: #a3afbc } .hot { stroke: #ffb077 } .head { fill: #a3afbc } .hothead { fill: #ffb077 }
    .grid { stroke: #38434f } .one { fill: #6cb6ff } .two { fill: #ffb077 } .three { fill: #6b7888 }
    .curve { stroke: #6cb6ff } .curve2 { stroke: #ffb077 } .shade { fill: #6cb6ff }
  }
"""


@attrs.define
class Sheet:
    """A drawing of `width` × `height` pixels; (0, 0) is the upper left corner.

    Attributes:
        title: what the picture shows, for those who do not see it.
    """

    width: int
    height: int
    title: str
    _parts: list[str] = attrs.field(factory=list, init=False)

    def text(self, x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> None:
        """A line of text whose baseline is at `y`."""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        title: str = "",
        lines: Iterable[str] = (),
        kind: str = "box",
    ) -> None:
        """A box with a title and lines of small text, centred."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="7" class="{kind}"/>'
        )
        shown = [(title, "title", 20), *((line, "small", 17) for line in lines)] if title else []
        tall = sum(step for *_, step in shown)
        baseline = y + (height - tall) / 2 - 4
        for words, style, step in shown:
            baseline += step
            self.text(x + width / 2, baseline, words, style, "middle")

    def arrow(
        self,
        points: Sequence[tuple[float, float]],
        label: str = "",
        *,
        kind: str = "line",
        both: bool = False,
    ) -> None:
        """A line through `points` with a head at its end (and, with `both`, at its beginning)."""
        path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
        head = "hot" if kind.startswith("hot") else "line"
        start = f' marker-start="url(#{head}-head)"' if both else ""
        self._parts.append(f'<path d="{path}" class="{kind}" marker-end="url(#{head}-head)"{start}/>')
        if label:
            (x1, y1), (x2, y2) = points[len(points) // 2 - 1], points[len(points) // 2]
            self.text((x1 + x2) / 2, (y1 + y2) / 2 - 7, label, "small", "middle")

    def cylinder(
        self, x: float, y: float, width: float, height: float, title: str, lines: Iterable[str] = ()
    ) -> None:
        """A database."""
        cap = 10.0
        self._parts.append(
            f'<path d="M{x:g} {y + cap:g}v{height - 2 * cap:g}a{width / 2:g} {cap:g} 0 0 0 {width:g} 0'
            f'v{2 * cap - height:g}" class="data"/>'
            f'<ellipse cx="{x + width / 2:g}" cy="{y + cap:g}" rx="{width / 2:g}" ry="{cap:g}" class="data"/>'
        )
        self.text(x + width / 2, y + cap * 2 + 20, title, "title", "middle")
        for number, line in enumerate(lines, 1):
            self.text(x + width / 2, y + cap * 2 + 20 + 17 * number, line, "small", "middle")

    def line(self, points: Sequence[tuple[float, float]], kind: str = "grid") -> None:
        """A line without a head."""
        path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        self._parts.append(f'<path d="{path}" class="{kind}"/>')

    def bar(self, x: float, y: float, width: float, height: float, kind: str = "one") -> None:
        """A filled rectangle."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:g}" class="{kind}"/>'
        )

    def svg(self) -> str:
        """The text of the file."""
        heads = "".join(
            f'<marker id="{kind}-head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="11" markerHeight="11" '
            f'markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" class="{style}"/>'
            "</marker>"
            for kind, style in (("line", "head"), ("hot", "hothead"))
        )
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" role="img">',
                f"<title>{escape(self.title)}</title>",
                f"<style>{_STYLE}</style>",
                f"<defs>{heads}</defs>",
                *self._parts,
                "</svg>\n",
            ]
        )
