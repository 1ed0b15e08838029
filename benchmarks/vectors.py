"""Vectors side by side: ``python -m benchmarks vectors [--count N] [--data real synthetic] [--largest N]``.

Each contender runs in a process of its own and gets the same work in turns, so that a slow moment of the machine
hits all of them; memory is each process's own. Chroma and LanceDB run under the Python that
DBADAPTER_BENCH_PYTHON names (default: this one). Real embeddings are taken from DBADAPTER_SAMPLE_DATA
(minilm_50k.f16.npy), or the directory above it, and stretched with slightly moved copies; without it there are only
made-up ones. At the end the local engine alone is measured as a collection grows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field

from .vector_plot import write_plot

_AS_FAST = 1.1  # grows as fast as the data, but for the noise of two measurements
TIMES = ("add s", "query p50 ms", "1 % p50 ms", "50 % p50 ms", "first s")
SIZES = ("memory MB", "disk MB")
QUERIES, FILTERED, CHUNK, TURN = 200, 20, 5000, 20
DIMENSION = 384


@define
class Contender:
    """A process, and what was measured of it."""

    name: str
    process: subprocess.Popen[str]
    figures: dict[str, float] = field(factory=dict)
    times: dict[str, list[float]] = field(factory=dict)
    found: dict[str, list[list[str]]] = field(factory=dict)

    def ask(self, **command: Any) -> dict[str, Any]:
        """Give a command and wait for the answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def contender(name: str, kind: str, directory: Path, url: str = "-") -> Iterator[Contender]:
    """A running contender."""
    foreign = kind in ("Chroma", "Lance")
    python = os.environ.get("DBADAPTER_BENCH_PYTHON", sys.executable) if foreign else sys.executable
    script = Path(__file__).with_name("vector_workers.py")
    process = subprocess.Popen(
        [python, str(script), kind, str(directory), url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Contender(name, process)
        process.communicate(timeout=60)  # its input ends: it closes what it opened
    finally:
        process.kill()
        process.communicate()


def real_vectors(count: int, chance: np.random.Generator) -> Any:
    """Real embeddings, stretched to so many; the last ones are for queries."""
    home = Path(os.environ.get("DBADAPTER_SAMPLE_DATA", os.devnull))
    files = [each / "minilm_50k.f16.npy" for each in (home, home.parent)]
    found = next((file for file in files if file.exists()), None)
    if found is None:
        return None
    base = np.load(found).astype(np.float32)
    base = base[chance.permutation(len(base))]
    held, base = base[:QUERIES], base[QUERIES:]
    parts = [base]
    while sum(map(len, parts)) < count:
        parts.append(base + chance.normal(0, 0.02, base.shape).astype(np.float32))
    vectors = np.concatenate(parts)[:count]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), held


def made_up_vectors(count: int, chance: np.random.Generator) -> Any:
    """Clusters of different sizes."""
    centres = chance.normal(size=(max(10, count // 200), DIMENSION)).astype(np.float32)
    which = chance.integers(len(centres), size=count + QUERIES)
    vectors = np.empty((count + QUERIES, DIMENSION), np.float32)
    for start in range(0, len(vectors), 20_000):
        some = which[start : start + 20_000]
        vectors[start : start + 20_000] = centres[some] + chance.normal(0, 0.7, (len(some), DIMENSION))
    return vectors[:count], vectors[count:]


def save(directory: Path, vectors: Any, queries: Any) -> None:
    """Write what the contenders read, to the disk itself: it must not be busy with it when they begin."""
    np.save(directory / "vectors.npy", vectors)
    np.save(directory / "queries.npy", queries)
    os.sync()


def truth(vectors: Any, queries: Any) -> list[set[str]]:
    """The ten nearest of each query, compared one by one."""
    lengths = np.linalg.norm(vectors, axis=1)
    return [{f"id{at}" for at in np.argpartition(-(vectors @ query) / lengths, 10)[:10]} for query in queries]


def build(contenders: list[Contender], count: int) -> None:
    """Fill all of them, chunk by chunk in turns."""
    for each in contenders:
        each.ask(do="open")
        each.figures["add s"] = 0.0
    for number, start in enumerate(range(0, count, CHUNK)):
        for each in contenders if number % 2 else contenders[::-1]:
            taken = each.ask(do="add", start=start, stop=min(start + CHUNK, count))["seconds"]
            each.figures["add s"] += taken
    for each in contenders:
        each.figures["index s"] = each.ask(do="finish")["seconds"]


def search(contenders: list[Contender], expected: list[set[str]]) -> None:
    """Query all of them in turns.

    Those who search one table find in the server's memory what another has just looked for, and are faster by a third.
    So everything is asked for twice, and who came first comes last then; and what is asked for to warm up is far from
    what is measured next.
    """
    for each in contenders:
        each.ask(do="query", start=QUERIES - TURN, stop=QUERIES, where=None)  # warm
    for label, where, total in (
        ("query", None, QUERIES),
        ("1 %", "part", FILTERED),
        ("50 %", "half", FILTERED),
    ):
        turn = min(TURN, max(5, total // 4))
        if where is not None:
            for each in contenders:
                each.ask(do="query", start=total - 3, stop=total, where=where)
        for swapped in (0, 1):
            for number, start in enumerate(range(0, total, turn)):
                for each in contenders if (number + swapped) % 2 else contenders[::-1]:
                    answer = each.ask(do="query", start=start, stop=start + turn, where=where)
                    each.times.setdefault(label, []).extend(answer["times"])
                    each.found.setdefault(label, []).extend(answer["ids"])
    for each in contenders:
        for label, times in each.times.items():
            each.figures[f"{label} p50 ms"] = statistics.median(times) * 1000
        pairs = zip(each.found["query"], expected * 2, strict=True)
        each.figures["recall"] = statistics.mean(len(set(ids) & true) / 10 for ids, true in pairs)


def table(contenders: list[Contender], columns: list[str]) -> str:
    """The figures as a table in Markdown."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for each in contenders:
        cells = [f"{each.figures[column]:.4g}" if column in each.figures else "" for column in columns]
        lines.append(f"| {each.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def promise(text: str, value: float, limit: float, *, least: bool = False) -> str:
    """A line on a promise and whether it was kept."""
    kept = value >= limit if least else value <= limit
    return (
        f"- {'kept' if kept else 'MISSED'}: {text}: {value:.3g} (promised: {'≥' if least else '≤'} {limit:g})"
    )


def local(directory: Path, count: int, expected: list[set[str]], kinds: list[tuple[str, str]]) -> list[str]:
    """The embedded engines."""
    with ExitStack() as stack:
        contenders = [stack.enter_context(contender(name, kind, directory)) for name, kind in kinds]
        build(contenders, count)
    with ExitStack() as stack:
        fresh = [stack.enter_context(contender(name, kind, directory)) for name, kind in kinds]
        for each, old in zip(fresh, contenders, strict=True):
            each.figures = old.figures
            each.figures["first s"] = each.ask(do="first")["seconds"]
        search(fresh, expected)
        for each in fresh:
            size = each.ask(do="size")
            each.figures["disk MB"], each.figures["memory MB"] = size["disk"] / 1e6, size["memory"] / 1e6
            each.figures["build s"] = each.figures["add s"] + each.figures["index s"]
    columns = ["add s", "index s", "query p50 ms", "recall", "1 % p50 ms", "50 % p50 ms"]
    lines = [table(fresh, [*columns, "first s", "memory MB", "disk MB"]), ""]
    by_kind = {kind: each.figures for each, (_, kind) in zip(fresh, kinds, strict=True)}
    if "Chroma" in by_kind:
        ours, theirs = by_kind["Ours"], by_kind["Chroma"]
        query = "query p50 ms"
        lines += [
            promise("add, times Chroma's rate", theirs["build s"] / ours["build s"], 10, least=True),
            promise("query p50, of Chroma's", ours[query] / theirs[query], 0.7),
            promise("recall@10", ours["recall"], 0.99, least=True),
            promise("1 % filter, times faster", theirs["1 % p50 ms"] / ours["1 % p50 ms"], 10, least=True),
            promise("50 % filter, times faster", theirs["50 % p50 ms"] / ours["50 % p50 ms"], 10, least=True),
            promise("open to first query, seconds beyond Chroma's", ours["first s"] - theirs["first s"], 0.5),
            promise("memory, of Chroma's", ours["memory MB"] / theirs["memory MB"], 1),
            promise("disk, of Chroma's", ours["disk MB"] / theirs["disk MB"], 1),
        ]
    return lines


def server(directory: Path, count: int, expected: list[set[str]]) -> list[str]:
    """pgvector, through the adapter and by hand: a load each, then searches of the same table and index.

    Of two indexes one may be luckier than the other, or lie in the server's memory more often.
    """
    from dbadapter.embedded import EmbeddedPostgres

    kinds = [("dbadapter on pgvector", "OursOnPostgres"), ("pgvector by hand", "RawPostgres")]
    with EmbeddedPostgres() as pg, ExitStack() as stack:
        contenders = [stack.enter_context(contender(name, kind, directory, pg.url)) for name, kind in kinds]
        build(contenders, count)
        search(contenders, expected)
    ours, theirs = (each.figures for each in contenders)
    columns = ["add s", "index s", "query p50 ms", "recall", "1 % p50 ms", "50 % p50 ms"]
    return [
        table(contenders, columns),
        "",
        promise("bulk load, of a raw binary COPY", ours["add s"] / theirs["add s"], 1.5),
        promise("search, of its raw SQL", ours["query p50 ms"] / theirs["query p50 ms"], 1.2),
        promise("recall@10", ours["recall"], 0.98, least=True),
    ]


def growth(directory: Path, largest: int, plots: Path | None) -> list[str]:
    """The local engine as a collection grows."""
    chance, rows = np.random.default_rng(3), []
    for count in [size for size in (10_000, 30_000, 100_000, 300_000, 1_000_000) if size <= largest]:
        with tempfile.TemporaryDirectory(dir=directory) as scratch:
            home = Path(scratch)
            vectors, queries = real_vectors(count, chance) or made_up_vectors(count, chance)
            save(home, vectors, queries)
            expected = truth(vectors, queries)
            del vectors
            with contender("dbadapter", "Ours", home) as ours:
                build([ours], count)
            with contender("dbadapter", "Ours", home) as again:
                first = again.ask(do="first")["seconds"]
                again.figures = {"vectors": count, **ours.figures, "first s": first}
                search([again], expected)
                size = again.ask(do="size")
                again.figures |= {"memory MB": size["memory"] / 1e6, "disk MB": size["disk"] / 1e6}
        again.name = f"{count:,}"
        rows.append(again)
    if plots is not None:
        figures = [each.figures for each in rows]
        write_plot(plots / "vectors-time.svg", figures, TIMES)
        write_plot(plots / "vectors-size.svg", figures, SIZES)
    few, many = rows[0].figures, rows[-1].figures
    times = many["vectors"] / few["vectors"]
    return [
        table(rows, [*TIMES, "recall", *SIZES]),
        "",
        *(
            promise(f"{times:g} × the data: {name}", many[name] / few[name], times * _AS_FAST)
            for name in TIMES + SIZES
        ),
    ]


def comparison(directory: Path, count: int, kind: str, without: list[str]) -> Iterator[list[str]]:
    """All contenders at one size, on vectors of one kind; nothing if there are none."""
    chance = np.random.default_rng(1)
    found = real_vectors(count, chance) if kind == "real" else made_up_vectors(count, chance)
    if found is None:
        yield ["No real vectors here: DBADAPTER_SAMPLE_DATA does not say where they are."]
        return
    vectors, queries = found
    yield [f"### {count:,} × {DIMENSION}, {kind}"]
    save(directory, vectors, queries)
    expected = truth(vectors, queries)
    del vectors, found
    if "local" not in without:
        peers = [("Chroma", "Chroma"), ("LanceDB IVF_HNSW_SQ", "Lance")]
        kinds = [(name, kind) for name, kind in peers if kind.lower() not in without]
        yield local(directory, count, expected, [("dbadapter", "Ours"), *kinds])
    if "server" not in without:
        yield server(directory, count, expected)


def main(arguments: list[str]) -> int:
    """Run the command line; exit 1 when a promise was missed and ``--strict`` is given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks vectors", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="how many vectors (default: 100,000)")
    parser.add_argument("--data", nargs="*", default=["real", "synthetic"], choices=["real", "synthetic"])
    parser.add_argument("--without", nargs="*", default=[], choices=["chroma", "lance", "local", "server"])
    parser.add_argument(
        "--largest", type=int, default=1_000_000, help="how far the local engine grows (0: not at all)"
    )
    parser.add_argument("--plots", type=Path, metavar="DIRECTORY", help="where to draw the growth")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a promise was missed")
    options = parser.parse_args(arguments)
    missed = False

    def show(lines: list[str]) -> None:
        nonlocal missed
        missed = missed or any(line.startswith("- MISSED") for line in lines)
        print("\n".join(lines), end="\n\n", flush=True)

    with tempfile.TemporaryDirectory() as scratch:
        for kind in options.data:
            home = Path(scratch, kind)
            home.mkdir()
            for lines in comparison(home, options.count, kind, options.without):
                show(lines)
        if options.largest:
            show(["### As a collection grows"])
            show(growth(Path(scratch), options.largest, options.plots))
    return 1 if missed and options.strict else 0
