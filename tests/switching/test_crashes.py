"""A switch that is killed: everybody agrees afterwards on where the data live, and the next attempt cleans up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from tests.switching.ledger import ROOT, create, settle, to_json, writers

SCRIPT = """
import os, signal, sys
from dbadapter import DatabaseAdapter, DatabaseType
from tests.switching.ledger import from_json

def die(told):
    if told["phase"] == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

with DatabaseAdapter(from_json(sys.argv[1])) as adapter:
    adapter.switch_database(DatabaseType(sys.argv[3]), carry_data=True, progress=die)
"""


def killed_switch(config: DatabaseConfig, phase: str, target: DatabaseType) -> None:
    """A process that switches and is killed in the middle of `phase`."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", SCRIPT, to_json(config), phase, target.value]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == -9, done.stderr


@pytest.mark.parametrize("phase", ["copying", "verifying", "switching", "decided"])
def test_killed_on_the_way_to_postgres(both: DatabaseConfig, tmp_path: Path, phase: str) -> None:
    """Writers go on, on the one backend that the record names; a second attempt ends on Postgres."""
    with DatabaseAdapter(both) as adapter:
        create(adapter)
    with writers(both, tmp_path / "writers", 2) as crowd:
        killed_switch(both, phase, DatabaseType.POSTGRESQL)
        crowd.wait_for(20)
        with DatabaseAdapter(both) as adapter:
            decided = phase == "decided"
            assert adapter.db_type is (DatabaseType.POSTGRESQL if decided else DatabaseType.SQLITE)
            if not decided:
                adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True)
        crowd.wait_for(20)
        ended = crowd.finish()
    assert [backend for backend, _ in ended] == ["postgresql"] * 2
    assert settle(attrs.evolve(both, db_type=DatabaseType.POSTGRESQL), crowd) == []
    assert settle(both, crowd) == []


@pytest.mark.parametrize("phase", ["copying", "switching", "decided"])
def test_killed_on_the_way_back(both: DatabaseConfig, tmp_path: Path, phase: str) -> None:
    """The same from Postgres to the file that the data came from."""
    with DatabaseAdapter(both) as adapter:
        create(adapter)
        adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True)
    there = attrs.evolve(both, db_type=DatabaseType.POSTGRESQL)
    with writers(there, tmp_path / "writers", 2) as crowd:
        killed_switch(there, phase, DatabaseType.SQLITE)
        crowd.wait_for(20)
        with DatabaseAdapter(both) as adapter:
            decided = phase == "decided"
            assert adapter.db_type is (DatabaseType.SQLITE if decided else DatabaseType.POSTGRESQL)
            if not decided:
                adapter.switch_database(DatabaseType.SQLITE, carry_data=True)
        crowd.wait_for(20)
        ended = crowd.finish()
    assert [backend for backend, _ in ended] == ["sqlite"] * 2
    assert settle(both, crowd) == []
    assert settle(there, crowd) == []
