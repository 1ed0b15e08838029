"""What one thread or task has written, its own reads must see; others need not wait for it."""

from __future__ import annotations

import asyncio
import gc
import threading

from dbadapter._concurrency import _aio, _threads
from dbadapter._core.consistency import NEVER


def test_threads_have_sessions_of_their_own() -> None:
    """A write in one thread says nothing in another."""
    seen: list[float] = []

    def other() -> None:
        seen.append(_threads.last_write())
        _threads.note_write()
        seen.append(_threads.last_write())

    before = _threads.last_write()
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen[0] == NEVER
    assert seen[1] > 0
    assert _threads.last_write() == before


async def in_new_task(function: object) -> float:
    """What a coroutine function returns in a task of its own."""
    return await asyncio.ensure_future(function())  # type: ignore[operator]


async def write() -> float:
    """Note a write; when it was."""
    _aio.note_write()
    return _aio.last_write()


async def look() -> float:
    """When this task wrote last."""
    return _aio.last_write()


async def test_a_task_sees_what_its_creator_wrote() -> None:
    """A task begins with its creator's writes up to then."""
    _aio.note_write()
    assert await in_new_task(look) == _aio.last_write()


async def test_a_creator_sees_what_its_tasks_wrote() -> None:
    """After gather, wait_for and the like, whose work is done in tasks of their own."""
    assert _aio.last_write() == NEVER
    moments = await asyncio.gather(write(), write(), write())
    assert _aio.last_write() == max(moments)


async def test_one_task_after_the_other() -> None:
    """What one task wrote is seen by the next one of the same creator, as with wait_for on older Pythons."""
    await look()
    wrote = await in_new_task(write)
    assert await in_new_task(look) == wrote


async def test_tasks_side_by_side_do_not_wait_for_each_other() -> None:
    """A server's requests: what one has written is no concern of one that begins while others are at work."""
    await look()
    busy = asyncio.Event()

    async def long_request() -> None:
        _aio.last_write()
        await busy.wait()

    others = asyncio.ensure_future(long_request())
    await asyncio.sleep(0)
    wrote = await in_new_task(write)
    assert await in_new_task(look) == NEVER
    assert _aio.last_write() == wrote
    busy.set()
    await others


async def test_sessions_end_with_their_tasks() -> None:
    """Memory does not grow with the number of tasks, nor with a chain of tasks each of which starts the next."""

    async def link(remaining: int) -> None:
        _aio.note_write()
        if remaining:
            chain.append(asyncio.ensure_future(link(remaining - 1)))

    chain: list[asyncio.Future[None]] = []
    await asyncio.gather(*(write() for _ in range(1000)))
    await link(500)
    while chain:
        await chain.pop()
    gc.collect()
    alive = [found for found in gc.get_objects() if isinstance(found, _aio._Session)]
    assert len(alive) < 20
