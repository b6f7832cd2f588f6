"""The ways of learning a word by name, with the settings that suit GloVe's vectors and those of the encoder of texts.

They were chosen on words of WordNet and of MEN (``benchmarks/words.py settings``). The words of the tests had been looked at
before with GloVe's vectors and other settings, of which some do better there; they were not taken for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from lowshot.data.word_vectors import WordVectors
from lowshot.data.wordnet import Entry, definitions
from lowshot.errors import ConfigError
from lowshot.recognize.words.a_la_carte import ALaCarte
from lowshot.recognize.words.additive import Additive
from lowshot.recognize.words.lampinen_mcclelland import LampinenMcClelland
from lowshot.recognize.words.language_model import LanguageModel
from lowshot.recognize.words.learner import Ints, WordLearner
from lowshot.recognize.words.nonce2vec import Nonce2Vec
from lowshot.recognize.words.together import Together
from lowshot.recognize.words.whole_sentence import Read, WholeSentence

Told = Literal["definition", "uses"]
"""How a new word is told: by one sentence that says what it is, or by sentences that use it."""

_REPLAYED = 50  # old sentences beside the new ones
_LONGEST = 60  # words of a sentence
_LESSONS = 4000  # read whole: more take longer and teach no more


@dataclass(frozen=True)
class Settings:
    """What suits one kind of vectors and of telling.

    Attributes:
        directions, frequent: of :meth:`~lowshot.data.word_vectors.WordVectors.without_common`.
        a: of :class:`Additive` and :class:`Nonce2Vec`.
        rate: of :class:`Nonce2Vec`.
        least: of :class:`ALaCarte`.
        steps: of :class:`LampinenMcClelland`.
        ridge: of :class:`WholeSentence`.
    """

    directions: int = 2
    frequent: int | None = 100_000
    a: float = 3e-5
    rate: float = 0.03
    least: int = 5
    steps: int = 30
    ridge: float = 1000

    def plain(self, vectors: WordVectors) -> WordVectors:
        """The vectors without what they share."""
        return vectors.without_common(self.directions, self.frequent and min(self.frequent, len(vectors)))


SETTINGS: dict[str, dict[Told, Settings]] = {
    "glove": {
        "definition": Settings(directions=4, frequent=300, a=3e-4, least=1),
        "uses": Settings(),
    },
    "text": {
        "definition": Settings(directions=0, frequent=None, a=3e-4, least=1),
        "uses": Settings(directions=0, frequent=None, ridge=30_000),
    },
}
"""By the name of the vectors, and how words are told."""

SHARES: dict[Told, float] = {"definition": 0.25, "uses": 0.75}
"""How much GloVe's cosine counts where both kinds of vectors answer together."""


@dataclass(frozen=True)
class Material:
    """What a way of learning may use before it is told of a new word.

    Attributes:
        known: WordNet's entries, see :func:`lowshot.data.wordnet.entries`; for those of :data:`OF_TEXT`.
        without: words that will be asked for, of which nothing may be learned from the entries.
        read: the encoder that made the words' vectors; for those of :data:`OF_ENCODER`.
    """

    known: Sequence[Entry] = ()
    without: Collection[str] = ()
    read: Read | None = None

    def sentences(self, vectors: WordVectors) -> list[Ints]:
        """All of the entries' text, as rows."""
        return [vectors.read(line)[:_LONGEST] for entry in self.known for line in entry.lines]


def _nonce2vec(vectors: WordVectors, settings: Settings, material: Material) -> WordLearner:
    return Nonce2Vec(vectors, rate=settings.rate, a=settings.a)


def _a_la_carte(vectors: WordVectors, settings: Settings, material: Material) -> WordLearner:
    return ALaCarte(vectors, material.sentences(vectors), settings.least, material.without)


def _lampinen_mcclelland(vectors: WordVectors, settings: Settings, material: Material) -> WordLearner:
    left_out = vectors.rows(sorted(material.without))
    old = [sentence for sentence in material.sentences(vectors) if not np.isin(sentence, left_out).any()]
    replayed = np.random.default_rng(0).permutation(len(old))[:_REPLAYED]
    model = LanguageModel.learn(vectors, old)
    return LampinenMcClelland(model, [old[i] for i in replayed], settings.steps)


def _whole_sentence(vectors: WordVectors, settings: Settings, material: Material) -> WordLearner:
    if material.read is None:
        raise ConfigError("whole-sentence needs the encoder that made the words' vectors: --vectors text")
    # An entry with a word that will be asked for is left out whole: its other words mean the same.
    apart = [entry for entry in material.known if not set(material.without).intersection(entry.words)]
    lessons = [lesson for lesson in definitions(apart) if lesson[0] in vectors]
    drawn = np.random.default_rng(0).permutation(len(lessons))[:_LESSONS]
    return WholeSentence(vectors, material.read, [lessons[i] for i in drawn], settings.ridge)


_LEARNERS: dict[str, Callable[[WordVectors, Settings, Material], WordLearner]] = {
    "additive": lambda vectors, settings, material: Additive(vectors, settings.a),
    "nonce2vec": _nonce2vec,
    "a-la-carte": _a_la_carte,
    "lampinen-mcclelland": _lampinen_mcclelland,
    "whole-sentence": _whole_sentence,
}
NAMES = tuple(_LEARNERS)
OF_TEXT = frozenset({"a-la-carte", "lampinen-mcclelland", "whole-sentence"})
"""Those that learn from WordNet first."""
OF_ENCODER = frozenset({"whole-sentence"})
"""Those that read by the encoder of the words' vectors."""
TOGETHER = "together"
"""The name of :func:`learner_together`, the one way over both kinds of vectors."""


def learner_named(
    name: str, vectors: WordVectors, settings: Settings | None = None, material: Material | None = None
) -> WordLearner:
    """A way of learning words that is ready to be told sentences.

    =========================  ====================================================================
    ``additive``               :class:`Additive`
    ``nonce2vec``              :class:`Nonce2Vec`
    ``a-la-carte``             :class:`ALaCarte`
    ``lampinen-mcclelland``    :class:`LampinenMcClelland`; its language model takes half a minute
    ``whole-sentence``         :class:`WholeSentence`; over vectors by an encoder of texts
    =========================  ====================================================================

    Args:
        vectors: the known words, as they come.
        settings: one of :data:`SETTINGS`, or others; None for those of use in sentences with GloVe's vectors.
        material: what is there to learn from first; the last three need it.

    Raises:
        ConfigError: there is no such name, or no encoder where one is needed.
        DataError: the text is too short.

    Example:
        >>> known = WordVectors(("a", "furry", "pet", "rock"), [[0.2, 0], [1, 1], [1, 2], [0, -3]])
        >>> learner = learner_named("additive", known, Settings(directions=0))
        >>> learner.tell(["a ___ is a furry pet"]).shape
        (2,)
    """
    if name not in _LEARNERS:
        raise ConfigError(f"no way of learning words {name!r}: choose one of {', '.join(NAMES)}")
    chosen = settings or Settings()
    return _LEARNERS[name](chosen.plain(vectors), chosen, material or Material())


def learner_together(
    glove: WordVectors, text: WordVectors, told: Told, material: Material, share: float | None = None
) -> WordLearner:
    """``additive`` over GloVe's vectors and ``whole-sentence`` over those of the encoder of texts, see :class:`Together`.

    Args:
        glove, text: vectors of the same words, as they come.
        told: how new words will be told: each of the two gets its settings for it.
        material: see :func:`learner_named`; ``whole-sentence`` needs it.
        share: how much GloVe's cosine counts; None for that of :data:`SHARES`.

    Raises:
        ConfigError: there is no encoder, or no such share.
        DataError: the text is too short.
        ShapeError: the vectors are of different words.
    """
    return Together(
        learner_named("additive", glove, SETTINGS["glove"][told]),
        learner_named("whole-sentence", text, SETTINGS["text"][told], material),
        SHARES[told] if share is None else share,
    )
