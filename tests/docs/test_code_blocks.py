"""Every Python block of the README and the documentation runs as it stands, and every bash block marked to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, expected_output, find_pages, program

# What a reader's machine would not have set.
_CONFIGURATION = ("DATABASE_URL", "DB_", "PG", "USE_POSTGRES")

_RUN = """
import sys
path = sys.argv[1]
code = sys.stdin.read()
sys.argv[:] = [path]
exec(compile(code, path, "exec"), {"__name__": "__main__", "__file__": path})
"""

PAGES = [page for page in find_pages() if program(page.read_text(encoding="utf-8")).strip()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_page_runs(page: Path, tmp_path: Path) -> None:
    """All blocks of a page run in a fresh process and an empty directory, warnings being errors."""
    text = page.read_text(encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_CONFIGURATION)}
    # What bash blocks call is found beside the Python that runs the tests; Python prints at once, so that what a page
    # and its commands print comes in their order.
    kept |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _RUN, str(page)],
        input=program(text),
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = expected_output(text)
    if expected is not None:
        assert done.stdout.rstrip() == expected.rstrip()
