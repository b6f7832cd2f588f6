"""The ways of learning a word by name, with the settings that suit GloVe's vectors.

They were chosen on words of WordNet and of MEN (``benchmarks/words.py``), not on the words of a test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from lowshot.data.word_vectors import WordVectors
from lowshot.errors import ConfigError
from lowshot.recognize.words.a_la_carte import ALaCarte
from lowshot.recognize.words.additive import Additive
from lowshot.recognize.words.lampinen_mcclelland import LampinenMcClelland
from lowshot.recognize.words.language_model import LanguageModel
from lowshot.recognize.words.learner import Ints, WordLearner
from lowshot.recognize.words.nonce2vec import Nonce2Vec

COMMON = 2  # directions that all vectors share, taken out of them
REPLAYED = 50  # old sentences beside the new ones
_TEXT_WORDS = 60  # of a sentence, at most

Text = Sequence[str]


def _a_la_carte(vectors: WordVectors, text: Text, without: Collection[str]) -> WordLearner:
    return ALaCarte(vectors, _read(vectors, text), without=without)


def _lampinen_mcclelland(vectors: WordVectors, text: Text, without: Collection[str]) -> WordLearner:
    plain = vectors.without_common(COMMON)
    left_out = vectors.rows(sorted(without))
    old = [sentence for sentence in _read(plain, text) if not np.isin(sentence, left_out).any()]
    replayed = np.random.default_rng(0).permutation(len(old))[:REPLAYED]
    return LampinenMcClelland(LanguageModel.learn(plain, old), [old[i] for i in replayed])


_LEARNERS: dict[str, Callable[[WordVectors, Text, Collection[str]], WordLearner]] = {
    "additive": lambda vectors, *_: Additive(vectors.without_common(COMMON)),
    "nonce2vec": lambda vectors, *_: Nonce2Vec(vectors.without_common(COMMON)),
    "a-la-carte": _a_la_carte,
    "lampinen-mcclelland": _lampinen_mcclelland,
}
NAMES = tuple(_LEARNERS)
OF_TEXT = frozenset({"a-la-carte", "lampinen-mcclelland"})
"""Those that learn from a text first."""


def learner_named(name: str, vectors: WordVectors, text: Text = (), without: Collection[str] = ()) -> WordLearner:
    """A way of learning words that is ready to be told sentences.

    =========================  ==================================================================
    ``additive``               :class:`Additive`
    ``nonce2vec``              :class:`Nonce2Vec`
    ``a-la-carte``             :class:`ALaCarte`
    ``lampinen-mcclelland``    :class:`LampinenMcClelland`; its language model takes a minute
    =========================  ==================================================================

    Args:
        vectors: the known words, as they come.
        text: lines that the last two learn from, such as those of :func:`lowshot.data.wordnet.entries`.
        without: words that will be asked for, of which nothing may be learned from the text.

    Raises:
        ConfigError: there is no such name.
        DataError: the text is too short.
    """
    if name not in _LEARNERS:
        raise ConfigError(f"no way of learning words {name!r}: choose one of {', '.join(NAMES)}")
    return _LEARNERS[name](vectors, text, without)


def _read(vectors: WordVectors, text: Text) -> list[Ints]:
    return [vectors.read(line)[:_TEXT_WORDS] for line in text]
