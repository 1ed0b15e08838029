"""Nonsense on the command line: one line, the right exit code, no traceback, no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbadapter.cli.app import COMMANDS, without_secrets
from tests.cli.conftest import PASSWORD, Run

SECRET_URLS = [
    f"postgresql://me:{PASSWORD}@127.0.0.1:1/app?connection_timeout=0.2",
    f"postgresql://me:{PASSWORD}@127.0.0.1:port/app",
    f"postgresql://me:{PASSWORD}@127.0.0.1:1/app?unknown=1",
    f"postgres://:{PASSWORD}@[::1/app",
    f"mysql://me:{PASSWORD}@127.0.0.1/app",
    f"postgresql://127.0.0.1:1/app?user=me&password={PASSWORD}&sslmode=none&connection_timeout=0.2",
]

WORDS = [
    "--url", "--json", "--debug", "--dialect", "--strict", "--counts", "export", "check", "list", "sqlite", "", "-",
    "--", "sqlite:///missing/app.db", "sqlite://x", "http://x", "DROP TABLE x", "-1", "nan", "99999999999999999999",
    "--to", "--from", "--tables", "--plan", "--resume", "--recreate", "--yes", "--dry-run", "--create-only", "--sqlite",
    "--encoding", "--rehearse", "--follow-back", "--collection", "import-chroma", "copy", "sqlite:///other.db",
    "../../etc/passwd", "\x00", "ü", "--seconds", "--port", "--help", *SECRET_URLS,
]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["tables", "--nonsense"], "No such option"),
        (["tables", "a", "b"], "unexpected extra argument"),
        (["tables", "--url"], "requires an argument"),
        (["tables", "--url", ""], "url must look like"),
        (["tables", "--url", "ftp://x"], "url must begin with"),
        (["tables", "--url", "sqlite://app.db"], "three slashes"),
        (["demo", "--seconds", "many"], "is not a valid float"),
        (["demo", "--seconds", "0"], "range"),
        (["demo", "--sqlite", "missing.db"], "does not exist"),
        (["schema", "check"], "Missing argument"),
        (["schema", "check", "missing.sql"], "cannot read missing.sql"),
        (["schema", "check", "no_such_module:schema"], "No module named"),
        (["schema", "export", "--dialect", "oracle"], "is not one of"),
        (["serve", "--port", "65536"], "range"),
    ],
)
def test_wrong_usage(run: Run, words: list[str], expected: str) -> None:
    """Wrong usage gives 2 and one line that names it."""
    shown = run(*words)
    assert (shown.code, shown.out) == (2, "")
    assert expected.lower() in shown.err.lower()
    assert shown.err.startswith("dbadapter: ")
    assert shown.err.count("\n") == 1


def test_what_is_no_file(run: Run, tmp_path: Path) -> None:
    """A path where nothing is, or a directory, is called that, and nothing is made there."""
    for path, said in (("none.db", "there is no SQLite file none.db"), (".", ". is a directory")):
        shown = run("tables", "--url", f"sqlite:///{path}")
        assert (shown.code, shown.out) == (1, "")
        assert shown.err.startswith(f"dbadapter: {said}: name the database with --url")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_environment(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong variable is wrong usage, and is named."""
    monkeypatch.setenv("DB_TYPE", "oracle")
    shown = run("tables")
    assert shown.code == 2
    assert "DB_TYPE" in shown.err


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize(
    "words", [["tables", "--url"], ["status"], ["--json", "health", "--url"], ["--nonsense="]]
)
def test_passwords_are_never_shown(run: Run, url: str, words: list[str]) -> None:
    """A URL with a password, in the right place or a wrong one, malformed or not: the password is not repeated."""
    shown = run(*words[:-1], words[-1] + url) if words[-1].endswith("=") else run(*words, url)
    assert shown.code in (1, 2)
    assert PASSWORD not in shown.out + shown.err


def test_what_is_starred() -> None:
    """Passwords in URLs and options are starred; the rest stays legible."""
    assert without_secrets("at x://u:p@ss@h:1/d?password=q&a=b") == "at x://u:***@h:1/d?password=***&a=b"
    assert without_secrets("nothing: here@all") == "nothing: here@all"


@given(
    command=st.sampled_from([*COMMANDS, "nonsense"]),
    words=st.lists(st.sampled_from(WORDS) | st.text(max_size=12), max_size=5),
)
@settings(max_examples=250)
def test_any_nonsense(run: Run, command: str, words: list[str]) -> None:
    """Whatever is typed: exit code 0, 1 or 2, never a traceback or a password."""
    guard = ["--no-such-option"] if command in ("demo", "serve") else []  # these would run for long
    if "--debug" in words:
        words = [word for word in words if word != "--debug"]
    shown = run(command, *guard, *words)
    assert shown.code in (0, 1, 2)
    assert "Traceback" not in shown.out + shown.err
    assert PASSWORD not in shown.out + shown.err
    assert "unexpected" not in shown.err or "argument" in shown.err, shown.err


def test_a_file_that_is_no_database(run: Run) -> None:
    """One clear line."""
    Path("x.db").write_bytes(b"\x00\x01 nonsense" * 100)
    shown = run("tables", "--url", "sqlite:///x.db")
    assert shown.code == 1
    assert "not a SQLite database" in shown.err
