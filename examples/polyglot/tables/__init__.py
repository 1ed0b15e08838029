"""The platform's 36 tables: the one place that says what the data look like, for every language."""

from __future__ import annotations

from dbadapter.schema import Schema

from . import accounts, billing, conversations, knowledge, models, projects

__all__ = ["SCHEMA"]

SCHEMA = Schema(
    [
        *accounts.TABLES,
        *projects.TABLES,
        *knowledge.TABLES,
        *conversations.TABLES,
        *models.TABLES,
        *billing.TABLES,
    ]
)
