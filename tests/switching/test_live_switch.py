"""The live switch under load from several processes: nothing lost, nothing doubled, no error anywhere."""

from __future__ import annotations

from pathlib import Path

import attrs
import psycopg
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import SwitchAborted
from tests.switching.ledger import create, settle, writers
from tests.switching.meddling import once

# The foreign and unique keys of the ledger's tables on Postgres, and whether all rows were checked.
CONSTRAINTS = """SELECT contype::text, convalidated FROM pg_constraint
    WHERE contype IN ('f', 'u') AND conrelid IN ('accounts'::regclass, 'holders'::regclass, 'cards'::regclass)
    ORDER BY contype"""


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
            limits = attrs.evolve(both.pool, max_connections=7)  # the same file, in other words
            report = adapter.switch_database(attrs.evolve(both, pool=limits), carry_data=True)
            assert (report.epoch, report.rows_copied, report.verified) == (2, 0, True)
            crowd.wait_for(20)
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["sqlite"] * 2
    assert settle(both, crowd) == []


def test_following_both_ways(both: DatabaseConfig, tmp_path: Path) -> None:
    """Each switch leaves the other database following, so that the next one copies nothing, in either direction."""
    with DatabaseAdapter(both) as adapter:
        create(adapter)
        with writers(both, tmp_path / "writers", 2) as crowd:
            adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True, follow_back=True)
            for epoch, target in ((2, DatabaseType.SQLITE), (3, DatabaseType.POSTGRESQL)):
                crowd.wait_for(20)
                state = adapter.status()["follow_back"]
                assert state["problem"] is None
                report = adapter.switch_database(target, carry_data=True, follow_back=True)
                assert (report.epoch, report.rows_copied, report.verified) == (epoch, 0, True)
            crowd.wait_for(20)
            ended = crowd.finish()
        assert [backend for backend, _ in ended] == ["postgresql"] * 2
        with DatabaseAdapter(attrs.evolve(both, db_type=DatabaseType.POSTGRESQL)) as other:
            assert other.fetch_all(CONSTRAINTS, row_type=tuple) == [("f", True), ("u", True), ("u", True)]
    assert settle(attrs.evolve(both, db_type=DatabaseType.POSTGRESQL), crowd) == []


@pytest.mark.parametrize("phase", ["catching up", "verifying", "switching", "deciding"])
@pytest.mark.parametrize("home", list(DatabaseType))
def test_a_way_back_that_is_called_off(both: DatabaseConfig, home: DatabaseType, phase: str) -> None:
    """The old database goes on being kept up to date, so that the next attempt copies nothing either."""
    away = next(each for each in DatabaseType if each is not home)

    def refuse() -> None:
        raise SwitchAborted("for the test")

    with DatabaseAdapter(attrs.evolve(both, db_type=home)) as adapter:
        create(adapter)
        adapter.switch_database(away, carry_data=True, follow_back=True)
        for number in range(2):
            adapter.execute("INSERT INTO holders (id, nick) VALUES (?, ?)", (2 * number, f"before {number}"))
            with pytest.raises(SwitchAborted, match="for the test"):
                adapter.switch_database(home, follow_back=True, progress=once(phase, refuse))
            assert adapter.db_type is away
            adapter.execute(
                "INSERT INTO holders (id, nick) VALUES (?, ?)", (2 * number + 1, f"after {number}")
            )
            assert adapter.status()["follow_back"]["active"]
            assert adapter.status()["follow_back"]["problem"] is None
        report = adapter.switch_database(home)
        assert (report.rows_copied, report.verified, adapter.db_type) == (0, True, home)
        assert adapter.fetch_all("SELECT id FROM holders ORDER BY id", row_type=tuple) == [
            (0,),
            (1,),
            (2,),
            (3,),
        ]


def test_a_postgres_database_that_follows(both: DatabaseConfig) -> None:
    """It refuses everybody else's writes, keeps up, and is whole again when the following ends."""
    there = attrs.evolve(both, db_type=DatabaseType.POSTGRESQL)
    with DatabaseAdapter(both) as adapter:
        create(adapter)
        adapter.switch_database(DatabaseType.POSTGRESQL, carry_data=True)
        adapter.switch_database(DatabaseType.SQLITE, carry_data=True, follow_back=True)
        adapter.execute("INSERT INTO holders (id, nick) VALUES (1, 'one')")
        adapter.execute("INSERT INTO cards (id, holder) VALUES (7, 1)")
        adapter.execute("UPDATE accounts SET owner = 'somebody' WHERE id = 3")
        pool = there.pool
        with psycopg.connect(
            host=pool.host,
            port=pool.port,
            dbname=pool.database,
            user=pool.user,
            password=pool.password,
            autocommit=True,
        ) as raw:
            with pytest.raises(psycopg.Error, match="moved"):
                raw.execute("DELETE FROM accounts")
            query = "SELECT owner FROM accounts WHERE id = 3"
            while raw.execute(query).fetchone() != ("somebody",):
                assert adapter.status()["follow_back"]["problem"] is None
            assert raw.execute("SELECT holder FROM cards WHERE id = 7").fetchone() == (1,)
            adapter.close()
            assert [kind for kind, _ in raw.execute(CONSTRAINTS)] == ["f", "u", "u"]
            with pytest.raises(psycopg.Error, match="moved"):
                raw.execute("DELETE FROM accounts")
