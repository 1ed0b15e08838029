"""A TCP proxy in front of PostgreSQL that cuts, stalls, half-closes, refuses and delays at moments of one's choice.

>>> with Proxy("127.0.0.1", server.port) as proxy:
...     fault = proxy.on(server_reports("COMMIT"), Link.cut)   # committed, but the client never hears of it
...     ...                                                    # connect to 127.0.0.1, proxy.port
...     fault.happened.wait(10)
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType

import attrs
from attrs import define, field

from dbadapter.config import DatabaseConfig
from tests.wire import Message, Splitter

When = Callable[[Message], bool]
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


def client_sends(start: str) -> When:
    """The client asks for a statement that starts with these words, whatever their case."""
    return lambda message: (message.sql or "").lstrip().upper().startswith(start.upper())


def server_reports(start: str) -> When:
    """The server reports a finished command, such as "COMMIT" or "INSERT 0 1": it has been done."""
    return lambda message: (message.tag or "").startswith(start)


@define(eq=False)
class Fault:
    """Something that is to happen when a message comes by.

    Attributes:
        when: recognises the message.
        action: what happens to its connection.
        forward: the message itself still goes through, before the action.
        times: how often it happens; afterwards messages pass.
        happened: set the first time.
    """

    when: When
    action: Callable[[Link], None]
    forward: bool
    times: int
    happened: threading.Event = field(factory=threading.Event)


class Link:
    """One client's connection through the proxy."""

    def __init__(self, proxy: Proxy, client: socket.socket) -> None:
        self.proxy = proxy
        self.client = client
        self.server: socket.socket | None = None
        self.flowing = threading.Event()
        self.flowing.set()
        self.closed = threading.Event()
        self.half_closed = False
        self.splitter = Splitter()
        self._lock = threading.Lock()

    def cut(self) -> None:
        """Reset the connection on both sides: what a crashed machine or a firewall does."""
        self._end(reset=True)

    def finish(self) -> None:
        """Close the connection properly on both sides."""
        self._end(reset=False)

    def stall(self) -> None:
        """Pass nothing on any more, in either direction, and keep the connection open, until `resume`."""
        self.flowing.clear()

    def resume(self) -> None:
        """End a stall: what has piled up goes through."""
        self.flowing.set()

    def half_close(self) -> None:
        """Tell the client that no more will come, yet take what it sends; the server notices nothing."""
        self.half_closed = True
        with contextlib.suppress(OSError):
            self.client.shutdown(socket.SHUT_WR)

    def _end(self, *, reset: bool) -> None:
        with self._lock:
            if self.closed.is_set():
                return
            self.closed.set()
        self.flowing.set()
        for side in (self.client, self.server):
            if side is None:
                continue
            with contextlib.suppress(OSError):
                if reset:
                    side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                else:
                    side.shutdown(socket.SHUT_RDWR)
            _close(side, reset=reset)

    def run(self) -> None:
        """Connect to the server and pump both ways until one side ends."""
        self._wait()
        if self.closed.is_set():
            return
        try:
            self.server = socket.create_connection(self.proxy.target, timeout=10)
            self.server.settimeout(None)
        except OSError:
            return self.cut()
        for side in (self.client, self.server):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pump, args=(self.server, self.client, False), daemon=True)
        back.start()
        self._pump(self.client, self.server, True)
        back.join()

    def _pump(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        try:
            while data := source.recv(65536):
                pending = b""
                for message in self.splitter.feed(data, from_client=from_client):
                    self.proxy.note(message)
                    fault = self.proxy.due(message)
                    if fault is None:
                        pending += message.raw
                        continue
                    self._send(target, pending + (message.raw if fault.forward else b""))
                    pending = b""
                    fault.action(self)
                    fault.happened.set()
                    if not fault.forward:
                        pending = message.raw  # a stall holds it back, a cut loses it
                self._send(target, pending)
            if self.closed.is_set():
                return
            if from_client:
                target.shutdown(socket.SHUT_WR)  # an orderly end is passed on; the answers still come
                return
        except OSError:
            pass
        self.finish()

    def _send(self, target: socket.socket, data: bytes) -> None:
        self._wait()
        if data and not (self.half_closed and target is self.client):
            if self.proxy.delay:
                time.sleep(self.proxy.delay)
            target.sendall(data)

    def _wait(self) -> None:
        self.proxy.flowing.wait()
        self.flowing.wait()


class Proxy:
    """Listens on a port of 127.0.0.1 and passes connections on to a server.

    Args:
        host: the server's.
        port: the server's.

    Attributes:
        port: where to connect to.
        links: the open connections.
        accepted: how many connections there have been.
        statements: every statement that clients asked for, in order.
        delay: seconds that every packet is held back.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.port = 0
        self.links: list[Link] = []
        self.accepted = 0
        self.statements: list[str] = []
        self.delay = 0.0
        self.flowing = threading.Event()
        self.flowing.set()
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Proxy:
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.refuse()
        self.cut()
        self.flowing.set()
        for thread in list(self._threads):
            thread.join(10)

    def config(self, config: DatabaseConfig) -> DatabaseConfig:
        """The same configuration, through the proxy."""
        pool = attrs.evolve(config.pool, host="127.0.0.1", port=self.port)
        return attrs.evolve(config, pool=pool)

    # -- faults for everybody, now

    def refuse(self) -> None:
        """Refuse new connections, as a machine without a server does, until `listen`."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _close(listener, reset=True)

    def listen(self) -> None:
        """Take connections, on the same port as before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._start(self._accept, listener)

    def cut(self) -> None:
        """Reset all connections there are; new ones are welcome."""
        self._each(Link.cut)

    def finish(self) -> None:
        """Close all connections there are."""
        self._each(Link.finish)

    def half_close(self) -> None:
        """Half-close all connections there are."""
        self._each(Link.half_close)

    def stall(self) -> None:
        """Pass nothing on until `resume`: connections stay open, new ones are accepted but lead nowhere."""
        self.flowing.clear()

    def resume(self) -> None:
        """End every stall."""
        self._each(Link.resume)
        self.flowing.set()

    # -- faults at chosen moments

    def on(
        self, when: When, action: Callable[[Link], None], *, forward: bool = False, times: int = 1
    ) -> Fault:
        """Have something happen to the connection on which a certain message comes by.

        ``on(client_sends("COMMIT"), Link.cut)``: the server never gets it. ``forward=True``: it gets it, the client no
        answer. ``on(server_reports("COMMIT"), Link.cut)``: it is done for certain, and the client gets no answer.
        """
        fault = Fault(when, action, forward, times)
        with self._lock:
            self._faults.append(fault)
        return fault

    def due(self, message: Message) -> Fault | None:
        """The fault that this message sets off."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if fault.when(message):
                    fault.times -= 1
                    if fault.times == 0:
                        self._faults.remove(fault)
                    return fault
        return None

    def note(self, message: Message) -> None:
        """Remember statements."""
        if message.sql is not None:
            self.statements.append(message.sql)

    # -- inside

    def _each(self, action: Callable[[Link], None]) -> None:
        with self._lock:
            links = list(self.links)
        for link in links:
            action(link)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True, name="proxy")
        self._threads = [*(old for old in self._threads if old.is_alive()), thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._listener is not listener:  # refused meanwhile
                _close(client, reset=True)
                return
            link = Link(self, client)
            with self._lock:
                self.links.append(link)
                self.accepted += 1
            self._start(self._serve, link)

    def _serve(self, link: Link) -> None:
        try:
            link.run()
        finally:
            link.finish()
            with self._lock:
                self.links.remove(link)


def _close(side: socket.socket, *, reset: bool) -> None:
    """Close a socket that another thread may be blocked on."""
    with contextlib.suppress(OSError):
        if reset:
            # Wakes the thread without sending FIN first, which shutdown(SHUT_WR) would.
            side.shutdown(socket.SHUT_RD)
    side.close()
