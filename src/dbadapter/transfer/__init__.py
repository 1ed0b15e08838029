"""Moving all data between SQLite and Postgres, every value accounted for.

plan = plan_transfer("sqlite:///app.db", "postgresql://me@db/app")    # reads every value first
plan.save("plan.json")                                                # to review, and edit
report = run_transfer(plan)
check = verify_transfer("sqlite:///app.db", "postgresql://me@db/app")
"""

from __future__ import annotations

from .plan import ColumnPlan, Dropped, ForeignKeyPlan, IndexPlan, TablePlan, TransferPlan
from .planning import plan_transfer

__all__ = [
    "ColumnPlan",
    "Dropped",
    "ForeignKeyPlan",
    "IndexPlan",
    "TablePlan",
    "TransferPlan",
    "plan_transfer",
]
