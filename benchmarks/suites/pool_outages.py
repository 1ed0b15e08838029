"""Postgres: how soon the app goes on after its server has restarted, and after a replica has been promoted."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import attrs
import psycopg

from benchmarks.harness import Figure, Figures
from benchmarks.postgres import server
from dbadapter import DatabaseAdapter
from dbadapter.embedded import EmbeddedPostgres

IDLE = 10
PATIENCE = 60.0


def first(question: Callable[[], bool]) -> float:
    """When the question was answered with yes, asked again and again."""
    begun = perf_counter()
    pause = threading.Event()
    while perf_counter() - begun < PATIENCE:
        try:
            if question():
                return perf_counter()
        except psycopg.OperationalError:
            pass
        pause.wait(0.002)
    raise AssertionError(f"not within {PATIENCE:g} s")


def answers(url: str) -> bool:
    """The server lets a new client in and is the primary."""
    with psycopg.connect(url, autocommit=True, connect_timeout=2) as connection:
        return connection.execute("SELECT NOT pg_is_in_recovery()").fetchone() == (True,)


def after_a_restart(pg: EmbeddedPostgres) -> float:
    """Seconds from the server's return to the end of a read that was begun while it was away."""
    limits = attrs.evolve(
        pg.config.pool, min_connections=IDLE, max_connections=IDLE, read_hosts=(), connection_timeout=PATIENCE
    )
    with DatabaseAdapter(attrs.evolve(pg.config, pool=limits)) as adapter:
        return delay(
            lambda: adapter.fetch_value("SELECT 1"),
            stop=pg.kill,
            back=pg.start,
            is_back=lambda: answers(pg.url),
        )


def after_a_promotion(pg: EmbeddedPostgres) -> float:
    """Seconds from the moment the new primary takes writes to the end of a write that was begun before."""
    limits = attrs.evolve(pg.config.pool, connection_timeout=PATIENCE)
    with DatabaseAdapter(attrs.evolve(pg.config, pool=limits)) as adapter:
        url = pg.replicas[0].url
        taken = delay(
            lambda: adapter.execute("UPDATE items SET score = score WHERE id = 7"),
            stop=pg.kill,
            back=lambda: pg.promote(0),
            is_back=lambda: answers(url),
        )
    for replica in pg.replicas:
        replica.start()
    pg.wait_for_replicas()
    return taken


def delay(
    work: Callable[[], object],
    *,
    stop: Callable[[], object],
    back: Callable[[], object],
    is_back: Callable[[], bool],
) -> float:
    """Seconds from the moment `is_back` says so until `work` is done that was begun when all was down."""
    work()
    stop()
    done: list[float] = []

    def call() -> None:
        work()
        done.append(perf_counter())

    caller = threading.Thread(target=call)
    caller.start()
    bringing = threading.Thread(target=back)
    bringing.start()
    was_back = first(is_back)
    caller.join(PATIENCE)
    bringing.join(PATIENCE)
    if not done:
        raise AssertionError("the work that was begun while the server was away never ended")
    return max(0.0, done[0] - was_back)


@contextmanager
def suite(scratch: Path) -> Iterator[Figures]:
    """Kill the primary each time."""
    with server(2, one_core=False) as pg:
        yield Figures(
            title="Postgres: the app goes on after an outage",
            unit="the primary killed; work begun while it is away",
            figures=[
                Figure(
                    f"first read after a restart, {IDLE} idle connections",
                    "s",
                    lambda: after_a_restart(pg),
                    at_most=1,
                ),
                Figure("first write after a promotion", "s", lambda: after_a_promotion(pg), at_most=10),
            ],
            rounds=5,
        )
