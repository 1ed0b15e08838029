"""An embedding function that needs no model."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from attrs import define


@define
class Letters:
    """How often each letter occurs in a text."""

    size: int = 26

    def name(self) -> str:
        """Its name."""
        return "letters"

    def get_config(self) -> dict[str, Any]:
        """What tells it from others of its name."""
        return {"size": self.size}

    def __call__(self, input: list[str]) -> list[Any]:
        """A vector for each text."""
        vectors = []
        for text in input:
            counts = Counter(text.lower())
            vectors.append(np.array([counts[chr(97 + at)] for at in range(self.size)], np.float32))
        return vectors
