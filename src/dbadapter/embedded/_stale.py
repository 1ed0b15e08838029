"""A pid file that an earlier server left: is that server alive?"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..errors import DatabaseUnavailable


def check_pid_file(data: Path, parent: int) -> None:
    """Make sure that no server runs in a data directory, and that a stale pid file does not stop the next.

    After a crash the file names a process that is gone, or whose number now belongs to a stranger, which
    PostgreSQL takes for a running server. The first line is then rewritten to name the next server's parent,
    which PostgreSQL knows to be stale. The file itself must stay: a later line lets the server find processes of
    the crashed one that still have its memory mapped.

    Args:
        data: the data directory.
        parent: the process id of the process that will start the server.

    Raises:
        DatabaseUnavailable: a server is running there.
    """
    file = data / "postmaster.pid"
    try:
        first, _, rest = file.read_text(errors="surrogateescape").partition("\n")
    except FileNotFoundError:
        return
    except OSError as exc:
        raise DatabaseUnavailable(f"cannot read {file}: {exc}") from exc
    pid = int(first) if first.strip().isdigit() else 0
    if pid and pid != parent and is_postgres(pid, data):
        raise DatabaseUnavailable(
            f"another process already runs a PostgreSQL server in {data} (process {pid}): stop that one first"
        )
    file.write_text(f"{parent}\n{rest}", errors="surrogateescape")


def is_postgres(pid: int, data: Path) -> bool:
    """Whether a process is a server that works in this data directory."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", data)  # where a server always is
    except OSError:
        pass
    command = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
    return b"postgres" in command.stdout and os.fsencode(data) in command.stdout
