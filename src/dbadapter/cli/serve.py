"""``dbadapter serve``: the HTTP interface and the live page of one database."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from contextlib import suppress
from pathlib import Path

import attrs
import click

from ..errors import ConfigError, DatabaseUnavailable
from .settings import connection_options, existing_config, settings

__all__ = ["command"]

TOKEN_VARIABLE = "DBADAPTER_TOKEN"
# s from which on the page lists a statement.
SLOW = 0.1


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one.")
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File with the token that callers must give; default: the variable {TOKEN_VARIABLE}.",
)
@click.option(
    "--open", "is_open", is_flag=True, help="Let everyone read who reaches a host other than this one."
)
@connection_options
def command(host: str, port: int, token_file: Path | None, is_open: bool) -> None:
    """Serve the state, tables and rows of the database over HTTP, read-only, with a live page at /.

    It shows the pool of this command; an app that shows its own mounts dbadapter.web.create_app. Anyone who reaches
    the port may read the data unless there is a token, so without one it listens on this machine only.
    """
    try:
        import uvicorn

        from ..web import create_app
    except ImportError as exc:
        raise ConfigError(f"{exc.name} is not installed: pip install 'dbadapter[web]'") from exc
    token = _token(token_file)
    if token is None and not is_open and not _is_local(host):
        raise ConfigError(
            f"everyone who reaches {host} could read the data: set {TOKEN_VARIABLE} or give --token-file, "
            "or say --open"
        )
    from .. import DatabaseAdapter

    config = existing_config(settings().config())
    if config.slow_query_seconds is None:
        config = attrs.evolve(config, slow_query_seconds=SLOW)
    with DatabaseAdapter(config) as adapter:
        app = create_app(adapter, token=token)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", access_log=False, log_level="warning"))
        with _listen(host, port) as listener:
            name = f"[{host}]" if ":" in host else host
            url = f"http://{name}:{listener.getsockname()[1]}/"
            # One line: a program that started this one reads it and goes on.
            said = json.dumps({"url": url, "token": token is not None})
            click.echo(said if settings().as_json else f"{url} (Ctrl-C ends it)")
            with suppress(KeyboardInterrupt):  # uvicorn has shut down when it passes that on
                server.run(sockets=[listener])


def _token(file: Path | None) -> str | None:
    """The token of the file, or of the environment; on the command line every user of the machine could see it."""
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    token = file.read_text(encoding="utf-8").strip()
    if not token:
        raise ConfigError(f"--token-file {file} is empty")
    return token


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    """A socket on the address. Raises `DatabaseUnavailable`, which names it."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except OSError as exc:
        raise DatabaseUnavailable(f"cannot listen on {host}:{port}: {exc.strerror or exc}") from exc
