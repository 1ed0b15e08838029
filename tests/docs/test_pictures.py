"""The pictures of the documentation are those of its scripts, and the map names every room."""

from __future__ import annotations

import subprocess
import sys
from xml.etree import ElementTree

import pytest

from tests.docs.pages import ROOT
from tools.pictures import DESIGN, FIGURES

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))


def test_pictures_of_the_design_are_up_to_date() -> None:
    """What is committed is what the script draws."""
    script = ROOT / "tools" / "pictures.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [*DESIGN, *FIGURES])
def test_pictures_can_be_drawn(name: str) -> None:
    """Each is a well-formed drawing with a title for those who cannot see it, and takes nothing from elsewhere."""
    text = {**DESIGN, **FIGURES}[name]().svg()
    root = ElementTree.fromstring(text)
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert (ROOT / "docs" / "pictures" / f"{name}.svg").is_file()


def test_the_map_names_every_room() -> None:
    """Each package of the source is on the map of the house."""
    text = (ROOT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
    rooms = [path.parent.name for path in (ROOT / "src" / "dbadapter").glob("*/__init__.py")]
    assert len(rooms) > 10
    assert [room for room in rooms if f"`{room}`" not in text] == []
