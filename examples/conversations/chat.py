"""The back end's verbs; nothing in them knows which database it is."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from model import Words

from dbadapter import AsyncDatabaseAdapter
from dbadapter.vectors import Match

CONTEXTS = "rag_contexts"
K, MIN_SIMILARITY = 3, 0.4


@frozen
class Answer:
    """What a client is shown."""

    text: str
    sources: list[str] = field(factory=list)


class Chat:
    """Conversations that answer from what was learnt."""

    def __init__(self, db: AsyncDatabaseAdapter) -> None:
        self.db = db

    async def _contexts(self, executor: Any) -> Any:
        return await executor.vectors.get_or_create_collection(
            CONTEXTS, embedding_function=Words(), references="rag_contexts.id"
        )

    async def learn(self, source: str, bodies: list[str]) -> list[int]:
        """Add contexts and their vectors: all of them, or none."""
        async with self.db.transaction() as tx:
            insert = "INSERT INTO rag_contexts (source, body, metadata) VALUES (?, ?, ?) RETURNING id"
            keys = [
                await tx.fetch_value(insert, [source, body, {"words": len(body.split())}]) for body in bodies
            ]
            contexts = await self._contexts(tx)
            await contexts.add(keys, documents=bodies, metadatas=[{"source": source}] * len(keys))
        return keys

    async def forget(self, source: str) -> int:
        """Delete what was learnt from a source; the vectors go with the rows."""
        result = await self.db.execute("DELETE FROM rag_contexts WHERE source = ?", [source])
        return result.rowcount

    async def retrieve(self, question: str, source: str | None = None) -> list[Match]:
        """The contexts worth showing to a model: at most three, and none that is too far."""
        contexts = await self._contexts(self.db)
        where = None if source is None else {"source": source}
        found: list[Match] = await contexts.search(question, K, where=where, min_similarity=MIN_SIMILARITY)
        return found

    async def open(self, title: str) -> int:
        """Begin a conversation."""
        insert = "INSERT INTO conversations (title, settings) VALUES (?, ?) RETURNING id"
        key: int = await self.db.fetch_value(insert, [title, {"k": K, "min_similarity": MIN_SIMILARITY}])
        return key

    async def ask(self, conversation: int, question: str) -> Answer:
        """Answer a question from what was learnt; question, answer and all that belongs to it are kept together."""
        found = await self.retrieve(question)
        text = found[0].document if found and found[0].document else "I do not know."
        sources = sorted({match.metadata["source"] for match in found if match.metadata})
        async with self.db.transaction() as tx:
            insert = (
                "INSERT INTO messages (conversation_id, role, content, metadata)"
                " VALUES (?, ?, ?, ?) RETURNING id"
            )
            await tx.fetch_value(insert, [conversation, "user", question, None])
            message = await tx.fetch_value(
                insert, [conversation, "assistant", text, {"retrieved": len(found)}]
            )
            await tx.insert_many(
                "message_contexts",
                [
                    {"message_id": message, "context_id": int(each.id), "similarity": each.similarity}
                    for each in found
                ],
            )
            await tx.execute(
                "INSERT INTO ui_components (message_id, kind, props) VALUES (?, ?, ?)",
                [message, "sources" if found else "form", {"sources": sources, "ask_again": not found}],
            )
        return Answer(text, sources)

    async def history(self, conversation: int) -> list[dict[str, Any]]:
        """The messages, oldest first, each with what the client shows below it."""
        messages = await self.db.fetch_all(
            "SELECT id, role, content, metadata FROM messages WHERE conversation_id = ? ORDER BY id",
            [conversation],
        )
        components = await self.db.fetch_all(
            "SELECT message_id, kind, props FROM ui_components WHERE message_id IN ? ORDER BY id",
            [[message["id"] for message in messages]],
        )
        for message in messages:
            message["components"] = [each for each in components if each["message_id"] == message["id"]]
        return messages

    async def close(self, conversation: int) -> None:
        """End a conversation."""
        await self.db.execute("UPDATE conversations SET status = 'closed' WHERE id = ?", [conversation])

    async def delete(self, conversation: int) -> None:
        """Delete a conversation with its messages and what belongs to them."""
        await self.db.execute("DELETE FROM conversations WHERE id = ?", [conversation])
