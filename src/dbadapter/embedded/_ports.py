"""Free TCP ports."""

from __future__ import annotations

import secrets
import socket

# Below every system's range for outgoing connections (Linux starts at 32768): a port from that range could be
# taken while our server is down, or a client that keeps trying to reach it could end up connected to itself.
LOWEST, HIGHEST = 10240, 32000


def free_port(taken: set[int]) -> int:
    """A port of 127.0.0.1 that nobody listens on, not one of ``taken``."""
    for _ in range(200):
        port = LOWEST + secrets.randbelow(HIGHEST - LOWEST)
        if port not in taken and is_free(port):
            return port
    with socket.socket() as probe:  # a crowded machine: let the system choose
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        # As PostgreSQL does; else connections of an earlier server in TIME_WAIT would look like a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
