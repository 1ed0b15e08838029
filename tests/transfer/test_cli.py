"""``dbadapter migrate`` and ``verify``: what they print, and the exit code that says whether all of it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbadapter import DatabaseConfig
from dbadapter.cli import main

from .conftest import Maker
from .moving import asked, connect
from .test_interrupted import url

CLEAN = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a'), (2, 'b')"
WITH_NUL = "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'a' || char(0))"


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit code and what was printed."""
    code = main(list(words))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_there_and_back(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clean move exits with 0 either way, and so does comparing afterwards."""
    source, target = lite(CLEAN), url(postgres_database)
    code, out, err = ran(capsys, "migrate", "--sqlite", source.sqlite_path, "--to", target)
    assert code == 0, err
    assert "2 rows arrived" in out
    assert "equal" in out
    assert "copying t: 2 rows" in err  # plain lines where there is no terminal
    code, out, _ = ran(capsys, "verify", "--from", url(source), "--to", target)
    assert (code, "NOT" in out) == (0, False)
    code, out, err = ran(capsys, "migrate", "--from", target, "--to", f"sqlite:///{tmp_path}/back.db")
    assert code == 0, err


def test_a_rejected_value_is_exit_1(
    lite: Maker, postgres_database: DatabaseConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value in the rejects is not what was asked for: exit 1, from migrate and from verify."""
    source, target = lite(WITH_NUL), url(postgres_database)
    code, out, _ = ran(capsys, "migrate", "--sqlite", source.sqlite_path, "--to", target)
    assert (code, "1 values in _dbadapter_rejects" in out) == (1, True)
    assert ran(capsys, "verify", "--from", url(source), "--to", target)[0] == 1


def test_a_difference_is_exit_1(
    lite: Maker, postgres_database: DatabaseConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verify shows the row and column that differ."""
    source, target = lite(CLEAN), url(postgres_database)
    ran(capsys, "migrate", "--sqlite", source.sqlite_path, "--to", target)
    with connect(postgres_database) as raw:
        raw.execute("UPDATE t SET v = 'changed' WHERE id = 2")
    code, out, _ = ran(capsys, "verify", "--from", url(source), "--to", target)
    assert (code, "[2] v: 'b' → 'changed'" in out) == (1, True)


def test_json(lite: Maker, postgres_database: DatabaseConfig, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the answer is one JSON document, and nothing else is on the way of a program."""
    source, target = lite(CLEAN), url(postgres_database)
    code, out, err = ran(capsys, "migrate", "--sqlite", source.sqlite_path, "--to", target, "--json")
    found: dict[str, Any] = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["rows"], found["verified"], found["ok"]) == (2, True, True)
    code, out, _ = ran(capsys, "verify", "--from", url(source), "--to", target, "--json")
    assert json.loads(out)["equal"] is True


def test_a_plan_is_written_edited_and_carried_out(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--dry-run --plan writes the plan and changes nothing; --plan carries it out as it was edited."""
    source, target = lite(CLEAN), url(postgres_database)
    plan = tmp_path / "plan.json"
    words = ("migrate", "--sqlite", source.sqlite_path, "--to", target, "--plan", str(plan))
    code, out, _ = ran(capsys, *words, "--dry-run")
    assert (code, "CREATE TABLE" in out) == (0, True)
    assert asked(postgres_database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [0]
    plan.write_text(plan.read_text().replace('"type": "text"', '"type": "varchar(9)"'))
    assert ran(capsys, *words)[0] == 0
    query = "SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'v'"
    assert asked(postgres_database, query) == ["character varying(9)"]


def test_a_plan_knows_its_ends(
    lite: Maker, postgres_database: DatabaseConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plan is carried out between the ends it was made for; others of the wrong kinds are refused."""
    source, target, plan = lite(CLEAN), url(postgres_database), str(tmp_path / "plan.json")
    assert (
        ran(capsys, "migrate", "--sqlite", source.sqlite_path, "--to", target, "--dry-run", "--plan", plan)[0]
        == 0
    )
    assert ran(capsys, "--url", target, "migrate", "--plan", plan)[0] == 0
    code, _, err = ran(capsys, "migrate", "--from", target, "--to", "sqlite:///x.db", "--plan", plan)
    assert (code, "the plan is for sqlite-postgresql" in err) == (2, True)
    code, _, err = ran(capsys, "migrate", "--plan", str(tmp_path / "no" / "plan.json"))
    assert (code, "there is no directory" in err) == (2, True)


def test_recreate_asks(
    lite: Maker, postgres_database: DatabaseConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    """Dropping is confirmed by name: without a terminal --yes has to say it, and other tables are not mentioned."""
    source, target = lite(CLEAN), url(postgres_database)
    with connect(postgres_database) as raw:
        raw.execute("CREATE TABLE other (a int); CREATE TABLE t (old text); INSERT INTO t VALUES ('x')")
    words = ("migrate", "--sqlite", source.sqlite_path, "--to", target)
    code, _, err = ran(capsys, *words)
    assert (code, "not empty" in err) == (1, True)
    code, _, err = ran(capsys, *words, "--recreate")
    assert code == 2
    assert "would drop t in" in err
    assert "other" not in err
    assert asked(postgres_database, "SELECT old FROM t") == ["x"]
    assert ran(capsys, *words, "--recreate", "--yes")[0] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["migrate"], 2, "--to"),
        (
            ["migrate", "--sqlite", "a.db", "--from", "sqlite:///b.db", "--to", "TARGET"],
            2,
            "give one of them",
        ),
        (["migrate", "--sqlite", "missing.db", "--to", "TARGET"], 1, "there is no file missing.db"),
        (["migrate", "--sqlite", "SOURCE", "--to", "sqlite:///x.db"], 2, "both ends are sqlite"),
        (["migrate", "--sqlite", "SOURCE", "--to", "TARGET", "--tables", "nope"], 2, "no table 'nope'"),
        (["migrate", "--sqlite", "SOURCE", "--to", "TARGET", "--resume"], 1, "no interrupted transfer"),
        (
            ["migrate", "--sqlite", "SOURCE", "--to", "TARGET", "--resume", "--recreate"],
            2,
            "give one of them",
        ),
        (["verify", "--from", "sqlite:///missing.db", "--to", "TARGET"], 1, "there is no file missing.db"),
        (["verify", "--to", "TARGET"], 2, "--from"),
    ],
)
def test_what_cannot_be_done(
    words: list[str],
    code: int,
    said: str,
    lite: Maker,
    postgres_database: DatabaseConfig,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line on standard error, no traceback, no password: 1 for a failure, 2 for a wrong request."""
    places = {"SOURCE": lite(CLEAN).sqlite_path, "TARGET": url(postgres_database)}
    found, _, err = ran(capsys, *(places.get(word, word) for word in words))
    assert found == code, err
    assert said in err
    assert err.count("\n") == 1
    assert str(postgres_database.pool.current_password()) not in err
