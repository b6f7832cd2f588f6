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
    from lowshot.data.word_vectors import load_vectors
    from lowshot.data.wordnet import entries
    from lowshot.encoder.words import VECTORS, vectors_named
    from lowshot.recognize.words.named import (
        NAMES,
        OF_ENCODER,
        OF_TEXT,
        SETTINGS,
        TOGETHER,
        Material,
        Told,
        learner_named,
        learner_together,
    )

    if idle := sorted(name for name, value in given.items() if value is not None and name not in _MEANT):
        raise ConfigError(f"--{idle[0]} means nothing where words are learned: leave it out")
    if data not in SETS:
        raise DataError(f"no set of new words {data!r}: choose one of {', '.join(SETS)}")
    method, together = given["method"] or NAMES[0], given["method"] == TOGETHER
    if method not in NAMES and not together:
        raise ConfigError(f"no way of learning words {method!r}: choose one of {', '.join((*NAMES, TOGETHER))}")
    if together and given["vectors"] is not None:
        raise ConfigError(f"{TOGETHER} takes both kinds of vectors, glove and text: leave --vectors out")
    source = "text" if together else given["vectors"] or VECTORS[0]
    if method in OF_ENCODER and source == "glove":
        raise ConfigError(f"{method} reads by the encoder that made the words' vectors: --vectors text")
    with progress("reading the vocabulary, once") as report:
        vectors, read = vectors_named(source, report)
    told: Told = "definition" if data == "nonces" else "uses"
    asked = sets.definitions() if data == "nonces" else []
    material = Material(entries() if together or method in OF_TEXT else (), {each.word for each in asked}, read)
    if together:
        learner = learner_together(load_vectors(), vectors, told, material)
    else:
        learner = learner_named(method, vectors, SETTINGS[source][told], material)
    if data == "nonces":
        return room.nonces(learner, asked)
    return room.chimeras(learner, {sentences: sets.chimeras(sentences) for sentences in sets.SENTENCES})
