"""Where everything must be present (CI), a test skipped because a part is missing has failed.

A test that needs what a machine may lack skips with a reason that begins with ``missing:``, for example
``pytest.skip("missing: pgbouncer is not installed (apt-get install pgbouncer)")``. With DBADAPTER_REQUIRE_ALL=1 in the
environment such a skip, and one of ``pytest.importorskip``, becomes a failure with the same words.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TypeVar

import pytest

VARIABLE = "DBADAPTER_REQUIRE_ALL"
_PREFIXES = ("missing:", "could not import")

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the skips of tests and fixtures."""
    return _judge((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Judge the skips of whole modules."""
    return _judge((yield))


def _judge(report: Report) -> Report:
    """Return ``report``, failed if it is a skip that is not allowed here."""
    if os.environ.get(VARIABLE) != "1" or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return report
    words = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    reason = words.removeprefix("Skipped: ")
    if reason.startswith(_PREFIXES):
        report.outcome = "failed"
        report.longrepr = f"{reason}\n(a skip for a missing part is a failure with {VARIABLE}=1)"
    return report
