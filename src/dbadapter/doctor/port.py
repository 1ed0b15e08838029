"""What answers at an address: Postgres, something else, or nothing."""

from __future__ import annotations

import glob
import socket
import struct
from collections.abc import Iterator
from contextlib import closing

from attrs import frozen

from .findings import Finding, error, joined, ok

__all__ = ["SSL_REQUEST", "Answer", "check_port", "is_local"]

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""What a client of Postgres sends first, to ask whether the server does TLS."""
_SOCKETS = ("/run/postgresql/.s.PGSQL.*", "/var/run/postgresql/.s.PGSQL.*", "/tmp/.s.PGSQL.*")
# How other servers greet, or what they say to eight bytes they do not understand.
_OTHERS = (
    (b"SSH-", "an SSH server"),
    (b"HTTP/", "an HTTP server"),
    (b"-ERR", "a Redis server"),
    (b"220", "a mail or FTP server"),
    (b"\x15\x03", "a TLS server"),
)


@frozen
class Answer:
    """What a server said when asked for TLS.

    Attributes:
        offers_tls: it can do TLS.
    """

    offers_tls: bool


def check_port(host: str, port: int, timeout: float) -> Iterator[Finding | Answer]:
    """Findings about an address, and at the end, if Postgres is there, its `Answer`."""
    place = f"{host}:{port}"
    try:
        with closing(_connect(host, port, timeout)) as connection:
            connection.sendall(SSL_REQUEST)
            reply = connection.recv(64)
    except FileNotFoundError:
        yield error(
            "nothing-listens", f"there is no socket of port {port} in the directory {host}", _elsewhere(host)
        )
    except ConnectionRefusedError:
        yield error("nothing-listens", f"nothing listens at {place}", _elsewhere(host))
    except socket.gaierror as exc:
        yield error(
            "unknown-host", f"the host name {host} is not known: {exc.strerror}", "check the host's name"
        )
    except TimeoutError:
        yield error(
            "no-answer",
            f"{place} does not answer within {timeout:g} s",
            "check the address and the firewalls in between; the server may also hang or be overloaded",
        )
    except OSError as exc:
        yield error(
            "no-answer", f"cannot reach {place}: {exc.strerror or exc}", "check the address and the network"
        )
    else:
        yield from _judge(place, reply)


def _connect(host: str, port: int, timeout: float) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, port), timeout)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        connection.connect(f"{host}/.s.PGSQL.{port}")
    except BaseException:
        connection.close()
        raise
    return connection


def _judge(place: str, reply: bytes) -> Iterator[Finding | Answer]:
    if reply in (b"S", b"N"):
        yield ok("port", f"a Postgres server or pooler answers at {place}")
        yield Answer(offers_tls=reply == b"S")
        return
    if reply[:1] == b"E":  # an ErrorResponse: Postgres, but too busy or too old to answer the question
        yield ok("port", f"a Postgres server answers at {place}, but refuses connections")
        yield Answer(offers_tls=False)
        return
    kind = next((name for start, name in _OTHERS if reply.startswith(start)), "")
    if not kind and len(reply) > 4 and reply[4] == 10:
        kind = "a MySQL or MariaDB server"
    what = kind or ("something that closes the connection" if not reply else "something that is not Postgres")
    yield error(
        "other-server",
        f"{what} has the port at {place}",
        f"see which program owns it (ss -ltnp 'sport = :{place.rpartition(':')[2]}'), and give Postgres another port",
    )


def _elsewhere(host: str) -> str:
    """What to do when nothing is there; servers of this machine are named, since one of them may be meant."""
    found = sorted(
        {name for pattern in _SOCKETS for name in glob.glob(pattern) if not name.endswith(".lock")}
    )
    hint = f"; on this machine servers have the sockets {joined(found)}" if is_local(host) and found else ""
    return f"start the server, or correct host and port{hint}"


def is_local(host: str) -> bool:
    """Whether `host` is this machine: its loopback, or a directory of Unix-domain sockets."""
    return host.startswith(("/", "127.")) or host in ("localhost", "::1")
