"""The house is as its map says: arrows go one way, and no module needs itself to be loaded."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "dbadapter"

# The rooms below, and what they may know.
VALUES = {"types", "errors", "config", "_config_sources"}
MAY_KNOW = {
    "errors": set(),
    "types": set(),
    "config": {"errors", "_config_sources"},
    "_core": VALUES,
    "_dialects": VALUES,
    "_concurrency": VALUES | {"_core"},
    "_drivers": VALUES | {"_core", "_dialects", "_concurrency"},
    "transfer": VALUES | {"_core", "_dialects", "_drivers", "_concurrency", "schema", "vectors"},
    "doctor": VALUES | {"_core", "_dialects", "_drivers", "schema"},
}


def module_name(path: Path) -> str:
    """The dotted name of a file."""
    parts = ("dbadapter", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def loaded_by(name: str, *, everywhere: bool = False) -> Iterator[str]:
    """The modules of ours that a module imports when it is loaded (or `everywhere` in it), those for types left out."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    waiting: list[ast.stmt] = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not everywhere:
            continue
        waiting += [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        home = package.split(".")[: len(package.split(".")) - node.level + 1]
        target = ".".join([*home, *([node.module] if node.module else [])])
        for alias in node.names:
            whole = f"{target}.{alias.name}"
            yield whole if whole in MODULES else target


@pytest.mark.parametrize("room", MAY_KNOW)
def test_a_room_knows_only_those_below(room: str) -> None:
    """What decides, what speaks to the databases and what moves data never asks for what is above it."""
    inside = [name for name in MODULES if name.split(".")[1:2] == [room]]
    assert inside
    found = {
        (name, target.split(".")[1])
        for name in inside
        for target in loaded_by(name, everywhere=True)
        if "." in target and target.split(".")[1] != room
    }
    assert sorted((name, target) for name, target in found if target not in MAY_KNOW[room]) == []


def test_no_module_needs_itself() -> None:
    """Loading has an order: no cycle of imports, those inside of functions aside."""
    graph = {name: {target for target in loaded_by(name) if target in MODULES} for name in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(MODULES)


def test_what_decides_does_nothing() -> None:
    """Decisions import no driver, no socket, no thread and no event loop."""
    forbidden = {"sqlite3", "psycopg", "socket", "asyncio", "threading", "time", "subprocess"}
    for name, path in MODULES.items():
        if not name.startswith("dbadapter._core"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not {found.partition(".")[0] for found in names} & forbidden, f"{name}: {names}"


def test_files_read_in_one_sitting() -> None:
    """No file has more than 500 lines, and none is called utils."""
    sizes = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in MODULES.items()}
    assert {name: size for name, size in sizes.items() if size > 500} == {}
    assert [name for name in MODULES if "utils" in name.rpartition(".")[2]] == []
