"""The host process's side of the supervisor: one per cluster, see `_supervisor`."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field

from ..errors import DatabaseUnavailable
from ._account import Account, blocking_directory, can_enter

SCRIPT = Path(__file__).with_name("_supervisor.py")
# The name of an open directory, whatever lies above it: Linux follows it without asking for leave on the way.
DOOR = "/proc/self/fd/100"
PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
Argument = str | os.PathLike[str]
POLL = 0.005  # s between two looks at a file or a process

_open: weakref.WeakSet[Guard] = weakref.WeakSet()
_hooks_lock = threading.Lock()
_hooked = False


def wire(name: str | os.PathLike[str]) -> str:
    """A file name as text that survives JSON, whatever bytes are in it."""
    return os.fsencode(name).decode("latin-1")


@define(eq=False)
class Guard:
    """Starts the supervisor and asks it for things.

    Whatever ends this process, the servers end: the supervisor sees its socket close. A forked child gives
    its copy of the socket up at once, so it neither keeps servers alive nor can stop them.
    """

    _process: subprocess.Popen[bytes] | None = None
    _socket: socket.socket | None = None
    _answers: bytes = b""
    _number: int = 0  # of the last request
    _owner: int | None = None  # the process id of the host, once we are in a forked child of it
    _lock: threading.Lock = field(factory=threading.Lock)

    @property
    def alive(self) -> bool:
        """Whether the supervisor is there; in a forked child, which cannot ask, it is taken to be."""
        if self.foreign:
            return True
        try:
            return self._socket is not None and self._socket.recv(1, PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    @property
    def pid(self) -> int:
        """The process id of the supervisor, which is the parent of every server."""
        return self._process.pid if self._process is not None else 0

    def open(self) -> None:
        """Start the supervisor."""
        if not sys.executable:
            raise DatabaseUnavailable(
                "embedded Postgres needs a Python interpreter: sys.executable is not set"
            )
        _hook_process_end()
        ours, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SCRIPT), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as exc:
            ours.close()
            raise DatabaseUnavailable(
                f"embedded Postgres cannot start its supervisor process: {exc}"
            ) from exc
        finally:
            theirs.close()
        self._socket, self._answers = ours, b""
        _open.add(self)

    def ask(self, op: str, **request: Any) -> dict[str, Any]:
        """Send one request and return its answer; an operating system's refusal is raised as OSError."""
        with self._lock:
            if self._owner is not None:
                raise DatabaseUnavailable(
                    f"embedded Postgres belongs to the process that started it ({self._owner}); this one is "
                    "a forked child: use its url here, and start and stop it there"
                )
            if self._socket is None:
                raise DatabaseUnavailable("embedded Postgres is not running in this process: call start()")
            try:
                self._number += 1
                self._socket.sendall(
                    json.dumps({"op": op, "number": self._number, **request}).encode() + b"\n"
                )
                # An earlier request may have been left by Ctrl-C before its answer came.
                while (answer := self._receive(self._socket))["number"] != self._number:
                    pass
            except OSError as exc:
                raise DatabaseUnavailable(
                    "the supervisor process of embedded Postgres was killed, and its servers with it"
                ) from exc
        if "error" in answer:
            raise OSError(answer["errno"], answer["error"])
        return answer

    def _receive(self, answers: socket.socket) -> dict[str, Any]:
        while b"\n" not in self._answers:
            data = answers.recv(65536)
            if not data:
                raise ConnectionResetError("it is gone")
            self._answers += data
        line, _, self._answers = self._answers.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def spawn(
        self,
        argv: Sequence[Argument],
        *,
        account: Account | None,
        output: Path,
        stdin: Path | None = None,
        directory: Path | None = None,
        server: bool = False,
    ) -> int:
        """Start a program and return its process id.

        Args:
            account: who it runs as; None: as we do.
            output: the file that what it prints is appended to.
            stdin: the file that it reads.
            directory: the data directory that ``argv`` names.
            server: it is one, else a short-lived tool.
        """
        door = directory is not None and not can_enter(directory, account)
        if door and sys.platform != "linux":
            raise DatabaseUnavailable(
                f"the account that runs PostgreSQL for root may not pass "
                f"{blocking_directory(directory, account)} on the way to {directory}: choose another data_dir"
            )
        answer = self.ask(
            "spawn",
            argv=[DOOR if door and argument == directory else wire(argument) for argument in argv],
            env={wire(key): wire(value) for key, value in _environment().items()},
            uid=account.uid if account else None,
            gid=account.gid if account else None,
            stdin=wire(stdin or os.devnull),
            output=wire(output),
            directory=wire(directory) if directory else None,
            door=door,
            server=server,
        )
        return int(answer["pid"])

    def run(self, argv: Sequence[Argument], *, timeout: float, **how: Any) -> int:
        """Run a tool to its end and return its exit code."""
        pid = self.spawn(argv, **how)
        code = self.wait(pid, timeout)
        if code is None:
            self.ask("kill", pid=pid)
            raise DatabaseUnavailable(f"{Path(argv[0]).name} did not finish within {timeout:g} s")
        return code

    def code(self, pid: int) -> int | None:
        """The exit code of a process, None while it runs."""
        found: int | None = self.ask("poll", pid=pid)["code"]
        return found

    def wait(self, pid: int, timeout: float) -> int | None:
        """Wait for a process to end and return its exit code; None when time is up."""
        until = time.monotonic() + timeout
        while (code := self.code(pid)) is None and time.monotonic() < until:
            time.sleep(POLL)
        return code

    def close(self) -> None:
        """Stop every server, remove what is temporary, and wait until that is done."""
        with self._lock:
            connection, self._socket = self._socket, None
        _open.discard(self)
        if connection is not None:
            with connection, contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):  # until it is gone
                    pass
        if self._process is not None:
            # Not Popen.wait(): after a Ctrl-C at the wrong moment that waits for ever for a lock of its own.
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._process.pid, 0)
            self._process.returncode = 0
            self._process = None

    @property
    def foreign(self) -> bool:
        """Whether this is a forked child's copy of another process's guard."""
        return self._owner is not None

    def _abandon(self) -> None:
        """In a forked child: the servers are the parent's."""
        self._lock = threading.Lock()
        self._owner = os.getppid()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._process is not None:
            self._process.returncode = 0  # not our child: nothing to wait for, nothing to warn about
            self._process = None


def _environment() -> Mapping[str, str]:
    """What the programs get to see: no PG* variable of the host may reach them."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT")
    return {"LC_ALL": "C", "TZ": "UTC"} | {key: os.environ[key] for key in kept if key in os.environ}


def _hook_process_end() -> None:
    """Once a process: end servers at exit, and let go of them in forked children."""
    global _hooked  # noqa: PLW0603
    with _hooks_lock:
        if not _hooked:
            atexit.register(_close_all)
            os.register_at_fork(after_in_child=_abandon_all)
            _hooked = True


def _close_all() -> None:
    for guard in list(_open):
        with contextlib.suppress(Exception):
            guard.close()


def _abandon_all() -> None:
    for guard in list(_open):
        guard._abandon()
    _open.clear()
