"""The generator of the sync half: every rule, and every way a generated file can be wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools import unasync

TARGETS = {"shell/_async": "shell/_sync", "driver_async.py": "driver.py"}
SOURCE = '''"""An async shell."""

from collections.abc import AsyncIterator


class AsyncThing:
    """Use it with ``async with AsyncThing() as thing``."""

    async def rows(self) -> AsyncIterator[int]:
        """Yield the rows."""
        yield await self.one()

    async def one(self) -> int:
        """Return one."""
        return 1
'''


# The project's table, and entries that it may or may not have at the moment.
TABLE = {**unasync.NAMES, "_async": "_sync", "StopAsyncIteration": "StopIteration"}


def convert(source: str, table: Mapping[str, str] = TABLE) -> str:
    """Convert without formatting."""
    return unasync.convert(source, unasync.Names(table))


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small project with a written directory and a written file, generated and in step."""
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 110\n")
    (tmp_path / "shell/_async/deep").mkdir(parents=True)
    (tmp_path / "shell/_async/thing.py").write_text(SOURCE)
    (tmp_path / "shell/_async/deep/other.py").write_text(
        '"""Other."""\n\nfrom shell._async import thing\n\nthing\n'
    )
    (tmp_path / "driver_async.py").write_text('"""Driver."""\n')
    assert len(unasync.write(names_of_house(), root=tmp_path, targets=TARGETS)) == 3
    return tmp_path


def names_of_house() -> unasync.Names:
    """Return the table the small project uses completely."""
    return unasync.Names({"_async": "_sync"})


def problems(house: Path, names: unasync.Names | None = None) -> list[str]:
    """Return what a check of the small project finds."""
    return unasync.check(names or names_of_house(), root=house, targets=TARGETS)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("async def f():\n    pass\n", "def f():\n    pass\n"),
        (
            "async def f():\n    async with a as b:\n        await b\n",
            "def f():\n    with a as b:\n        b\n",
        ),
        (
            "async def f():\n    async for x in y:\n        pass\n",
            "def f():\n    for x in y:\n        pass\n",
        ),
        ("async def f():\n    return [x async for x in y]\n", "def f():\n    return [x for x in y]\n"),
        ("async def f():\n    await  g(1)\n", "def f():\n    g(1)\n"),
        ("async def f():\n    return (await g(1)).x\n", "def f():\n    return g(1).x\n"),
        (
            "async def f():\n    return (await g(a, b)[0].c())[1]\n",
            "def f():\n    return g(a, b)[0].c()[1]\n",
        ),
        ("async def f():\n    print(await g(1))\n", "def f():\n    print(g(1))\n"),
        ("async def f():\n    return -(await a or b)\n", "def f():\n    return -(a or b)\n"),
        (
            "async def f():\n    return (\n        await g()\n    ).x\n",
            "def f():\n    return (\n        g()\n    ).x\n",
        ),
        ("async def f():\n    return a if (await g()) else b\n", "def f():\n    return a if g() else b\n"),
    ],
)
def test_keywords_are_removed(source: str, expected: str) -> None:
    """The keywords go, with the space after them and the parentheses nobody needs any more."""
    assert convert(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("AsyncDatabaseAdapter", "DatabaseAdapter"),
        ("_AsyncNode", "_Node"),
        ("AbstractAsyncContextManager", "AbstractContextManager"),
        ("Asynchronous", "Asynchronous"),
        ("is_async", "is_async"),
        ("__aenter__, __aexit__, __aiter__, __anext__", "__enter__, __exit__, __iter__, __next__"),
        ("StopAsyncIteration", "StopIteration"),
        ("a.aclose()", "a.close()"),
        ("anext(aiter(x))", "next(iter(x))"),
        ("import dbadapter._async.pool", "import dbadapter._sync.pool"),
        (
            "from dbadapter._drivers import postgres_async, sqlite_async",
            "from dbadapter._drivers import postgres, sqlite",
        ),
        ("from dbadapter._concurrency._aio import Lock", "from dbadapter._concurrency._threads import Lock"),
        ("f: Callable[[AsyncTx], Awaitable[list[T]]]", "f: Callable[[Tx], list[T]]"),
        ("f: Callable[[int], Awaitable[None]] | None = None", "f: Callable[[int], None] | None = None"),
    ],
)
def test_names_are_replaced(source: str, expected: str) -> None:
    """Names follow the table and the prefix rule; words that only look alike are left alone."""
    assert convert(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Use ``async with AsyncX() as x: await x.go()``."""', '"""Use ``with X() as x: x.go()``."""'),
        (
            '"""Tasks await their turn, in an async shell."""',
            '"""Tasks await their turn, in an async shell."""',
        ),
        ("x = 1  # await pool.get(1) first, see AsyncPool", "x = 1  # pool.get(1) first, see Pool"),
        ('__all__ = ["AsyncPool"]', '__all__ = ["Pool"]'),
        ('r"\\w _async"', 'r"\\w _sync"'),
    ],
)
def test_strings_and_comments_follow(source: str, expected: str) -> None:
    """Code in docstrings and comments is converted, prose about waiting is not."""
    assert convert(source) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("f'{await x} and {await y.z(1)!r} of {AsyncX}'", "f'{x} and {y.z(1)!r} of {X}'"),
        ("f'{a:{await w(1)}} _async {b}' + await c()", "f'{a:{w(1)}} _sync {b}' + c()"),
        ("f'{{await}}' f'{ await q }'", "f'{{await}}' f'{q }'"),
    ],
)
def test_f_strings_are_one_piece(expression: str, expected: str) -> None:
    """An f-string is converted alike by Pythons that tokenize its inside and by those that do not."""
    assert convert(f"async def f():\n    return {expression}\n") == f"def f():\n    return {expected}\n"


def test_lines_of_one_world() -> None:
    """async-only statements go with their block; sync-only comments become code; the rest keeps its place."""
    source = """
import asyncio  # unasync: async-only
# import threading  # unasync: sync-only
import weakref

async def f(
    a: int,  # unasync: async-only
) -> None:
    pass

class C:
    @decorated  # unasync: async-only
    async def g(self) -> None:  # unasync: async-only
        if self:
            await x

        # a remark inside
    def h(self) -> None:
        pass
        # self.lock = threading.Lock()  # unasync: sync-only
"""
    expected = """
import threading
import weakref


class C:
    def h(self) -> None:
        pass
        self.lock = threading.Lock()
"""
    assert [x for x in convert(source).splitlines() if x.strip() and "remark" not in x] == [
        x for x in expected.splitlines() if x.strip()
    ]


def test_a_marker_above_a_statement_does_not_drop_it() -> None:
    """Only a marker on the statement itself counts."""
    source = "# unasync: async-only\nx = 1\n"
    assert convert(source) == source


@pytest.mark.parametrize("source", ["x = (1,\n", "def f(:\n", "x = 'a\n"])
def test_a_source_that_is_not_python_is_named(source: str) -> None:
    """A broken source stops the work, with its name in the message."""
    with pytest.raises(unasync.UnasyncError, match=r"pool\.py"):
        unasync.convert(source, unasync.Names(), name="pool.py")


def test_what_stays_async_is_an_error() -> None:
    """Nothing async can slip into the sync half, whatever the table does."""
    with pytest.raises(unasync.UnasyncError, match="near line 2"):
        convert("async def f():\n    later\n", {"later": "await later"})


def test_generated_files_are_marked_formatted_and_in_step(house: Path) -> None:
    """A generated file names its source, has its imports sorted and pruned, and passes the check."""
    text = (house / "shell/_sync/thing.py").read_text()
    assert text.startswith("# Generated from shell/_async/thing.py by tools/unasync.py; do not edit.\n")
    assert "from collections.abc import Iterator\n" in text
    assert "Use it with ``with Thing() as thing``." in text
    assert "sync def" not in text
    assert "import thing" in (house / "shell/_sync/deep/other.py").read_text()
    assert problems(house) == []


def test_writing_twice_changes_nothing(house: Path) -> None:
    """The output is a function of the sources alone."""
    assert unasync.write(names_of_house(), root=house, targets=TARGETS) == []


@pytest.mark.parametrize(
    ("damage", "verdict"),
    [
        (lambda text: text.replace("return 1", "return 2"), "stale"),
        (lambda text: text[: len(text) // 2], "truncated"),
        (lambda text: "", "truncated"),
        (lambda text: text + "\n", "stale"),
    ],
)
def test_an_altered_file_is_named(house: Path, damage: object, verdict: str) -> None:
    """A generated file somebody edited or cut short is found, and writing mends it."""
    file = house / "shell/_sync/thing.py"
    file.write_text(damage(file.read_text()))  # type: ignore[operator]
    assert problems(house) == [f"shell/_sync/thing.py: {verdict}; run tools/unasync.py"]
    assert unasync.write(names_of_house(), root=house, targets=TARGETS) == ["wrote shell/_sync/thing.py"]
    assert problems(house) == []


def test_a_changed_source_makes_its_twin_stale(house: Path) -> None:
    """Forgetting to run the generator is found."""
    (house / "driver_async.py").write_text('"""Driver, changed."""\n')
    assert problems(house) == ["driver.py: stale; run tools/unasync.py"]


def test_a_missing_file_is_named(house: Path) -> None:
    """A generated file that was deleted is found."""
    (house / "driver.py").unlink()
    assert problems(house) == ["driver.py: missing; run tools/unasync.py"]


def test_an_orphan_is_named_and_deleted_only_if_generated(house: Path) -> None:
    """A twin without a source is found; the generator deletes what it made, never what somebody wrote."""
    (house / "shell/_async/thing.py").unlink()
    (house / "shell/_sync/by_hand.py").write_text('"""By hand."""\n')
    orphaned = "orphaned, its source is gone; delete it"
    assert problems(house) == [f"shell/_sync/by_hand.py: {orphaned}", f"shell/_sync/thing.py: {orphaned}"]
    assert unasync.write(names_of_house(), root=house, targets=TARGETS) == ["deleted shell/_sync/thing.py"]
    assert problems(house) == [f"shell/_sync/by_hand.py: {orphaned}"]


def test_an_unused_replacement_is_named(house: Path) -> None:
    """A table entry that no source needs is dead weight, and found."""
    names = unasync.Names({"_async": "_sync", "never_seen": "x"})
    assert problems(house, names) == ["tools/unasync.py: the replacement of 'never_seen' is used nowhere"]


def test_a_missing_source_is_named(house: Path) -> None:
    """A target whose source does not exist is found."""
    targets = TARGETS | {"gone": "elsewhere"}
    found = unasync.check(names_of_house(), root=house, targets=targets)
    assert found == ["gone: named in TARGETS, but missing"]


def test_without_ruff_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where ruff cannot be found the tool says so, and how to get it."""
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(unasync.UnasyncError, match="pip install"):
        unasync.find_ruff()


def test_ruff_is_found_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ruff on PATH does, for a Python that has none; one that does not run is passed over."""
    real = unasync.find_ruff()
    broken = tmp_path / "beside"
    broken.mkdir()
    (broken / "ruff").write_text("#!/bin/sh\nexit 1\n")
    (broken / "ruff").chmod(0o755)
    (tmp_path / "ruff").write_text(f'#!/bin/sh\nexec {" ".join(real)} "$@"\n')
    (tmp_path / "ruff").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken / "python"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert unasync.find_ruff() == [str(tmp_path / "ruff")]


def test_the_command_line_checks_this_project() -> None:
    """The project's own sync half is in step with its async half."""
    command = [sys.executable, str(unasync.ROOT / "tools/unasync.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
