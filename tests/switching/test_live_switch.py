"""The live switch under load from several processes: nothing lost, nothing doubled, no error anywhere."""

from __future__ import annotations

from pathlib import Path

import attrs

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from tests.switching.ledger import create, settle, writers


def test_sqlite_to_postgres_under_load(both: DatabaseConfig, tmp_path: Path) -> None:
    """Four processes write on; each finds the new backend by itself, and every acknowledged write is there once."""
    with DatabaseAdapter(both) as adapter:
        create(adapter)
        with writers(both, tmp_path / "writers", 4) as crowd:
            report = adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True)
            crowd.wait_for(20)
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["postgresql"] * 4
        assert report.verified
        assert report.rows_copied >= 40
        assert adapter.db_type is DatabaseType.POSTGRESQL
    assert settle(attrs.evolve(both, db_type=DatabaseType.POSTGRESQL), crowd) == []
    print(report, ended)


def test_there_and_back_under_load(both: DatabaseConfig, tmp_path: Path) -> None:
    """To Postgres, back to the same file, and to Postgres again, while four processes write on."""
    with DatabaseAdapter(both) as adapter:
        create(adapter)
        with writers(both, tmp_path / "writers", 4) as crowd:
            for epoch in (1, 2, 3):
                target = DatabaseType.SQLITE if epoch == 2 else DatabaseType.POSTGRESQL
                report = adapter.switch_database(target, carry_data=True)
                assert (report.epoch, report.verified) == (epoch, True)
                print(report)
                crowd.wait_for(20)
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["postgresql"] * 4
    assert settle(attrs.evolve(both, db_type=DatabaseType.POSTGRESQL), crowd) == []
    print(ended)


def test_follow_back(both: DatabaseConfig, tmp_path: Path) -> None:
    """The old file is kept up to date, its lag is told, and switching back copies nothing and loses nothing."""
    with DatabaseAdapter(both) as adapter:
        create(adapter)
        with writers(both, tmp_path / "writers", 2) as crowd:
            adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True, follow_back=True)
            crowd.wait_for(20)
            state = adapter.status()["follow_back"]
            assert state["problem"] is None
            assert state["lag_seconds"] < 30
            report = adapter.switch_database(DatabaseType.SQLITE, carry_data=True)
            assert (report.epoch, report.rows_copied, report.verified) == (2, 0, True)
            crowd.wait_for(20)
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["sqlite"] * 2
    assert settle(both, crowd) == []
