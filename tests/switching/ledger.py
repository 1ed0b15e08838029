"""Writers that record every acknowledged transaction outside the database, and the account that is settled with them.

Run as a program it is one writer process: ``python -m tests.switching.ledger NUMBER CONFIG ACKNOWLEDGED STOP OUTAGES``.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType, PoolConfig
from dbadapter.errors import DatabaseUnavailable, OutcomeUnknown, PoolExhausted

ROOT = Path(__file__).resolve().parents[2]
ACCOUNTS, BALANCE = 40, 1000
TABLES = [
    "CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT UNIQUE, balance INTEGER NOT NULL)",
    "CREATE TABLE ledger (writer INTEGER NOT NULL, n INTEGER NOT NULL, amount INTEGER, PRIMARY KEY (writer, n))",
    "CREATE TABLE holders (id INTEGER PRIMARY KEY, nick TEXT UNIQUE, seen TIMESTAMP, ok BOOLEAN)",
    "CREATE TABLE cards (id INTEGER PRIMARY KEY, holder INTEGER REFERENCES holders (id)"
    " ON DELETE CASCADE ON UPDATE CASCADE)",
]


def create(adapter: DatabaseAdapter) -> None:
    """The tables, with their first rows."""
    for statement in TABLES:
        adapter.execute(statement)
    adapter.vectors.create_collection("marks", dimension=3, metric="l2")
    adapter.insert_many(
        "accounts", [{"id": n, "owner": f"owner {n}", "balance": BALANCE} for n in range(1, ACCOUNTS + 1)]
    )


def to_json(config: DatabaseConfig) -> str:
    """A configuration for a child process."""
    pool = {
        name: getattr(config.pool, name)
        for name in ("host", "port", "database", "user", "password", "sslmode")
    }
    return json.dumps({"type": config.db_type.value, "path": config.sqlite_path, "pool": pool})


def from_json(text: str) -> DatabaseConfig:
    """What `to_json` wrote."""
    found = json.loads(text)
    pool = PoolConfig(**found["pool"], max_connections=3)
    return DatabaseConfig(db_type=DatabaseType(found["type"]), sqlite_path=found["path"], pool=pool)


def work(adapter: DatabaseAdapter, writer: int, n: int, rng: random.Random) -> bool:
    """One transaction, or statement; False if it was rolled back on purpose."""
    one, other = sorted(rng.sample(range(1, ACCOUNTS + 1), 2))  # in one order: nobody deadlocks
    amount = rng.randrange(1, 9)

    class Undo(Exception):
        pass

    if n % 5 == 0:
        adapter.execute("INSERT INTO ledger (writer, n, amount) VALUES (?, ?, 0)", (writer, n))
        return True
    if n % 11 == 0:
        adapter.insert_many("ledger", iter([{"writer": writer, "n": n, "amount": 0}]))
        return True
    bodies = 0
    try:
        with adapter.transaction() as tx:
            bodies += 1
            assert bodies == 1, "the body ran twice"
            tx.execute("UPDATE accounts SET balance = balance - ? WHERE id = ?", (amount, one))
            tx.execute("UPDATE accounts SET balance = balance + ? WHERE id = ?", (amount, other))
            tx.execute("INSERT INTO ledger (writer, n, amount) VALUES (?, ?, ?)", (writer, n, amount))
            if n % 4 == 1:
                tx.vectors.get_collection("marks").add(mark(writer, n), embeddings=[[writer, n, amount]])
                if n % 8 == 1 and n > 8:
                    tx.vectors.get_collection("marks").delete([mark(writer, n - 8)])
            number = 1 + rng.randrange(60) + 100 * writer
            if adapter_is_sqlite(tx) and n % 3 == 0:
                tx.execute(
                    "INSERT OR REPLACE INTO holders (id, nick, seen, ok) VALUES (?, ?, ?, ?)",
                    (number, f"nick {rng.randrange(90)}", None, bool(n % 2)),
                )
            elif n % 3 == 1:
                tx.execute("DELETE FROM holders WHERE id = ?", (number,))
                tx.execute("INSERT INTO holders (id, nick, ok) VALUES (?, NULL, ?)", (number, True))
                tx.execute("INSERT INTO cards (holder) VALUES (?)", (number,))
            elif n % 13 == 0:
                tx.execute("UPDATE holders SET id = ? WHERE id = ?", (1_000_000 * (writer + 1) + n, number))
            if n % 7 == 0:
                raise Undo
    except Undo:
        return False
    return True


def mark(writer: int, n: int) -> str:
    """The id of the vector that a transaction adds."""
    return f"{writer}-{n}"


def adapter_is_sqlite(tx: Any) -> bool:
    """Whether ``INSERT OR REPLACE`` is understood."""
    return bool(tx.db_type is DatabaseType.SQLITE)


def main() -> None:
    """A writer: work until the stop file is there; a line for each acknowledged transaction.

    Where the server may be away, a line with a question mark is for a transaction of which the outcome is unknown, and
    of one that could not be made there is no line.
    """
    writer, config, acknowledged, stop, outages = (
        int(sys.argv[1]),
        from_json(sys.argv[2]),
        sys.argv[3],
        Path(sys.argv[4]),
        sys.argv[5] == "outages",
    )
    rng = random.Random(writer)
    longest = 0.0
    n = 0
    with open(acknowledged, "a", buffering=1, encoding="ascii") as file, DatabaseAdapter(config) as adapter:
        file.write(f"# ready {os.getpid()}\n")
        while n % 20 or not stop.exists():
            n += 1
            begun = time.perf_counter()
            try:
                kept = work(adapter, writer, n, rng)
            except OutcomeUnknown:
                if not outages:
                    raise
                file.write(f"# unknown {n}\n")
                continue
            except (DatabaseUnavailable, PoolExhausted):
                if not outages:
                    raise
                continue
            longest = max(longest, time.perf_counter() - begun)
            if kept:
                file.write(f"{n}\n")
        file.write(f"# {adapter.db_type.value} {longest * 1000:.1f}\n")


@attrs.define
class Writers:
    """Writer processes under way."""

    directory: Path
    processes: list[subprocess.Popen[str]]
    count: int

    def acknowledged(self, writer: int) -> list[int]:
        """The transactions that the writer was told are committed."""
        text = (self.directory / f"writer{writer}").read_text(encoding="ascii")
        return [int(line) for line in text.splitlines() if not line.startswith("#")]

    def unknown(self, writer: int) -> set[int]:
        """The transactions of which it was told that nobody knows."""
        text = (self.directory / f"writer{writer}").read_text(encoding="ascii")
        return {int(line.split()[2]) for line in text.splitlines() if line.startswith("# unknown")}

    def wait_for(self, transactions: int) -> None:
        """Wait until each has had so many more transactions acknowledged."""
        goals = [len(self.acknowledged(number)) + transactions for number in range(self.count)]
        deadline = time.monotonic() + 60
        for number, goal in enumerate(goals):
            while len(self.acknowledged(number)) < goal:
                if self.processes[number].poll() is not None:
                    raise AssertionError(f"writer {number} ended: {self.output(number)}")
                if time.monotonic() > deadline:
                    raise AssertionError(f"writer {number} hangs")
                time.sleep(0.01)

    def output(self, number: int) -> str:
        """What the writer printed."""
        return self.processes[number].communicate(timeout=60)[0]

    def finish(self) -> list[tuple[str, float]]:
        """Let them end; the backend each ended on, and its longest transaction in milliseconds."""
        (self.directory / "stop").touch()
        found = []
        for number, process in enumerate(self.processes):
            output = process.communicate(timeout=60)[0]
            assert process.returncode == 0, f"writer {number} failed: {output}"
            last = (self.directory / f"writer{number}").read_text(encoding="ascii").splitlines()[-1]
            _, backend, longest = last.split()
            found.append((backend, float(longest)))
        return found


@contextmanager
def writers(
    config: DatabaseConfig, directory: Path, count: int, *, outages: bool = False
) -> Iterator[Writers]:
    """Writer processes on the database of `config`; they have begun. With `outages` its server may be away."""
    directory.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    started = Writers(directory, [], count)
    try:
        for number in range(count):
            (directory / f"writer{number}").touch()
            command = [sys.executable, "-m", "tests.switching.ledger", str(number), to_json(config)]
            command += [str(directory / f"writer{number}"), str(directory / "stop")]
            command.append("outages" if outages else "none")
            started.processes.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    cwd=ROOT,
                    text=True,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                )
            )
        started.wait_for(20)
        yield started
    finally:
        for process in started.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def settle(config: DatabaseConfig, found: Writers) -> list[str]:
    """What is wrong: lost or doubled transactions, money gone, cards without a holder."""
    wrong = []
    with DatabaseAdapter(config) as adapter:
        total = adapter.fetch_value("SELECT sum(balance) FROM accounts")
        if int(total) != ACCOUNTS * BALANCE:
            wrong.append(f"the balances add up to {total}")
        for writer in range(found.count):
            rows = adapter.fetch_all("SELECT n FROM ledger WHERE writer = ?", [writer], row_type=tuple)
            there, told = {n for (n,) in rows}, set(found.acknowledged(writer))
            lost, phantom = sorted(told - there), sorted(there - told - found.unknown(writer))
            if lost or phantom:
                wrong.append(
                    f"writer {writer}: {len(lost)} lost ({lost[:5]}), {len(phantom)} phantom ({phantom[:5]})"
                )
        wrong += settle_marks(adapter)
        orphans = adapter.fetch_value(
            "SELECT count(*) FROM cards WHERE holder NOT IN (SELECT id FROM holders)"
        )
        if orphans:
            wrong.append(f"{orphans} cards without a holder")
    return wrong


def settle_marks(adapter: DatabaseAdapter) -> list[str]:
    """What is wrong with the vectors: each belongs to a transaction that added it, and none later deleted it."""
    rows = adapter.fetch_all("SELECT writer, n, amount FROM ledger", row_type=tuple)
    amounts = {(writer, n): amount for writer, n, amount in rows}
    wanted = {
        mark(writer, n): [writer, n, amount]
        for (writer, n), amount in amounts.items()
        if n % 4 == 1 and amount and not (n % 8 == 1 and amounts.get((writer, n + 8)))
    }
    got = adapter.vectors.get_collection("marks").get(include=["embeddings"])
    found = dict(zip(got["ids"], got["embeddings"].tolist(), strict=True))
    if found == wanted:
        return []
    lost, phantom = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    changed = [each for each in found.keys() & wanted.keys() if found[each] != wanted[each]]
    return [
        f"vectors: {len(lost)} lost ({lost[:5]}), {len(phantom)} phantom ({phantom[:5]}), {changed[:5]} changed"
    ]


if __name__ == "__main__":
    main()
