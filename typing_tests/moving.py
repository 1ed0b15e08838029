"""What a type checker must know about transfers, the doctor and the embedded server; checked by mypy, never run."""

from __future__ import annotations

from typing import assert_type

from starlette.applications import Starlette

from dbadapter import AsyncDatabaseAdapter, DatabaseAdapter, DatabaseConfig
from dbadapter.doctor import Finding, Report, diagnose
from dbadapter.embedded import EmbeddedPostgres
from dbadapter.transfer import (
    TransferPlan,
    TransferReport,
    VerifyReport,
    plan_transfer,
    run_transfer,
    verify_transfer,
)
from dbadapter.web import create_app


def told(phase: str, table: str, rows: int, total: int) -> None:
    print(phase, table, rows, total)


def moving(source: DatabaseAdapter, target: DatabaseConfig) -> None:
    plan = plan_transfer(source, target, tables=["notes"])
    assert_type(plan, TransferPlan)
    plan.save("plan.json")
    assert_type(run_transfer(plan, dry_run=True, progress=told), TransferReport)
    check = verify_transfer("sqlite:///app.db", target)
    assert_type(check, VerifyReport)
    assert_type(check.equal, bool)


def looking(config: DatabaseConfig) -> None:
    report = diagnose(config)
    assert_type(report, Report)
    assert_type(report.errors, tuple[Finding, ...])
    assert_type(report.healthy, bool)


def serving(adapter: DatabaseAdapter, other: AsyncDatabaseAdapter) -> None:
    assert_type(create_app(adapter, token="secret"), Starlette)
    assert_type(create_app(other), Starlette)


def embedded() -> None:
    with EmbeddedPostgres(replicas=1) as server:
        assert_type(server.url, str)
        assert_type(server.config, DatabaseConfig)
        server.replicas[0].stop()
        server.promote(0)
