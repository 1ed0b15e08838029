"""Moving 50,000 rows to Postgres: the live switch under a writing thread, against a transfer of the file at rest."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks.harness import Contender, Suite, Target
from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.transfer import plan_transfer, run_transfer, verify_transfer

ROWS = 50_000


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Both move a copy of the same file, and compare both ends; the switch's app goes on writing meanwhile."""
    original = scratch / "original.db"
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(original))) as adapter:
        adapter.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, amount REAL, made TIMESTAMP)")
        rows = ({"id": n, "name": f"row {n}", "amount": n / 7, "made": None} for n in range(ROWS))
        adapter.insert_many("t", rows)
    with EmbeddedPostgres() as server:
        numbers = iter(range(1_000_000))

        def fresh() -> DatabaseConfig:
            number = next(numbers)
            path = scratch / f"copy{number}.db"
            shutil.copy(original, path)
            pool = attrs.evolve(server.config.pool, database=f"switch{number}")
            return attrs.evolve(
                server.config,
                db_type=DatabaseType.SQLITE,
                sqlite_path=str(path),
                pool=pool,
                create_database=True,
            )

        def switch(n: int) -> None:
            for _ in range(n):
                _switch(fresh())

        def transfer(n: int) -> None:
            for _ in range(n):
                source = fresh()
                target = attrs.evolve(source, db_type=DatabaseType.POSTGRESQL)
                with DatabaseAdapter(target):
                    pass  # makes the database
                run_transfer(plan_transfer(source, target))
                if not verify_transfer(source, target).equal:
                    raise AssertionError("the transfer lost something")

        yield Suite(
            title=f"Live switch of {ROWS:,} rows to Postgres, while a thread writes",
            unit="one move, verified",
            contenders=[
                Contender("dbadapter, live", switch),
                Contender("dbadapter, transfer at rest", transfer),
            ],
            targets=[Target("dbadapter, transfer at rest", 4.0)],
        )


def _switch(config: DatabaseConfig) -> None:
    target = attrs.evolve(config, db_type=DatabaseType.POSTGRESQL)
    with DatabaseAdapter(target):
        pass
    with DatabaseAdapter(config) as adapter:
        done = threading.Event()
        written = 0

        def write() -> None:
            nonlocal written
            while not done.is_set():
                adapter.execute("INSERT INTO t (name) VALUES ('new')")
                written += 1

        thread = threading.Thread(target=write)
        thread.start()
        try:
            adapter.switch_database(target, carry_data=True)
        finally:
            done.set()
            thread.join()
        if adapter.fetch_value("SELECT count(*) FROM t") != ROWS + written:
            raise AssertionError("the switch lost something")
