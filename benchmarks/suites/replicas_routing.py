"""Postgres: what choosing among servers adds to a point read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from benchmarks.harness import Contender, Suite, Target
from benchmarks.postgres import SQL, repeated, server
from dbadapter import DatabaseAdapter

OURS, PLAIN = "dbadapter, two replicas", "dbadapter, the primary alone"


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Read the same rows through an adapter that knows of replicas and through one that does not."""
    with ExitStack() as stack:
        pg = stack.enter_context(server(2))
        routed = stack.enter_context(DatabaseAdapter(pg.config))
        alone = attrs.evolve(pg.config, pool=attrs.evolve(pg.config.pool, read_hosts=()))
        plain = stack.enter_context(DatabaseAdapter(alone))

        def fetch(adapter: DatabaseAdapter) -> Any:
            return repeated(lambda key: adapter.fetch_one(SQL, [key]))

        yield Suite(
            title="Postgres: routing among a primary and two replicas",
            unit="one row of three columns, by its primary key, as a dict",
            contenders=[Contender(OURS, fetch(routed)), Contender(PLAIN, fetch(plain))],
            targets=[Target(PLAIN, 1.10)],
            one_core=True,
        )
        served = routed.get_stats()["reads"]
        if served["replica"] < served["primary"]:
            raise AssertionError(f"most reads were to run on replicas: {served}")
