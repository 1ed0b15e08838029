"""Chat sessions on SQLite or PostgreSQL, with one script of tables written for PostgreSQL.

    python sessions.py --url sqlite:///chat.db
    python sessions.py --url postgresql://me@localhost/chat --keep

Without ``--url`` the environment says which database.
"""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from attrs import frozen

from dbadapter import DatabaseAdapter, DatabaseConfig
from dbadapter.errors import CheckViolation, DatabaseAdapterError, DataError, ForeignKeyViolation
from dbadapter.schema import Schema

SCHEMA = Schema.from_sql((Path(__file__).parent / "sessions.sql").read_text(encoding="utf-8"))


@frozen
class Message:
    """One message, as the app sees it."""

    id: int
    role: str
    content: str
    metadata: dict[str, Any] | None
    created_at: datetime


class ChatSessions:
    """The app's own few verbs; nothing in them knows which database it is."""

    def __init__(self, db: DatabaseAdapter) -> None:
        self.db = db

    def start(self, owner: str, **settings: Any) -> UUID:
        """Open a session."""
        row = self.db.fetch_one(
            "INSERT INTO chat_sessions (owner, settings) VALUES (:owner, :settings) RETURNING id",
            {"owner": owner, "settings": settings},
        )
        assert row is not None
        found: UUID = row["id"]
        return found

    def say(self, session: UUID, role: str, content: str, metadata: dict[str, Any] | None = None) -> int:
        """Add a message; the first one gives the session its title."""
        with self.db.transaction() as tx:
            number = tx.fetch_value(
                """INSERT INTO messages (session_id, role, content, metadata)
                   VALUES (:session, :role, :content, :metadata) RETURNING id""",
                {"session": session, "role": role, "content": content, "metadata": metadata},
            )
            tx.execute(
                "UPDATE chat_sessions SET title = :title WHERE id = :session AND title IS NULL",
                {"title": content[:40], "session": session},
            )
        return int(number)

    def history(self, session: UUID) -> list[Message]:
        """All messages of a session, in order."""
        return self.db.fetch_all(
            "SELECT id, role, content, metadata, created_at FROM messages WHERE session_id = ? ORDER BY id",
            [session],
            row_type=Message,
        )

    def rate(self, message: int, who: str, stars: int) -> None:
        """Give a message one to five stars; a second time replaces the first."""
        self.db.execute(
            """INSERT INTO reactions (message_id, who, stars) VALUES (?, ?, ?)
               ON CONFLICT (message_id, who) DO UPDATE SET stars = excluded.stars""",
            [message, who, stars],
        )

    def close(self, session: UUID, at: datetime) -> None:
        """End a session."""
        self.db.execute(
            "UPDATE chat_sessions SET state = 'closed', closed_at = ? WHERE id = ?", [at, session]
        )

    def forget(self, session: UUID) -> None:
        """Delete a session; its messages and their stars go with it."""
        self.db.execute("DELETE FROM chat_sessions WHERE id = ?", [session])


def show(db: DatabaseAdapter) -> None:
    """Talk a little, and try what must not work."""
    chat = ChatSessions(db)
    session = chat.start("ada", theme="dark")
    question = chat.say(session, "user", "What is a cascade?")
    chat.say(
        session, "assistant", "Deleting one row deletes those that refer to it.", {"model": "m", "tokens": 11}
    )
    chat.rate(question, "grace", 4)
    chat.rate(question, "grace", 5)
    for message in chat.history(session):
        print(f"{message.role}: {message.content} {message.metadata or ''}".rstrip())
    row = db.fetch_one("SELECT title, state, settings FROM chat_sessions WHERE id = ?", [session])
    print(row)

    for name, attempt in {
        "a role there is not": lambda: chat.say(session, "robot", "hello"),
        "an empty message": lambda: chat.say(session, "user", ""),
        "six stars": lambda: chat.rate(question, "grace", 6),
        "stars for nothing": lambda: chat.rate(10**6, "grace", 1),
        "closed before it began": lambda: chat.close(
            session, datetime.fromisoformat("2001-01-01T00:00:00+00:00")
        ),
    }.items():
        try:
            attempt()
        except (CheckViolation, DataError, ForeignKeyViolation) as error:
            print(f"{name}: {type(error).__name__} {getattr(error, 'constraint', None) or ''}".rstrip())
    chat.forget(session)
    left = {name: db.fetch_value(f"SELECT count(*) FROM {name}") for name in ("messages", "reactions")}
    print(f"left after forgetting: {left}")


def main() -> int:
    """Create the tables, check them, use them, drop them."""
    parser = argparse.ArgumentParser(description="Chat sessions on SQLite or PostgreSQL.")
    parser.add_argument("--url", help="the database; default: what the environment says")
    parser.add_argument("--keep", action="store_true", help="leave the tables there")
    options = parser.parse_args()
    try:
        config = DatabaseConfig.from_url(options.url) if options.url else DatabaseConfig.from_env()
        with DatabaseAdapter(config) as db:
            db.create_tables(SCHEMA)
            print("tables:", ", ".join(db.list_tables()))
            differences = SCHEMA.check(db)
            for difference in differences:
                print(difference)
            if differences:
                return 1
            show(db)
            if not options.keep:
                db.drop_tables(SCHEMA)
                print("tables:", ", ".join(db.list_tables()) or "none")
    except DatabaseAdapterError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
