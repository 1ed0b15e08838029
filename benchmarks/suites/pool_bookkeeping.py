"""Pools: what taking a connection and giving it back costs, with its holder, its times and its figures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import thread_time
from typing import Any

from benchmarks.harness import Figure, Figures
from benchmarks.postgres import server
from dbadapter import AsyncPostgresPool, PostgresPool, SQLitePool

CHECKOUTS = 20_000


def per_checkout(lane: Any) -> Callable[[], float]:
    """Microseconds of the processor's time that one checkout and return takes a thread."""

    def take() -> float:
        begun = thread_time()
        for _ in range(CHECKOUTS):
            lane.release(lane.acquire())
        return (thread_time() - begun) / CHECKOUTS * 1e6

    return take


def per_checkout_of_a_task(loop: asyncio.AbstractEventLoop, lane: Any) -> Callable[[], float]:
    """The same for a task."""

    async def many() -> float:
        begun = thread_time()
        for _ in range(CHECKOUTS):
            await lane.release(await lane.acquire())
        return (thread_time() - begun) / CHECKOUTS * 1e6

    return lambda: loop.run_until_complete(many())


@contextmanager
def suite(scratch: Path) -> Iterator[Figures]:
    """Take and give back what is idle."""
    loop = asyncio.new_event_loop()
    with ExitStack() as stack:
        stack.callback(loop.close)
        pg = stack.enter_context(server())
        pool = stack.enter_context(PostgresPool(pg.config))
        file = stack.enter_context(SQLitePool(str(scratch / "app.db")))
        tasks = AsyncPostgresPool(pg.config)
        loop.run_until_complete(tasks.open())
        stack.callback(lambda: loop.run_until_complete(tasks.close()))
        takes = {
            "Postgres, from a thread": per_checkout(pool.writer),
            "Postgres, from a task": per_checkout_of_a_task(loop, tasks.writer),
            "SQLite, from a thread": per_checkout(file.reader),
        }
        yield Figures(
            title="Pools: bookkeeping of a checkout",
            unit=f"the mean of {CHECKOUTS:,} checkouts with nothing done in between, in the processor's time",
            figures=[Figure(name, "µs", taking, at_most=5) for name, taking in takes.items()],
            one_core=True,
        )
