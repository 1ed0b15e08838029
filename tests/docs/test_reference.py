"""The reference names everything that is public."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

# What host apps may import: each module's ``__all__`` is a promise.
PUBLIC = (
    "dbadapter",
    "dbadapter.config",
    "dbadapter.doctor",
    "dbadapter.embedded",
    "dbadapter.errors",
    "dbadapter.integrations.fastapi",
    "dbadapter.integrations.flask",
    "dbadapter.integrations.langchain",
    "dbadapter.integrations.opentelemetry",
    "dbadapter.integrations.sqlalchemy",
    "dbadapter.querylog",
    "dbadapter.schema",
    "dbadapter.schema.types",
    "dbadapter.testing",
    "dbadapter.transfer",
    "dbadapter.types",
    "dbadapter.vectors",
    "dbadapter.web",
)
# The async halves are the sync ones with another prefix; the index page says so. QueryLog is what an adapter uses.
_LEFT_OUT = {
    "AsyncDatabaseAdapter",
    "AsyncPostgresPool",
    "AsyncSQLitePool",
    "AsyncTransaction",
    "QueryLog",
    "__version__",
}

_DIRECTIVE = re.compile(r"^::: (\S+)\n((?:    .*\n)*)", re.MULTILINE)
_MEMBERS = re.compile(r"members:\s*(?:\[([^\]]*)\]|((?:\s*- \w+\n)+))")


def _find(path: str) -> Any:
    """The module or object of a dotted path."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        home, _, name = path.rpartition(".")
        if not home:
            raise
        return getattr(_find(home), name)


def _described() -> Iterator[Any]:
    """The objects that the pages of the reference are generated from."""
    for page in sorted((ROOT / "docs" / "reference").glob("*.md")):
        for path, options in _DIRECTIVE.findall(page.read_text(encoding="utf-8") + "\n"):
            found = _find(path)
            yield found
            if listed := _MEMBERS.search(options):
                yield from (getattr(found, name) for name in re.findall(r"\w+", listed[1] or listed[2]))
            elif hasattr(found, "__path__") or type(found).__name__ == "module":
                yield from (getattr(found, name) for name in found.__all__)


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_are_described(module: str) -> None:
    """Each name of a public module stands in the reference, under that module or where it is defined."""
    if module.endswith("langchain"):
        pytest.importorskip("langchain_core", reason="missing: langchain-core is not installed")
    home = importlib.import_module(module)
    described = {id(thing) for thing in _described()}
    missing = [name for name in home.__all__ if id(getattr(home, name)) not in described]
    assert [name for name in missing if name not in _LEFT_OUT] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names_have_docstrings(module: str) -> None:
    """Each public class and function says what it is, and each public method of a class too."""
    if module.endswith("langchain"):
        pytest.importorskip("langchain_core", reason="missing: langchain-core is not installed")
    home = importlib.import_module(module)
    silent = []
    for name in home.__all__:
        thing = getattr(home, name)
        if not callable(thing):
            continue
        if not thing.__doc__:
            silent.append(name)
        if isinstance(thing, type):
            own = vars(thing).items()
            silent += [
                f"{name}.{part}"
                for part, value in own
                if not part.startswith("_")
                and (callable(value) or isinstance(value, property | classmethod | staticmethod))
                and not value.__doc__
            ]
    assert silent == []


def test_the_page_of_the_command_line_is_up_to_date() -> None:
    """The committed page is what the commands say of themselves."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "reference_cli.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_every_code_of_the_doctor_is_on_its_page() -> None:
    """Programs tell findings apart by their codes, so all of those that name a fault are listed."""
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src/dbadapter/doctor").glob("*.py")]
    fine = {code for source in sources for code in re.findall(r"\bok\(\s*\"([a-z-]+)\"", source)}
    words = {word for source in sources for word in re.findall(r"\"([a-z]+(?:-[a-z]+)+)\"", source)}
    page = (ROOT / "docs" / "how-to" / "doctor.md").read_text(encoding="utf-8")
    assert len(words) > 40
    assert (
        sorted(code for code in words - fine - {"verify-ca", "verify-full"} if f"`{code}`" not in page) == []
    )


def test_the_metrics_on_the_page_are_those_that_are_served(tmp_path: Path) -> None:
    """Every metric that the page of watching an app names, in its table and its alerts, is one that is served."""
    from dbadapter import DatabaseAdapter, DatabaseConfig
    from dbadapter.web.prometheus import exposition

    with DatabaseAdapter(DatabaseConfig(sqlite_path=str(tmp_path / "app.db"))) as adapter:
        served = set(
            re.findall(r"^# TYPE (\w+)", exposition(adapter.get_stats(), adapter.health()), re.MULTILINE)
        )
    page = (ROOT / "docs" / "how-to" / "watch.md").read_text(encoding="utf-8")
    whole = set(re.findall(r"\bdbadapter_(?!token)\w+", page))
    assert len(whole) > 10
    assert sorted(whole - served) == []
    ends = re.findall(r"`_(\w+)", page)
    assert [end for end in ends if not any(name.endswith(f"_{end}") for name in served)] == []
