"""Callers who write and read while things go wrong, and the account of what they were told."""

from __future__ import annotations

from time import monotonic
from typing import Any

from dbadapter import AsyncDatabaseAdapter
from dbadapter.errors import DatabaseUnavailable, OutcomeUnknown, PoolExhausted
from tests.crowd import PATIENCE, AsyncCrowd

Entry = tuple[int, int]


class AsyncLedger:
    """A table of entries, and of each entry what its writer heard.

    The table has no key, so an entry that was written twice is there twice.

    Attributes:
        acknowledged: entries that are there for certain.
        refused: entries that are not there for certain.
        unknown: entries of which that was said: ``OutcomeUnknown``.
        stale: entries that their writer did not find afterwards.
        errors: what the writers heard instead.
        longest: seconds that a call took at most.
    """

    def __init__(self, adapter: AsyncDatabaseAdapter) -> None:
        self.adapter = adapter
        self.acknowledged: list[Entry] = []
        self.refused: list[Entry] = []
        self.unknown: list[Entry] = []
        self.stale: list[Entry] = []
        self.errors: list[Exception] = []
        self.longest = 0.0
        self._ended = False

    async def open(self) -> None:
        """Make the table."""
        await self.adapter.execute("CREATE TABLE ledger (writer BIGINT NOT NULL, n BIGINT NOT NULL)")

    def end(self) -> None:
        """Have the writers stop."""
        self._ended = True

    async def write(self, writer: int) -> None:
        """Write one entry after the other, in all ways there are, and look for each afterwards."""
        n = 0
        while not self._ended:
            n += 1
            begun = monotonic()
            try:
                await self._enter(writer, n)
            except OutcomeUnknown as error:
                self.unknown.append((writer, n))
                self.errors.append(error)
            except (DatabaseUnavailable, PoolExhausted) as error:
                self.refused.append((writer, n))
                self.errors.append(error)
            else:
                self.acknowledged.append((writer, n))
                await self._look(writer, n)
            self.longest = max(self.longest, monotonic() - begun)

    async def _enter(self, writer: int, n: int) -> None:
        sql, entry = "INSERT INTO ledger (writer, n) VALUES (?, ?)", (writer, n)
        if n % 4 == 0:
            await self.adapter.execute(sql, entry)
        elif n % 4 == 1:
            async with self.adapter.transaction() as tx:
                await tx.execute(sql, entry)
        elif n % 4 == 2:
            await self.adapter.fetch_all(f"{sql} RETURNING n", entry)
        else:
            await self.adapter.insert_many("ledger", [{"writer": writer, "n": n}])

    async def _look(self, writer: int, n: int) -> None:
        sql = "SELECT count(*) FROM ledger WHERE writer = ? AND n = ?"
        try:
            found = await self.adapter.fetch_value(sql, (writer, n))
        except (DatabaseUnavailable, PoolExhausted) as error:
            self.errors.append(error)
        else:
            if found != 1:
                self.stale.append((writer, n))

    async def progress(self, crowd: AsyncCrowd, entries: int = 40) -> None:
        """Wait until so many more entries have been acknowledged."""
        wanted, begun = len(self.acknowledged) + entries, monotonic()
        while len(self.acknowledged) < wanted:
            if monotonic() - begun > PATIENCE:
                raise TimeoutError(f"nothing goes on any more; the last error: {self.errors[-1:]}")
            await crowd.breathe()

    async def check(self) -> None:
        """No acknowledged entry lost, none doubled, none there that was refused, no stale read."""
        rows = await self.adapter.fetch_all(
            "SELECT writer, n, count(*) AS times FROM ledger GROUP BY writer, n", consistency="strong"
        )
        times: dict[Entry, int] = {(row["writer"], row["n"]): row["times"] for row in rows}
        trouble: dict[str, Any] = {
            "lost": [entry for entry in self.acknowledged if entry not in times],
            "doubled": [entry for entry, count in times.items() if count > 1],
            "there though refused": [entry for entry in self.refused if entry in times],
            "stale": self.stale,
        }
        assert not any(trouble.values()), trouble
