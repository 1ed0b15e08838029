"""Servers that restart and full disks in the middle of a switch: it is called off, and the next one succeeds.

All the while writer processes go on, and their account is settled at the end.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import SwitchAborted
from tests.servers import SETTINGS, TEMP_DIR
from tests.switching.ledger import create, settle, writers
from tests.switching.meddling import once

SQLITE, POSTGRES = DatabaseType.SQLITE, DatabaseType.POSTGRESQL


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    """A server of these tests' own, since they restart it."""
    with EmbeddedPostgres(settings=SETTINGS, temp_dir=TEMP_DIR) as server:
        yield server


@pytest.fixture
def pair(server: EmbeddedPostgres, tmp_path: Path, request: pytest.FixtureRequest) -> DatabaseConfig:
    """One configuration of two empty databases, on SQLite to begin with."""
    name = f"faults_{abs(hash(request.node.name))}"
    pool = attrs.evolve(server.config.pool, database=name)
    config = attrs.evolve(
        server.config, pool=pool, sqlite_path=str(tmp_path / "app.db"), create_database=True
    )
    with DatabaseAdapter(config):
        pass
    return attrs.evolve(config, db_type=SQLITE, create_database=False)


def fill(adapter: DatabaseAdapter, count: int = 200, text: str = "x") -> None:
    """A table with rows."""
    adapter.execute("CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY, b TEXT)")
    adapter.insert_many("t", [{"a": number, "b": text} for number in range(count)])


def leavings(adapter: DatabaseAdapter) -> list[str]:
    """What of ours stands in the database, apart from its record and the transfer's books."""
    sql = {
        SQLITE: "SELECT name FROM sqlite_master WHERE name LIKE '%dbadapter%'",
        POSTGRES: "SELECT relname::text FROM pg_class WHERE relname LIKE '%dbadapter%' AND relkind = 'r' UNION ALL "
        "SELECT tgname::text FROM pg_trigger WHERE tgname LIKE '%dbadapter%'",
    }
    books = {
        "_dbadapter_epoch",
        "_dbadapter_tables",
        "_dbadapter_rejects",
        "_dbadapter_originals",
        "_dbadapter_source",
    }
    rows = adapter.fetch_all(sql[adapter.db_type], row_type=tuple)
    names = [name for (name,) in rows if not books & {name, name.removesuffix("_pkey")}]
    return [name for name in names if not re.match("(sqlite_autoindex_)?_dbadapter_(collections|vec)", name)]


@pytest.mark.parametrize("phase", ["copying", "verifying"])
def test_a_restart_on_the_way_to_postgres(
    server: EmbeddedPostgres, pair: DatabaseConfig, tmp_path: Path, phase: str
) -> None:
    """The app notices nothing: it is on SQLite. The next attempt takes the leavings away and succeeds."""
    with DatabaseAdapter(pair) as adapter:
        create(adapter)
        with writers(pair, tmp_path / "writers", 2) as crowd:
            with pytest.raises(SwitchAborted):
                adapter.switch_database(
                    POSTGRES, carry_data=True, progress=once(phase, lambda: restart(server))
                )
            assert adapter.db_type is SQLITE
            crowd.wait_for(20)
            assert leavings(adapter) == []
            assert adapter.switch_database(POSTGRES, carry_data=True).verified
            crowd.wait_for(20)
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["postgresql"] * 2
        assert leavings(adapter) == []
    assert settle(attrs.evolve(pair, db_type=POSTGRES), crowd) == []


def restart(server: EmbeddedPostgres) -> None:
    """Stop and start."""
    server.stop()
    server.start()


def test_a_restart_in_the_moment_of_the_decision(
    server: EmbeddedPostgres, pair: DatabaseConfig, tmp_path: Path
) -> None:
    """The file decides, so the switch is done; the fence of an earlier switch is taken away by whoever meets it."""
    with DatabaseAdapter(pair) as adapter:
        create(adapter)
        for target in (POSTGRES, SQLITE):
            adapter.switch_database(target, carry_data=True)
        with writers(pair, tmp_path / "writers", 2, outages=True) as crowd:
            adapter.switch_database(
                POSTGRES, carry_data=True, progress=once("deciding", lambda: restart(server))
            )
            crowd.wait_for(20)
            with DatabaseAdapter(pair) as other:
                other.execute("INSERT INTO ledger VALUES (7, 1, 0)")
                assert other.db_type is POSTGRES
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["postgresql"] * 2
        assert (adapter.db_type, leavings(adapter)) == (POSTGRES, [])
    assert settle(attrs.evolve(pair, db_type=POSTGRES), crowd) == []


def moved_to_postgres(pair: DatabaseConfig) -> DatabaseConfig:
    """The writers' tables, made in the file and moved to the server."""
    with DatabaseAdapter(pair) as adapter:
        create(adapter)
        adapter.switch_database(POSTGRES, carry_data=True)
    return attrs.evolve(pair, db_type=POSTGRES)


@pytest.mark.parametrize("phase", ["copying", "verifying", "deciding"])
def test_a_restart_on_the_way_to_sqlite(
    server: EmbeddedPostgres, pair: DatabaseConfig, tmp_path: Path, phase: str
) -> None:
    """The app goes on with the server that has come back, also when the decision was on its way."""
    there = moved_to_postgres(pair)
    with DatabaseAdapter(there) as adapter:
        with writers(there, tmp_path / "writers", 2, outages=True) as crowd:
            with pytest.raises(SwitchAborted):
                adapter.switch_database(
                    SQLITE, carry_data=True, progress=once(phase, lambda: restart(server))
                )
            assert adapter.db_type is POSTGRES
            crowd.wait_for(20)
            assert adapter.switch_database(SQLITE, carry_data=True).verified
            crowd.wait_for(20)
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["sqlite"] * 2
        assert leavings(adapter) == []
    assert settle(pair, crowd) == []


def test_following_back_survives_a_restart(server: EmbeddedPostgres, pair: DatabaseConfig) -> None:
    """The lag grows while the server is away; afterwards the old file catches up, and the way back copies nothing."""
    with DatabaseAdapter(pair) as adapter:
        fill(adapter)
        adapter.switch_database(POSTGRES, carry_data=True, follow_back=True)
        server.stop()
        wait(lambda: adapter.status()["follow_back"]["problem"])
        assert adapter.status()["follow_back"]["active"]
        server.start()
        adapter.execute("INSERT INTO t VALUES (1000, 'after')")
        wait(lambda: adapter.status()["follow_back"]["rows"] == 1)
        report = adapter.switch_database(SQLITE, carry_data=True)
        assert (report.rows_copied, report.verified) == (0, True)
        assert adapter.fetch_value("SELECT count(*) FROM t") == 201


@pytest.mark.parametrize("home", [SQLITE, POSTGRES])
def test_following_back_survives_a_server_that_is_lost_on_the_way(
    server: EmbeddedPostgres, pair: DatabaseConfig, home: DatabaseType
) -> None:
    """The way back is called off; once the server is back, the old database catches up, and nothing is copied again."""
    away = next(each for each in DatabaseType if each is not home)
    with DatabaseAdapter(attrs.evolve(pair, db_type=home)) as adapter:
        fill(adapter)
        adapter.switch_database(away, carry_data=True, follow_back=True)
        try:
            with pytest.raises(SwitchAborted):
                adapter.switch_database(home, progress=once("verifying", server.stop))
        finally:
            server.start()
        adapter.execute("INSERT INTO t VALUES (1000, 'after')")
        wait(lambda: adapter.status()["follow_back"]["rows"] == 1)
        report = adapter.switch_database(home)
        assert (report.rows_copied, report.verified, adapter.db_type) == (0, True, home)
        assert adapter.fetch_value("SELECT count(*) FROM t") == 201


def wait(reached: Callable[[], Any]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextmanager
def small_disk(where: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own that is full soon."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("missing: a small file system can be mounted by root only")
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(where)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"missing: the right to mount a small file system ({mounted.stderr.strip()})")
    try:
        yield where
    finally:
        subprocess.run(["umount", "--lazy", str(where)], check=True)


def test_the_disk_of_the_file_is_full(pair: DatabaseConfig, tmp_path: Path) -> None:
    """On the way to SQLite: called off with the reason, the app goes on; with room, the next attempt succeeds."""
    with small_disk(tmp_path / "disk", 4) as disk:
        there = moved_to_postgres(attrs.evolve(pair, sqlite_path=str(disk / "app.db")))
        with DatabaseAdapter(there) as adapter:
            fill(adapter, 3000, "x" * 2000)
            with writers(there, tmp_path / "writers", 2) as crowd:
                with pytest.raises(SwitchAborted, match="full"):
                    adapter.switch_database(SQLITE, carry_data=True)
                assert (adapter.db_type, leavings(adapter)) == (POSTGRES, [])
                crowd.wait_for(20)
                subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
                assert adapter.switch_database(SQLITE, carry_data=True).verified
                crowd.wait_for(20)
                ended = crowd.finish()
            assert [backend for backend, _ in ended] == ["sqlite"] * 2
            assert adapter.fetch_value("SELECT count(*) FROM t") == 3000
        assert settle(attrs.evolve(there, db_type=SQLITE), crowd) == []


def test_the_disk_of_the_server_is_full(tmp_path: Path) -> None:
    """On the way to Postgres: called off with the reason; with room, the next attempt succeeds."""
    with small_disk(tmp_path / "disk", 400) as disk:
        with EmbeddedPostgres(disk / "data", settings=SETTINGS, temp_dir=TEMP_DIR) as server:
            pair = attrs.evolve(server.config, db_type=SQLITE, sqlite_path=str(tmp_path / "app.db"))
            with DatabaseAdapter(pair) as adapter:
                create(adapter)
                fill(adapter, 6000, "x" * 1000)

                def crowd_out() -> None:
                    free = os.statvfs(disk)
                    with open(disk / "ballast", "wb") as file:
                        file.write(bytes(max(free.f_bavail * free.f_frsize - 2_000_000, 0)))

                with writers(pair, tmp_path / "writers", 2) as crowd:
                    with pytest.raises(SwitchAborted):
                        adapter.switch_database(
                            POSTGRES, carry_data=True, progress=once("capturing", crowd_out)
                        )
                    assert (adapter.db_type, leavings(adapter)) == (SQLITE, [])
                    crowd.wait_for(20)
                    (disk / "ballast").unlink()
                    if not server.running:
                        server.start()
                    assert adapter.switch_database(POSTGRES, carry_data=True).verified
                    crowd.wait_for(20)
                    ended = crowd.finish()
                assert [backend for backend, _ in ended] == ["postgresql"] * 2
                assert adapter.fetch_value("SELECT count(*) FROM t") == 6000
            assert settle(attrs.evolve(pair, db_type=POSTGRES), crowd) == []
