"""Files that are no databases, locked, read-only, full or damaged: one error of ours, and nothing lost."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig, PoolConfig
from dbadapter.errors import DatabaseBusy, DatabaseUnavailable, DataError, ForeignKeyViolation
from tests.faults.scripts import run

IMPATIENT = PoolConfig(connection_timeout=0.3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A database with a table t of one row, closed."""
    path = tmp_path / "app.db"
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT)")
        adapter.execute("INSERT INTO t (a) VALUES (1)")
    return path


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that another user can enter, unlike tmp_path."""
    directory = Path(tempfile.mkdtemp(prefix="dbadapter-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def sound(path: Path) -> list[int]:
    """The rows of a file that passes SQLite's own check."""
    other = sqlite3.connect(path)
    try:
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return [row[0] for row in other.execute("SELECT a FROM t ORDER BY a")]
    finally:
        other.close()


@pytest.mark.parametrize(
    "content", [b"this is text, not a database\n" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_file_that_is_not_a_database(tmp_path: Path, content: bytes) -> None:
    """Refused on opening, with the path in the message; the file is left as it was."""
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises((DatabaseUnavailable, DataError), match="notes") as caught:
        DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))).initialize()
    assert isinstance(caught.value.__cause__, sqlite3.Error)
    assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_directory_in_the_place_of_the_file(tmp_path: Path) -> None:
    """DatabaseUnavailable naming the path."""
    with pytest.raises(DatabaseUnavailable, match=tmp_path.name):
        DatabaseAdapter(DatabaseConfig(sqlite_path=str(tmp_path))).initialize()


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    """A path below a file: DatabaseUnavailable, not an OSError."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnavailable, match="file"):
        DatabaseAdapter(DatabaseConfig(sqlite_path=str(tmp_path / "file" / "app.db"))).initialize()


def test_a_read_only_file(open_to_all: Path) -> None:
    """Someone who may only read gets a clear error, from opening or from writing; the data stays as it is."""
    path = open_to_all / "app.db"
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT)")
        adapter.execute("INSERT INTO t (a) VALUES (1)")
    path.chmod(0o444)
    open_to_all.chmod(0o555)
    said = run(
        """
        if os.geteuid() == 0:
            os.setuid(65534)
        adapter = DatabaseAdapter(DatabaseConfig(sqlite_path=sys.argv[1]))
        try:
            adapter.initialize()
            print(adapter.fetch_value("SELECT a FROM t"))
            adapter.execute("INSERT INTO t (a) VALUES (2)")
        except (DatabaseUnavailable, DataError) as error:
            print(type(error).__name__, type(error.__cause__).__name__, error)
        adapter.close()
        """,
        str(path),
    )
    assert "OperationalError" in said
    open_to_all.chmod(0o755)
    assert sound(path) == [1]


def test_locked_by_another_process(path: Path) -> None:
    """Reading goes on; writing is DatabaseBusy after connection_timeout, and works once the lock is gone."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path), pool=IMPATIENT)) as adapter:
        assert adapter.fetch_value("SELECT a FROM t") == 1
        for _ in range(2):
            with pytest.raises(DatabaseBusy) as caught:
                adapter.execute("INSERT INTO t (a) VALUES (2)")
            assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
            with pytest.raises(DatabaseBusy), adapter.transaction() as tx:
                tx.execute("INSERT INTO t (a) VALUES (2)")
            with pytest.raises(DatabaseBusy):
                adapter.insert_many("t", [{"a": 2}])
        other.execute("ROLLBACK")
        other.close()
        adapter.execute("INSERT INTO t (a) VALUES (3)")
        assert adapter.get_stats()["active"] == 0
    assert sound(path) == [1, 3]


def test_waiting_for_another_process(path: Path) -> None:
    """A lock that goes away in time is waited for, without an error."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO t (a) VALUES (5)")
        release = threading.Timer(0.1, other.execute, ("COMMIT",))
        release.start()
        with adapter.transaction() as tx:
            tx.execute("UPDATE t SET a = a + 1")
        release.join()
    other.close()
    assert sound(path) == [2, 6]


def test_locked_while_opening(tmp_path: Path) -> None:
    """A file held exclusively by another is DatabaseBusy or DatabaseUnavailable; later it opens."""
    path = tmp_path / "app.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (a BIGINT)")
    other.execute("BEGIN EXCLUSIVE")
    adapter = DatabaseAdapter(DatabaseConfig(sqlite_path=str(path), pool=IMPATIENT))
    with pytest.raises((DatabaseBusy, DatabaseUnavailable)):
        adapter.initialize()
    other.execute("ROLLBACK")
    with adapter:
        adapter.execute("INSERT INTO t (a) VALUES (1)")
    other.close()
    assert sound(path) == [1]


def test_opening_while_another_writes_without_a_log(tmp_path: Path) -> None:
    """A new file that another program is writing in SQLite's default mode is waited for, not called locked."""
    path = tmp_path / "app.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("CREATE TABLE t (a BIGINT)")
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO t (a) VALUES (1)")
    adapter = DatabaseAdapter(DatabaseConfig(sqlite_path=str(path)))
    failures: list[BaseException] = []

    def opening() -> None:
        try:
            adapter.initialize()
        except BaseException as error:
            failures.append(error)

    opener = threading.Thread(target=opening)
    opener.start()
    opener.join(0.2)  # it has every chance to give up too early
    assert opener.is_alive(), failures
    other.execute("COMMIT")
    other.close()
    opener.join()
    assert not failures
    with adapter:
        adapter.execute("INSERT INTO t (a) VALUES (2)")
    assert sound(path) == [1, 2]


def test_a_full_database(path: Path) -> None:
    """The statement is undone, the transaction too, and the adapter goes on when there is room."""
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
        with adapter.connection() as raw:
            pages = raw.execute("PRAGMA page_count").fetchone()[0]
            raw.execute(f"PRAGMA max_page_count = {pages + 2}")
        block = "x" * 100_000
        with pytest.raises((DatabaseUnavailable, DataError)):
            adapter.execute("INSERT INTO t (a) VALUES (?)", (block,))
        with pytest.raises((DatabaseUnavailable, DataError)), adapter.transaction() as tx:
            tx.execute("INSERT INTO t (a) VALUES (2)")
            tx.execute("INSERT INTO t (a) VALUES (?)", (block,))
        with pytest.raises((DatabaseUnavailable, DataError)):
            adapter.insert_many("t", ({"a": n} for n in range(100_000)))
        with adapter.connection() as raw:
            raw.execute("PRAGMA max_page_count = 1000000")
        adapter.execute("INSERT INTO t (a) VALUES (3)")
        assert adapter.fetch_value("SELECT count(*) FROM t") == 2
    assert sound(path) == [1, 3]


def test_a_full_disk(tmp_path: Path) -> None:
    """Writes that the system refuses: an error of ours, and every acknowledged row is kept."""
    path = tmp_path / "app.db"
    said = run(
        """
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with DatabaseAdapter(DatabaseConfig(sqlite_path=sys.argv[1])) as adapter:
            adapter.execute("CREATE TABLE t (a BIGINT, block TEXT)")
            hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
            resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
            kept = refused = 0
            for n in range(100):
                try:
                    if n % 2:
                        adapter.execute("INSERT INTO t (a, block) VALUES (?, ?)", (n, "x" * 10_000))
                    else:
                        with adapter.transaction() as tx:
                            tx.insert_many("t", [{"a": n, "block": "x" * 10_000}])
                    kept += 1
                except (DatabaseUnavailable, DataError) as error:
                    refused += 1
                    assert error.__cause__ is not None
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            adapter.execute("INSERT INTO t (a, block) VALUES (?, ?)", (1000, "after"))
            assert adapter.fetch_value("SELECT count(*) FROM t") == kept + 1, kept
            print(kept > 0, refused > 0)
        """,
        str(path),
    )
    assert said.split() == ["True", "True"]
    assert sound(path)[-1] == 1000


def test_a_damaged_file(path: Path) -> None:
    """Pages that are no longer what they were: an error of ours with sqlite3's chained."""
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
        adapter.insert_many("t", [{"a": n} for n in range(20_000)])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(size - 4096))
    with pytest.raises((DatabaseUnavailable, DataError)) as caught:
        with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
            adapter.fetch_all("SELECT sum(a) FROM t")
    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_processes_that_write_to_one_file(tmp_path: Path) -> None:
    """Several processes, each with its own adapter, read and write in turns: no error, every row there."""
    path = tmp_path / "app.db"
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
        adapter.execute("CREATE TABLE t (a BIGINT)")
        script = """
        with DatabaseAdapter(DatabaseConfig(sqlite_path=sys.argv[1])) as adapter:
            for n in range(60):
                with adapter.transaction() as tx:
                    top = tx.fetch_value("SELECT coalesce(max(a), 0) FROM t")
                    tx.execute("INSERT INTO t (a) VALUES (?)", (top + 1,))
        """
        threads = [threading.Thread(target=run, args=(script, str(path))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for _ in range(60):
            with adapter.transaction() as tx:
                top = tx.fetch_value("SELECT coalesce(max(a), 0) FROM t")
                tx.execute("INSERT INTO t (a) VALUES (?)", (top + 1,))
        for thread in threads:
            thread.join()
    assert sound(path) == list(range(1, 181))


def test_two_adapters_on_one_file(path: Path) -> None:
    """One connection is enough to read and write, and each adapter sees the other's work at once."""
    one = DatabaseConfig(
        sqlite_path=str(path), pool=attrs.evolve(IMPATIENT, min_connections=1, max_connections=1)
    )
    with DatabaseAdapter(one) as first, DatabaseAdapter(one) as second:
        for n in range(5):
            first.execute("INSERT INTO t (a) VALUES (?)", (n,))
            assert second.fetch_value("SELECT count(*) FROM t") == 2 * n + 2
            second.execute("INSERT INTO t (a) VALUES (?)", (n,))


def test_finding_out_which_foreign_key_is_given_up_in_time(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In tables that take long to look through, the violation is reported without the columns, and nothing breaks."""
    monkeypatch.setattr("dbadapter._drivers.sqlite_link._DIAGNOSIS_SECONDS", -1.0)  # over before it begins
    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(path))) as adapter:
        adapter.execute("CREATE TABLE house (id INTEGER PRIMARY KEY)")
        adapter.execute(
            """CREATE TABLE flat (id INTEGER PRIMARY KEY, one INTEGER REFERENCES house (id),
            two INTEGER REFERENCES house (id), late INTEGER REFERENCES house (id) DEFERRABLE INITIALLY DEFERRED)"""
        )
        adapter.execute("INSERT INTO house VALUES (1)")
        adapter.insert_many("flat", ({"id": n, "one": 1, "two": 1, "late": 1} for n in range(20_000)))
        with pytest.raises(ForeignKeyViolation) as caught:
            adapter.execute("UPDATE flat SET two = 9 WHERE id = 5")
        assert (caught.value.table, caught.value.columns, caught.value.constraint) == ("flat", (), None)
        with pytest.raises(ForeignKeyViolation) as caught, adapter.transaction() as tx:
            tx.execute("UPDATE flat SET late = 9 WHERE id = 5")
            with pytest.raises(ForeignKeyViolation), tx.transaction() as inner:
                inner.execute("UPDATE flat SET two = 9 WHERE id = 5")
        assert (
            adapter.fetch_value("SELECT count(*) FROM flat WHERE one = 1 AND two = 1 AND late = 1") == 20_000
        )
        adapter.execute("UPDATE flat SET two = NULL")  # far more steps than the check was allowed
