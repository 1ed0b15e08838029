"""Data directories: made new, copied from a template, and their configuration."""

from __future__ import annotations

import os
import secrets
import shutil
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ..errors import DatabaseUnavailable
from ._account import Account
from ._binaries import Binaries, cache_directory, publish
from ._guard import Argument, Guard

SUPERUSER, DATABASE = "postgres", "postgres"
TEMPLATE_LAYOUT = 2  # raised when what is in a template changes
TOOL_TIMEOUT = 300.0
LOG_SEGMENT = "[0-9A-F]" * 24  # large files, which pg_resetwal makes anew

# Everything over a network needs the password; the socket lies in a directory that only we may enter.
HBA = """\
# Written by dbadapter when it made this directory; yours to edit.
local  all          all                trust
local  replication  all                trust
host   all          all  127.0.0.1/32  scram-sha-256
host   replication  all  127.0.0.1/32  scram-sha-256
"""

CONFIGURATION = "dbadapter.conf"


def create(
    target: Path, *, binaries: Binaries, account: Account | None, guard: Guard, scratch: Path, sync: bool
) -> None:
    """Make a new data directory: UTF-8, text ordered by code point, pgvector in the default database.

    Args:
        target: must not exist; its parent must be enterable for the account.
        scratch: a directory for temporary files.
        sync: force the files to the disk before returning.

    Raises:
        DatabaseUnavailable: initdb failed (a full disk, say), with what it printed.
    """
    target.mkdir(mode=0o700)
    if account is not None:
        account.own(target)
    output = scratch / "create.log"
    initdb: list[Argument] = [
        *(binaries.program("initdb"), "-D", target, "-U", SUPERUSER),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--auth=trust", "--no-instructions", *([] if sync else ["--no-sync"])),
    ]
    if guard.run(initdb, account=account, output=output, directory=target, timeout=TOOL_TIMEOUT):
        raise DatabaseUnavailable(f"initdb could not make {target}:\n{tail(output)}")
    # A server for one statement, without sockets: nobody can connect before it is configured.
    statement = scratch / "create.sql"
    statement.write_text("CREATE EXTENSION vector;\n")
    single: list[Argument] = [binaries.program("postgres"), "--single", "-j", "-D", target]
    single += [DATABASE] if sync else ["-c", "fsync=off", DATABASE]
    if guard.run(
        single, account=account, output=output, stdin=statement, directory=target, timeout=TOOL_TIMEOUT
    ):
        raise DatabaseUnavailable(f"PostgreSQL cannot run in {target}:\n{tail(output)}")
    (target / "pg_hba.conf").write_text(HBA)
    with (target / "postgresql.conf").open("a") as file:
        file.write(f"\n# Written anew at every start.\ninclude_if_exists = '{CONFIGURATION}'\n")


def create_from_template(
    target: Path, *, binaries: Binaries, account: Account | None, guard: Guard, scratch: Path
) -> None:
    """Make a new data directory quickly, as a copy of one made earlier; not forced to the disk."""
    template = cache_directory() / f"template-{binaries.build}-{TEMPLATE_LAYOUT}"
    try:
        if not template.is_dir():
            new = scratch / "template"
            create(new, binaries=binaries, account=account, guard=guard, scratch=scratch, sync=False)
            with tempfile.TemporaryDirectory(dir=template.parent, prefix="new-") as near:
                # Copied, so that the files are ours: what another account can write, we must not copy from.
                copy = shutil.copytree(
                    new, Path(near, "template"), ignore=shutil.ignore_patterns(LOG_SEGMENT)
                )
                publish(Path(copy), template)
        shutil.copytree(template, target)
        _give_identity(target)
        if account is not None:
            account.own_tree(target)
    except OSError as exc:  # shutil.Error is one
        raise DatabaseUnavailable(f"cannot make {target} as a copy of {template}: {exc}") from exc
    reset: list[Argument] = [binaries.program("pg_resetwal"), "-f", "-D", target]
    output = scratch / "create.log"
    if guard.run(reset, account=account, output=output, directory=target, timeout=TOOL_TIMEOUT):
        raise DatabaseUnavailable(f"pg_resetwal failed in {target}:\n{tail(output)}")


def configure(data: Path, settings: Mapping[str, str], account: Account | None) -> None:
    """Write the settings of the next start; they override ``postgresql.conf``."""
    lines = (
        "{} = '{}'\n".format(name, value.replace("\\", "\\\\").replace("'", "''"))
        for name, value in settings.items()
    )
    new = data / f"{CONFIGURATION}.new"
    new.write_text("# Written by dbadapter at every start.\n" + "".join(lines), encoding="utf-8")
    if account is not None:
        account.own(new)
    new.replace(data / CONFIGURATION)


def tail(log: Path, start: int = 0, lines: int = 12) -> str:
    """The last lines of a program's output, from byte ``start`` on."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, os.fstat(file.fileno()).st_size - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return "(no output)"
    return "\n".join(text.strip().splitlines()[-lines:]) or "(no output)"


def _give_identity(data: Path) -> None:
    """Draw a new system identifier, which a copy must not share with its original: it says "same database".

    It is the first field of the control file, whose last field is a checksum over all the others.
    `pg_resetwal`, run afterwards, carries it over to the log.
    """
    control = data / "global" / "pg_control"
    content = bytearray(control.read_bytes())
    end = _checksum_place(content)
    if end is None:
        raise OSError(f"{control} is damaged")
    struct.pack_into("=Q", content, 0, secrets.randbits(62) | 1 << 62)
    struct.pack_into("=I", content, end, _crc32c(0xFFFFFFFF, content[:end]) ^ 0xFFFFFFFF)
    control.write_bytes(content)


def _checksum_place(content: bytearray) -> int | None:
    """The offset at which the checksum of everything before it stands."""
    crc = 0xFFFFFFFF
    for place in range(0, 1024, 4):
        if struct.unpack_from("=I", content, place)[0] == crc ^ 0xFFFFFFFF:
            return place
        crc = _crc32c(crc, content[place : place + 4])
    return None


def _crc32c(crc: int, data: bytearray) -> int:
    """Update a CRC-32C register."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 & -(crc & 1))
    return crc
