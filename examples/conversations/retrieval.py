"""A chat back end: conversations, messages, UI components and the contexts its answers are drawn from.

    python retrieval.py --url sqlite:///chat.db
    python retrieval.py                             # the DB_* environment says which database

With DB_SYNCHRONIZE=true the tables are made on start, with DB_LOGGING=true statements are logged. A Postgres database
that does not exist yet is created.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

import attrs
from chat import Chat
from tables import SCHEMA

from dbadapter import AsyncDatabaseAdapter, DatabaseConfig
from dbadapter.errors import DatabaseAdapterError, UndefinedTable

QUESTIONS = ("When are holidays requested?", "Who painted the ceiling?", "Is tea in the cupboard?")


async def run(config: DatabaseConfig) -> None:
    """A short conversation."""
    async with AsyncDatabaseAdapter(config, schema=SCHEMA) as db:
        chat = Chat(db)
        await chat.learn("handbook", ["Holidays are requested in March", "The office opens at nine"])
        await chat.learn(
            "kitchen", ["The coffee machine is cleaned on Fridays", "Tea is in the left cupboard"]
        )
        conversation = await chat.open("First day")
        for question in QUESTIONS:
            await chat.ask(conversation, question)
        for message in await chat.history(conversation):
            shown = "".join(f"  {each['kind']}: {each['props']}" for each in message["components"])
            print(f"{message['role']}: {message['content']}{shown}")
        await chat.forget("kitchen")
        answer = await chat.ask(conversation, "Is tea in the cupboard?")
        print(f"after forgetting the kitchen: {answer.text}")
        await chat.close(conversation)
        states = "SELECT status, count(*) AS n FROM conversations GROUP BY status"
        print("conversations:", {row["status"]: row["n"] for row in await db.fetch_all(states)})
        await chat.delete(conversation)
        for table in ("messages", "ui_components", "message_contexts"):
            assert await db.fetch_value(f"SELECT count(*) FROM {table}") == 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="the database; default: what the environment says")
    options = parser.parse_args(arguments)
    try:
        config = DatabaseConfig.from_env()
        if options.url:
            found = DatabaseConfig.from_url(options.url)
            config = attrs.evolve(found, synchronize=True, logging=config.logging)
        if config.logging:
            logging.basicConfig(format="%(name)s: %(message)s")
            logging.getLogger("dbadapter.query").setLevel(logging.DEBUG)
        asyncio.run(run(attrs.evolve(config, create_database=True)))
    except UndefinedTable as error:
        print(f"{error}\nThe tables are not there yet: set DB_SYNCHRONIZE=true", file=sys.stderr)
        return 1
    except DatabaseAdapterError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
