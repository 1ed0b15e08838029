"""Does with the real Chroma what it is told: python chroma_peer.py, commands and answers as lines of JSON.

A command is ``{"on": "client" | "collection", "do": method, "with": arguments, "numpy": [names]}``; the arguments
named under ``numpy`` are made arrays first. "create_collection" and its like choose the collection that the next
commands are about. An answer is ``{"gave": result}`` or ``{"raised": class, "said": message}``.

Runs under whatever Python has chromadb, so it imports nothing of ours.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import chromadb
import numpy as np
from chromadb.config import Settings


class Words(chromadb.EmbeddingFunction[Any]):
    """A tiny embedding function: how many of some letters a text has."""

    def __init__(self) -> None:
        """Nothing to set up."""

    def __call__(self, input: list[str]) -> list[Any]:
        """A vector for each text."""
        return [np.array([text.count(letter) for letter in "abc"], np.float32) for text in input]


def plain(value: Any) -> Any:
    """A result as JSON can hold it."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    return repr(value)


def main() -> None:
    """Answer until there are no more commands."""
    client = chromadb.EphemeralClient(settings=Settings(anonymized_telemetry=False))
    collection: Any = None
    print(json.dumps({"version": chromadb.__version__}), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        given = command["with"]
        for name in command.get("numpy", []):
            given[name] = np.array(given[name], np.float32)
        if given.pop("embed", False):
            given["embedding_function"] = Words()
        try:
            target = client if command["on"] == "client" else collection
            gave = getattr(target, command["do"])(**given)
            if command["do"] in ("create_collection", "get_collection", "get_or_create_collection"):
                collection = gave
                gave = [gave.name, gave.metadata]
            answer = {"gave": plain(gave)}
        except Exception as error:
            answer = {"raised": type(error).__name__, "said": str(error)[:300]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
