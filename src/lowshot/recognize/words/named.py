"""The ways of learning a word by name, with the settings that suit GloVe's vectors.

They were chosen on words of WordNet and of MEN (``benchmarks/words.py settings``). The words of the tests had been looked at
before, with other settings, of which some do better there; they were not taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lowshot.data.word_vectors import WordVectors
from lowshot.errors import ConfigError
from lowshot.recognize.words.a_la_carte import ALaCarte
from lowshot.recognize.words.additive import Additive
from lowshot.recognize.words.lampinen_mcclelland import LampinenMcClelland
from lowshot.recognize.words.language_model import LanguageModel
from lowshot.recognize.words.learner import Ints, WordLearner
from lowshot.recognize.words.nonce2vec import Nonce2Vec

Told = Literal["definition", "uses"]
"""How a new word is told: by one sentence that says what it is, or by sentences that use it."""

_REPLAYED = 50  # old sentences beside the new ones
_LONGEST = 60  # words of a sentence


@dataclass(frozen=True)
class Settings:
    """What suits one kind of telling.

    Attributes:
        directions, frequent: of :meth:`~lowshot.data.word_vectors.WordVectors.without_common`.
        a: of :class:`Additive` and :class:`Nonce2Vec`.
        rate: of :class:`Nonce2Vec`.
        least: of :class:`ALaCarte`.
        steps: of :class:`LampinenMcClelland`.
    """

    directions: int = 2
    frequent: int | None = 100_000
    a: float = 3e-5
    rate: float = 0.03
    least: int = 5
    steps: int = 30

    def plain(self, vectors: WordVectors) -> WordVectors:
        """The vectors without what they share."""
        return vectors.without_common(self.directions, self.frequent and min(self.frequent, len(vectors)))


SETTINGS: dict[Told, Settings] = {
    "definition": Settings(directions=4, frequent=300, a=3e-4, least=1),
    "uses": Settings(),
}


@dataclass(frozen=True)
class _Told:
    """All that a learner is made of; the vectors are plain already."""

    vectors: WordVectors
    text: Sequence[str]
    without: Collection[str]
    settings: Settings

    def sentences(self) -> list[Ints]:
        return [self.vectors.read(line)[:_LONGEST] for line in self.text]


def _nonce2vec(told: _Told) -> WordLearner:
    return Nonce2Vec(told.vectors, rate=told.settings.rate, a=told.settings.a)


def _a_la_carte(told: _Told) -> WordLearner:
    return ALaCarte(told.vectors, told.sentences(), told.settings.least, told.without)


def _lampinen_mcclelland(told: _Told) -> WordLearner:
    left_out = told.vectors.rows(sorted(told.without))
    old = [sentence for sentence in told.sentences() if not np.isin(sentence, left_out).any()]
    replayed = np.random.default_rng(0).permutation(len(old))[:_REPLAYED]
    model = LanguageModel.learn(told.vectors, old)
    return LampinenMcClelland(model, [old[i] for i in replayed], told.settings.steps)


_LEARNERS: dict[str, Callable[[_Told], WordLearner]] = {
    "additive": lambda told: Additive(told.vectors, told.settings.a),
    "nonce2vec": _nonce2vec,
    "a-la-carte": _a_la_carte,
    "lampinen-mcclelland": _lampinen_mcclelland,
}
NAMES = tuple(_LEARNERS)
OF_TEXT = frozenset({"a-la-carte", "lampinen-mcclelland"})
"""Those that learn from a text first."""


def learner_named(
    name: str,
    vectors: WordVectors,
    text: Sequence[str] = (),
    told: Told = "uses",
    without: Collection[str] = (),
    settings: Settings | None = None,
) -> WordLearner:
    """A way of learning words that is ready to be told sentences.

    =========================  ====================================================================
    ``additive``               :class:`Additive`
    ``nonce2vec``              :class:`Nonce2Vec`
    ``a-la-carte``             :class:`ALaCarte`
    ``lampinen-mcclelland``    :class:`LampinenMcClelland`; its language model takes half a minute
    =========================  ====================================================================

    Args:
        vectors: the known words, as they come.
        text: lines that the last two learn from, such as those of :func:`lowshot.data.wordnet.entries`.
        told: by which of :data:`SETTINGS` it goes.
        without: words that will be asked for, of which nothing may be learned from the text.
        settings: others than those.

    Raises:
        ConfigError: there is no such name.
        DataError: the text is too short.

    Example:
        >>> known = WordVectors(("a", "furry", "pet", "rock"), [[0.2, 0], [1, 1], [1, 2], [0, -3]])
        >>> learner = learner_named("additive", known, settings=Settings(directions=0))
        >>> learner.learn([known.read("a ___ is a furry pet")]).shape
        (2,)
    """
    if name not in _LEARNERS:
        raise ConfigError(f"no way of learning words {name!r}: choose one of {', '.join(NAMES)}")
    chosen = settings or SETTINGS[told]
    return _LEARNERS[name](_Told(chosen.plain(vectors), text, without, chosen))
