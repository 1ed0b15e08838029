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

    _at: asyncio.AbstractEventLoop | None = None  # where the socket is registered
    _socket = -1
    _answer: asyncio.Future[None] | None = None

    async def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
        """Carry out one of psycopg's generators; see `psycopg.AsyncConnection.wait`."""
        has_waited = False
        said: Any
        try:
            said = next(gen)
            if not args and not kwargs:
                while said == WAIT_R:
                    await self._readable()
                    has_waited = True
                    said = gen.send(READY_R)
        except StopIteration as end:
            if has_waited:
                return end.value
            said = end  # psycopg sees to it that what never waits, as a long COPY, lets other tasks run, too
        except (asyncio.CancelledError, KeyboardInterrupt) as interruption:
            said = interruption  # psycopg has the server cancel the query, and takes what it answers
        except BaseException:
            self._withdraw()  # the socket may be closed by now, and its number another's
            raise
        self._withdraw()
        rest: Any = _Begun(gen, said)
        return await super().wait(rest, *args, **kwargs)

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        if self._at is not loop:
            self._withdraw()
            try:
                self._socket = self.pgconn.socket
                loop.add_reader(self._socket, self._wake)
            except OSError as exc:
                raise psycopg.OperationalError("connection socket closed") from exc
            self._at = loop
        self._answer = answer = loop.create_future()
        try:
            await answer
        finally:
            self._answer = None

    def _wake(self) -> None:
        if self._answer is None:
            self._withdraw()  # it says something though nobody has asked: that can wait for the next query
        elif not self._answer.done():
            self._answer.set_result(None)

    def _withdraw(self) -> None:
        """Leave the event loop, before the socket is closed or somebody else registers it."""
        loop, self._at = self._at, None
        if loop is not None and not loop.is_closed():
            loop.remove_reader(self._socket)

    async def close(self) -> None:
        """Close the connection; a query that is under way in another task fails."""
        self._withdraw()
        await super().close()
        if self._answer is not None:
            self._wake()


class _Begun:
    """A generator that was begun by somebody else: what it said first, or how it ended, it says once more."""

    def __init__(self, gen: Any, said: Any) -> None:
        self._gen, self._said = gen, said

    def __next__(self) -> Any:
        return self.send(None)

    def send(self, ready: Any) -> Any:
        said, self._said = self._said, _NOTHING
        if said is _NOTHING:
            return self._gen.send(ready)
        if isinstance(said, BaseException):
            raise said
        return said
