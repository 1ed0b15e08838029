"""Interruptions and coincidences at the worst moments of a switch: nobody is left waiting, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig, DatabaseType
from dbadapter._sync import ahead
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.errors import SwitchAborted
from dbadapter.schema import Schema
from dbadapter.switching.ends import sole_mover
from dbadapter.switching.move import Move
from dbadapter.switching.postgres_source import PostgresSource
from dbadapter.switching.to_postgres import ToPostgres
from dbadapter.switching.to_sqlite import ToSQLite
from dbadapter.transfer._endpoints import open_postgres
from tests.servers import fresh_database
from tests.switching.meddling import once

SQLITE, POSTGRES = DatabaseType.SQLITE, DatabaseType.POSTGRESQL
MOVES: dict[DatabaseType, type[Move]] = {SQLITE: ToSQLite, POSTGRES: ToPostgres}
TABLE = "CREATE TABLE t (a BIGINT NOT NULL PRIMARY KEY)"


def other_than(target: DatabaseType) -> DatabaseType:
    """The backend to come from."""
    return POSTGRES if target is SQLITE else SQLITE


class Interrupted:
    """The mover's connection to the source: right after the decision is committed, `act` is called, once."""

    def __init__(self, raw: Any, act: Callable[[], None]) -> None:
        self._raw, self._acts = raw, [act]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)

    def execute(self, query: Any, *values: Any) -> Any:
        """Run a statement."""
        done = self._raw.execute(query, *values)
        if query == "COMMIT" and self._acts:
            self._acts.pop()()
        return done


def interrupt(target: DatabaseType, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> type[Move]:
    """Have `act` called in the moment after the decision of a move to `target`."""
    move = MOVES[target]
    finish: Any = move._finish

    def finishing(self: Any, patience: float) -> None:
        self._source.raw = Interrupted(self._source.raw, act)
        finish(self, patience)

    monkeypatch.setattr(move, "_finish", finishing)
    return move


@pytest.mark.parametrize("target", [SQLITE, POSTGRES])
def test_an_interruption_in_the_moment_of_the_decision(
    both: DatabaseConfig, target: DatabaseType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C right after the commit comes through, and the decision stands: others have written in the new home."""
    config = attrs.evolve(both, db_type=other_than(target))
    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.execute(TABLE)

        def act() -> None:
            other.execute("INSERT INTO t VALUES (1)")
            raise KeyboardInterrupt

        interrupt(target, act, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            adapter.switch_database(target, carry_data=True)
        monkeypatch.undo()
        assert adapter.db_type is target
        with adapter.transaction() as tx:
            tx.execute("INSERT INTO t VALUES (2)")
        assert other.fetch_value("SELECT count(*) FROM t") == 2
        assert adapter.switch_database(config.db_type, carry_data=True).verified


def test_nobody_knows_whether_the_decision_was_made(
    both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit's answer is lost, and the server cannot be asked: nothing is undone, and its record tells later."""
    config = attrs.evolve(both, db_type=POSTGRES)

    def act() -> None:
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    def read_nothing(self: Any) -> None:
        raise psycopg.OperationalError("connection refused")

    with DatabaseAdapter(config) as adapter:
        adapter.execute(TABLE)
        adapter.execute("INSERT INTO t VALUES (1)")
        move = interrupt(SQLITE, act, monkeypatch)
        monkeypatch.setattr(move, "_read_record", read_nothing)
        monkeypatch.setattr(move, "_was_committed", lambda self, away, patience: False)
        with pytest.raises(SwitchAborted):
            adapter.switch_database(SQLITE, carry_data=True)
        monkeypatch.undo()
        assert adapter.fetch_all("SELECT a FROM t", row_type=tuple) == [(1,)]
        assert adapter.db_type is SQLITE
        adapter.execute("INSERT INTO t VALUES (2)")


def test_a_target_that_was_opened_for_another_switch(
    both: DatabaseConfig, postgres_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first switch is called off, the second goes elsewhere: who has opened the first one's target leaves it."""
    with fresh_database(postgres_server) as elsewhere:
        first = attrs.evolve(both, db_type=POSTGRES)
        second = attrs.evolve(both, db_type=POSTGRES, pool=elsewhere.pool)
        with DatabaseAdapter(first) as prepared:
            prepared.execute(TABLE)
        with DatabaseAdapter(both) as adapter, DatabaseAdapter(both) as other:
            adapter.execute(TABLE)
            adapter.execute("INSERT INTO t VALUES (1)")

            def look() -> None:
                other._watch.look_after = 0.0
                assert other.fetch_value("SELECT count(*) FROM t") == 1

            def call_off() -> None:
                look()
                other._watch.ahead._opening.run(60)
                assert other._watch.ahead._backend is not None
                raise SwitchAborted("called off")

            with pytest.raises(SwitchAborted, match="called off"):
                adapter.switch_database(first, carry_data=True, progress=once("verifying", call_off))
            go, opens = threading.Event(), ahead.open_backend

            def open_late(config: DatabaseConfig) -> Any:
                assert go.wait(60)
                return opens(config)

            monkeypatch.setattr(ahead, "open_backend", open_late)
            adapter.switch_database(second, carry_data=True, progress=once("verifying", look))
            go.set()
            look()
            assert other.config.pool.database == elsewhere.pool.database
            other.execute("INSERT INTO t VALUES (2)")
            assert adapter.fetch_value("SELECT count(*) FROM t") == 2


def test_what_commits_while_the_pause_waits(both: DatabaseConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is carried over, also where the database's transactions see one moment by default."""
    config = attrs.evolve(both, db_type=POSTGRES)
    with DatabaseAdapter(config) as adapter:
        adapter.execute(TABLE)
        name = adapter.dialect.quote(config.pool.database)
        adapter.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    with (
        DatabaseAdapter(config) as adapter,
        open_postgres(config) as stranger,
        open_postgres(config) as watching,
    ):
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareRowExclusiveLock'"

        def commit() -> None:
            while watching.execute(waits).fetchone() == (0,):
                pass
            stranger.execute("COMMIT")

        def keep_away(self: Any, tables: Any) -> bool:
            stranger.execute("BEGIN")
            stranger.execute("INSERT INTO t VALUES (1)")
            committing.start()
            return kept(self, tables)

        committing, kept = threading.Thread(target=commit), PostgresSource.keep_vacuum_away
        monkeypatch.setattr(PostgresSource, "keep_vacuum_away", keep_away)
        adapter.switch_database(SQLITE, carry_data=True)
        committing.join()
        assert adapter.fetch_all("SELECT a FROM t", row_type=tuple) == [(1,)]


def test_the_lock_file_of_one_who_has_ended(tmp_path: Path) -> None:
    """Whoever opened it before it was taken away takes the one that is there now: never two movers at a time."""
    path = str(tmp_path / "app.db")
    lock = f"{path}-dbadapter-switch"
    opens = os.open

    def open_late(name: Any, *how: Any) -> int:
        found = opens(name, *how)
        if name == lock and not removed:
            removed.append(name)
            os.unlink(name)
        return found

    removed: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dbadapter.switching.ends.os.open", open_late)
        with sole_mover(path):
            assert removed
            with pytest.raises(SwitchAborted, match="another process"), sole_mover(path):
                pass
    assert not os.path.exists(lock)


@pytest.mark.anyio
@pytest.mark.parametrize("carry_data", [True, False])
async def test_a_cancel_while_the_old_pool_is_handed_over(both: DatabaseConfig, carry_data: bool) -> None:
    """The switch is done; whoever waited for it goes on, and the old pool is closed."""
    async with AsyncDatabaseAdapter(both) as adapter:
        await adapter.execute(TABLE)
        if not carry_data:
            async with AsyncDatabaseAdapter(attrs.evolve(both, db_type=POSTGRES)) as prepared:
                await prepared.execute(TABLE)
        old = adapter._backend.pool
        stop: Any = old._upkeep.stop

        async def stopping() -> None:
            switch.cancel()
            await stop()

        old._upkeep.stop = stopping  # type: ignore[method-assign]
        async with adapter.connection():
            switch = asyncio.create_task(adapter.switch_database(POSTGRES, carry_data=carry_data))
            while not old.writer.state.paused:
                await asyncio.sleep(0.005)
            waiting = asyncio.create_task(adapter.execute("INSERT INTO t VALUES (1)"))
            while not old.writer.state.held_back:
                await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await switch
        await asyncio.wait_for(waiting, 60)
        assert adapter.db_type is POSTGRES
        assert not any(lane.state.idle for lane in old._lanes)


def test_the_word_of_a_replica(postgres_cluster: EmbeddedPostgres) -> None:
    """It may lag behind: what it says of where the data live does not count as looked up for whoever writes."""
    with fresh_database(postgres_cluster) as config, DatabaseAdapter(config) as adapter:
        adapter.execute(TABLE)
        postgres_cluster.wait_for_replicas()
        while not adapter.get_stats()["reads"]["replica"]:
            adapter.fetch_value("SELECT count(*) FROM t", consistency="eventual")
        adapter._watch.look_soon()
        before = adapter.get_stats()["reads"]["replica"]
        adapter.fetch_value("SELECT count(*) FROM t", consistency="eventual")
        assert adapter.get_stats()["reads"]["replica"] == before + 1
        assert adapter._watch.is_due()
        assert adapter._watch.replicas_after
        adapter.execute("INSERT INTO t VALUES (1)")
        assert not adapter._watch.is_due()


SCHEMA = Schema.from_sql("CREATE TABLE n (id INTEGER PRIMARY KEY)", "sqlite")
ASKED: list[Callable[[DatabaseAdapter, Any], Any]] = [
    lambda adapter, _: adapter.list_tables(),
    lambda adapter, _: adapter.describe_table("t").name,
    lambda adapter, _: adapter.create_tables(SCHEMA),
    lambda adapter, _: adapter.drop_tables(SCHEMA),
    lambda adapter, _: [each.name for each in adapter.vectors.list_collections()],
    lambda adapter, _: adapter.vectors.get_collection("docs").count(),
    lambda _, docs: docs.get(where={"k": 1})["ids"],
    lambda _, docs: docs.query([[1.0, 0.0]], n_results=2)["ids"],
    lambda _, docs: [each.id for each in docs.search([1.0, 0.0], 2, where={"k": 2})],
    lambda _, docs: [each.id for each in docs.hybrid_search("alpha", [1.0, 0.0], 2)],
    lambda _, docs: docs.upsert(["a"], [[1.0, 1.0]]),
    lambda _, docs: docs.stats()["count"],
    lambda _, docs: docs.vacuum(),
]


@pytest.mark.parametrize("target", [SQLITE, POSTGRES])
def test_what_is_asked_first_after_another_process_has_switched(
    both: DatabaseConfig, target: DatabaseType
) -> None:
    """No text that was made for one backend is run on the other; answers are those of before."""
    home = other_than(target)
    config = attrs.evolve(both, db_type=home)
    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.execute(TABLE)
        docs = adapter.vectors.create_collection("docs", dimension=2)
        docs.add(["a", "b"], [[1.0, 0.0], [0.0, 1.0]], [{"k": 1}, {"k": 2}], ["alpha", "beta"])
        theirs = other.vectors.get_collection("docs")
        for ask in ASKED:
            before = ask(other, theirs)
            adapter.switch_database(target, carry_data=True)
            other._watch.look_after = 0.0  # so much time has passed
            assert ask(other, theirs) == before
            assert other.db_type is target
            adapter.switch_database(home, carry_data=True)


def test_vectors_in_a_transaction_that_has_not_begun(both: DatabaseConfig) -> None:
    """On Postgres it begins with its first statement, by when the data may be elsewhere."""
    config = attrs.evolve(both, db_type=POSTGRES)
    with DatabaseAdapter(config) as adapter, DatabaseAdapter(config) as other:
        adapter.vectors.create_collection("docs", dimension=1).add(["a"], [[1.0]], [{"k": 1}])
        with other.transaction() as tx:
            docs = tx.vectors
            adapter.switch_database(SQLITE, carry_data=True)
            other._watch.look_after = 0.0
            assert docs.get_collection("docs").get(where={"k": 1})["ids"] == ["a"]
            docs.get_collection("docs").add(["b"], [[2.0]])
        assert adapter.vectors.get_collection("docs").count() == 2
