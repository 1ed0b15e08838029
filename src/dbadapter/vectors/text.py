"""Words of a text, the same for both backends' full-text indexes, and the fusion of two rankings.

Texts are cut into words here, not by the databases, whose ideas of a word differ. Scripts written without
spaces are cut into pairs of characters, so that a search in them finds something. A text's words go to the
index as one string with spaces between.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest

from attrs import frozen

__all__ = ["K1", "MAX_WORDS", "B", "fuse", "inverse_frequency", "text_score", "words_of"]

# A tsvector numbers the words of a text up to 16,383; what follows counts on neither backend.
MAX_WORDS = 16_000
MAX_QUERY_WORDS = 64
_MAX_WORD = 64
# BM25's customary constants.
K1, B = 1.2, 0.75
_FUSION = 60
_WORD = re.compile(r"\w+")
# Thai to Khmer, Japanese kana, Chinese characters: no spaces between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)


@frozen
class TextMatch:
    """A document that has some of the words searched for.

    Attributes:
        id: its record's.
        length: how many words it has.
        counts: how often each of the words searched for occurs.
    """

    id: str
    length: int
    counts: dict[str, int]


def words_of(text: str) -> list[str]:
    """The words of a text, folded so that case, width and composition of characters do not matter."""
    folded = unicodedata.normalize("NFKC", text.casefold())
    words: list[str] = []
    for match in _WORD.finditer(folded):
        word = match[0]
        if word.isascii():
            words.append(word[:_MAX_WORD])
        else:
            _cut(word, words)
        if len(words) >= MAX_WORDS:
            break
    return [word for word in words[:MAX_WORDS] if word]


def _cut(word: str, words: list[str]) -> None:
    """Add a word, its stretches of an unspaced script as pairs of characters."""
    at = 0
    for match in _UNSPACED.finditer(word):
        if match.start() > at:
            words.append(word[at : match.start()][:_MAX_WORD])
        run = match[0]
        words += [run] if len(run) == 1 else [run[i : i + 2] for i in range(len(run) - 1)]
        at = match.end()
    if at < len(word):
        words.append(word[at:][:_MAX_WORD])


def query_words(text: str) -> list[str]:
    """The distinct words of a text to search for, the first 64 of them."""
    return list(dict.fromkeys(words_of(text)))[:MAX_QUERY_WORDS]


def word_weights(documents: int, containing: Mapping[str, int]) -> dict[str, float]:
    """The words worth searching for, with their weights.

    Words that a fifth of the documents contain tell little and cost much: they only count where there is
    nothing else to go by.
    """
    known = {word: count for word, count in containing.items() if count}
    telling = {word: count for word, count in known.items() if count * 5 <= documents}
    return {word: inverse_frequency(documents, count) for word, count in (telling or known).items()}


def rank_texts(
    matches: Iterable[TextMatch], weights: Mapping[str, float], mean_length: float, depth: int
) -> list[str]:
    """The ids of the best matching documents, best first, ties by id."""
    scored = [(-text_score(match.counts, weights, match.length, mean_length), match.id) for match in matches]
    return [each for _, each in nsmallest(depth, scored)]


def inverse_frequency(documents: int, containing: int) -> float:
    """How much a word tells, given how many of the documents contain it; never negative."""
    return math.log1p((documents - containing + 0.5) / (containing + 0.5))


def text_score(
    counts: Mapping[str, int], weights: Mapping[str, float], length: int, mean_length: float
) -> float:
    """BM25: how well a document matches.

    Args:
        counts: how often each word of the query stands in the document.
        weights: the words' `inverse_frequency`.
        length: how many words the document has.
        mean_length: how many the documents have on average.
    """
    norm = K1 * (1 - B + B * length / mean_length)
    return math.fsum(weights[word] * count * (K1 + 1) / (count + norm) for word, count in counts.items())


def fuse(rankings: Sequence[Sequence[str]]) -> list[tuple[str, float]]:
    """Reciprocal rank fusion: ids with their scores, best first, ties by id."""
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, each in enumerate(ranking, 1):
            scores[each] = scores.get(each, 0.0) + 1.0 / (_FUSION + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
