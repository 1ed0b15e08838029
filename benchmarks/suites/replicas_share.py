"""Postgres: how many of the reads that must not miss the caller's own writes are served by replicas."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness import Figure, Figures
from benchmarks.postgres import ROWS, server
from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter
from dbadapter.embedded import EmbeddedPostgres

SECONDS, WRITES = 2.0, 0.05
PROMISED = 60
READ, WRITE = "SELECT n FROM counters WHERE id = ?", "UPDATE counters SET n = ? WHERE id = ?"


def share(before: dict[str, Any], after: dict[str, Any]) -> float:
    """How much of the reads between two looks at the figures ran on replicas, in percent; if too few, what was up."""
    done = {where: after["reads"][where] - before["reads"][where] for where in before["reads"]}
    found = 100 * done["replica"] / sum(done.values())
    if found < PROMISED:
        print(
            f"{found:.0f} %: {done}; the servers before: {before['nodes']}, after: {after['nodes']}",
            file=sys.stderr,
        )
    return found


def with_threads(pg: EmbeddedPostgres, count: int) -> float:
    """Every thread reads and writes a counter of its own, and looks at what it reads."""
    with DatabaseAdapter(pg.config) as adapter:
        stop = threading.Event()
        failures: list[str] = []

        def work(number: int) -> None:
            chance, n = random.Random(number), 0
            adapter.execute(WRITE, [0, number])
            while not stop.is_set():
                if chance.random() < WRITES:
                    n += 1
                    adapter.execute(WRITE, [n, number])
                elif (found := adapter.fetch_value(READ, [number])) != n:
                    failures.append(f"a stale read: {found}, not {n}")
                    return

        threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        stop.wait(SECONDS / 4)
        before = adapter.get_stats()
        stop.wait(SECONDS)
        after = adapter.get_stats()
        stop.set()
        for thread in threads:
            thread.join()
        if failures:
            raise AssertionError(failures[0])
        return share(before, after)


def with_tasks(pg: EmbeddedPostgres, count: int) -> float:
    """The same with tasks of one event loop."""

    async def run() -> float:
        async with AsyncDatabaseAdapter(pg.config) as adapter:
            stop = asyncio.Event()

            async def work(number: int) -> None:
                chance, n = random.Random(number), 0
                await adapter.execute(WRITE, [0, number])
                while not stop.is_set():
                    if chance.random() < WRITES:
                        n += 1
                        await adapter.execute(WRITE, [n, number])
                    elif (found := await adapter.fetch_value(READ, [number])) != n:
                        raise AssertionError(f"a stale read: {found}, not {n}")

            tasks = [asyncio.ensure_future(work(number)) for number in range(count)]
            await asyncio.sleep(SECONDS / 4)
            before = adapter.get_stats()
            await asyncio.sleep(SECONDS)
            after = adapter.get_stats()
            stop.set()
            await asyncio.gather(*tasks)
            return share(before, after)

    return asyncio.run(run())


@contextmanager
def suite(scratch: Path) -> Iterator[Figures]:
    """One server with two replicas for all."""
    with server(2, one_core=False) as pg:
        with DatabaseAdapter(pg.config) as adapter:
            adapter.execute("CREATE TABLE counters (id int PRIMARY KEY, n int NOT NULL)")
            adapter.insert_many("counters", [{"id": key, "n": 0} for key in range(ROWS)])
        yield Figures(
            title="Postgres: session reads served by two replicas, 95 % reads and 5 % writes",
            unit=f"{SECONDS:g} s of reading and writing without a pause, every read checked",
            figures=[
                *(
                    Figure(
                        f"{count} threads",
                        "%",
                        lambda count=count: with_threads(pg, count),
                        at_least=PROMISED,
                    )
                    for count in (4, 16)
                ),
                *(
                    Figure(
                        f"{count} tasks", "%", lambda count=count: with_tasks(pg, count), at_least=PROMISED
                    )
                    for count in (4, 16)
                ),
            ],
        )
