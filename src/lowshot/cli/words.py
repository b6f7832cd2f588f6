"""``lowshot evaluate words``: words seen once, in place of an encoder's items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lowshot.errors import ConfigError, DataError

if TYPE_CHECKING:
    from lowshot.evaluate.report import Report

WORDS = "words"
SETS = ("nonces", "chimeras")


def measure_words(data: str, given: dict[str, Any]) -> Report:
    """Learn the new words of a set. Of the options that were given only ``method`` means something."""
    from lowshot import evaluate as room
    from lowshot.data import nonces as sets
    from lowshot.data.word_vectors import load_vectors
    from lowshot.data.wordnet import entries
    from lowshot.recognize.words.named import NAMES, OF_TEXT, learner_named

    if idle := sorted(name for name, value in given.items() if value is not None and name != "method"):
        raise ConfigError(f"--{idle[0]} means nothing where words are learned: leave it out")
    if data not in SETS:
        raise DataError(f"no set of new words {data!r}: choose one of {', '.join(SETS)}")
    method = given["method"] or NAMES[0]
    if method not in NAMES:
        raise ConfigError(f"no way of learning words {method!r}: choose one of {', '.join(NAMES)}")
    vectors = load_vectors()
    text = [line for entry in entries() for line in entry.lines] if method in OF_TEXT else ()
    if data == "nonces":
        asked = sets.definitions()
        without = {each.word for each in asked}
        return room.nonces(learner_named(method, vectors, text, "definition", without), asked)
    learner = learner_named(method, vectors, text, "uses")
    return room.chimeras(learner, {sentences: sets.chimeras(sentences) for sentences in sets.SENTENCES})
