"""The real Chroma in a process of its own, and what may differ between its answers and ours."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define

from dbadapter import DatabaseAdapter
from tests.vectors.test_chroma_import import chroma_python


@define(eq=False)
class Peer:
    """Chroma, told what to do line by line."""

    process: subprocess.Popen[str]

    def do(self, on: str, method: str, arguments: dict[str, Any], arrays: tuple[str, ...] = ()) -> Any:
        """Call a method; returns its result, or `Refused`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        command = {"on": on, "do": method, "with": arguments, "numpy": list(arrays)}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["gave"] if "gave" in answer else Refused(f"{answer['raised']}: {answer['said']}")


@define(eq=False)
class Refused:
    """An error, whatever it says."""

    said: str


class Words:
    """The peer's embedding function: how many of some letters a text has."""

    def __call__(self, input: list[str]) -> list[Any]:
        """A vector for each text."""
        return [np.array([text.count(letter) for letter in "abc"], np.float32) for text in input]


@contextmanager
def running_chroma() -> Iterator[Peer]:
    """A Chroma that keeps its collections in memory."""
    script = Path(__file__).with_name("chroma_peer.py")
    process = subprocess.Popen(
        [chroma_python(), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert "version" in process.stdout.readline()
        yield Peer(process)
    finally:
        process.kill()
        process.communicate()


@define(eq=False)
class Ours:
    """A collection of ours, told what to do in the same way."""

    adapter: DatabaseAdapter
    collection: Any = None

    def do(self, on: str, method: str, arguments: dict[str, Any], arrays: tuple[str, ...] = ()) -> Any:
        """Call a method; returns its result as plain Python, or `Refused`."""
        arguments = {**arguments, **{name: np.array(arguments[name], np.float32) for name in arrays}}
        if arguments.pop("embed", False):
            arguments["embedding_function"] = Words()
        try:
            target = self.adapter.vectors if on == "client" else self.collection
            gave = getattr(target, method)(**arguments)
        except Exception as error:
            return Refused(f"{type(error).__name__}: {error}")
        if method in ("create_collection", "get_collection", "get_or_create_collection"):
            self.collection = gave
            return [gave.name, gave.metadata]
        return plain(gave)


def plain(value: Any) -> Any:
    """Arrays as lists, collections as Chroma prints them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value if isinstance(value, str | int | float | bool) or value is None else repr(value)


def same(ours: Any, theirs: Any) -> bool:
    """Equal, types included; floats but for rounding to single precision, errors whatever they say."""
    if isinstance(theirs, Refused) or isinstance(ours, Refused):
        return isinstance(ours, Refused) and isinstance(theirs, Refused)
    if type(ours) is not type(theirs):
        return False
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float):
        return math.isclose(ours, theirs, rel_tol=2e-6, abs_tol=1e-6)
    return bool(ours == theirs)


def same_ranking(ours: Any, theirs: Any) -> bool:
    """Whether two answers to a query agree.

    Among the equally far, Chroma's order is anybody's guess; and where its graph misses a record, ours may be nearer.
    """
    if isinstance(theirs, Refused) or isinstance(ours, Refused):
        return same(ours, theirs)
    if len(ours["distances"]) != len(theirs["distances"]):
        return False
    for at, theirs_far in enumerate(theirs["distances"]):
        ours_far = ours["distances"][at]
        if len(ours_far) < len(theirs_far):
            return False
        if any(
            mine > other and not same(mine, other) for mine, other in zip(ours_far, theirs_far, strict=False)
        ):
            return False
        found = dict(zip(theirs["ids"][at], theirs_far, strict=True))
        pairs = zip(ours["ids"][at], ours_far, strict=True)
        if any(name in found and not same(far, found[name]) for name, far in pairs):
            return False
    return True
