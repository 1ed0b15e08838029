"""An app that writes faster than its changes can be carried over is slowed down, and not given up on too soon."""

from __future__ import annotations

import psycopg
import pytest

from dbadapter import DatabaseConfig
from dbadapter._core.switching import GAIN, GATE, CatchUp
from dbadapter.switching.postgres_brake import Brake
from dbadapter.transfer._endpoints import open_postgres


def test_rounds_that_are_fast_need_no_brake() -> None:
    """As long as each round finds a small part of what the one before found, the app is left alone."""
    watch = CatchUp(enough=10)
    for changes in (10_000, 10_000 // GAIN, 10_000 // GAIN**2, 10_000 // GAIN**3):
        assert not watch.is_done(changes)
        assert not watch.is_losing
    assert watch.is_done(10)


def test_rounds_that_hardly_gain_are_losing() -> None:
    """A rest that stays as it is calls for the brake, and after many rounds in vain the switch is hopeless."""
    watch = CatchUp(enough=10, patience=5)
    assert not watch.is_done(1000)
    assert not watch.is_losing
    for _ in range(5):
        assert not watch.is_hopeless
        assert not watch.is_done(1000)
        assert watch.is_losing
    assert watch.is_hopeless
    assert not watch.is_done(100)
    assert not watch.is_losing
    assert not watch.is_hopeless


def test_the_brake_closes_the_gate_now_and_then(postgres_database: DatabaseConfig) -> None:
    """Whoever asks for the gate is refused at some moments and let through at others; released, it is open for good."""
    with open_postgres(postgres_database) as raw:
        raw.execute(f"CREATE TABLE {GATE} ()".encode())

        def passes() -> bool:
            try:
                with raw.transaction():
                    raw.execute(f"LOCK TABLE {GATE} IN ROW SHARE MODE NOWAIT".encode())
            except psycopg.errors.LockNotAvailable:
                return False
            return True

        brake = Brake(postgres_database)
        try:
            wanted = {True, False}
            while wanted:  # else the time limit of the test says so
                wanted.discard(passes())
        finally:
            brake.release()
        assert passes()
        brake.release()


def test_a_brake_without_a_gate(postgres_database: DatabaseConfig, caplog: pytest.LogCaptureFixture) -> None:
    """A brake that finds no gate ends by itself: the switch goes on without it."""
    with caplog.at_level("INFO", logger="dbadapter.switch"):
        brake = Brake(postgres_database)
        brake._thread.join()
        brake.release()
    assert "cannot be slowed down" in caplog.text
