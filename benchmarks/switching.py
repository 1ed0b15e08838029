"""A live switch of a large table while writer processes are at full load, and what each of their calls took."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs

from benchmarks.switch_writer import work
from benchmarks.transfer import ROWS
from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.types import SwitchReport

WRITERS = 4
BEFORE = 10.0  # seconds of work without a switch, to compare with
AFTER = 2.0
BACKLOG = 1000


@attrs.frozen
class Course:
    """What was seen of one switch.

    Attributes:
        report: what the switch says of itself.
        told: the moments of its progress, with what was told.
        calls: (begin, seconds) of every call, in every process.
        before, during: (begin, end) of the time without a switch, and of the switch with a little after it.
    """

    report: SwitchReport
    told: Sequence[tuple[float, Mapping[str, Any]]]
    calls: Sequence[tuple[float, float]]
    before: tuple[float, float]
    during: tuple[float, float]

    def longest(self, span: tuple[float, float]) -> float:
        """The longest call that was under way in `span`, in milliseconds."""
        return 1000 * max(taken for begun, taken in self.calls if begun < span[1] and begun + taken > span[0])

    def rate(self, span: tuple[float, float]) -> float:
        """Calls that ended in `span`, by the second."""
        ended = sum(span[0] <= begun + taken < span[1] for begun, taken in self.calls)
        return ended / (span[1] - span[0])

    @property
    def copying(self) -> tuple[float, float]:
        """The time in which rows were copied."""
        moments = [moment for moment, told in self.told if told["phase"] == "copying"]
        return moments[0], moments[-1]

    @property
    def switching(self) -> tuple[float, float]:
        """The time from the first to the last that was told."""
        return self.told[0][0], self.told[-1][0]

    @property
    def catching_up(self) -> float:
        """How many times as fast as changes are made they are carried over, while they go on being made.

        Of the rounds that found a backlog worth the name: a small one is over before its rate can be told.
        """
        noting = next(moment for moment, told in self.told if told["phase"] == "capturing")
        carried = seconds = 0.0
        written = 0.0
        for (previous, at), (moment, told) in zip(self.told, self.told[1:], strict=False):
            if told["phase"] != "catching up" or at["phase"] not in ("copying", "catching up"):
                continue  # after the others, more than this round has gone by
            if told["backlog"] >= BACKLOG or not written:
                written = written or told["backlog"] / (previous - noting)
                carried += told["backlog"]
                seconds += moment - previous
        return carried / seconds / written


@contextmanager
def writers(config: DatabaseConfig, scratch: Path) -> Iterator[list[tuple[float, float]]]:
    """Processes that write at full load, and a thread of this one's; after the block, the list has their calls."""
    scratch.mkdir()
    text = json.dumps(
        {
            "type": config.db_type.value,
            "path": config.sqlite_path,
            "pool": {
                name: getattr(config.pool, name)
                for name in ("host", "port", "database", "user", "password", "sslmode")
            }
            | {"max_connections": 3},
        }
    )
    stop, found = scratch / "stop", list[tuple[float, float]]()
    logs = [scratch / f"calls{number}" for number in range(WRITERS)]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.switch_writer", text, str(log), str(stop), str(ROWS)]
        )
        for log in logs
    ]
    try:
        while not all(log.exists() for log in logs):
            if any(process.poll() is not None for process in started):
                raise RuntimeError("a writer has ended")
            time.sleep(0.01)
        yield found
        stop.touch()
        if any(process.wait(60) for process in started):
            raise RuntimeError("a writer has failed")
    finally:
        for process in started:
            process.kill()
            process.wait()
    for log in logs:
        noted = array("d")
        noted.frombytes(log.read_bytes())
        found += zip(noted[::2], noted[1::2], strict=True)


@contextmanager
def bystander(adapter: DatabaseAdapter) -> Iterator[list[tuple[float, float]]]:
    """A thread of the switching process that calls now and then."""
    stop, found, made = threading.Event(), list[tuple[float, float]](), Random(1)

    def run() -> None:
        while not stop.wait(0.01):
            begun = time.monotonic()
            work(adapter, made, ROWS)
            found.append((begun, time.monotonic() - begun))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def switch(config: DatabaseConfig, target: DatabaseType, scratch: Path) -> Course:
    """Move the database of `config` while everybody writes, and count the rows afterwards."""
    with DatabaseAdapter(config) as adapter:
        rows = adapter.fetch_value("SELECT count(*) FROM events")
        told: list[tuple[float, Mapping[str, Any]]] = []
        with writers(config, scratch) as theirs, bystander(adapter) as ours:
            time.sleep(1)
            begun = time.monotonic()
            time.sleep(BEFORE)
            before = (begun, time.monotonic())
            report = adapter.switch_database(
                target,
                carry_data=True,
                progress=lambda each: told.append((time.monotonic(), dict(each))),
            )
            time.sleep(AFTER)
            during = (before[1], time.monotonic())
        calls = theirs + ours
        found = adapter.fetch_value("SELECT count(*) FROM events")
        if found != rows + len(calls):
            raise AssertionError(f"{rows + len(calls)} rows were acknowledged, and {found} are there")
    return Course(report, told, calls, before, during)


def pair(server: DatabaseConfig, path: Path) -> DatabaseConfig:
    """The file at `path`, with a server to go to."""
    return attrs.evolve(server, db_type=DatabaseType.SQLITE, sqlite_path=str(path))
