"""The live switch there and back under full load: what callers notice, and whether the changes are caught up with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import attrs

from benchmarks.harness import Figure, Figures
from benchmarks.switching import WRITERS, Course, pair, switch
from benchmarks.transfer import ROWS, make_sqlite
from dbadapter import DatabaseType
from dbadapter.embedded import EmbeddedPostgres


@contextmanager
def suite(scratch: Path) -> Iterator[Figures]:
    """One switch in each direction, with the same data."""
    path = scratch / "events.db"
    make_sqlite(path)
    with EmbeddedPostgres() as server:
        config = pair(server.config, path)

        @cache
        def there() -> Course:
            return switch(config, DatabaseType.POSTGRESQL, scratch / "there")

        @cache
        def back() -> Course:
            there()
            home = attrs.evolve(config, db_type=DatabaseType.POSTGRESQL)
            return switch(home, DatabaseType.SQLITE, scratch / "back")

        yield Figures(
            title=f"Live switch of {ROWS:,} rows, {WRITERS} writer processes at full load",
            unit="one switch, verified, every acknowledged row counted afterwards",
            figures=[*_figures("to Postgres", there), *_figures("to SQLite", back)],
            rounds=1,
        )


def _figures(where: str, course: Callable[[], Course]) -> Iterator[Figure]:
    yield Figure(
        f"{where}: longest call of any caller",
        "ms",
        lambda: course().longest(course().during),
        at_most=250,
    )
    yield Figure(f"{where}: longest call before the switch", "ms", lambda: course().longest(course().before))
    yield Figure(
        f"{where}: pause in the switching process", "ms", lambda: course().report.paused_ms, at_most=250
    )
    yield Figure(
        f"{where}: throughput while copying, of that before",
        "×",
        lambda: course().rate(course().copying) / course().rate(course().before),
        at_least=0.5,
    )
    yield Figure(
        f"{where}: throughput of the whole switch, of that before",
        "×",
        lambda: course().rate(course().switching) / course().rate(course().before),
    )
    yield Figure(
        f"{where}: catching up, of the rate of changes", "×", lambda: course().catching_up, at_least=5
    )
    yield Figure(f"{where}: calls before the switch", "/s", lambda: course().rate(course().before))
    yield Figure(f"{where}: the switch in all", "s", lambda: course().switching[1] - course().switching[0])
