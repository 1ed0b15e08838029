"""Who runs the server: PostgreSQL refuses to run as root, so root lends it to an account without rights."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from attrs import frozen

from ..errors import DatabaseUnavailable

CANDIDATES = ("nobody", "daemon", "bin")


@frozen
class Account:
    """A user and group id of the operating system."""

    uid: int
    gid: int

    def own(self, path: Path) -> None:
        """Give a file or directory to the account."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def own_tree(self, top: Path) -> None:
        """Give a directory and everything in it to the account."""
        self.own(top)
        for directory, subdirectories, files in os.walk(top):
            for name in (*subdirectories, *files):
                self.own(Path(directory, name))


def server_account(data: Path | None = None) -> Account | None:
    """The account to run a server as: None for "as we are", an unprivileged one when we are root.

    Args:
        data: an existing data directory; a server must run as its owner.

    Raises:
        DatabaseUnavailable: the directory is someone else's, or the system has no unprivileged account.
    """
    owner = data.stat().st_uid if data is not None else None
    if os.geteuid() != 0:
        if owner is not None and owner != os.geteuid():
            raise DatabaseUnavailable(
                f"{data} belongs to user id {owner}, and PostgreSQL runs only as the owner of its files, not "
                f"as {os.geteuid()}: start it as that user (or as root, if root made it), or change the owner"
            )
        return None
    if owner:
        return Account(owner, data.stat().st_gid)  # type: ignore[union-attr]
    import pwd

    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid:
            return Account(entry.pw_uid, entry.pw_gid)
    raise DatabaseUnavailable(
        "PostgreSQL refuses to run as root and there is no account 'nobody' to run it as: "
        "start the program as another user"
    )


def can_enter(path: Path, account: Account | None) -> bool:
    """Whether the account may reach a directory: search permission on it and on everything above."""
    return blocking_directory(path, account) is None


def blocking_directory(path: Path, account: Account | None) -> Path | None:
    """The topmost directory on the way to ``path``, itself included, that the account may not pass."""
    if account is None:
        return None
    path = path.resolve()
    for directory in (*reversed(path.parents), path):
        try:
            found = directory.stat()
        except OSError:
            return directory
        if found.st_uid == account.uid:
            allowed = found.st_mode & stat.S_IXUSR
        elif found.st_gid == account.gid:
            allowed = found.st_mode & stat.S_IXGRP
        else:
            allowed = found.st_mode & stat.S_IXOTH
        if stat.S_ISDIR(found.st_mode) and not allowed:
            return directory
    return None
