"""Moving all data between SQLite and Postgres, every value accounted for.

plan = plan_transfer("sqlite:///app.db", "postgresql://me@db/app")    # reads every value first
plan.save("plan.json")                                                # to review, and edit
report = run_transfer(plan)
check = verify_transfer("sqlite:///app.db", "postgresql://me@db/app")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .plan import CheckPlan, ColumnPlan, Dropped, ForeignKeyPlan, IndexPlan, TablePlan, TransferPlan
from .planning import plan_transfer
from .report import (
    CollectionCheck,
    Difference,
    Orphans,
    TableCheck,
    TableReport,
    TransferReport,
    VerifyReport,
)
from .run import existing_tables, run_transfer

if TYPE_CHECKING:
    from .verifying import verify_transfer

__all__ = [
    "CheckPlan",
    "CollectionCheck",
    "ColumnPlan",
    "Difference",
    "Dropped",
    "ForeignKeyPlan",
    "IndexPlan",
    "Orphans",
    "TableCheck",
    "TablePlan",
    "TableReport",
    "TransferPlan",
    "TransferReport",
    "VerifyReport",
    "existing_tables",
    "plan_transfer",
    "run_transfer",
    "verify_transfer",
]


def __getattr__(name: str) -> Any:
    """Load the verification when it is asked for."""
    if name != "verify_transfer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .verifying import verify_transfer

    return verify_transfer
