"""The servers of one `EmbeddedPostgres` and their roles."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path

from attrs import define, field

from ..errors import DatabaseUnavailable
from ._account import Account
from ._binaries import Binaries
from ._guard import Guard
from ._node import Node
from ._options import Options

STATE, LOGS = "cluster.json", "log"

# Room for replicas from the start, so that adding one needs no restart of the primary.
SETTINGS = {
    "wal_level": "replica",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "wal_keep_size": "64MB",
    "hot_standby": "on",
    "wal_retrieve_retry_interval": "200ms",  # replicas are back soon after their primary
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}

TEMPORARY = {
    "fsync": "off",
    "wal_init_zero": "off",
    # In the data directory, so that nothing of a killed server outlives it. Also, in many containers the usual
    # place, /dev/shm, is too small for the parallel creation of an index.
    "dynamic_shared_memory_type": "mmap",
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
    primary: Node = field(init=False)
    replicas: list[Node] = field(factory=list)
    attached: set[str] = field(factory=set)  # names of the replicas that follow the primary, see _replication

    @property
    def temporary(self) -> bool:
        """Whether the data goes at the end."""
        return self.options.data_dir is None

    def node(self, index: int, *, apply_delay: float = 0.0, port: int | None = None) -> Node:
        """A node that is not running yet."""
        settings = SETTINGS | (TEMPORARY if self.temporary else {}) | self.options.settings
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
            wanted_port=port,
            start_timeout=self.options.start_timeout,
            apply_delay=apply_delay,
        )

    def start_primary(self) -> None:
        """Start the primary if it is not running."""
        (self.primary.data / "standby.signal").unlink(missing_ok=True)
        self.primary.start({}, self.taken_ports())

    def attach(self, node: Node) -> None:
        """Note that a node follows the primary."""
        self.attached.add(node.name)
        self.save()

    def crown(self, node: Node) -> None:
        """Note that a replica has become the primary; the old one takes its place among the replicas."""
        self.replicas[self.replicas.index(node)] = self.primary
        self.primary = node
        self.attached.clear()
        self.save()

    def save(self) -> None:
        """Keep the roles for the next process that opens the directory."""
        if self.temporary:
            return
        new = self.root / f"{STATE}.new"
        with new.open("w") as file:
            state = {
                "postgres": self.binaries.major,
                "primary": self.primary.name,
                "attached": sorted(self.attached),
            }
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.root / STATE)

    def taken_ports(self) -> set[int]:
        """The ports of all nodes, running or not."""
        nodes = (self.primary, *self.replicas)
        return {node.chosen_port for node in nodes if node.chosen_port is not None}

    def close(self) -> None:
        """Stop every server; the supervisor removes what is temporary. Nothing happens in a forked child."""
        if self.guard.foreign:
            return
        if self.guard.alive and not self.temporary:
            for node in (self.primary, *self.replicas):  # the primary first: replicas get all of its log
                with contextlib.suppress(DatabaseUnavailable):
                    node.stop("fast", self.options.start_timeout)
        self.guard.close()
        shutil.rmtree(self.run, ignore_errors=True)  # where there was no supervisor any more to do it
