# Generated from src/dbadapter/_async/carry.py by tools/unasync.py; do not edit.
"""Switching the database of a running adapter with its data, while the app goes on writing.

The mover (`dbadapter.switching`) does all the moving in a thread. What is done here is the adapter's own part: work
waits from the moment the drain begins, the mover makes its decision, and those that waited go on with the new backend.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from .._concurrency._threads import to_the_end
from ..config import DatabaseConfig
from ..errors import DatabaseAdapterError, SwitchAborted
from ..switching._threads import run_mover
from ..switching.moving import Follower, Move, new_follower, new_mover
from ..switching.rehearsing import rehearse
from ..types import SwitchReport
from .backend import Backend, create_missing_database, open_backend
from .following import arrive
from .switch import Progress, tell_progress

if TYPE_CHECKING:
    from .adapter import DatabaseAdapter

__all__ = ["rehearse_switch", "switch_with_data"]

T = TypeVar("T")

logger = logging.getLogger("dbadapter.switch")


def switch_with_data(
    adapter: DatabaseAdapter,
    config: DatabaseConfig,
    drain_timeout: float,
    follow_back: bool,
    progress: Progress | None,
) -> SwitchReport:
    """Move the data to the database of `config` and use it. Raises `SwitchAborted`: then nothing has changed."""

    def tell(phase: str, **figures: Any) -> None:
        logger.debug("switch: %s %s", phase, figures or "")
        adapter._switch_state = {"phase": phase, **figures}
        decided = mover is not None and mover.decided is not None
        tell_progress(progress, adapter._switch_state, decided=decided)

    old = adapter._backend
    mover: Move | None = None
    mover, follower = _mover(adapter, config, tell, follow_back=follow_back)
    adapter._watch.mine = mover.token
    new: Backend | None = None
    try:
        create_missing_database(config)
        run_mover(mover.prepare, mover.stop)
        new = open_backend(config)
        started = perf_counter()
        _drain(old, drain_timeout)
        drained = perf_counter()
        run_mover(partial(mover.finish, drain_timeout), mover.stop)
    except BaseException as exc:
        run_mover(mover.learn_fate, mover.stop)
        if new is None or mover.decided is None:
            _call_off(adapter, old, new, mover, follower)
            if isinstance(exc, DatabaseAdapterError) and not isinstance(exc, SwitchAborted):
                raise SwitchAborted(str(exc)) from exc
            raise
        arrive(new, mover.token)
        if not isinstance(exc, Exception):  # interrupted in the moment of the decision, which stands
            _adopt(adapter, old, new, mover)
            run_mover(mover.let_go, mover.stop)
            raise
        logger.warning("switch: after the decision: %s", exc)
    try:
        _adopt(adapter, old, new, mover)
        ended = perf_counter()
        run_mover(mover.settle, mover.stop)
    except DatabaseAdapterError as exc:
        logger.warning("switch: %s; the switch itself is done", exc)
    except BaseException:  # cancelled when it was done: what is left is cleaned at the next attempt
        run_mover(mover.let_go, mover.stop)
        raise
    assert mover.decided is not None
    if follow_back:
        follower = new_follower(new.config, old.config)
        _follow_back(adapter, follower, follower.start)
    report = SwitchReport(
        source=old.db_type.value,
        target=new.db_type.value,
        epoch=mover.decided.epoch,
        rows_copied=mover.rows,
        rounds=mover.rounds,
        verified=mover.verified,
        drained_ms=round((drained - started) * 1000, 3),
        paused_ms=round((ended - started) * 1000, 3),
    )
    tell("switched", paused_ms=report.paused_ms, rows_copied=report.rows_copied)
    return report


def rehearse_switch(
    adapter: DatabaseAdapter, config: DatabaseConfig, drain_timeout: float, progress: Progress | None
) -> SwitchReport:
    """See `DatabaseAdapter.rehearse_switch`."""
    stopped = threading.Event()

    def tell(phase: str, **figures: Any) -> None:
        if stopped.is_set():
            raise SwitchAborted("the rehearsal was cancelled")
        tell_progress(progress, {"phase": phase, **figures})

    try:
        return run_mover(partial(rehearse, adapter.config, config, drain_timeout, tell), stopped.set)
    except SwitchAborted:
        raise
    except DatabaseAdapterError as exc:
        raise SwitchAborted(str(exc)) from exc


def _mover(
    adapter: DatabaseAdapter, config: DatabaseConfig, tell: Any, *, follow_back: bool
) -> tuple[Move, Follower | None]:
    """What moves the data; to an old home that was kept up to date, the mover of what has kept it so, and that."""
    follower, adapter._follower = adapter._follower, None
    if follower is not None:
        if follower.leads_to(config):
            kept = _follow_step(follower, follower.release)
            if kept is not None:
                kept.tells(tell)
                kept.follow_back = follow_back
                return kept, follower
        else:
            run_mover(follower.stop, follower.cancel)
    return new_mover(adapter.config, config, tell, follow_back=follow_back), None


def _follow_step(follower: Follower, step: Callable[[], T]) -> T:
    """A step of what keeps the old database up to date, which ends if the step fails or is cancelled."""
    try:
        return run_mover(step, follower.cancel)
    except BaseException:
        run_mover(follower.stop, follower.cancel)
        raise


def _follow_back(adapter: DatabaseAdapter, follower: Follower, begin: Callable[[], None]) -> None:
    """Keep the old database up to date from now on, if `begin` succeeds."""
    try:
        _follow_step(follower, begin)
    except DatabaseAdapterError as exc:
        logger.warning("switch: the old database is not kept up to date: %s", exc)
        return
    adapter._follower = follower
    if not adapter._is_open:  # it was closed meanwhile
        run_mover(follower.stop, follower.cancel)


def _drain(old: Backend, timeout: float) -> None:
    if not old.pool.drain(timeout):
        holders = "; ".join(
            f"{who['task'] or who['thread']} at {who['where']}" for who in old.pool.get_stats()["holders"]
        )
        raise SwitchAborted(f"work in flight did not end within drain_timeout ({timeout:g} s): {holders}")


def _adopt(adapter: DatabaseAdapter, old: Backend, new: Backend, mover: Move) -> None:
    watch = adapter._watch
    watch.trusted, watch.alert = mover.token, False
    adapter._adopt(new)
    to_the_end(partial(old.pool.hand_over, new.pool))


def _call_off(
    adapter: DatabaseAdapter,
    old: Backend,
    new: Backend | None,
    mover: Move,
    follower: Follower | None,
) -> None:
    """Everything goes on as before, following included."""
    old.pool.resume()
    try:
        if new is not None:
            new.pool.close()
    finally:
        try:
            run_mover(partial(mover.discard, keep_noting=follower is not None), mover.stop)
        except Exception as exc:
            logger.warning("switch: not everything could be undone, the next attempt will: %s", exc)
        if follower is not None:
            _follow_back(adapter, follower, follower.resume)
