"""The demo: it passes, on its own shop and on anybody's file, and would notice if a write were lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import uuid
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.cli.demonstration.chart import chart_width, latency_chart
from dbadapter.cli.demonstration.ledger import Acknowledged
from dbadapter.cli.demonstration.shop import Shop
from tests.cli.conftest import Run

SHORT = ["--seconds", "3"]


def test_the_shop(run: Run) -> None:
    """There and back under load without an error, every acknowledged write found again; exit code 0."""
    shown = run("demo", *SHORT, "--json")
    assert shown.code == 0, shown.out
    report = shown.json
    assert report["errors"] == 0
    assert report["requests"] > 100
    assert report["acknowledged"] > 10
    assert [(s["source"], s["target"]) for s in report["switches"]] == [
        ("sqlite", "postgresql"),
        ("postgresql", "sqlite"),
    ]
    assert report["carried"]
    assert report["switches"][0]["rows_copied"] >= 200
    assert all(switch["verified"] for switch in report["switches"])
    assert len(report["checks"]) >= 2
    assert all(check["holds"] for check in report["checks"])


def test_lines_without_a_terminal(tmp_path: Path) -> None:
    """In a pipe it prints plain lines: figures, events, the chart and the verdict."""
    command = [sys.executable, "-W", "error", "-m", "dbadapter", "demo", *SHORT]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    for words in ("requests/s", "switched from sqlite to postgresql", "0 errors", "longest wait", "passed"):
        assert words in done.stdout
    assert "\x1b" not in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    """A signal ends it as Ctrl-C does: one line, the shell's exit code for it, and nothing stays behind."""
    # A signal may come between a file's being opened and its with block; the interpreter closes it then, and says so.
    warnings = ["-W", "error", "-W", "ignore::ResourceWarning"]
    command = [sys.executable, *warnings, "-m", "dbadapter", "demo", "--seconds", "60"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        try:
            assert demo.stdout is not None
            assert "a small shop" in demo.stdout.readline()
            assert any(tmp_path.iterdir())
            demo.send_signal(number)
            _, complaints = demo.communicate(timeout=100)
        finally:
            demo.kill()
    assert demo.returncode == 128 + number
    word = "interrupted" if number is signal.SIGINT else f"ended by {number.name}"
    assert complaints.strip() == f"dbadapter: {word}"
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_ones_own(run: Run, tmp_path: Path) -> None:
    """Odd tables are read on both backends; what no reader could read is named; the file is not touched."""
    path = tmp_path / "my data.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            """
            CREATE TABLE "odd "" name" ("a column" INTEGER, "select" TEXT, mixed, blob BLOB, day DATE);
            CREATE TABLE empty (x);
            CREATE VIEW v AS SELECT 1;
            CREATE TABLE old (latin TEXT, fine INTEGER);
            INSERT INTO old VALUES (CAST(x'fc' AS TEXT), 1);
            """
        )
        rows = [(n, f"text {n}", [n, "x", 1.5, b"y"][n % 4], b"\x00\xff", "2024-01-02") for n in range(300)]
        connection.executemany('INSERT INTO "odd "" name" VALUES (?, ?, ?, ?, ?)', rows)
        connection.commit()
    before = path.read_bytes()
    shown = run("demo", *SHORT, "--sqlite", str(path), "--json")
    assert shown.code == 0, shown.out + shown.err
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["my data.db"]
    assert shown.json["errors"] == 0
    notes = " ".join(shown.json["left_out"])
    assert "old.latin" in notes
    assert "triggers and views stay behind" in notes


@pytest.mark.parametrize("name", ["chinook", "northwind", "sakila"])
def test_well_known_files(run: Run, name: str) -> None:
    """Sample databases from the wild."""
    directory = os.environ.get("DBADAPTER_SAMPLE_DATA")
    if directory is None:
        pytest.skip("sample data: DBADAPTER_SAMPLE_DATA is not set")
    path = next(Path(directory).rglob(f"{name}.sqlite"))
    shown = run("demo", *SHORT, "--sqlite", str(path), "--json")
    assert shown.code == 0, shown.out + shown.err
    assert shown.json["errors"] == 0
    assert shown.json["carried"] == (name != "northwind")  # whose text is no UTF-8


def test_a_file_that_is_no_database(run: Run, tmp_path: Path) -> None:
    """One line, exit code 1."""
    (tmp_path / "x.db").write_text("no database at all, and long enough to be read as one" * 10)
    shown = run("demo", "--sqlite", str(tmp_path / "x.db"))
    assert shown.code == 1
    assert "cannot read" in shown.err
    assert shown.err.count("\n") == 1


def test_a_lost_or_doubled_write_is_noticed(sqlite_database: DatabaseConfig) -> None:
    """The checks fail for an order that is gone, altered, half there, or that nobody was told of."""
    shop, random = Shop(), Random(1)
    with DatabaseAdapter(sqlite_database) as adapter:
        shop.prepare(adapter)
        served = [shop.serve(adapter, random) for _ in range(40)]
        orders = [order for order in served if order is not None]
        assert all(check.holds for check in shop.check(adapter, orders, "here"))

        def held(expected: list[Acknowledged]) -> list[bool]:
            return [check.holds for check in shop.check(adapter, expected, "here")]

        stranger = Acknowledged(uuid.uuid4(), Decimal(1), "sqlite")
        assert held([*orders, stranger]) == [False, True]
        assert held(orders[1:]) == [False, True]
        adapter.execute("DELETE FROM demo_lines WHERE order_id = ?", [orders[0].id])
        assert held(orders) == [True, False]
        adapter.execute("UPDATE demo_orders SET total = total + 1 WHERE id = ?", [orders[1].id])
        assert held(orders) == [False, False]


def test_the_chart() -> None:
    """Each stretch of time shows its longest wait; marks stand below their moments."""
    samples = [(n / 100, 0.001) for n in range(1000)] + [(5.0, 0.1)]
    lines = latency_chart(samples, [(5.0, "1")], width=50, height=6)
    top = lines[0]
    assert top.count("█") + top.count("▇") == 1
    mark = next(line for line in lines if line.strip() == "1")
    assert abs(mark.index("1") - max(top.find("█"), top.find("▇"))) <= 1
    assert latency_chart([], [], width=50) == []


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_chart_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """No line is broken, however narrow the terminal; on a wide one it does not grow for ever."""
    monkeypatch.setenv("COLUMNS", str(columns))
    samples = [(n / 100, 0.001) for n in range(1000)]
    lines = latency_chart(samples, [(9.9, "2")], width=chart_width())
    assert columns - 20 < max(map(len, lines)) < columns or max(map(len, lines)) == 85
