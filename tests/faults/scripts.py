"""Runs a script in a Python of its own, where signals, limits and forks hurt nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

SRC = Path(__file__).resolve().parents[2] / "src"

PREAMBLE = """
import asyncio, json, os, signal, sqlite3, sys, threading, time
from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig, DatabaseType, PoolConfig
from dbadapter.errors import *
"""


def run(script: str, *arguments: str, preamble: str = PREAMBLE, timeout: float = 60) -> str:
    """What the script prints; it must exit with 0 and write nothing to stderr."""
    done = subprocess.run(
        [sys.executable, "-c", preamble + textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout
