"""The server that the Postgres suites read from, and the work they share."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dbadapter import DatabaseAdapter
from dbadapter.embedded import EmbeddedPostgres

ROWS = 10_000
READS = 100  # of each thread, in one repetition
SQL = "SELECT id, name, score FROM items WHERE id = ?"
EXPECTED = {"id": 7, "name": "item 7", "score": 3.5}


@contextmanager
def server(replicas: int = 0, *, one_core: bool = True) -> Iterator[EmbeddedPostgres]:
    """A Postgres with a table of 10,000 items. It is started on the core that the suite is pinned to, if it is."""
    before = os.sched_getaffinity(0)
    if one_core:  # inherited by the server: cross-core wake-ups make latencies bimodal
        os.sched_setaffinity(0, {min(before)})
    try:
        pg = EmbeddedPostgres(replicas=replicas)
        pg.start()
    finally:
        os.sched_setaffinity(0, before)
    try:
        with DatabaseAdapter(pg.config) as adapter:
            adapter.execute(
                "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, score float8 NOT NULL)"
            )
            rows = ({"id": key, "name": f"item {key}", "score": key / 2} for key in range(ROWS))
            adapter.insert_many("items", rows)
            adapter.execute("ANALYZE items")
        if replicas:
            pg.wait_for_replicas()
        yield pg
    finally:
        pg.close()


def keys() -> Iterator[int]:
    """The keys in an order that jumps about."""
    return itertools.cycle([key * 7919 % ROWS for key in range(ROWS)])


def repeated(fetch: Callable[[int], Any]) -> Callable[[int], None]:
    """Call `fetch` with one key after the other; the first answer is looked at."""
    if dict(fetch(7)) != EXPECTED:
        raise AssertionError(f"a contender reads something else: {fetch(7)!r}")
    order = keys()

    def run(n: int) -> None:
        for _ in range(n):
            fetch(next(order))

    return run


def crowded(fetch: Callable[[int], Any], *, threads: int) -> Callable[[int], None]:
    """Call `fetch` from `threads` threads, 100 times in each; starting them then weighs next to nothing."""
    if dict(fetch(7)) != EXPECTED:
        raise AssertionError(f"a contender reads something else: {fetch(7)!r}")

    def run(n: int) -> None:
        def work(number: int) -> None:
            for turn in range(number, n * threads * READS, threads):
                fetch(turn * 7919 % ROWS)

        workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return run
