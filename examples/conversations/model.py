"""A stand-in for an embedding model that would have to be downloaded."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

DIMENSION = 1024


class Words:
    """Texts that share words are alike. For a real model: ``dbadapter.vectors.SentenceTransformer()``."""

    def name(self) -> str:
        return "example-words"

    def __call__(self, input: list[str]) -> list[Any]:
        vectors = np.zeros((len(input), DIMENSION), np.float32)
        for row, text in enumerate(input):
            for word in text.lower().split():
                word = word.strip(".,!?")
                if len(word) > 2:
                    digest = hashlib.sha256(word.encode()).digest()
                    vectors[row, int.from_bytes(digest[:4], "big") % DIMENSION] += 1
        return list(vectors)
