"""Stands for all-MiniLM-L6-v2 where no model can be downloaded."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

DIMENSION = 384


class Words:
    """Texts that share words are alike. The real thing: ``dbadapter.vectors.SentenceTransformer()``."""

    def name(self) -> str:
        return "example-words"

    def __call__(self, input: list[str]) -> list[Any]:
        return [self._vector(text) for text in input]

    def _vector(self, text: str) -> Any:
        vector = np.zeros(DIMENSION, np.float32)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.strip(".,!?").encode()).digest()[:8], "big")
            vector += np.random.default_rng(seed).normal(size=DIMENSION).astype(np.float32)
        return vector / (np.linalg.norm(vector) or 1)
