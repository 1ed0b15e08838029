"""Why TLS would fail, told by trying it as libpq would."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator

from ..config import PoolConfig
from .findings import Finding, error, ok, warning
from .port import SSL_REQUEST, Answer, is_local

__all__ = ["check_tls", "root_certificates"]

_OWN_ROOT = "~/.postgresql/root.crt"
_MUST = ("require", "verify-ca", "verify-full")
_VERIFIED = ("verify-ca", "verify-full")
# OpenSSL's reasons (X509_V_ERR_…).
_REASONS = {
    9: ("tls-not-yet-valid", "is not valid yet", "check the clocks, or renew it"),
    10: ("tls-expired", "has expired", "renew it on the server"),
    18: (
        "tls-unknown-issuer",
        "is self-signed and not the one trusted",
        "set sslrootcert to that certificate",
    ),
    19: (
        "tls-unknown-issuer",
        "comes from an unknown authority",
        "set sslrootcert to the file of that authority",
    ),
    20: (
        "tls-unknown-issuer",
        "comes from an unknown authority",
        "set sslrootcert to the file of that authority",
    ),
    62: (
        "tls-wrong-name",
        "is for another host name",
        "connect by a name that is in it, or have it reissued",
    ),
    64: ("tls-wrong-name", "is for another address", "connect by a name that is in it, or have it reissued"),
}


def check_tls(host: str, port: int, config: PoolConfig, answer: Answer, timeout: float) -> Iterator[Finding]:
    """Findings about TLS to a server that has answered."""
    mode = config.sslmode
    if host.startswith("/"):
        return  # a socket of this machine; libpq does not use TLS on it
    if mode in _MUST and not answer.offers_tls:
        yield error(
            "tls-not-offered",
            f"sslmode={mode} asks for TLS, and the server at {host}:{port} does not offer it",
            "turn it on (ssl = on, with a certificate), or, on a network that is yours alone, use sslmode=prefer",
        )
        return
    if mode in _VERIFIED:
        yield from _verify(host, port, config, timeout)
    elif not is_local(host) and mode != "disable" and answer.offers_tls:
        yield warning(
            "tls-unverified",
            f"sslmode={mode} does not check who the server at {host} is",
            "use sslmode=verify-full (DB_SSL=true), with sslrootcert for an authority of your own",
        )
    elif not is_local(host):
        yield warning(
            "tls-none",
            f"the connection to {host} is not encrypted",
            "turn TLS on at the server, and sslmode=verify-full here",
        )


def _verify(host: str, port: int, config: PoolConfig, timeout: float) -> Iterator[Finding]:
    try:
        context = _context(config)
    except (OSError, ssl.SSLError) as exc:
        yield error(
            "tls-root-unreadable",
            f"the certificate authority {config.sslrootcert or _OWN_ROOT} cannot be read: {exc}",
            "set sslrootcert to a file of certificates in PEM, or to system for those of this machine",
        )
        return
    if context is None:
        yield error(
            "tls-no-root",
            f"sslmode={config.sslmode} needs an authority to check with, and there is no {_OWN_ROOT}",
            "set sslrootcert to the file of your authority, or to system for those of this machine",
        )
        return
    try:
        with socket.create_connection((host, port), timeout) as plain:
            plain.sendall(SSL_REQUEST)
            plain.recv(1)
            with context.wrap_socket(plain, server_hostname=host) as secured:
                yield ok(
                    "tls", f"TLS to {host}:{port} is {secured.version()}, and its certificate was checked"
                )
    except ssl.SSLCertVerificationError as exc:
        code, what, remedy = _REASONS.get(
            exc.verify_code, ("tls-refused", f"is refused: {exc.verify_message}", "")
        )
        yield error(code, f"the certificate of {host}:{port} {what}", remedy or "have it reissued")
    except (ssl.SSLError, OSError) as exc:
        yield error(
            "tls-failed", f"TLS to {host}:{port} fails: {exc}", "see the log of the server for its side of it"
        )


def root_certificates(config: PoolConfig) -> str | None:
    """The file of the authority that certificates are checked with, or "system"; None if there is none."""
    if config.sslrootcert or os.environ.get("PGSSLROOTCERT"):
        return config.sslrootcert or os.environ["PGSSLROOTCERT"]
    if os.path.exists(os.path.expanduser(_OWN_ROOT)):
        return os.path.expanduser(_OWN_ROOT)
    return "system" if config.sslmode == "verify-full" else None


def _context(config: PoolConfig) -> ssl.SSLContext | None:
    """What libpq would check with; None if it would find no authority."""
    root = root_certificates(config)
    if root is None:
        return None
    context = ssl.create_default_context(cafile=None if root == "system" else root)
    context.check_hostname = config.sslmode == "verify-full"
    return context
