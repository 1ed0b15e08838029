"""psycopg's asyncio connection, with its socket registered at the event loop from one query to the next.

psycopg registers it for every single wait, sets a timer, and takes both away again: a fifth of a point read. Only the
plain case is ours, a query that waits for its answer; everything else is given to psycopg as if we had not been there.
"""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
from psycopg.generators import WAIT_R
from psycopg.waiting import READY_R

__all__ = ["WaitingConnection"]

_NOTHING = object()


class WaitingConnection(psycopg.AsyncConnection[Any]):
    """A connection of one event loop."""

    _registered_at: asyncio.AbstractEventLoop | None = None  # the loop that watches the socket
    _socket = -1
    _answer: asyncio.Future[None] | None = None  # what the query under way waits for

    async def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Carry out one of psycopg's generators; see `psycopg.AsyncConnection.wait`."""
        has_waited = False
        step: Any  # what the generator is to wait for next, or the exception that ended or interrupted it
        try:
            step = next(gen)
            if not args and not kwargs:
                while step == WAIT_R:
                    await self._readable()
                    has_waited = True
                    step = gen.send(READY_R)
        except StopIteration as end:
            if has_waited:
                return end.value
            step = end  # psycopg sees to it that what never waits, as a long COPY, lets other tasks run, too
        except (asyncio.CancelledError, KeyboardInterrupt) as interruption:
            step = interruption  # psycopg has the server cancel the query, and takes what it answers
        except BaseException:
            self._unregister()  # the socket may be closed by now, and its number another's
            raise
        self._unregister()
        rest: Any = _StartedGenerator(gen, step)
        return await super().wait(rest, *args, **kwargs)

    async def _readable(self) -> None:
        """Wait until the server has sent something."""
        loop = asyncio.get_running_loop()
        if self._registered_at is not loop:
            self._unregister()
            try:
                self._socket = self.pgconn.socket
                loop.add_reader(self._socket, self._wake)
            except OSError as exc:
                raise psycopg.OperationalError("connection socket closed") from exc
            self._registered_at = loop
        self._answer = answer = loop.create_future()
        try:
            await answer
        finally:
            self._answer = None

    def _wake(self) -> None:
        if self._answer is None:
            self._unregister()  # the server says something unasked: that can wait for the next query
        elif not self._answer.done():
            self._answer.set_result(None)

    def _unregister(self) -> None:
        """Leave the event loop, before the socket is closed or somebody else registers it."""
        loop, self._registered_at = self._registered_at, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._socket)

    async def close(self) -> None:
        """Close the connection; a query that is under way in another task fails."""
        self._unregister()
        await super().close()
        if self._answer is not None:
            self._wake()


class _StartedGenerator:
    """A generator that somebody else has started: it repeats its latest step, and then goes on."""

    def __init__(self, gen: Any, step: Any) -> None:
        self._gen, self._step = gen, step

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, ready: Any) -> Any:
        step, self._step = self._step, _NOTHING
        if step is _NOTHING:
            return self._gen.send(ready)
        if isinstance(step, BaseException):
            raise step
        return step
