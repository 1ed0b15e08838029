"""The reader of documentation pages: what it runs, what it leaves out, what it refuses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import PageError, expected_output, program, read_blocks

PAGE = """# Title

```python
a = 1
```

1. An item:

    ```python
    if a:
        b = a + 1
    ```

```bash
rm -rf /
```

<!-- skip: needs a server of yours -->

```python
raise SystemExit
```

<!-- setup
c = 3
-->

````markdown
```python
not run, shown
```
````

```python
print(a + b + c)
```

<!-- run -->

```bash
test 1 = 1
```

```output
6
```
"""


def test_the_blocks_of_a_page_are_one_program() -> None:
    """Python blocks and setups run in one namespace, dedented; skipped and other blocks do not."""
    namespace: dict[str, object] = {}
    exec(program(PAGE).replace("print", "total ="), namespace)
    assert namespace["total"] == 6


def test_line_numbers_are_those_of_the_page() -> None:
    """A traceback of a page names the line of the page."""
    lines = PAGE.splitlines()
    for number, line in enumerate(program(PAGE).splitlines()):
        assert line.strip() in ("", lines[number].strip()) or (
            line.startswith("__import__") and lines[number] in line
        )


def test_the_output_of_a_page() -> None:
    """Output blocks say what the page prints; without them anything goes."""
    assert expected_output(PAGE) == "6"
    assert expected_output("```python\nprint(1)\n```\n") is None


def test_bash_runs_where_it_is_marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A marked block runs between the Python around it, and a command that fails ends the page."""
    monkeypatch.chdir(tmp_path)
    page = (
        "<!-- run -->\n```bash\necho there > here\n```\n\n```python\nfound = Path('here').read_text()\n```\n"
    )
    namespace: dict[str, object] = {"Path": Path}
    exec(program(page), namespace)
    assert namespace["found"] == "there\n"
    with pytest.raises(subprocess.CalledProcessError):
        exec(program("<!-- run -->\n```bash\nfalse\ntrue\n```\n"), {})


def test_a_skip_holds_for_the_next_block_only() -> None:
    """The reason stands with the block it belongs to."""
    assert [block.skip for block in read_blocks(PAGE) if block.skip] == ["needs a server of yours"]


@pytest.mark.parametrize(
    ("page", "line"),
    [
        ("```python\nx = 1\n", "line 1"),
        ("\n<!-- setup\nx = 1\n", "line 2"),
        ("<!-- skip: -->\n```python\n```\n", "line 1"),
        ("<!-- skip: why -->\ntext\n```python\n```\n", "line 2"),
        ("<!-- run -->\ntext\n```bash\n```\n", "line 2"),
        ("<!-- run -->\n```python\n```\n", "line 2"),
    ],
)
def test_a_malformed_page_is_refused(page: str, line: str) -> None:
    """An open block, a skip without a reason, a skip or run of nothing are errors that name their line."""
    with pytest.raises(PageError, match=line):
        list(read_blocks(page))
