"""Who uses the platform."""

from __future__ import annotations

from dbadapter.schema import Column, Index, Table
from dbadapter.schema import types as t

from .columns import belongs_to, created, details, identity, mentions, updated

ROLE = t.Enum("owner", "admin", "member", "guest", name="member_role")

TABLES = [
    Table(
        "organizations",
        identity(),
        Column("name", t.Varchar(200), nullable=False, check="length(name) > 0"),
        Column("slug", t.Varchar(63), nullable=False, unique=True, check="slug ~ '^[a-z0-9-]+$'"),
        details(),
        created(),
        comment="Customers; everything belongs to one of them",
    ),
    Table(
        "users",
        identity(),
        Column("public_id", t.Uuid(), nullable=False, unique=True, default=t.random_uuid()),
        Column("email", t.Varchar(320), nullable=False, check="email LIKE '%_@_%'"),
        Column("name", t.Varchar(200), nullable=False),
        Column("password_hash", t.Bytes(), comment="argon2id; NULL for single sign-on"),
        Column("active", t.Boolean(), nullable=False, default=True),
        created(),
        updated(),
        indexes=[Index("lower(email)", unique=True)],
        comment="People",
    ),
    Table(
        "memberships",
        belongs_to("organizations"),
        belongs_to("users"),
        Column("role", ROLE, nullable=False, default="member"),
        created(),
        primary_key=["organization_id", "user_id"],
        indexes=["user_id"],
    ),
    Table(
        "api_keys",
        identity(),
        belongs_to("organizations"),
        mentions("users", "created_by"),
        Column("prefix", t.Varchar(12), nullable=False, unique=True),
        Column("hash", t.Bytes(), nullable=False),
        Column("scopes", t.Array(t.Text()), nullable=False, default=[]),
        Column("expires_at", t.Timestamp(tz=True)),
        created(),
    ),
    Table(
        "logins",
        Column("token", t.Uuid(), primary_key=True, default=t.random_uuid()),
        belongs_to("users"),
        Column("user_agent", t.Text()),
        Column("idle_timeout", t.Interval(), nullable=False, check="idle_timeout > '1 minute'"),
        created(),
        indexes=[Index("user_id", "created_at DESC")],
    ),
    Table(
        "audit_events",
        identity(),
        belongs_to("organizations"),
        mentions("users", "actor_id"),
        Column("action", t.Varchar(100), nullable=False),
        Column("payload", t.Json(), nullable=False, check="jsonb_typeof(payload) = 'object'"),
        created(),
        indexes=[Index("organization_id", "created_at DESC")],
        comment="What happened; written by every service, never changed",
    ),
]
