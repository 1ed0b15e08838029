"""The file system below an SQLite file: whether locks can be trusted on it, and whether there is room."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .findings import Finding, error, joined

if TYPE_CHECKING:
    from .diagnosis import Surroundings

__all__ = ["check_filesystem", "network_filesystem", "open_by"]

# File systems of Linux whose data are on another machine (or shared with one): their locks cannot be relied on.
_NETWORK = frozenset(
    """nfs nfs4 cifs smb3 smbfs ncpfs afs coda 9p ceph glusterfs lustre beegfs gfs2 ocfs2 orangefs vboxsf
    vmhgfs virtiofs fuse.sshfs fuse.s3fs fuse.rclone fuse.glusterfs fuse.gcsfuse fuse.vmhgfs-fuse""".split()
)


def check_filesystem(path: Path, around: Surroundings) -> Iterator[Finding]:
    """Findings about where a file is."""
    directory = path.parent
    kind = network_filesystem(directory, around.mounts)
    if kind is not None:
        yield error(
            "network-share",
            f"{path} is on a network share ({kind}): the write-ahead log needs memory that all users of the file share",
            "keep the file on a local disk of the one machine that uses it, or use Postgres",
        )
    space = os.statvfs(directory)
    free = space.f_bavail * space.f_frsize
    if free < around.scarce_bytes:
        yield error(
            "disk-full",
            f"the disk of {directory} has {free / 2**20:.1f} MiB left",
            "make room: without it nothing can be written, and the log cannot be cleared",
        )


def network_filesystem(directory: Path, mounts: Path) -> str | None:
    """The type of the file system, if it is one of the network; None also where mounts are not known.

    Args:
        directory: where the file is.
        mounts: the table of mounts, as in ``/proc/self/mountinfo``.
    """
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return None
    where = directory.resolve()
    best, kind = -1, ""
    for line in lines:
        mount, _, rest = line.partition(" - ")
        fields = mount.split()
        if len(fields) < 5 or not rest:
            continue
        point = Path(_unescaped(fields[4]))
        # The last one of those at the same point is on top.
        if (where == point or point in where.parents) and len(point.parts) >= best:
            best, kind = len(point.parts), rest.split()[0]
    return kind if kind in _NETWORK else None


def _unescaped(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def open_by(path: Path) -> str:
    """The other processes that have a file open, as far as this user may know."""
    found = []
    for directory in Path("/proc").glob("[0-9]*"):
        if directory.name == str(os.getpid()):
            continue
        try:
            if any(os.path.realpath(link) == str(path) for link in (directory / "fd").iterdir()):
                name = (directory / "comm").read_text().strip()
                found.append(f"{name} (process {directory.name})")
        except OSError:
            continue
    return joined(found)
