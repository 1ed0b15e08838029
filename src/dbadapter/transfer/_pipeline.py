"""Reading and converting in one thread while the other waits for the database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

__all__ = ["prefetched"]

T = TypeVar("T")
_END = object()


def prefetched(items: Callable[[], Iterable[T]], depth: int = 4) -> Iterator[T]:
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
