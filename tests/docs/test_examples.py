"""What lies beside the examples for their users: environments and compose files that say what the programs read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbadapter import DatabaseConfig
from tests.docs.pages import ROOT

EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/README.md"))
ENVIRONMENTS = sorted((ROOT / "examples").glob("*/.env.example"))
COMPOSED = sorted((ROOT / "examples").glob("*/compose.yaml"))


def variables(path: Path) -> dict[str, str]:
    """The variables of an environment file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line.strip() and not line.startswith("#"))


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.parent.name)
def test_an_environment_is_a_configuration(path: Path) -> None:
    """It makes a configuration, and every variable is one that this, the program or the compose file reads."""
    given = variables(path)
    assert given
    DatabaseConfig.from_env(given)
    compose = path.with_name("compose.yaml")
    mentioned = compose.read_text(encoding="utf-8") if compose.exists() else ""
    program = "".join(file.read_text(encoding="utf-8") for file in path.parent.rglob("*.py"))
    known = set(re.findall(r"`?\b((?:DB|PG)_?[A-Z]+|DATABASE_URL|USE_POSTGRES)\b", _CONFIGURE))
    assert [name for name in given if name not in known and name not in mentioned + program] == []


@pytest.mark.parametrize("path", COMPOSED, ids=lambda path: path.parent.name)
def test_a_compose_file_takes_its_variables_from_the_environment(path: Path) -> None:
    """What it wants is in the file of the environment, ports are open on this machine only, images have a version."""
    text = path.read_text(encoding="utf-8")
    wanted = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    assert wanted <= set(variables(path.with_name(".env.example")))
    assert re.findall(r'ports: \["(?!127\.0\.0\.1:)', text) == []
    for image in re.findall(r"image: (\S+)", text):
        assert re.search(r":(pg)?\d", image), image


def test_every_example_is_in_the_index() -> None:
    """The index names each directory, and nothing that is not there."""
    index = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\((\w+)/README\.md\)", index)) == [path.name for path in EXAMPLES]


_CONFIGURE = (ROOT / "docs" / "how-to" / "configure.md").read_text(encoding="utf-8")
