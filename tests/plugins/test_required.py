"""The plugin that lets no test be skipped for a missing part where everything must be present."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


MISSING = [
    "def test_it():\n    pytest.skip('missing: planet 0')\n",
    "@pytest.mark.skipif(True, reason='missing: planet 1')\ndef test_it():\n    pass\n",
    "@pytest.fixture\ndef f():\n    pytest.skip('missing: planet 2')\n\ndef test_it(f):\n    pass\n",
    "pytest.skip('missing: planet 3', allow_module_level=True)\n",
    "pytest.importorskip('planet_4')\n",
]
OTHER = [
    "def test_it():\n    pytest.skip('sample data: not given')\n",
    "@pytest.mark.xfail(reason='missing: a planet')\ndef test_it():\n    raise OSError\n",
]


def run(directory: Path, tests: list[str], *, required: str) -> str:
    """Run pytest on files that hold ``tests``, with the plugin; return what it printed."""
    for number, test in enumerate(tests):
        (directory / f"test_{number}.py").write_text("import pytest\n\n\n" + test)
    changes = {
        "PYTHONPATH": str(ROOT),
        "DBADAPTER_REQUIRE_ALL": required,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    options = ["-p", "tests.plugins.required", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-ra", "--rootdir", str(directory), str(directory)],
        cwd=directory,
        env=os.environ | changes,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize(("required", "closing"), [("1", "1 failed, 4 errors"), ("0", "5 skipped")])
def test_a_missing_part_fails_where_everything_is_required(
    tmp_path: Path, required: str, closing: str
) -> None:
    """Skips in a test, a mark, a fixture and a module all fail there, and only there; reasons are shown."""
    printed = run(tmp_path, MISSING, required=required)
    assert closing in printed
    for number in range(5):
        assert f"planet {number}" in printed or f"planet_{number}" in printed


def test_other_skips_stay(tmp_path: Path) -> None:
    """A skip for another reason, and an expected failure, are left alone."""
    assert "1 skipped, 1 xfailed" in run(tmp_path, OTHER, required="1")
