"""Switching the database of a running adapter without moving data: open, drain, swap.

New work waits from the moment the drain begins, work in flight ends on the backend where it began, then the adapter's
backend is replaced and those that waited go on with the new one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

import attrs

from .._concurrency._aio import to_the_end
from .._core.arguments import check_flags, check_progress
from ..config import LONGEST_WAIT, DatabaseConfig, DatabaseType
from ..errors import ConfigError, DatabaseAdapterError, SwitchAborted
from ..types import SwitchReport
from .backend import AsyncBackend, open_backend
from .following import is_left

if TYPE_CHECKING:
    from .adapter import AsyncDatabaseAdapter

__all__ = ["Progress", "switch_backend", "target_config", "tell_progress"]

logger = logging.getLogger("dbadapter.switch")

Progress = Callable[[Mapping[str, Any]], None]


def tell_progress(progress: Progress | None, told: Mapping[str, Any], *, decided: bool = False) -> None:
    """Call the app's `progress`. What it raises calls the switch off, unless that was `decided` already."""
    if progress is None:
        return
    try:
        progress(told)
    except Exception as exc:
        if decided:
            logger.warning("switch: progress() failed, and the switch is done: %s", exc, exc_info=exc)
        elif isinstance(exc, SwitchAborted):
            raise
        else:
            raise SwitchAborted(f"progress() failed: {type(exc).__name__}: {exc}") from exc


def target_config(current: DatabaseConfig, target: DatabaseType | DatabaseConfig) -> DatabaseConfig:
    """The config to switch to. Raises `ConfigError` for a text that names no type."""
    if isinstance(target, DatabaseConfig):
        return target
    return attrs.evolve(current, db_type=target)


def check_wishes(target: object, seconds: float, progress: object, **flags: object) -> None:
    """Raise `ConfigError` unless `seconds` is a time that can be waited for, and the rest is of its kind."""
    if not isinstance(target, (DatabaseConfig, DatabaseType, str)):
        raise ConfigError(f"target must be a DatabaseType or a DatabaseConfig, not {target!r}")
    check_flags(**flags)
    check_progress(progress, "a mapping")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 <= seconds <= LONGEST_WAIT:
        raise ConfigError(
            f"drain_timeout must be a number of seconds from 0 to {LONGEST_WAIT:,.0f}, not {seconds!r}"
        )


async def switch_backend(
    adapter: AsyncDatabaseAdapter, config: DatabaseConfig, *, drain_timeout: float, progress: Progress | None
) -> SwitchReport:
    """Swap the adapter's backend for the one that `config` names. Raises `SwitchAborted`; then nothing has changed."""

    def tell(phase: str, **figures: Any) -> None:
        logger.info("switch: %s %s", phase, figures or "")
        tell_progress(progress, {"phase": phase, **figures}, decided=adapter._backend is not old)

    old = adapter._backend
    tell("opening", target=config.db_type.value)
    new = await _opened(config)
    try:
        if await is_left(new):
            raise SwitchAborted(
                f"the data of the {new.db_type.value} database have moved elsewhere, and what is in it is of the past: "
                "carry_data=True brings them back"
            )
        started = perf_counter()
        tell("draining")
        if not await old.pool.drain(drain_timeout):
            holders = "; ".join(
                f"{who['task'] or who['thread']} at {who['where']}" for who in old.pool.get_stats()["holders"]
            )
            raise SwitchAborted(
                f"work in flight did not end within drain_timeout ({drain_timeout:g} s): {holders}"
            )
        drained = perf_counter()
        if adapter._backend is not old:
            raise SwitchAborted(
                "another process has moved the data meanwhile, and this one went after them; try again"
            )
        # From here on nothing can fail: the swap is one assignment, and those that wait are woken after it.
        adapter._adopt(new)
    except BaseException:
        old.pool.resume()
        await new.pool.close()
        raise
    await to_the_end(partial(old.pool.hand_over, new.pool))
    ended = perf_counter()
    report = SwitchReport(
        source=old.db_type.value,
        target=new.db_type.value,
        epoch=adapter._epoch,
        drained_ms=round((drained - started) * 1000, 3),
        paused_ms=round((ended - started) * 1000, 3),
    )
    tell("switched", paused_ms=report.paused_ms)
    return report


async def _opened(config: DatabaseConfig) -> AsyncBackend:
    try:
        return await open_backend(config)
    except DatabaseAdapterError as exc:
        raise SwitchAborted(f"the target cannot be used: {exc}") from exc
