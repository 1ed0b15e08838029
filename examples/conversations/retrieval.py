"""A chat back end: conversations, messages, UI components and the contexts its answers are drawn from.

    python retrieval.py --url sqlite:///chat.db
    python retrieval.py                             # the DB_* environment says which database

With DB_SYNCHRONIZE=true the tables are made on start, with DB_LOGGING=true statements are logged.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
from typing import Any

import numpy as np

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.schema import Column, Schema, Table
from dbadapter.schema import types as t
from dbadapter.vectors import Match

CONTEXTS = "rag_contexts"
K, MIN_SIMILARITY = 3, 0.4
SCHEMA = Schema(
    [
        Table(
            "conversations",
            Column("id", t.Identity()),
            Column("title", t.Text()),
            Column("status", t.Enum("open", "closed"), default="open"),
            Column("created_at", t.Timestamp(tz=True), default=t.now()),
        ),
        Table(
            "messages",
            Column("id", t.Identity()),
            Column("conversation_id", t.Integer(), references="conversations.id", on_delete="cascade"),
            Column("role", t.Enum("user", "assistant"), nullable=False),
            Column("content", t.Text(), nullable=False),
            Column("metadata", t.Json()),
        ),
        Table(
            "ui_components",
            Column("id", t.Identity()),
            Column("message_id", t.Integer(), references="messages.id", on_delete="cascade"),
            Column("kind", t.Varchar(50), nullable=False),
            Column("props", t.Json()),
        ),
        Table(
            "rag_contexts", Column("id", t.Identity()), Column("source", t.Text()), Column("body", t.Text())
        ),
    ]
)


class Words:
    """Stands for a model that would have to be downloaded: texts that share words are alike."""

    def name(self) -> str:
        return "example-words"

    def __call__(self, input: list[str]) -> list[Any]:
        vectors = np.zeros((len(input), 256), np.float32)
        for row, text in enumerate(input):
            for word in text.lower().split():
                vectors[row, hashlib.sha256(word.strip(".,!?").encode()).digest()[0]] += 1
        return list(vectors)


class Chat:
    """The app's verbs; nothing in them knows which database it is."""

    def __init__(self, db: AsyncDatabaseAdapter) -> None:
        self.db = db

    async def prepare(self) -> None:
        """Make what is missing."""
        await self.db.create_tables(SCHEMA)
        await self.db.vectors.get_or_create_collection(
            CONTEXTS, embedding_function=Words(), references="rag_contexts.id"
        )

    async def learn(self, source: str, bodies: list[str]) -> None:
        """Add contexts with their vectors, in one transaction."""
        async with self.db.transaction() as tx:
            insert = "INSERT INTO rag_contexts (source, body) VALUES (?, ?) RETURNING id"
            keys = [await tx.fetch_value(insert, [source, body]) for body in bodies]
            contexts = await tx.vectors.get_collection(CONTEXTS, embedding_function=Words())
            await contexts.add(keys, documents=bodies, metadatas=[{"source": source}] * len(keys))

    async def retrieve(self, question: str) -> list[Match]:
        """The contexts worth showing to a model: at most three, and none that is too far."""
        contexts = await self.db.vectors.get_collection(CONTEXTS, embedding_function=Words())
        return await contexts.search(question, K, min_similarity=MIN_SIMILARITY)

    async def ask(self, conversation: int, question: str) -> str:
        """Answer a question from what was learnt; question, answer and its component are kept together."""
        found = await self.retrieve(question)
        answer = found[0].document if found and found[0].document else "I do not know."
        async with self.db.transaction() as tx:
            insert = (
                "INSERT INTO messages (conversation_id, role, content, metadata)"
                " VALUES (:conversation, :role, :content, :metadata) RETURNING id"
            )
            said = {"conversation": conversation, "role": "user", "content": question, "metadata": {}}
            await tx.fetch_value(insert, said)
            shown = {"contexts": [match.id for match in found]}
            replied = {
                "conversation": conversation,
                "role": "assistant",
                "content": answer,
                "metadata": shown,
            }
            message = await tx.fetch_value(insert, replied)
            await tx.execute(
                "INSERT INTO ui_components (message_id, kind, props) VALUES (?, ?, ?)",
                [message, "sources", {"count": len(found)}],
            )
        return answer


async def run(config: DatabaseConfig) -> list[str]:
    """A short conversation."""
    async with AsyncDatabaseAdapter(config, schema=SCHEMA) as db:
        chat = Chat(db)
        await chat.prepare()
        await chat.learn("handbook", ["Holidays are requested in March", "The office opens at nine"])
        await chat.learn(
            "kitchen", ["The coffee machine is cleaned on Fridays", "Tea is in the left cupboard"]
        )
        conversation = await db.fetch_value("INSERT INTO conversations (title) VALUES ('First') RETURNING id")
        questions = ["When are holidays requested?", "Who painted the ceiling?", "Is tea in the cupboard?"]
        return [await chat.ask(conversation, question) for question in questions]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="the database; default: what the environment says")
    options = parser.parse_args(arguments)
    config = DatabaseConfig.from_url(options.url) if options.url else DatabaseConfig.from_env()
    print("\n".join(asyncio.run(run(config))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
