"""A writer process at full load, with a record of every call: ``python -m benchmarks.switch_writer CONFIG CALLS STOP``.

``CALLS`` becomes an array of pairs of doubles: when a call began, on the machine's monotonic clock, and how many
seconds it took.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from array import array
from pathlib import Path

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType, PoolConfig


def read_config(text: str) -> DatabaseConfig:
    """The configuration that the benchmark wrote for its processes."""
    found = json.loads(text)
    pool = PoolConfig(**found["pool"])
    return DatabaseConfig(db_type=DatabaseType(found["type"]), sqlite_path=found["path"], pool=pool)


def work(adapter: DatabaseAdapter, made: random.Random, rows: int) -> None:
    """One call: a transaction that changes one row and adds another."""
    with adapter.transaction() as tx:
        tx.execute("UPDATE events SET amount = amount + 1 WHERE id = ?", [made.randrange(1, rows)])
        tx.execute(
            "INSERT INTO events (user_id, name, amount, active, note) VALUES (?, ?, ?, ?, ?)",
            [made.randrange(100_000), "written during the switch", made.random(), True, None],
        )


def main() -> None:
    """Work until the stop file is there."""
    config, calls, stop = read_config(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    rows = int(sys.argv[4])
    made, noted = random.Random(os.getpid()), array("d")
    with DatabaseAdapter(config) as adapter:
        adapter.fetch_value("SELECT count(*) FROM events WHERE id < 10")
        calls.touch()
        while not stop.exists():
            for _ in range(10):
                begun = time.monotonic()
                work(adapter, made, rows)
                noted.append(begun)
                noted.append(time.monotonic() - begun)
    with calls.open("wb") as file:
        noted.tofile(file)


if __name__ == "__main__":
    main()
