"""PostgreSQL's protocol, as far as a proxy must know it: where a message ends, and what it says."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from attrs import define, field, frozen

CANCEL, TLS, GSS = 80877102, 80877103, 80877104


@frozen
class Message:
    """One message.

    Attributes:
        from_client: else from the server.
        kind: the type byte: b"Q" is a query, b"C" from the server the end of a command; b"" for a client's first
            messages, which have none.
        raw: all of it, as it travels.
    """

    from_client: bool
    kind: bytes
    raw: bytes

    @property
    def body(self) -> bytes:
        """What follows type and length."""
        return self.raw[len(self.kind) + 4 :]

    @property
    def sql(self) -> str | None:
        """The statement of a Query or Parse message."""
        if not self.from_client or self.kind not in (b"Q", b"P"):
            return None
        text = self.body if self.kind == b"Q" else self.body.partition(b"\0")[2]
        return text.partition(b"\0")[0].decode("utf-8", "replace")

    @property
    def tag(self) -> str | None:
        """What a finished command reports: "COMMIT", "INSERT 0 1"."""
        if self.from_client or self.kind != b"C":
            return None
        return self.body.rstrip(b"\0").decode("ascii", "replace")


@define
class Splitter:
    """Cuts both directions of one connection into messages.

    A connection that turns to TLS is passed on as it is: nothing in it can be recognised.
    """

    opaque: bool = False
    _client: bytearray = field(factory=bytearray)
    _server: bytearray = field(factory=bytearray)
    _started: bool = False
    _single_bytes: int = 0  # answers to TLS and GSS requests the server still owes

    def feed(self, data: bytes, *, from_client: bool) -> Iterator[Message]:
        """The messages that are complete with this data."""
        if self.opaque:
            yield Message(from_client, b"", data)
            return
        buffer = self._client if from_client else self._server
        buffer += data
        while length := (self._client_length() if from_client else self._server_length()):
            raw = bytes(buffer[:length])
            del buffer[:length]
            yield self._message(raw, from_client)
            if self.opaque and buffer:
                yield Message(from_client, b"", bytes(buffer))
                buffer.clear()

    def _client_length(self) -> int:
        return _length(self._client, 1 if self._started else 0)

    def _server_length(self) -> int:
        if self._single_bytes:
            return min(len(self._server), 1)
        return _length(self._server, 1)

    def _message(self, raw: bytes, from_client: bool) -> Message:
        if from_client and not self._started:
            code = struct.unpack_from("!I", raw, 4)[0]
            if code in (TLS, GSS):
                self._single_bytes += 1
            else:
                self._started = True
            return Message(from_client, b"", raw)
        if not from_client and self._single_bytes:
            self._single_bytes -= 1
            self.opaque = raw in (b"S", b"G")
            return Message(from_client, b"", raw)
        return Message(from_client, raw[:1], raw)


def _length(buffer: bytearray, prefix: int) -> int:
    """The length of the first message, 0 if it is not complete."""
    if len(buffer) < prefix + 4:
        return 0
    length: int = prefix + struct.unpack_from("!I", buffer, prefix)[0]
    return length if len(buffer) >= length else 0
