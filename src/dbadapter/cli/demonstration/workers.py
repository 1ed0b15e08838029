"""The threads of the demo's app: each serves one request after the other until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Protocol

from .ledger import Acknowledged, Check, Ledger

if TYPE_CHECKING:
    from dbadapter import DatabaseAdapter

__all__ = ["Workers", "Workload"]

# s between two requests of a worker, as a customer would pause; it leaves the machine some room.
PAUSE = 0.001
# s that a worker is given to finish its last request.
PATIENCE = 60.0


class Workload(Protocol):
    """What the workers work on."""

    name: str

    def prepare(self, adapter: DatabaseAdapter) -> None:
        """Make the tables in the first database."""

    def serve(self, adapter: DatabaseAdapter, random: Random) -> Acknowledged | None:
        """Serve one request; what was acknowledged, if it wrote."""

    def check(self, adapter: DatabaseAdapter, expected: Iterable[Acknowledged], place: str) -> list[Check]:
        """What must hold at the end in one database."""


class Workers:
    """Threads that share one adapter; a context manager that stops them at the end."""

    def __init__(self, adapter: DatabaseAdapter, workload: Workload, count: int) -> None:
        self.ledgers = [Ledger() for _ in range(count)]
        self._adapter = adapter
        self._workload = workload
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(number, ledger), name=f"shop-{number}", daemon=True)
            for number, ledger in enumerate(self.ledgers)
        ]

    def __enter__(self) -> Workers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        for thread, ledger in zip(self._threads, self.ledgers, strict=True):
            thread.join(PATIENCE)
            if thread.is_alive():
                ledger.errors.append(f"{thread.name} is still waiting for an answer after {PATIENCE:g} s")

    def _work(self, number: int, ledger: Ledger) -> None:
        random = Random(number)
        while not self._stop.wait(PAUSE):
            started = perf_counter()
            try:
                written = self._workload.serve(self._adapter, random)
            except Exception as exc:  # whatever it is, it is what this demo says does not happen
                ledger.errors.append(f"{type(exc).__name__}: {' '.join(str(exc).split())}")
            else:
                if written is not None:
                    ledger.written.append(written)
            ended = perf_counter()
            ledger.samples.append((ended, ended - started))

    @property
    def errors(self) -> list[str]:
        """What went wrong in any thread."""
        return [error for ledger in self.ledgers for error in ledger.errors]

    @property
    def written(self) -> list[Acknowledged]:
        """What was acknowledged to any thread."""
        return [order for ledger in self.ledgers for order in ledger.written]
