"""Being told to end (SIGTERM, SIGHUP) is like Ctrl-C: what is open is closed, and what is temporary goes away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Ended", "ending_orderly"]

_SIGNALS = ("SIGTERM", "SIGHUP")  # Windows has no second one


class Ended(KeyboardInterrupt):
    """A signal that ends the process came; the exit code is the one that a shell gives for it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"ended by {signal.Signals(number).name}")
        self.exit_code = 128 + number


@contextmanager
def ending_orderly() -> Iterator[None]:
    """Raise `Ended` in the main thread when such a signal comes; those that are ignored (nohup) or handled stay so."""
    changed = []
    if threading.current_thread() is threading.main_thread():  # no other may
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        changed = [number for number in numbers if signal.getsignal(number) == signal.SIG_DFL]
    for number in changed:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Ended(number)
