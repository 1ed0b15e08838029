"""What only the text of CREATE INDEX tells: expressions and conditions."""

from __future__ import annotations

from ..schema.scan import Token, scan

__all__ = ["index_condition", "index_parts"]


def index_parts(sql: str) -> list[str]:
    """The columns and expressions between the parentheses of CREATE INDEX, without COLLATE, ASC and DESC."""
    tokens = [token for token in scan(sql) if token.kind != "comment"]
    start = next((place for place, token in enumerate(tokens) if token.is_op("(")), None)
    if start is None:
        return []
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens[start:]:
        depth += token.is_op("(") - token.is_op(")")
        if depth == 0:
            break
        if depth == 1 and token.is_op(","):
            parts.append([])
        elif not (depth == 1 and token.is_op("(") and not parts[-1] and token is tokens[start]):
            parts[-1].append(token)
    texts = []
    for part in parts:
        while part and part[-1].is_word("ASC", "DESC"):
            part.pop()
        if len(part) > 2 and part[-2].is_word("COLLATE"):
            del part[-2:]
        texts.append(sql[part[0].start : part[-1].end] if part else "")
    return texts


def index_condition(sql: str) -> str | None:
    """The condition of a partial index."""
    depth = 0
    for token in scan(sql):
        depth += token.is_op("(") - token.is_op(")")
        if depth == 0 and token.is_word("WHERE"):
            return sql[token.end :].strip()
    return None
