"""Cancelled tasks, Ctrl-C, forks and hasty exits: connections come back, and nobody gets another's answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import attrs
import pytest

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig, DatabaseType
from tests.faults.scripts import run

LONG = (
    "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 2000000000)"
    " SELECT max(n) FROM c"
)


@pytest.fixture
async def tight(config: DatabaseConfig) -> AsyncIterator[AsyncDatabaseAdapter]:
    """An async adapter with at most two connections, so that a lost one is felt."""
    pool = attrs.evolve(config.pool, min_connections=1, max_connections=2, connection_timeout=20)
    async with AsyncDatabaseAdapter(attrs.evolve(config, pool=pool)) as adapter:
        await adapter.execute("CREATE TABLE n (i BIGINT)")
        yield adapter


async def everything_is_back(adapter: AsyncDatabaseAdapter) -> None:
    """All connections are free, and each gives its own answers."""
    for _ in range(2000):
        if adapter.get_stats()["active"] == 0:
            break
        await asyncio.sleep(0.002)
    assert adapter.get_stats()["active"] == 0
    answers = await asyncio.gather(
        *(adapter.fetch_value("SELECT CAST(? AS BIGINT)", (n,)) for n in range(10))
    )
    assert answers == list(range(10))
    async with adapter.transaction() as tx:
        await tx.execute("DELETE FROM n")


async def one_after_another(adapter: AsyncDatabaseAdapter) -> None:
    """Reads."""
    for n in range(1000):
        await adapter.fetch_value("SELECT CAST(? AS BIGINT)", (n,))


async def in_transactions(adapter: AsyncDatabaseAdapter) -> None:
    """Transactions with savepoints."""
    while True:
        async with adapter.transaction() as tx:
            await tx.execute("INSERT INTO n (i) VALUES (1)")
            await asyncio.sleep(0)
            async with tx.transaction() as inner:
                await inner.insert_many("n", [{"i": 2}])


async def streaming(adapter: AsyncDatabaseAdapter) -> None:
    """Streams."""
    while True:
        async for _ in adapter.stream("SELECT * FROM (VALUES (1), (2), (3)) q", batch_size=1):
            await asyncio.sleep(0)


async def loading(adapter: AsyncDatabaseAdapter) -> None:
    """Bulk loads."""
    while True:
        await adapter.insert_many("n", [{"i": n} for n in range(300)])


@pytest.mark.parametrize(
    "work", [one_after_another, in_transactions, streaming, loading], ids=lambda f: f.__name__
)
async def test_cancelled_anywhere(tight: AsyncDatabaseAdapter, work: object) -> None:
    """Tasks cancelled after any number of steps, also while they wait, leave nothing behind."""
    for steps in range(25):
        tasks = [asyncio.ensure_future(work(tight)) for _ in range(4)]  # type: ignore[operator]
        for _ in range(steps):
            await asyncio.sleep(0)
        if steps % 5 == 0:
            await asyncio.sleep(0.003)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} == {asyncio.CancelledError}
    await everything_is_back(tight)


async def test_a_cancelled_statement_stops_at_the_database(tight: AsyncDatabaseAdapter) -> None:
    """A statement that would run for minutes ends when its task does, also inside a transaction."""
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await tight.fetch_value(LONG)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                async with tight.transaction() as tx:
                    await tx.execute("INSERT INTO n (i) VALUES (1)")
                    await tx.fetch_value(LONG)
    assert await tight.fetch_value("SELECT count(*) FROM n") == 0
    await everything_is_back(tight)


async def test_a_cancelled_bulk_load_ends(tight: AsyncDatabaseAdapter) -> None:
    """It stops with one of the next rows, also when these are slow to make, and leaves nothing behind."""
    for begun in (0, 1, 100):
        made: list[int] = []

        def rows(made: list[int] = made) -> Iterator[dict[str, int]]:
            for number in range(20_000):
                made.append(sum(range(2000)))
                yield {"i": number}

        task = asyncio.create_task(tight.insert_many("n", rows()))
        while len(made) < begun:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(made) < 20_000
        assert await tight.fetch_value("SELECT count(*) FROM n") == 0
    await everything_is_back(tight)


async def test_cancelled_transactions_do_not_commit(tight: AsyncDatabaseAdapter) -> None:
    """Each transaction is there whole or not at all, wherever the cancellation hit."""
    whole = 0
    for steps in range(60):

        async def work(number: int = steps) -> None:
            async with tight.transaction() as tx:
                await tx.execute("INSERT INTO n (i) VALUES (?)", (number,))
                await tx.execute("INSERT INTO n (i) VALUES (?)", (number,))

        task = asyncio.ensure_future(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        done = (await asyncio.gather(task, return_exceptions=True))[0] is None
        count = await tight.fetch_value("SELECT count(*) FROM n WHERE i = ?", (steps,))
        assert count in ((2,) if done else (0, 2))
        whole += done
    await everything_is_back(tight)


CONFIG = """
given = json.loads(sys.argv[1])
config = DatabaseConfig(**{**given, "pool": PoolConfig(**given["pool"])})
"""


def given(config: DatabaseConfig) -> str:
    """A configuration for a script."""
    pool = attrs.asdict(config.pool) | {"min_connections": 1, "max_connections": 2}
    return json.dumps({"db_type": config.db_type.value, "sqlite_path": str(config.sqlite_path), "pool": pool})


def test_ctrl_c(config: DatabaseConfig) -> None:
    """KeyboardInterrupt at any moment gives the connection back, and the next answer is the right one."""
    said = run(
        CONFIG
        + """
with DatabaseAdapter(config) as adapter:
    adapter.execute("CREATE TABLE n (i BIGINT)")
    interrupted = 0
    for round in range(25):
        timer = threading.Timer(0.002 + 0.0007 * round, os.kill, (os.getpid(), signal.SIGINT))
        try:
            timer.start()
            for n in range(100_000):
                with adapter.transaction() as tx:
                    tx.execute("INSERT INTO n (i) VALUES (?)", (round,))
                    tx.execute("INSERT INTO n (i) VALUES (?)", (round,))
                assert adapter.fetch_value("SELECT CAST(? AS BIGINT)", (n,)) == n
        except KeyboardInterrupt:
            interrupted += 1
        timer.join()
        assert adapter.fetch_value("SELECT CAST(? AS BIGINT)", (round,)) == round
    odd = adapter.fetch_all("SELECT i FROM n GROUP BY i HAVING count(*) % 2 = 1")
    print(interrupted, odd, adapter.get_stats()["active"])
        """,
        given(config),
    )
    assert said.strip() == "25 [] 0"


@pytest.mark.parametrize("limit", [None, 60.0])
def test_ctrl_c_in_a_long_statement(config: DatabaseConfig, limit: float | None) -> None:
    """The statement ends, KeyboardInterrupt comes through, also where its time is limited, and the adapter works on."""
    said = run(
        CONFIG
        + f"""
with DatabaseAdapter(config) as adapter:
    for _ in range(2):
        timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            adapter.fetch_value({LONG.replace("2000000000", "3000000")!r})
        except KeyboardInterrupt:
            print("interrupted")
        timer.join()
        print(adapter.fetch_value("SELECT 1"), adapter.get_stats()["active"])
        """,
        given(attrs.evolve(config, pool=attrs.evolve(config.pool, statement_timeout=limit))),
    )
    assert said.split() == ["interrupted", "1", "0"] * 2


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child(config: DatabaseConfig) -> None:
    """A child that uses its parent's adapter is refused, saying why, or served on its own connections."""
    said = run(
        CONFIG
        + """
import warnings
warnings.simplefilter("ignore")
adapter = DatabaseAdapter(config)
adapter.initialize()
adapter.execute("CREATE TABLE n (i BIGINT)")
def ask(low):
    for n in range(low, low + 200):
        assert adapter.fetch_value("SELECT CAST(? AS BIGINT)", (n,)) == n, "another's answer"
        adapter.execute("INSERT INTO n (i) VALUES (?)", (n,))
children = []
for low in (1000, 2000):
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            ask(low)
        except DatabaseAdapterError as error:
            code = 3 if "fork" in str(error) else 4
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            code = 5
        os._exit(code)
    children.append(pid)
ask(0)
codes = {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children}
print(codes <= {0, 3} or codes, adapter.fetch_value("SELECT count(*) FROM n WHERE i < 1000"))
adapter.close()
        """,
        given(config),
    )
    assert said.strip() == "True 200"


@pytest.mark.parametrize("ending", ["", "sys.exit(0)", "del adapter"])
def test_leaving_without_closing(config: DatabaseConfig, ending: str) -> None:
    """A script that forgets close() ends at once, with exit code 0, without a word, and its work is kept."""
    said = run(
        CONFIG
        + f"""
adapter = DatabaseAdapter(config)
adapter.initialize()
adapter.execute("CREATE TABLE n (i BIGINT)")
adapter.execute("INSERT INTO n (i) VALUES (1)")
print(adapter.fetch_value("SELECT i FROM n"))
{ending}
        """,
        given(config),
    )
    assert said.strip() == "1"


def test_leaving_an_event_loop_without_closing(config: DatabaseConfig) -> None:
    """The same for the async adapter whose loop ends first."""
    said = run(
        CONFIG
        + """
async def main():
    adapter = AsyncDatabaseAdapter(config)
    await adapter.initialize()
    print(await adapter.fetch_value("SELECT 1"))
asyncio.run(main())
        """,
        given(config),
    )
    assert said.strip() == "1"


def test_another_event_loop(config: DatabaseConfig) -> None:
    """An async adapter in a second event loop works or is refused, saying why; it never hangs."""
    said = run(
        CONFIG
        + """
adapter = AsyncDatabaseAdapter(config)
async def first():
    await adapter.initialize()
    assert await adapter.fetch_value("SELECT 1") == 1
async def second():
    try:
        async with asyncio.timeout(10):
            assert await adapter.fetch_value("SELECT 1") == 1
            await adapter.close()
    except DatabaseAdapterError as error:
        assert "loop" in str(error), error
asyncio.run(first())
asyncio.run(second())
print("fine")
        """,
        given(config),
    )
    assert said.strip() == "fine"


@pytest.mark.parametrize("db_type", list(DatabaseType))
def test_sixteen_threads(both: DatabaseConfig, db_type: DatabaseType) -> None:
    """Threads that start, use the adapter and end do not use it up; answers are never mixed."""
    from dbadapter import DatabaseAdapter
    from tests.crowd import Crowd

    pool = attrs.evolve(both.pool, min_connections=1, max_connections=3)
    with DatabaseAdapter(attrs.evolve(both, db_type=db_type, pool=pool)) as adapter:
        adapter.execute("CREATE TABLE n (i BIGINT PRIMARY KEY)")

        def work(number: int) -> None:
            for n in range(15):
                adapter.execute("INSERT INTO n (i) VALUES (?)", (number * 100 + n,))
                assert (
                    adapter.fetch_value("SELECT i FROM n WHERE i = ?", (number * 100 + n,))
                    == number * 100 + n
                )

        for start in range(3):
            with Crowd() as crowd:
                for number in range(16):
                    crowd.start(work, start * 16 + number)
        assert adapter.fetch_value("SELECT count(*) FROM n") == 3 * 16 * 15
        assert adapter.get_stats()["created"] <= 10
