"""Outcomes as Markdown, for people, and as JSON, for programs."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import Any

from .harness import FiguresOutcome, Outcome

_SCALES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def _duration(seconds: float) -> str:
    for scale, unit in _SCALES:
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def machine() -> str:
    """Return in one line what the measurements were made on."""
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    for package in ("psycopg", "asyncpg", "sqlalchemy", "sqlite-utils", "peewee", "aiosqlite"):
        try:
            versions += f", {package} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            continue
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores; {versions}"


def markdown(outcomes: Sequence[Outcome | FiguresOutcome]) -> Iterator[str]:
    """Yield the lines of a report: a table for each suite, with the promise where there is one."""
    for outcome in outcomes:
        if isinstance(outcome, FiguresOutcome):
            yield from _figures(outcome)
            continue
        limits = {target.peer: target.at_most for target in outcome.suite.targets}
        pinned = ", pinned to one core" if outcome.suite.one_core else ""
        yield from (f"### {outcome.suite.title}", "", f"One repetition: {outcome.suite.unit}{pinned}.", "")
        yield f"| | median | {outcome.ours} takes | promised | |"
        yield "| --- | ---: | ---: | ---: | --- |"
        for name in outcome.seconds:
            ratio = outcome.ratio(outcome.ours, name)
            taken = "" if name == outcome.ours else f"{ratio:.2f} ×"
            limit = limits.get(name)
            promised = "" if limit is None else f"≤ {limit:.2f} ×"
            verdict = "" if limit is None else "kept" if ratio <= limit else "**missed**"
            yield f"| {name} | {_duration(outcome.median(name))} | {taken} | {promised} | {verdict} |"
        yield ""


def _figures(outcome: FiguresOutcome) -> Iterator[str]:
    pinned = ", pinned to one core" if outcome.suite.one_core else ""
    yield from (f"### {outcome.suite.title}", "", f"One turn: {outcome.suite.unit}{pinned}.", "")
    yield "| | median | worst | promised | |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for figure in outcome.suite.figures:
        values = outcome.values[figure.name]
        worst = figure.worst(values)
        verdict = "" if not figure.promised else "kept" if figure.is_kept(worst) else "**missed**"
        median = statistics.median(values)
        yield (
            f"| {figure.name} | {median:.3g} {figure.unit} | {worst:.3g} {figure.unit} | {figure.promised} "
            f"| {verdict} |"
        )
    yield ""


def plain(outcomes: Sequence[Outcome | FiguresOutcome]) -> dict[str, Any]:
    """Return everything measured, ready for ``json.dump``."""
    suites = []
    for outcome in outcomes:
        measured: dict[str, Any]
        if isinstance(outcome, FiguresOutcome):
            measured = {"values": outcome.values}
        else:
            ratios = {name: outcome.ratio(outcome.ours, name) for name in outcome.seconds}
            measured = {"seconds": outcome.seconds, "ratios": ratios}
        told = {"title": outcome.suite.title, "unit": outcome.suite.unit}
        suites.append({**told, **measured, "missed": outcome.missed()})
    return {"machine": machine(), "suites": suites}
