"""The directories and nodes of one `EmbeddedPostgres`, from opening to closing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from attrs import define, field

from ..errors import ConfigError, DatabaseUnavailable
from ._account import Account, can_enter, server_account
from ._binaries import Binaries, find_binaries
from ._datadir import create, create_from_template
from ._guard import POLL, Guard, wire
from ._node import Node
from ._options import Options

STATE, LOCK, LOGS = "cluster.json", "cluster.lock", "log"
LONGEST_SOCKET_PATH = 100  # bytes; systems allow 103 to 107
LOCK_TIMEOUT = 60.0  # s, for the servers of a process that was killed to shut down

# Room for replicas from the start, so that adding one needs no restart of the primary.
SETTINGS = {
    "wal_level": "replica",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "wal_keep_size": "64MB",
    "hot_standby": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


@define(eq=False, kw_only=True)
class Cluster:
    """An open cluster.

    Attributes:
        root: holds a directory per node, the logs, and which node is the primary.
        run: temporary files and the sockets; always removed at the end.
    """

    options: Options
    guard: Guard
    account: Account | None
    binaries: Binaries
    root: Path
    run: Path
    sockets: Path
    nodes: list[Node] = field(factory=list)
    primary_index: int = 0

    @property
    def primary(self) -> Node:
        """The node that takes writes."""
        return self.nodes[self.primary_index]

    @property
    def temporary(self) -> bool:
        """Whether the data goes at the end."""
        return self.options.data_dir is None

    def node(self, index: int) -> Node:
        """A node that is not running yet."""
        settings = SETTINGS | ({"fsync": "off"} if self.temporary else {}) | self.options.settings
        return Node(
            name=f"node{index}",
            data=self.root / f"node{index}",
            sockets=self.sockets,
            log=self.root / LOGS / f"node{index}.log",
            guard=self.guard,
            binaries=self.binaries,
            account=self.account,
            password=self.options.password,
            tcp=self.options.tcp,
            settings=settings,
            wanted_port=self.options.port if index == 0 else None,
            start_timeout=self.options.start_timeout,
        )

    def start_primary(self) -> None:
        """Start the primary if it is not running."""
        self.primary.start({}, self.taken_ports())

    def taken_ports(self) -> set[int]:
        """The ports of all nodes, running or not."""
        return {node.chosen_port for node in self.nodes if node.chosen_port is not None}

    def close(self) -> None:
        """Stop every server; the supervisor removes what is temporary."""
        if self.guard.alive and not self.temporary:
            for node in self.nodes:
                with contextlib.suppress(DatabaseUnavailable):
                    node.stop("fast", self.options.start_timeout)
        self.guard.close()
        shutil.rmtree(self.run, ignore_errors=True)  # where there was no supervisor any more to do it


def open_cluster(options: Options) -> Cluster:
    """Make or open the directories of a cluster and take its lock; no server is started."""
    given = options.data_dir
    first = given / "node0" if given is not None and (given / "node0").is_dir() else None
    account = server_account(first)
    binaries = find_binaries(account)
    guard = Guard()
    guard.open()
    run: Path | None = None
    try:
        run = _run_directory(account)
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
            _open_given(given, guard, binaries, account)
        (cluster.root / LOGS).mkdir(mode=0o700, exist_ok=True)
        cluster.nodes.append(cluster.node(0))
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
    write_state(cluster.root, cluster.binaries, "node0")


def write_state(root: Path, binaries: Binaries, primary: str) -> None:
    """Note which node is the primary."""
    new = root / f"{STATE}.new"
    with new.open("w") as file:
        json.dump({"postgres": binaries.major, "primary": primary}, file)
        file.flush()
        os.fsync(file.fileno())
    new.replace(root / STATE)


def _open_given(root: Path, guard: Guard, binaries: Binaries, account: Account | None) -> None:
    """Check and lock a directory that the user gave."""
    if root.exists() and not root.is_dir():
        raise ConfigError(f"data_dir {root} is not a directory")
    if (root / "PG_VERSION").exists():
        raise ConfigError(
            f"data_dir {root} is itself a data directory of PostgreSQL, made by something else: choose a new or "
            "empty one, and bring the data over with pg_dump"
        )
    root.mkdir(mode=0o711, parents=True, exist_ok=True)
    foreign = {entry.name for entry in root.iterdir()} - {STATE, LOCK, LOGS, f"{STATE}.new", "lost+found"}
    if not (root / STATE).exists() and any(not name.startswith("node") for name in foreign):
        raise ConfigError(
            f"data_dir {root} is not empty and was not made by EmbeddedPostgres (it holds {min(foreign)!r}): "
            "choose a new or empty directory"
        )
    if not can_enter(root, account):
        root.chmod(root.stat().st_mode | 0o011)
    _lock(root, guard)
    try:
        made_by = int((root / "node0" / "PG_VERSION").read_text())
    except FileNotFoundError:
        return
    if made_by != binaries.major:
        raise ConfigError(
            f"data_dir {root} was made by PostgreSQL {made_by} and cannot be opened by the installed "
            f"{binaries.version}: dump it with the old version, or choose another directory"
        )


def _lock(root: Path, guard: Guard) -> None:
    """Take the directory for this process, waiting for servers whose process is gone to shut down."""
    until = time.monotonic() + LOCK_TIMEOUT
    while True:
        answer = guard.ask("lock", file=wire(root / LOCK), owner=os.getpid())
        if answer["locked"]:
            return
        holder = answer["holder"]
        if (holder and _alive(holder)) or time.monotonic() > until:
            raise DatabaseUnavailable(
                f"data_dir {root} is in use by another EmbeddedPostgres (process {holder}): close that one first"
            )
        time.sleep(POLL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _run_directory(account: Account | None) -> Path:
    """A new temporary directory that the account may pass, with a path short enough for sockets."""
    for parent in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        short = len(os.fsencode(parent)) + len("/dbadapter-xxxxxxxx/s/.s.PGSQL.65535") <= LONGEST_SOCKET_PATH
        if short and os.access(parent, os.W_OK) and can_enter(Path(parent), account):
            run = Path(tempfile.mkdtemp(prefix="dbadapter-", dir=parent)).resolve()
            run.chmod(0o711)
            return run
    raise DatabaseUnavailable("no temporary directory that the server may use: set TMPDIR to a short path")


def _private(directory: Path, account: Account | None) -> Path:
    directory.mkdir(mode=0o700)
    if account is not None:
        account.own(directory)
    return directory
