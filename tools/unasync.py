"""Generate the sync half of dbadapter from the async half, by replacing tokens.

``python tools/unasync.py`` writes; ``python tools/unasync.py --check`` only compares, and exits 1 naming
every generated file that is stale, truncated, missing or orphaned, and every replacement nothing uses.

Rules, in the order they are applied:

1. A statement whose line ends in ``# unasync: async-only`` is left out, with its block if it opens one.
   A comment line that ends in ``# unasync: sync-only`` becomes code.
2. ``async def``, ``async with``, ``async for`` and ``await`` lose their keyword; ``Awaitable[X]`` becomes ``X``.
3. Names are replaced by ``NAMES``; names that begin with ``Async`` and a capital lose that prefix.
4. Strings and comments are treated word by word in the same way, so docstrings and their examples stay true.
   There ``await`` goes only where a call or a closing brace follows: prose may await what it likes.
5. ruff drops imports nobody needs any more, sorts the others and formats the file.

What is left is parsed: an ``await`` or ``async`` that survived is an error with its line.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import io
import keyword
import re
import shutil
import subprocess
import sys
import tempfile
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Written by hand -> generated. Both are files, or both are directories.
TARGETS: Mapping[str, str] = {
    "src/dbadapter/_async": "src/dbadapter/_sync",
    "src/dbadapter/_drivers/postgres_async.py": "src/dbadapter/_drivers/postgres.py",
    "src/dbadapter/_drivers/postgres_link_async.py": "src/dbadapter/_drivers/postgres_link.py",
    "tests/_async": "tests/_sync",
}

# Names that differ in the two worlds, beyond the prefix ``Async``.
NAMES: Mapping[str, str] = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "_aio": "_threads",
    "aclose": "close",
    "aiter": "iter",
    "anext": "next",
    "asynccontextmanager": "contextmanager",
    "postgres_async": "postgres",
    "postgres_link_async": "postgres_link",
    "sqlite_async": "sqlite",
}

HEADER = "# Generated from {source} by tools/unasync.py; do not edit.\n"
ASYNC_ONLY = "# unasync: async-only"
SYNC_ONLY = "# unasync: sync-only"

_PREFIX = re.compile(r"(_*(?:Abstract)?)Async(?=[A-Z])")
_WORD = re.compile(r"[A-Za-z_]\w*")
_TEXT_KEYWORD = re.compile(r"\basync\s+(?=(?:def|with|for)\b)|\bawait\s+(?=[\w.]+[(\[])|(?<=\{)\s*await\s+")
_COMMENTED = re.compile(r"^(\s*)#\s?(.*?)\s*" + re.escape(SYNC_ONLY) + r"[ \t]*$")
_SPACE = frozenset({tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT})


class UnasyncError(Exception):
    """A source that cannot be converted, or a tool that is missing."""


@dataclass
class Names:
    """The replacement table, and which of its entries were used."""

    table: Mapping[str, str] = field(default_factory=lambda: NAMES)
    used: set[str] = field(default_factory=set)

    def replace(self, word: str) -> str:
        """Return the name ``word`` has in the sync half."""
        if word in self.table:
            self.used.add(word)
            return self.table[word]
        found = _PREFIX.match(word)
        return word if found is None else found[1] + word[found.end() :]

    def replace_text(self, text: str) -> str:
        """Treat a string or a comment: keywords of code in it go, words are replaced."""
        return _WORD.sub(lambda m: self.replace(m[0]), _TEXT_KEYWORD.sub("", text))

    def unused(self) -> list[str]:
        """Entries of the table that no source has needed."""
        return sorted(set(self.table) - self.used)


@dataclass(frozen=True)
class Piece:
    """A stretch of source text; an f-string is one piece, whatever the Python that reads it makes of it."""

    kind: int
    text: str
    start: int
    end: int


def convert(source: str, names: Names, *, name: str = "<source>") -> str:
    """Return the sync twin of the Python text ``source``, not yet formatted.

    ``names`` notes which entries were used; ``name`` stands in messages. Raises UnasyncError when ``source``
    is not Python or when something async survives.
    """
    try:
        kept = _apply_markers(source)
        result = _replace(kept, names)
        tree = ast.parse(result)
    except (SyntaxError, tokenize.TokenError) as error:
        raise UnasyncError(f"{name}: cannot be converted: {error}") from error
    for node in ast.walk(tree):
        is_async = isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith | ast.Await)
        if is_async or (isinstance(node, ast.comprehension) and node.is_async):
            line = getattr(node, "lineno", "?")
            raise UnasyncError(f"{name}: something async is left after conversion, near line {line}")
    return result


def _apply_markers(source: str) -> str:
    """Drop the statements marked async-only, uncomment the lines marked sync-only."""
    if ASYNC_ONLY not in source and SYNC_ONLY not in source:
        return source
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    lines = list(io.StringIO(source))
    dropped: set[int] = set()
    first = 0
    for index, token in enumerate(tokens):
        if token.type == tokenize.NEWLINE:
            statement = [t for t in tokens[first:index] if t.type not in _SPACE]
            begin = statement[0].start
            comments = (t for t in tokens[first:index] if t.type == tokenize.COMMENT and t.start > begin)
            if any(comment.string == ASYNC_ONLY for comment in comments):
                dropped.update(range(begin[0], _end_of_block(tokens, index) + 1))
            first = index + 1
    kept = (_COMMENTED.sub(r"\1\2", line) for number, line in enumerate(lines, 1) if number not in dropped)
    return "".join(kept)


def _end_of_block(tokens: list[tokenize.TokenInfo], newline: int) -> int:
    """Return the last line of the statement that ends at token ``newline``, its block included."""
    index = newline + 1
    while tokens[index].type in (tokenize.NL, tokenize.COMMENT):
        index += 1
    last = tokens[newline].start[0]
    if tokens[index].type != tokenize.INDENT:
        return last
    depth = 0
    for token in tokens[index:]:
        depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        if depth == 0:
            break
        if token.type == tokenize.NEWLINE:
            last = token.start[0]
    return last


def _pieces(source: str) -> list[Piece]:
    """Split ``source`` into its tokens, f-strings whole."""
    starts = [0]
    for line in io.StringIO(source):
        starts.append(starts[-1] + len(line))
    starts.append(starts[-1])
    opening, closing = getattr(tokenize, "FSTRING_START", -1), getattr(tokenize, "FSTRING_END", -1)
    pieces: list[Piece] = []
    depth = begun = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        start, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        if token.type == opening:
            begun = begun if depth else start
            depth += 1
        elif token.type == closing:
            depth -= 1
            if depth == 0:
                pieces.append(Piece(tokenize.STRING, source[begun:end], begun, end))
        elif depth == 0 and token.string.strip():
            pieces.append(Piece(token.type, token.string, start, end))
    return pieces


def _replace(source: str, names: Names) -> str:
    """Apply the rules for keywords, names, strings and comments."""
    pieces = _pieces(source)
    out: list[str] = []
    position = 0
    skipped = _brackets_to_drop(pieces, source)
    for index, piece in enumerate(pieces):
        if piece.start >= position:
            out.append(source[position : piece.start])
        position = piece.end
        if index in skipped:
            continue
        if piece.kind in (tokenize.STRING, tokenize.COMMENT):
            out.append(names.replace_text(piece.text))
        elif piece.kind == tokenize.NAME and piece.text in ("async", "await"):
            following = pieces[index + 1]
            position = following.start if "\n" not in source[piece.end : following.start] else position
        elif piece.kind == tokenize.NAME:
            out.append(names.replace(piece.text))
        else:
            out.append(piece.text)
    out.append(source[position:])
    return "".join(out)


def _brackets_to_drop(pieces: list[Piece], source: str) -> set[int]:
    """Find what becomes idle: ``Awaitable[`` … ``]``, and the parentheses of ``(await x.y(z)).w``."""
    idle: set[int] = set()
    for index, piece in enumerate(pieces[:-1]):
        following = pieces[index + 1]
        if piece.text == "Awaitable" and following.text == "[":
            idle |= {index, index + 1, _closing(pieces, index + 1)}
        elif piece.text == "(" and following.text == "await":
            before = pieces[index - 1] if index else None
            is_call = before is not None and (before.text in (")", "]") or _ends_a_value(before))
            end = _closing(pieces, index)
            is_line = "\n" not in source[piece.start : pieces[end].end]
            if is_line and not is_call and _is_chain(pieces, index + 2, end):
                idle |= {index, end}
    return idle


def _ends_a_value(piece: Piece) -> bool:
    return piece.kind == tokenize.NAME and not keyword.iskeyword(piece.text)


def _closing(pieces: list[Piece], opening: int) -> int:
    """Return the index of the bracket that closes the one at ``opening``."""
    depth = 0
    for index in range(opening, len(pieces)):
        text = pieces[index].text if pieces[index].kind == tokenize.OP else ""
        depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
        if text and depth == 0:
            return index
    raise UnasyncError("an opening bracket is never closed")


def _is_chain(pieces: list[Piece], first: int, end: int) -> bool:
    """Whether the pieces from ``first`` up to ``end`` are names, dots, calls and subscripts only."""
    index = first
    while index < end:
        if pieces[index].text in ("(", "["):
            index = _closing(pieces, index)
        elif pieces[index].text != "." and not _ends_a_value(pieces[index]):
            return False
        index += 1
    return True


def find_ruff() -> list[str]:
    """Return the command that runs ruff: beside this Python, as its module, or on PATH."""
    beside = Path(sys.executable).parent / "ruff"
    candidates = [[str(beside)]] if beside.exists() else []
    if importlib.util.find_spec("ruff") is not None:
        candidates.append([sys.executable, "-m", "ruff"])
    on_path = shutil.which("ruff")
    if on_path is not None:
        candidates.append([on_path])
    for command in candidates:
        if subprocess.run([*command, "--version"], capture_output=True, check=False).returncode == 0:
            return command
    raise UnasyncError(
        "ruff is needed to format what is generated, and was found neither beside "
        f"{sys.executable}, nor as its module, nor on PATH: pip install 'dbadapter[dev]'"
    )


def format_all(texts: Mapping[str, str], *, root: Path = ROOT) -> dict[str, str]:
    """Sort imports in, and format, every text of ``texts`` (path -> text) with the project's settings."""
    if not texts:
        return {}
    ruff = find_ruff()
    settings = ["--config", str(root / "pyproject.toml"), "--no-cache", "--quiet"]
    with tempfile.TemporaryDirectory() as scratch:
        for path, text in texts.items():
            file = Path(scratch, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        sort = ["check", "--select", "I,F401", "--fix", "--exit-zero", *settings, "."]
        for arguments in (sort, ["format", *settings, "."]):
            done = subprocess.run(
                [*ruff, *arguments], cwd=scratch, capture_output=True, text=True, check=False
            )
            if done.returncode:
                raise UnasyncError(
                    f"ruff {arguments[0]} failed: {done.stderr.strip() or done.stdout.strip()}"
                )
        return {path: Path(scratch, path).read_text(encoding="utf-8") for path in texts}


def _sources(root: Path, targets: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (written file, generated file), relative to ``root``."""
    for source, target in targets.items():
        if (root / source).is_dir():
            for file in sorted((root / source).rglob("*.py")):
                inside = file.relative_to(root / source).as_posix()
                yield f"{source}/{inside}", f"{target}/{inside}"
        elif (root / source).exists():
            yield source, target


def generate(names: Names, *, root: Path = ROOT, targets: Mapping[str, str] = TARGETS) -> dict[str, str]:
    """Return every generated file (path relative to ``root`` -> text)."""
    texts = {}
    for source, target in _sources(root, targets):
        text = convert((root / source).read_text(encoding="utf-8"), names, name=source)
        texts[target] = HEADER.format(source=source) + text
    return format_all(texts, root=root)


def _orphans(wanted: Mapping[str, str], root: Path, targets: Mapping[str, str]) -> list[str]:
    present = (file for target in targets.values() for file in (root / target).rglob("*.py"))
    return sorted({file.relative_to(root).as_posix() for file in present} - set(wanted))


def check(names: Names, *, root: Path = ROOT, targets: Mapping[str, str] = TARGETS) -> list[str]:
    """Return what is wrong with the committed files, one message each; nothing is written."""
    problems = [
        f"{source}: named in TARGETS, but missing" for source in targets if not (root / source).exists()
    ]
    wanted = generate(names, root=root, targets=targets)
    for path, text in wanted.items():
        if not (root / path).exists():
            problems.append(f"{path}: missing; run tools/unasync.py")
        elif (present := (root / path).read_text(encoding="utf-8")) != text:
            word = "truncated" if text.startswith(present) else "stale"
            problems.append(f"{path}: {word}; run tools/unasync.py")
    problems += [
        f"{path}: orphaned, its source is gone; delete it" for path in _orphans(wanted, root, targets)
    ]
    problems += [f"tools/unasync.py: the replacement of {name!r} is used nowhere" for name in names.unused()]
    return problems


def write(names: Names, *, root: Path = ROOT, targets: Mapping[str, str] = TARGETS) -> list[str]:
    """Write every generated file that differs, delete orphans of our own making; return what was done."""
    done = []
    wanted = generate(names, root=root, targets=targets)
    for path, text in wanted.items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            done.append(f"wrote {path}")
    for path in _orphans(wanted, root, targets):
        if "by tools/unasync.py; do not edit" in (root / path).read_text(encoding="utf-8"):
            (root / path).unlink()
            done.append(f"deleted {path}")
    return done


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code: 0 in order, 1 out of step, 2 when it could not work."""
    parser = argparse.ArgumentParser(description="Generate the sync half of dbadapter from the async half.")
    parser.add_argument(
        "--check", action="store_true", help="compare only; exit 1 when something is out of step"
    )
    options = parser.parse_args(arguments)
    try:
        messages = check(Names()) if options.check else write(Names())
    except UnasyncError as error:
        print(f"unasync: {error}", file=sys.stderr)
        return 2
    for message in messages:
        print(message, file=sys.stderr if options.check else sys.stdout)
    return 1 if options.check and messages else 0


if __name__ == "__main__":
    sys.exit(main())
