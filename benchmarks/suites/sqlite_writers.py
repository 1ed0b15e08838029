"""SQLite: 8 threads that read a counter and write it back, in transactions on one file."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from benchmarks.harness import Contender, Suite, Target
from dbadapter import DatabaseAdapter, DatabaseConfig

THREADS = 8
TRANSACTIONS = 1_600  # of all threads together, in one repetition


@contextmanager
def suite(scratch: Path) -> Iterator[Suite]:
    """Increment the same counters with every contender; each keeps count of what each thread got done."""
    path = str(scratch / "counters.db")
    with ExitStack() as stack:
        adapter = stack.enter_context(DatabaseAdapter(DatabaseConfig(sqlite_path=path)))
        adapter.execute("CREATE TABLE counters (id INTEGER PRIMARY KEY, value INTEGER NOT NULL)")
        adapter.insert_many("counters", [{"id": number, "value": 0} for number in range(THREADS)])
        lock = threading.Lock()
        shared = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
        stack.enter_context(closing(shared))
        shared.execute("PRAGMA synchronous = FULL")
        local = threading.local()

        def with_adapter(number: int) -> None:
            with adapter.transaction() as tx:
                value = tx.fetch_value("SELECT value FROM counters WHERE id = ?", [number])
                tx.execute("UPDATE counters SET value = ? WHERE id = ?", [value + 1, number])

        def increment(raw: sqlite3.Connection, number: int) -> None:
            raw.execute("BEGIN IMMEDIATE")
            (value,) = raw.execute("SELECT value FROM counters WHERE id = ?", (number,)).fetchone()
            raw.execute("UPDATE counters SET value = ? WHERE id = ?", (value + 1, number))
            raw.execute("COMMIT")

        def with_lock(number: int) -> None:
            with lock:
                increment(shared, number)

        def own_connection() -> sqlite3.Connection:
            if not hasattr(local, "raw"):
                local.raw = sqlite3.connect(path, isolation_level=None, timeout=60)
                local.raw.execute("PRAGMA synchronous = FULL")
            raw: sqlite3.Connection = local.raw
            return raw

        def with_lock_and_connections(number: int) -> None:
            raw = own_connection()
            with lock:
                increment(raw, number)

        def with_connections(number: int) -> None:
            increment(own_connection(), number)

        contenders = {
            "dbadapter": with_adapter,
            "sqlite3, BEGIN IMMEDIATE under one lock": with_lock_and_connections,
            "sqlite3, the same on one shared connection": with_lock,
            "sqlite3, BEGIN IMMEDIATE without a lock": with_connections,
        }
        yield Suite(
            title=f"SQLite: {THREADS} threads of read-then-write on one file",
            unit=f"{TRANSACTIONS} transactions: read a counter, write it back, synchronous",
            contenders=[Contender(name, _crowd(name, work)) for name, work in contenders.items()],
            targets=[Target("sqlite3, BEGIN IMMEDIATE under one lock", 1.0)],
        )


def _crowd(name: str, work: Callable[[int], None]) -> Callable[[int], None]:
    """Run `work` from 8 threads until it was done 1,600 times together; the adapter must have shared fairly."""

    def run(n: int) -> None:
        done = [0] * THREADS
        left = iter(range(n * TRANSACTIONS))
        lock = threading.Lock()

        def worker(number: int) -> None:
            while True:
                with lock:
                    if next(left, None) is None:
                        return
                work(number)
                done[number] += 1

        threads = [threading.Thread(target=worker, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if name == "dbadapter" and max(done) > 2 * min(done):
            raise AssertionError(f"the threads' shares differ by more than a factor of 2: {done}")

    return run
