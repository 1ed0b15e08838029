"""``python -m benchmarks [SUITE ...]``: measure, print the tables, and say which promises were missed.

``python -m benchmarks vectors [...]`` compares vector stores, which takes longer and has options of its own.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import tempfile
from pathlib import Path

from . import report, suites, vectors
from .harness import Figures, FiguresOutcome, Outcome, measure, take


def names() -> list[str]:
    """Return the names of all suites."""
    return sorted(module.name for module in pkgutil.iter_modules(suites.__path__))


def run(name: str, *, rounds: int) -> Outcome | FiguresOutcome:
    """Measure the suite ``name``, in a directory of its own."""
    module = importlib.import_module(f"{suites.__name__}.{name}")
    with tempfile.TemporaryDirectory() as scratch, module.suite(Path(scratch)) as suite:
        return take(suite, rounds=rounds) if isinstance(suite, Figures) else measure(suite, rounds=rounds)


def main() -> int:
    """Run the command line; exit 1 when a promise was missed and ``--strict`` is given."""
    if sys.argv[1:2] == ["vectors"]:
        return vectors.main(sys.argv[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("suite", nargs="*", help="which suites to run; all, if none is named")
    parser.add_argument("--list", action="store_true", help="list the suites")
    parser.add_argument("--rounds", type=int, default=9, help="turns for each contender (default: 9)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a promise was missed")
    options = parser.parse_args()
    if options.list:
        print("\n".join([*names(), "vectors (only when named)"]))
        return 0
    if unknown := sorted(set(options.suite) - set(names())):
        parser.error(f"no such suite: {', '.join(unknown)}; there are {', '.join(names())}")
    outcomes = []
    print(report.machine(), end="\n\n")
    for name in options.suite or names():
        outcomes.append(run(name, rounds=options.rounds))
        print("\n".join(report.markdown(outcomes[-1:])), flush=True)
    if options.json:
        options.json.write_text(json.dumps(report.plain(outcomes), indent=2) + "\n", encoding="utf-8")
    if options.markdown:
        text = f"Measured on {report.machine()}.\n\n" + "\n".join(report.markdown(outcomes))
        options.markdown.write_text(text, encoding="utf-8")
    missed = [line for outcome in outcomes for line in outcome.missed()]
    print("\n".join(missed) or "Every promise was kept.")
    return 1 if missed and options.strict else 0


if __name__ == "__main__":
    sys.exit(main())
