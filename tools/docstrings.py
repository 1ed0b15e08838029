"""For the reference: docstrings mark code that follows by ``::``, which Markdown would show as it stands."""

from __future__ import annotations

import re
from typing import Any

import griffe


class CodeFollows(griffe.Extension):
    """Ends such paragraphs with one colon, and drops those that are nothing else."""

    def on_instance(self, *, obj: griffe.Object, **_others: Any) -> None:
        """Called for each module, class and function as it is read."""
        if obj.docstring is not None:
            alone = re.sub(r"^[ \t]*::[ \t]*\n", "", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = re.sub(r"::[ \t]*$", ":", alone, flags=re.MULTILINE)
