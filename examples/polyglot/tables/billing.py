"""What it costs."""

from __future__ import annotations

from dbadapter.schema import Column, Index, Table
from dbadapter.schema import types as t

from .columns import belongs_to, created, identity, mentions

MONEY = t.Decimal(12, 2)

TABLES = [
    Table(
        "plans",
        identity(),
        Column("code", t.Varchar(30), nullable=False, unique=True, check="code ~ '^[A-Z][A-Z0-9_]*$'"),
        Column("monthly", MONEY, nullable=False, check="monthly >= 0"),
        Column("features", t.Array(t.Text()), nullable=False, default=["chat"]),
    ),
    Table(
        "subscriptions",
        identity(),
        belongs_to("organizations"),
        Column("plan_id", t.BigInteger(), nullable=False, references="plans.id", on_delete="restrict"),
        Column("starts_on", t.Date(), nullable=False),
        Column("ends_on", t.Date()),
        Column("renews_at", t.Time(), nullable=False, default=t.sql("'00:00:00'")),
        indexes=[Index("organization_id", unique=True, where="ends_on IS NULL")],
    ),
    Table(
        "invoices",
        identity(),
        belongs_to("organizations"),
        Column("number", t.Varchar(20), nullable=False, unique=True),
        Column("state", t.Enum("draft", "sent", "paid", "void"), nullable=False, default="draft"),
        Column("due_on", t.Date()),
        created(),
    ),
    Table(
        "invoice_lines",
        belongs_to("invoices"),
        Column("place", t.SmallInteger(), nullable=False, check="place > 0"),
        Column("text", t.Varchar(200), nullable=False),
        Column("quantity", t.Integer(), nullable=False, default=1),
        Column("price", MONEY, nullable=False),
        Column("total", t.Decimal(20, 2), generated="quantity * price"),
        primary_key=["invoice_id", "place"],
    ),
    Table(
        "payments",
        identity(),
        belongs_to("invoices"),
        Column("amount", MONEY, nullable=False, check="amount > 0"),
        Column("reference", t.Varchar(100), unique=True),
        Column("received_at", t.Timestamp(tz=True), nullable=False, default=t.now()),
    ),
    Table(
        "usage_records",
        identity(),
        belongs_to("organizations"),
        mentions("runs", "run_id"),
        Column("on_day", t.Date(), nullable=False, default=t.now()),
        Column("tokens", t.BigInteger(), nullable=False),
        Column("cost", t.Decimal(20, 10), nullable=False),
        indexes=[Index("organization_id", "on_day")],
    ),
]
