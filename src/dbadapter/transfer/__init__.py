"""Moving all data between SQLite and Postgres, every value accounted for.

plan = plan_transfer("sqlite:///app.db", "postgresql://me@db/app")    # reads every value first
plan.save("plan.json")                                                # to review, and edit
report = run_transfer(plan)
check = verify_transfer("sqlite:///app.db", "postgresql://me@db/app")
"""

from __future__ import annotations

from .plan import ColumnPlan, Dropped, ForeignKeyPlan, IndexPlan, TablePlan, TransferPlan
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
from .verifying import verify_transfer

__all__ = [
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
