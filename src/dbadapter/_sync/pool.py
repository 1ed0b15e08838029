# Generated from src/dbadapter/_async/pool.py by tools/unasync.py; do not edit.
"""What the pools have in common: connections under one set of limits and figures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs

from .._concurrency import _fork
from .._concurrency._frames import caller_place
from .._concurrency._threads import Errand, Periodic, Waiter, sleep
from .._core.pool_state import Grant
from .._core.pool_stats import LaneFigures, NodeFigures, pool_stats
from .._core.routing import StatementMemory, check_consistency
from .._core.statement import Statement
from ..config import PoolConfig
from ..errors import ConfigError, DatabaseAdapterError, DatabaseUnavailable, PoolClosed, PoolExhausted
from .lane import Lane, PoolMoved

if TYPE_CHECKING:
    from .cluster import Cluster

__all__ = ["READ_RETRIES", "Pool"]

READ_RETRIES = 3
"""How often what only reads is tried elsewhere after a failure: each attempt may meet another server, or kill one."""

_LONGEST_UPKEEP_INTERVAL = 10.0
# How long a health check may take in all, and how long it waits for a connection before it takes "busy" for an answer.
_HEALTH_TIMEOUT, _HEALTH_PATIENCE = 0.9, 0.4


class Pool:
    """What both pools are: lanes that share a lock, their upkeep, and their figures."""

    def __init__(self, config: PoolConfig) -> None:
        if not isinstance(config, PoolConfig):
            raise ConfigError(f"config must be a PoolConfig or a DatabaseConfig, not {type(config).__name__}")
        self.config = config
        self.statements = StatementMemory()
        self.writer: Lane
        self.reader: Lane
        self.cluster: Cluster | None = None
        self._lock = threading.Lock()
        self._lanes: list[Lane] = []
        self._drained: Waiter | None = None
        self._successor: Pool | None = None
        self._is_open = False
        self._upkeep: Periodic | None = None
        self._checkups: dict[str, Errand] = {}
        self._forked = False  # this is a child that has not begun to use the pool
        self._starting_anew = False

    # -- life ------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open the minimum of connections and check that the database answers.

        Raises `DatabaseUnavailable`. Opening an open pool does nothing.
        """
        if self._is_open:
            return
        self._start()

    def _start(self) -> None:
        self._lanes = self._make_lanes()
        self._checkups = {}
        self._is_open = True
        try:
            self._find_servers()
            for lane in self._lanes:
                self._fill(lane)
            self._check()
        except BaseException:
            self.close()
            raise
        self._upkeep = Periodic(self._keep_house, self._upkeep_interval(), "dbadapter-pool")
        self._upkeep.start()
        _fork.remember(self)

    def _upkeep_interval(self) -> float:
        config = self.config
        spans = [config.idle_timeout / 2, config.max_lifetime / 2, _LONGEST_UPKEEP_INTERVAL]
        if config.leak_threshold is not None:
            spans.append(config.leak_threshold / 4)
        return max(min(spans), 0.05)

    def close(self) -> None:
        """Close all connections: idle ones now, those in use when they are given back.

        Waiting callers get `PoolClosed`. Closing again does nothing.
        """
        self._stop(Grant.CLOSED)

    def _stop(self, grant: Grant) -> None:
        self._is_open = False
        _fork.forget(self)
        upkeep, self._upkeep = self._upkeep, None
        if upkeep is not None:
            upkeep.stop()
        for lane in self._lanes:
            lane.refuse(grant)

    def __enter__(self) -> Any:
        self.open()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _make_lanes(self) -> list[Lane]:
        raise NotImplementedError

    def _lane(
        self,
        name: str,
        connect: Any,
        minimum: int,
        maximum: int,
        *,
        probe_after: float = 0.0,
        turn: float = 0.0,
    ) -> Lane:
        return Lane(
            name,
            connect,
            self.config,
            minimum=minimum,
            maximum=maximum,
            lock=self._lock,
            on_release=self._note_release,
            entitled=self._is_holder,
            stats=self.get_stats,
            start_anew=self._start_anew,
            probe_after=probe_after,
            turn=turn,
        )

    def _find_servers(self) -> None:
        """Learn who is who, where there are several servers."""

    def _fill(self, lane: Lane) -> None:
        lane.fill()

    def _check(self) -> None:
        """Raise `DatabaseUnavailable` unless the database answers."""
        connection = self.writer.acquire()
        try:
            connection.ping()
        finally:
            self.writer.release(connection)

    def _keep_house(self) -> None:
        for lane in self._lanes:
            lane.keep_house()

    # -- forks -----------------------------------------------------------------------------------------------------

    def disown(self) -> None:
        """In a forked child: touch nothing that is the parent's, and begin anew on first use."""
        self._lock = threading.Lock()
        _fork.abandon((self._upkeep, self._drained))
        self._upkeep = self._drained = None
        answers = [lane.disown(self._lock) for lane in self._lanes]
        self._forked = all(answers)
        if not self._forked:
            for lane in self._lanes:
                lane.state.refusal = Grant.UNSAFE

    def _start_anew(self) -> None:
        with self._lock:
            mine, self._forked = self._forked, False
            if mine:
                self._starting_anew = True
        if not mine:
            while self._starting_anew:
                sleep(0.002)
            return
        try:
            self._start()
        finally:
            self._starting_anew = False

    # -- limits ----------------------------------------------------------------------------------------------------

    def resize(self, minimum: int, maximum: int) -> None:
        """Change ``min_connections`` and ``max_connections`` while the pool is in use.

        Waiting callers profit at once; what is too many is closed, connections in use when they are given back.

        Raises:
            ConfigError: the numbers are out of range; nothing has changed.
            DatabaseUnavailable: a connection that is lacking cannot be opened; the limits have changed.
        """
        pool = self._current
        pool.require_open()
        pool.config = attrs.evolve(pool.config, min_connections=minimum, max_connections=maximum)
        pool._resize_lanes()

    def _resize_lanes(self) -> None:
        raise NotImplementedError

    # -- connections -----------------------------------------------------------------------------------------------

    def lane_for(
        self, statement: Statement, consistency: str | None = None, after: str | None = None
    ) -> Lane:
        """Where a statement that is expected to read runs.

        Raises `ConfigError` or `ParameterError` for an unknown consistency or token.
        """
        if consistency is not None or after is not None:
            check_consistency(consistency, after)
        return self.reader if self.statements.may_read(statement) else self.writer

    def reading_lane(self, consistency: str | None = None, after: str | None = None) -> Lane:
        """Where a read-only transaction, or a connection for reading, is had."""
        check_consistency(consistency, after)
        return self.reader

    @property
    def upsets(self) -> int:
        """How often a replica turned out to be less fresh than it was thought to be: see `Topology.upsets`."""
        return 0 if self.cluster is None else self.cluster.topology.upsets

    def require_open(self) -> None:
        """Raise `PoolClosed` unless the pool is open."""
        if not self._is_open and not self._lanes:
            raise PoolClosed("the pool is not open: call open(), or use it in a with statement")

    @contextmanager
    def get_connection(self, read_only: bool = False) -> Iterator[Any]:
        """The driver's own connection (sqlite3 or psycopg, in autocommit mode) for the length of a with block.

        Args:
            read_only: a connection for reading will do.

        What is left uncommitted at the end is rolled back. After a switch of the adapter that the pool belongs to, it
        is a connection to the database that is in use by then. Raises `PoolExhausted`, `PoolClosed` or
        `DatabaseUnavailable`.
        """
        self.require_open()
        where = caller_place()
        while True:
            pool = self._current
            try:
                lane, connection = pool._check_out(where, read_only=read_only)
                break
            except PoolMoved:
                if pool._successor is None:
                    raise
        try:
            yield connection.lend()
        finally:
            connection.forget_session()
            lane.release(connection)
            if lane.cluster is not None and not read_only:
                lane.cluster.note_write()

    def _check_out(self, where: str | None, *, read_only: bool) -> tuple[Lane, Any]:
        """A connection and the lane to give it back to. Raises `PoolMoved` once another pool is in use."""
        failures = 0
        while True:
            upsets = self.upsets
            lane = self.reading_lane() if read_only and failures < READ_RETRIES else self.writer
            try:
                connection = lane.acquire(where)
                if upsets == self.upsets or lane.serves_writes:
                    return lane, connection
                lane.release(connection)
            except (PoolMoved, DatabaseUnavailable) as exc:
                if lane is self.writer or self._successor is not None:
                    raise
                failures += not isinstance(exc, PoolMoved)

    # -- switching -------------------------------------------------------------------------------------------------

    def _is_holder(self, holder: Any) -> bool:
        return any(connection.holder == holder for lane in self._lanes for connection in lane.state.active)

    def _note_release(self) -> None:
        drained = self._drained
        if drained is not None and not drained.delivered and not self._is_busy():
            drained.deliver(None)

    def _is_busy(self) -> bool:
        return any(lane.state.is_busy for lane in self._lanes)

    def drain(self, timeout: float) -> bool:
        """Let new callers wait and those in the middle of something finish; False if that took too long.

        Afterwards, call `resume` or `hand_over`.
        """
        drained = Waiter()
        for lane in self._lanes:
            lane.take_back()
        with self._lock:
            for lane in self._lanes:
                lane.state.pause(self._is_holder)
            if not self._is_busy():
                return True
            self._drained = drained
        try:
            drained.wait(timeout)
        finally:
            self._drained = None
        return drained.delivered

    def resume(self) -> None:
        """End a pause: everything goes on as before."""
        with self._lock:
            for lane in self._lanes:
                lane.state.resume()

    @property
    def _current(self) -> Pool:
        """This pool, or the one that serves in its place since the adapter has switched."""
        pool = self
        while pool._successor is not None:
            pool = pool._successor
        return pool

    def hand_over(self, successor: Pool) -> None:
        """End a pause for good: this pool is closed, and `successor` serves those that waited or still ask this one."""
        self._successor = successor
        self._stop(Grant.MOVED)

    def adopted(self) -> None:
        """An adapter begins to use this pool: what was written elsewhere before is to be seen here by every read."""

    # -- figures ---------------------------------------------------------------------------------------------------

    def get_stats(self) -> dict[str, Any]:
        """The pool's figures as a plain dictionary, cheap enough to ask for every second.

        Keys: ``active idle created utilization min max waiting requests requests_waited wait_ms timeouts errors
        recycled recycled_reasons reads leaks nodes holders``; times in ``wait_ms`` are milliseconds, ``utilization`` is
        active / max.
        """
        pool = self._current
        holders = [holder for lane in pool._lanes for holder in lane.holders.listed()]
        with pool._lock:
            figures = [LaneFigures.of(lane.state) for lane in pool._lanes]
            nodes = pool._nodes(figures)
            reads = pool._reads()
        return pool_stats(pool.config, figures, nodes, holders, reads)

    def _nodes(self, figures: list[LaneFigures]) -> list[NodeFigures]:
        raise NotImplementedError

    def _reads(self) -> dict[str, int]:
        """How many reads ran where; of interest where there are replicas."""
        return {}

    def health(self) -> dict[str, bool]:
        """Whether writing and reading connections answer, within a second: ``{"main_pool": …, "read_pool": …}``."""
        return self._current._health()

    def _health(self) -> dict[str, bool]:
        writes = self._answers("writer", self.writer)
        return {
            "main_pool": writes,
            "read_pool": writes if self.reader is self.writer else self._answers("reader", self.reader),
        }

    def _answers(self, name: str, lane: Lane) -> bool:
        """Ask in the background: a database that hangs must not take the one who asks along."""

        def asked() -> bool:
            try:
                connection = lane.acquire(patience=_HEALTH_PATIENCE)
            except PoolMoved:
                raise
            except PoolExhausted:
                return self._answers_when_busy()
            except DatabaseAdapterError:
                return False
            try:
                connection.ping()
            except DatabaseUnavailable:
                return False
            finally:
                lane.release(connection)
            return True

        errand = self._checkups.setdefault(name, Errand(asked))
        return bool(errand.run(_HEALTH_TIMEOUT))

    def _answers_when_busy(self) -> bool:
        """All connections are in use: that alone is no illness."""
        return True
