"""What a gallery learns from its own examples: how to compare, and when to say "unknown".

It is kept with the examples, so that every process answers alike, and learned anew when their number has changed by a
tenth: a probability does not hang on how many classes there are, so nothing is wrong before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lowshot.encoder import Card, Features
from lowshot.errors import GalleryError
from lowshot.gallery.index import Index, Ints
from lowshot.recognize.choice import choose, recognizer_named
from lowshot.recognize.unknown import Calibration, calibrate

LEARNED = "learned"  # the fact
AUTO = "auto"
_MOST = 5_000  # examples to learn from


@dataclass(frozen=True)
class Learned:
    """What was learned.

    Attributes:
        recognizer: how queries are compared, see :mod:`lowshot.recognize.choice`.
        asked: what the user asked for: a recognizer, or ``auto`` to have one chosen.
        calibration: from distances to probabilities.
        examples: how many the gallery had.
        queries: how many queries a user has labeled for it.
    """

    recognizer: str
    asked: str
    calibration: Calibration
    examples: int
    queries: int = 0

    def is_stale(self, examples: int) -> bool:
        """Whether the gallery has changed so much that it should learn anew. What users have labeled is not dropped."""
        changed = abs(examples - self.examples)
        return not self.queries and changed > 0 and 10 * changed >= self.examples

    def text(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self))


_ADAPTER = TypeAdapter(Learned)


def read_learned(text: str, place: str) -> Learned:
    """The inverse of :meth:`Learned.text`. Raises GalleryError where it is damaged."""
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        raise GalleryError(
            f"what {place} has learned cannot be read ({error.errors()[0]['msg']}): run `lowshot gallery calibrate`"
        ) from None


def learn(
    index: Index,
    card: Card,
    background: tuple[Features, Ints] | None,
    asked: str,
    queries: tuple[Features, list[Any]] | None = None,
) -> Learned:
    """Learn from the examples, or from some thousands of them, and from queries that a user has labeled."""
    held = index.held(_MOST)
    name = asked
    if asked == AUTO:
        name = choose(
            held.features,
            held.labels,
            card.compare,
            distance=card.distance,
            negative=card.negative,
            background=background,
        ).name
    recognizer = recognizer_named(name, card.distance, card.negative, background)
    calibration = calibrate(recognizer, held.features, held.labels, background, queries)
    return Learned(name, asked, calibration, len(index), len(queries[1]) if queries else 0)
