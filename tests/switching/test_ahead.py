"""Processes that hear of a switch open its target before the data are there."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter.errors import SwitchAborted

POSTGRES = DatabaseType.POSTGRESQL


def look_until(adapter: DatabaseAdapter, *, is_open: bool) -> Any:
    """Use the adapter until it has opened the target ahead of time, or closed it again; what it has open then."""
    deadline = time.monotonic() + 60
    while (adapter._watch.ahead._backend is not None) is not is_open:
        assert time.monotonic() < deadline
        adapter.fetch_value("SELECT 1")
        time.sleep(0.01)
    return adapter._watch.ahead._backend


def test_the_target_is_open_before_the_swap(both: DatabaseConfig) -> None:
    """An adapter that only follows goes on with connections that it opened while rows were being copied."""
    with DatabaseAdapter(both) as adapter, DatabaseAdapter(both) as other:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        adapter.insert_many("t", [{"a": number} for number in range(10)])
        for target in (POSTGRES, DatabaseType.SQLITE):
            opened: list[Any] = []

            def tell(told: Any, opened: list[Any] = opened) -> None:
                if told["phase"] == "verifying" and not opened:
                    opened.append(look_until(other, is_open=True))

            adapter.switch_database(target, carry_data=True, progress=tell)
            other._watch.look_after = 0.0  # so much time has passed
            assert other.fetch_value("SELECT count(*) FROM t") == 10
            assert other._backend is opened[0]
            assert adapter._watch.ahead.token == ""  # it opens the target itself


def test_a_switch_that_is_called_off(both: DatabaseConfig) -> None:
    """What was opened ahead of time is closed again, and the next switch is followed."""
    with DatabaseAdapter(both) as adapter, DatabaseAdapter(both) as other:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")

        def tell(told: Any) -> None:
            if told["phase"] == "verifying":
                look_until(other, is_open=True)
                raise SwitchAborted("for the test")

        for _ in range(2):
            with pytest.raises(SwitchAborted, match="for the test"):
                adapter.switch_database(POSTGRES, carry_data=True, progress=tell)
            look_until(other, is_open=False)
        adapter.switch_database(POSTGRES, carry_data=True)
        other._watch.look_after = 0.0
        assert (other.fetch_value("SELECT count(*) FROM t"), other.db_type) == (0, POSTGRES)


def test_a_rehearsal_is_nobodys_business(both: DatabaseConfig) -> None:
    """Nobody opens the scratch database of a rehearsal."""
    with DatabaseAdapter(both) as adapter, DatabaseAdapter(both) as other:
        adapter.execute("CREATE TABLE t (a INTEGER PRIMARY KEY)")
        heard = []

        def tell(told: Any) -> None:
            if told["phase"] == "verifying":
                while not other._watch.alert:
                    other.fetch_value("SELECT 1")
                heard.append(other._watch.ahead._config)

        adapter.rehearse_switch(POSTGRES, progress=tell)
        assert heard == [None]
