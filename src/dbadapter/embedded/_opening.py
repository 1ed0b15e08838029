"""Opening a cluster: its directories are made, or checked and locked, before any server starts."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DatabaseUnavailable
from ._account import Account, can_enter, server_account
from ._binaries import find_binaries
from ._cluster import LOGS, STATE, Cluster
from ._datadir import create, create_from_template
from ._guard import POLL, Guard, wire
from ._options import Options

LOCK = "cluster.lock"
LONGEST_SOCKET_PATH = 100  # bytes; systems allow 103 to 107
LOCK_GRACE = 1.0  # s, for a process that was killed a moment ago to be missed
LOCK_TIMEOUT = 60.0  # s, for the servers of a process that was killed to shut down


def open_cluster(options: Options) -> Cluster:
    """Make or open the directories of a cluster and take its lock; no server is started."""
    given = options.data_dir
    account = server_account(_some_node(given))
    binaries = find_binaries(account)
    guard = Guard()
    guard.open()
    run: Path | None = None
    try:
        run = _run_directory(options.temp_dir, account)
        guard.ask("at_end", remove=[wire(run)], gentle=given is not None)
        cluster = Cluster(
            options=options,
            guard=guard,
            account=account,
            binaries=binaries,
            root=run if given is None else given,
            run=run,
            sockets=_private(run / "s", account),
        )
        if given is not None:
            _claim(given, guard)
        (cluster.root / LOGS).mkdir(mode=0o700, exist_ok=True)
        _make_nodes(cluster)
        if not cluster.primary.data.is_dir():
            _make_data(cluster)
        return cluster
    except BaseException as exc:
        guard.close()
        if run is not None:
            shutil.rmtree(run, ignore_errors=True)
        if isinstance(exc, OSError):
            raise DatabaseUnavailable(f"embedded Postgres cannot use {given or run}: {exc}") from exc
        raise


def _make_data(cluster: Cluster) -> None:
    """The data directory of the first node."""
    how: dict[str, Any] = {
        "binaries": cluster.binaries,
        "account": cluster.account,
        "guard": cluster.guard,
        "scratch": cluster.run,
    }
    if cluster.temporary:
        create_from_template(cluster.primary.data, **how)
        return
    new = cluster.root / "node0.new"
    shutil.rmtree(new, ignore_errors=True)  # left by a process that was killed here
    create(new, **how, sync=True)
    new.rename(cluster.primary.data)
    cluster.save()


def _make_nodes(cluster: Cluster) -> None:
    """The primary, and as many replicas as were asked for, as the last process left them."""
    options = cluster.options
    primary, attached = _read_state(cluster.root)
    others = [number for number in range(options.replicas + 1) if number != primary][: options.replicas]
    cluster.primary = cluster.node(primary, port=options.port)
    cluster.replicas = [
        cluster.node(number, apply_delay=delay)
        for number, delay in zip(others, options.apply_delays, strict=True)
    ]
    cluster.attached = {
        node.name for node in cluster.replicas if node.name in attached and node.data.is_dir()
    }
    version = cluster.primary.data / "PG_VERSION"
    made_by = int(version.read_text()) if version.exists() else cluster.binaries.major
    if made_by != cluster.binaries.major:
        raise ConfigError(
            f"data_dir {cluster.root} was made by PostgreSQL {made_by} and cannot be opened by the installed "
            f"{cluster.binaries.version}: dump it with the old version, or choose another directory"
        )


def _read_state(root: Path) -> tuple[int, list[str]]:
    """The number of the primary, and the names of the replicas that follow it."""
    try:
        state = json.loads((root / STATE).read_text())
        return int(state["primary"].removeprefix("node")), list(state["attached"])
    except FileNotFoundError:
        return 0, []
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise ConfigError(
            f"{root / STATE} is damaged; it says which node is the primary: "
            '{"primary": "node0", "attached": []} if there were never replicas'
        ) from exc


def _claim(root: Path, guard: Guard) -> None:
    """Check and lock a directory that the user gave."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"data_dir {root} is not a directory")
    if (root / "PG_VERSION").exists():
        raise ConfigError(
            f"data_dir {root} is itself a data directory of PostgreSQL, made by something else: choose a new "
            "or empty one, and bring the data over with pg_dump"
        )
    root.mkdir(parents=True, exist_ok=True)
    foreign = {entry.name for entry in root.iterdir()} - {LOCK, LOGS, "node0.new", "node0", "lost+found"}
    if foreign and not (root / STATE).exists():
        raise ConfigError(
            f"data_dir {root} is not empty and was not made by EmbeddedPostgres (it holds {min(foreign)!r}): "
            "choose a new or empty directory"
        )
    _lock(root, guard)


def _some_node(root: Path | None) -> Path | None:
    """A data directory, whose owner tells who ran the servers before."""
    return next((path for path in sorted(root.glob("node?*")) if path.is_dir()), None) if root else None


def _lock(root: Path, guard: Guard) -> None:
    """Take the directory for this process, waiting for servers whose process is gone to shut down."""
    began = time.monotonic()
    while True:
        answer = guard.ask("lock", file=wire(root / LOCK), owner=os.getpid())
        if answer["locked"]:
            return
        holder, waited = answer["holder"], time.monotonic() - began
        # A supervisor strikes its owner's name out as soon as it sees that the owner has gone.
        if waited > (LOCK_GRACE if holder else LOCK_TIMEOUT):
            raise DatabaseUnavailable(
                f"data_dir {root} is in use by another EmbeddedPostgres (process {holder}): close that first"
            )
        time.sleep(POLL)


def _run_directory(wanted: Path | None, account: Account | None) -> Path:
    """A new temporary directory that the account may pass, with a path short enough for sockets."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp") if wanted is None else (str(wanted),):
        short = len(os.fsencode(parent)) + len("/dbadapter-xxxxxxxx/s/.s.PGSQL.65535") <= LONGEST_SOCKET_PATH
        if short and "," not in parent and os.access(parent, os.W_OK) and can_enter(Path(parent), account):
            run = Path(tempfile.mkdtemp(prefix="dbadapter-", dir=parent)).resolve()
            run.chmod(0o711)
            return run
    raise DatabaseUnavailable(
        f"temp_dir {wanted} does not serve: its path is too long for sockets, it cannot be written, or the "
        "server's account may not enter it"
        if wanted
        else "no temporary directory that the server may use: choose one with a short path (temp_dir)"
    )


def _private(directory: Path, account: Account | None) -> Path:
    directory.mkdir(mode=0o700)
    if account is not None:
        account.own(directory)
    return directory
