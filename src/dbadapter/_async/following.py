"""Where the data live: the database says it itself, in the record that a switch leaves (see `_core.switching`).

Whoever works with a database looks at its record now and then, on a connection that is at hand, and after each BEGIN
once a switch is under way. Those that did not ask for the switch so go on with the new backend, without an error.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs

from .._concurrency._aio import sleep, to_the_end
from .._core.parsing import parse
from .._core.switching import FENCE, GATE, LOOK_INTERVAL, OPEN_FENCE, Record, Verdict, config_at, verdict
from .._dialects import POSTGRESQL
from ..config import DatabaseConfig
from ..errors import DatabaseAdapterError, DatabaseUnavailable, RetryableError, UndefinedTable
from .ahead import AsyncAhead
from .backend import AsyncBackend, open_backend
from .lane import AsyncLane

if TYPE_CHECKING:
    from .adapter import AsyncDatabaseAdapter

__all__ = ["Watch", "arrive", "follow", "is_left", "look", "may_lag", "pass_gate", "settled_backend"]

logger = logging.getLogger("dbadapter.switch")

TABLE = "_dbadapter_epoch"
_EXISTS = {
    "sqlite": f"SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{TABLE}'",
    # Whoever may not read it has no part in switches; asking all the same would end the transaction.
    "postgresql": f"SELECT 1 WHERE has_table_privilege(to_regclass('{TABLE}'), 'SELECT')",
}
_GATES = {"postgresql": f"LOCK TABLE {GATE} IN ROW SHARE MODE"}
_FENCE_PATIENCE = 10.0
_ARRIVALS = 10  # several processes do it at the same time
# The statements that open a database's fence, as rows.
_FENCE = {
    "sqlite": (
        r"""SELECT 'DROP TRIGGER "' || name || '"' FROM sqlite_master WHERE type = 'trigger' AND """
        r"""name LIKE '\_dbadapter\_fence\_%' ESCAPE '\' UNION ALL SELECT 'DROP TABLE _dbadapter_fence' """
        "FROM sqlite_master WHERE name = '_dbadapter_fence'"
    ),
    "postgresql": (
        f"SELECT {POSTGRESQL.literal(OPEN_FENCE)} FROM pg_proc "
        f"WHERE proname = '{FENCE}' AND pronamespace = current_schema()::regnamespace"
    ),
}
_READ = f"SELECT record FROM {TABLE}"


def may_lag(lane: AsyncLane) -> bool:
    """Whether what is read there may be of the past: its connections lead to a replica."""
    return lane.cluster is not None and not lane.serves_writes


@attrs.define(eq=False)
class Watch:
    """What an adapter knows of the record.

    Attributes:
        look_after: when to look again, on the clock of `perf_counter`.
        replicas_after: the same for what reads on a replica: that may lag behind, so its word is good for no more.
        alert: a switch is under way, or decided: look after each BEGIN.
        trusted: the token of the last switch that is known to have been decided.
        mine: the token of the switch that this adapter itself is making.
        ahead: the target of a switch that was announced.
        following: held by the one that goes over to another backend.
    """

    look_after: float = 0.0
    replicas_after: float = 0.0
    alert: bool = False
    trusted: str = ""
    mine: str = ""
    ahead: AsyncAhead = attrs.field(factory=AsyncAhead)
    following: Any = attrs.field(factory=threading.Lock)
    _is_met: bool = False

    def is_met(self, since: float) -> bool:
        """A statement met the fence, for the first time at `since`, so that whoever comes next looks.

        False if looking has not helped for a while.
        """
        self._is_met = True
        self.look_soon()
        return perf_counter() - since < _FENCE_PATIENCE

    def look_soon(self) -> None:
        """Whoever comes next looks."""
        self.look_after = self.replicas_after = 0.0

    def due_after(self, lane: AsyncLane) -> float:
        """When to look again, on a connection of `lane`."""
        return self.replicas_after if may_lag(lane) else self.look_after

    def stands_fenced(self) -> bool:
        """Whether a fence was met since this was asked before: where the data live, nobody has taken it away."""
        met, self._is_met = self._is_met, False
        return met

    def is_due(self) -> bool:
        """Whether a transaction that has just begun has to look."""
        return self.alert or perf_counter() > self.look_after


async def _read(backend: AsyncBackend, connection: Any) -> Record | None:
    _, found = await connection.fetch(parse(_EXISTS[backend.dialect.name]), None, 1)
    if not found:
        return None
    _, found = await connection.fetch(parse(_READ), None, 1)
    return Record.from_text(found[0][0]) if found else None


async def look(
    watch: Watch, backend: AsyncBackend, connection: Any, *, on_replica: bool = False
) -> Record | None:
    """Look through `connection`; the record if the data do not, or may not, live in `backend` any more."""
    now = perf_counter()
    record = await _read(backend, connection)
    found = verdict(record, watch.trusted)
    if on_replica and found is Verdict.STAY:
        watch.replicas_after = now + LOOK_INTERVAL
        return None
    watch.alert = found is not Verdict.STAY
    if found in (Verdict.GO, Verdict.ASK):
        watch.look_soon()  # until the adapter has moved on, everybody has to see it
        return record
    watch.replicas_after = now + LOOK_INTERVAL
    if not on_replica:
        watch.look_after = watch.replicas_after
    if record is not None and watch.alert and record.token != watch.mine:
        await watch.ahead.begin(record, backend.config)
    elif found is Verdict.STAY and watch.ahead.token:
        await watch.ahead.drop()
    return None


async def pass_gate(
    watch: Watch, backend: AsyncBackend, lane: AsyncLane, connection: Any, *, read_only: bool, may_ask: bool
) -> bool:
    """Right after BEGIN: make sure that the data live here, and that no switch is decided while one may write to them.

    False if one may have been: nothing was done yet, so begin anew where the record says. On SQLite the write lock that
    the transaction holds is the gate; on Postgres it is a table that the decision drops. Only what is asked after BEGIN
    counts, since a process may stand still before it, or be far away; unless the body is to ask first (`may_ask`).
    """
    gate = None if read_only else _GATES.get(backend.dialect.name)
    holds_lock = gate is None and not read_only
    looks = holds_lock or (may_ask and perf_counter() > watch.due_after(lane))
    try:
        if looks and await look(watch, backend, connection, on_replica=may_lag(lane)) is not None:
            return False
        if gate is not None and watch.alert:
            await connection.run(gate)
    except UndefinedTable:  # it was dropped at this moment
        return False
    return True


async def follow(adapter: AsyncDatabaseAdapter, old: AsyncBackend, record: Record) -> None:
    """Go over to where `record` says; the caller then asks the adapter again.

    Raises `DatabaseUnavailable` if that cannot be opened.
    """
    watch = adapter._watch
    if not watch.following.acquire(blocking=False):
        await sleep(0.002)  # somebody else is at it
        return
    try:
        if adapter._backend is not old:
            return
        new = await watch.ahead.take(record, old.config) or await _opened(config_at(record.place, old.config))
        if record.state == "arriving" and await is_left(new, record.token):
            # The switch to where we are was decided, and its mover did not live to say so here.
            await new.pool.close()
            watch.trusted = record.token
            await arrive(old, record.token)
            return
        try:
            await arrive(new, record.token)
        except BaseException:
            await new.pool.close()
            raise
        watch.trusted, watch.alert = record.token, False
        watch.look_soon()
        adapter._adopt(new)
    finally:
        watch.following.release()
    await to_the_end(partial(old.pool.hand_over, new.pool))
    if not adapter._is_open:  # it was closed meanwhile
        await new.pool.close()


async def _opened(config: DatabaseConfig) -> AsyncBackend:
    """The backend of `config`; a server that is out of connections or starting up is given time."""
    deadline = perf_counter() + config.pool.connection_timeout
    while True:
        try:
            return await open_backend(config)
        except DatabaseUnavailable as exc:
            if not exc.transient or perf_counter() > deadline:
                raise
        await sleep(0.02)


async def is_left(backend: AsyncBackend, token: str | None = None) -> bool:
    """Whether the data that lived in `backend` live elsewhere since a switch (that of `token`)."""
    lane = backend.pool.writer
    connection = await lane.acquire()
    try:
        found = await _read(backend, connection)
    finally:
        await lane.release(connection)
    return found is not None and found.state == "away" and token in (None, found.token)


async def arrive(backend: AsyncBackend, token: str) -> None:
    """Have `backend` say that it is the home, and let everybody write, if the mover has not done so yet.

    The switch of `token` was decided; whoever knows that may do this.
    """
    for _ in range(_ARRIVALS):
        lane = backend.pool.writer
        connection = await lane.acquire()
        try:
            await _arrive(backend, connection, token)
            return
        except RetryableError:
            continue
        except DatabaseAdapterError as exc:
            logger.warning("switch: the new database could not be told that it is the one in use: %s", exc)
            return
        finally:
            await lane.release(connection)


async def _arrive(backend: AsyncBackend, connection: Any, token: str) -> None:
    record = await _read(backend, connection)
    if record is None or (record.state, record.token) != ("arriving", token):
        return
    here = attrs.evolve(record, state="here", place={}, tables=())
    await connection.begin()
    statement = parse(f"UPDATE {TABLE} SET record = ? WHERE record = ?")
    if (await connection.execute(statement, (here.to_text(), record.to_text()))).rowcount:
        _, steps = await connection.fetch(parse(_FENCE[backend.dialect.name]), None, None)
        for (step,) in steps:
            await connection.run(step)
    await connection.commit()


async def settled_backend(adapter: AsyncDatabaseAdapter, backend: AsyncBackend) -> AsyncBackend:
    """The backend where the data of `backend` live now, open; `backend` itself, or another one and it is closed."""
    watch = adapter._watch
    for _ in range(8):
        lane = backend.pool.writer
        connection = await lane.acquire()
        try:
            record = await look(watch, backend, connection)
        except DatabaseAdapterError:
            record = None  # whatever is wrong shows when the database is used
        finally:
            await lane.release(connection)
        if record is None:
            return backend
        try:
            other = await _opened(config_at(record.place, backend.config))
        except BaseException:
            await backend.pool.close()
            raise
        if record.state == "arriving" and await is_left(other, record.token):
            await other.pool.close()
            watch.trusted = record.token
            await arrive(backend, record.token)
            return backend
        await arrive(other, record.token)
        watch.trusted = record.token
        await backend.pool.close()
        backend = other
    return backend
