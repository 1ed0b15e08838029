"""The process that owns the servers: started by `_guard`, run as a script by a bare interpreter.

It is the parent of every PostgreSQL process and holds one end of a socket whose other end only the host
process has. When that socket closes, however the host process ended, the servers are stopped and the
temporary files removed. One request a line, one answer a line, both JSON. Only the standard library is
imported, and little of it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import select
import signal
import sys
import time
from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
IPC_RMID = 0
DOOR = 100  # the file descriptor of a directory handed over


def path(text: str) -> bytes:
    """Undo `_guard`'s transport of file names: any bytes, whatever the locales of the two processes."""
    return text.encode("latin-1")


def libc() -> Any:
    """The C library, or None where ctypes is missing."""
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True)
    except (ImportError, OSError):
        return None


class Supervisor:
    """The children, what is to be done at the end, and the loop."""

    def __init__(self, control: int) -> None:
        self.control = control
        self.parent = os.getppid()
        self.running: dict[int, bool] = {}  # pid -> is it a server (else a short-lived tool)
        self.codes: dict[int, int] = {}
        self.servers: list[bytes] = []  # data directories
        self.remove: list[bytes] = []
        self.gentle = False
        self.locks: list[int] = []
        self.ending = False
        self.libc = libc()
        if self.libc is not None and sys.platform == "linux":
            # Children of a killed postmaster become ours, so that they can be found and ended.
            self.libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.wake, wake_end = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(wake_end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            self.ending = True

    # -- the loop

    def run(self) -> None:
        """Answer requests until the socket closes, the parent is gone, or SIGTERM."""
        buffer = b""
        while not self.ending:
            # The timeout is for a parent that died while a process that it forked in C still holds the socket.
            ready = self.wait([self.control], 2.0)
            if os.getppid() != self.parent:
                break
            if self.control in ready:
                data = os.read(self.control, 65536)
                if not data:
                    break
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    request = json.loads(line)
                    answer = {"number": request.pop("number"), **self.answer(request)}
                    os.write(self.control, json.dumps(answer).encode() + b"\n")

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what one request asks."""
        try:
            return getattr(self, f"do_{request.pop('op')}")(**request) or {}
        except OSError as exc:
            return {"errno": exc.errno, "error": os.strerror(exc.errno or 0)}
        except Exception as exc:  # a bug of ours must not look like a killed supervisor
            return {"errno": 0, "error": f"{type(exc).__name__}: {exc}"}

    def wait(self, files: list[int], seconds: float) -> list[int]:
        """Sleep until a file can be read, a signal comes (a child ended) or time is up."""
        ready, _, _ = select.select([*files, self.wake], [], [], seconds)
        if self.wake in ready:
            os.read(self.wake, 4096)
        self.reap()
        return ready

    def reap(self) -> None:
        """Note the end of every child that ended, adopted ones included."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.running.pop(pid, None) is not None:
                self.codes[pid] = os.waitstatus_to_exitcode(status)

    # -- requests

    def do_spawn(
        self,
        argv: list[str],
        env: dict[str, str],
        uid: int | None,
        gid: int | None,
        stdin: str,
        output: str,
        directory: str | None,
        door: bool,
        server: bool,
    ) -> dict[str, Any]:
        """Start a server or a tool on a data directory, opened for it if the account could not reach it."""
        self.sweep()
        report, report_end = os.pipe()
        files = [
            os.open(path(stdin), os.O_RDONLY),
            os.open(path(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
        ]
        if door and directory is not None:
            files.append(os.open(path(directory), os.O_RDONLY | os.O_DIRECTORY))
        pid = os.fork()
        if pid == 0:
            try:
                self._become(argv, env, uid, gid, files, signal.SIGQUIT if server else signal.SIGKILL)
            except OSError as exc:
                os.write(report_end, json.dumps([exc.errno, str(exc)]).encode())
            finally:
                os._exit(127)
        os.close(report_end)
        for file in files:
            os.close(file)
        failure = os.read(report, 65536)
        os.close(report)
        if failure:
            os.waitpid(pid, 0)
            number, message = json.loads(failure)
            return {"errno": number, "error": message}
        self.running[pid] = server
        if server and directory is not None and path(directory) not in self.servers:
            self.servers.append(path(directory))
        return {"pid": pid}

    def _become(
        self,
        argv: list[str],
        env: dict[str, str],
        uid: int | None,
        gid: int | None,
        files: list[int],
        death_signal: int,
    ) -> None:
        """In the child: turn into the program, as the account that it shall run as."""
        os.setsid()  # Ctrl-C in the host's terminal is not for the server
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        stdin, output, *directory = files
        for target, file in enumerate((stdin, output, output)):
            os.dup2(file, target)
        for file in directory:
            os.dup2(file, DOOR)
        os.umask(0o077)
        if uid is not None and gid is not None:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        if self.libc is not None and sys.platform == "linux":
            # Should someone kill even this supervisor. After setuid, which would clear it again.
            self.libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        os.chdir("/")
        arguments = [path(argument) for argument in argv]
        os.execve(arguments[0], arguments, {path(key): path(value) for key, value in env.items()})

    def do_poll(self, pid: int) -> dict[str, Any]:
        """The exit code, negative for a signal; None while it runs."""
        self.reap()
        return {"code": None if pid in self.running else self.codes.get(pid, -signal.SIGKILL)}

    def do_signal(self, pid: int, signal_number: int) -> None:
        """Send a signal to a child, never to a stranger that got its number."""
        self.reap()
        if pid in self.running:
            os.kill(pid, signal_number)

    def do_kill(self, pid: int) -> None:
        """SIGKILL a server (or tool) and all its processes: what a loss of power would do to them."""
        self.reap()
        if pid in self.running:
            os.kill(pid, signal.SIGKILL)
            while pid in self.running:
                time.sleep(0.001)
                self.reap()
        self.sweep()

    def do_lock(self, file: str, owner: int) -> dict[str, Any]:
        """Take the lock of a data directory; it goes when this process goes."""
        lock = os.open(path(file), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            holder = os.read(lock, 100)
            os.close(lock)
            if exc.errno not in (errno.EAGAIN, errno.EACCES):
                return {"locked": True}  # a file system without locks: PostgreSQL's own check has to do
            return {"locked": False, "holder": int(holder) if holder.strip().isdigit() else None}
        os.ftruncate(lock, 0)
        os.write(lock, str(owner).encode())
        self.locks.append(lock)
        return {"locked": True}

    def do_forget(self, directory: str) -> None:
        """A data directory is about to be removed: free what its server left."""
        self._free_shared_memory(path(directory))

    def do_at_end(self, remove: list[str], gentle: bool) -> None:
        """What to remove at the end, and whether servers get the time to shut down properly."""
        self.remove = [path(name) for name in remove]
        self.gentle = gentle

    # -- the end

    def sweep(self) -> None:
        """End processes whose postmaster was killed and that have not noticed yet."""
        while orphans := [pid for pid in self._children() if pid not in self.running]:
            for pid in orphans:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.001)
            self.reap()

    def _children(self) -> list[int]:
        me = os.getpid()
        try:
            with open(f"/proc/{me}/task/{me}/children", "rb") as children:
                return [int(pid) for pid in children.read().split()]
        except OSError:
            return []  # not Linux: nothing is adopted

    def finish(self) -> None:
        """Stop everything, then remove what was only temporary."""
        for lock in self.locks:
            os.ftruncate(lock, 0)  # whoever wants the directory next may as well wait
        for wanted, seconds in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 8.0), (signal.SIGKILL, 8.0)):
            if wanted == signal.SIGINT and not self.gentle:
                continue
            for pid, server in list(self.running.items()):
                with contextlib.suppress(OSError):
                    if server:
                        os.kill(pid, wanted)
                    else:
                        os.killpg(pid, signal.SIGKILL)
            until = time.monotonic() + seconds
            while self.running and time.monotonic() < until:
                self.wait([], until - time.monotonic())
            if not self.running:
                break
        self.sweep()
        for directory in self.servers:
            if any(directory.startswith(gone + b"/") for gone in self.remove):
                self._free_shared_memory(directory)
        if self.remove:
            import shutil

            for name in self.remove:
                shutil.rmtree(name, ignore_errors=True)

    def _free_shared_memory(self, directory: bytes) -> None:
        """What a killed server left; a restart would have cleared it, but there will be none."""
        try:
            with open(directory + b"/postmaster.pid", "rb") as file:
                identifier = int(file.read().splitlines()[6].split()[1])
        except (OSError, IndexError, ValueError):
            return  # it shut down properly
        if self.libc is not None:
            self.libc.shmctl(identifier, IPC_RMID, None)


if __name__ == "__main__":
    supervisor = Supervisor(int(sys.argv[1]))
    try:
        supervisor.run()
    finally:
        supervisor.finish()
