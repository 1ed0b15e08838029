"""Threads of a transfer: several jobs at the same time, and items made ahead of who takes them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import Empty, Full, Queue
from typing import Any, TypeVar

__all__ = ["prefetched", "run_concurrently"]

T = TypeVar("T")
_END = object()


def run_concurrently(*jobs: Callable[[], T]) -> list[T]:
    """What the jobs return, the first done in this thread and each other in one of its own.

    All have ended when this returns or raises what the first of them that failed has raised.
    """
    results: list[Any] = [None] * len(jobs)
    failures: list[BaseException] = []

    def work(place: int) -> None:
        try:
            results[place] = jobs[place]()
        except BaseException as error:  # raised again below, in the caller's thread
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(place,), name="dbadapter-transfer", daemon=True)
        for place in range(1, len(jobs))
    ]
    for thread in threads:
        thread.start()
    work(0)
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


def prefetched(items: Callable[[], Iterable[T]], depth: int = 4) -> Generator[T, None, None]:
    """The items, made in a thread of their own that is at most `depth` of them ahead.

    An exception in that thread is raised here. When the caller stops early, so does the thread.
    """
    queue: Queue[object] = Queue(maxsize=depth)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=0.1)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items():
                if not put(item):
                    return
        except BaseException as error:  # raised again in the caller's thread
            failure.append(error)
        put(_END)

    thread = threading.Thread(target=work, name="dbadapter-transfer", daemon=True)
    thread.start()
    try:
        while True:
            item = queue.get()
            if item is _END:
                break
            yield item  # type: ignore[misc]
        if failure:
            raise failure[0]
    finally:
        stopped.set()
        try:
            while True:
                queue.get_nowait()
        except Empty:
            pass
        thread.join()
