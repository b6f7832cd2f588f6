"""``lowshot evaluate words``: words seen once, in place of an encoder's items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lowshot.cli.progress import progress
from lowshot.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lowshot.evaluate.report import Report

WORDS = "words"
SETS = ("nonces", "chimeras")
_MEANT = ("method", "vectors")  # of the options


def measure_words(data: str, given: dict[str, Any]) -> Report:
    """Learn the new words of a set. Of the options that were given only ``method`` and ``vectors`` mean something."""
    from lowshot import evaluate as room
    from lowshot.data import nonces as sets
    from lowshot.data.wordnet import entries
    from lowshot.encoder.words import VECTORS, vectors_named
    from lowshot.recognize.words.named import NAMES, OF_ENCODER, OF_TEXT, SETTINGS, Material, learner_named

    if idle := sorted(name for name, value in given.items() if value is not None and name not in _MEANT):
        raise ConfigError(f"--{idle[0]} means nothing where words are learned: leave it out")
    if data not in SETS:
        raise DataError(f"no set of new words {data!r}: choose one of {', '.join(SETS)}")
    method, source = given["method"] or NAMES[0], given["vectors"] or VECTORS[0]
    if method not in NAMES:
        raise ConfigError(f"no way of learning words {method!r}: choose one of {', '.join(NAMES)}")
    if method in OF_ENCODER and source == "glove":
        raise ConfigError(f"{method} reads by the encoder that made the words' vectors: --vectors text")
    with progress("reading the vocabulary, once") as report:
        vectors, read = vectors_named(source, report)
    known = entries() if method in OF_TEXT else ()
    if data == "nonces":
        asked = sets.definitions()
        material = Material(known, {each.word for each in asked}, read)
        return room.nonces(learner_named(method, vectors, SETTINGS[source]["definition"], material), asked)
    learner = learner_named(method, vectors, SETTINGS[source]["uses"], Material(known, read=read))
    return room.chimeras(learner, {sentences: sets.chimeras(sentences) for sentences in sets.SENTENCES})
