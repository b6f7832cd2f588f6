"""What a gallery learns from its own examples: how to compare, and when to say "unknown".

It is kept with the examples, so that every process answers alike, and learned anew when their number has changed by a
tenth: a probability does not hang on how many classes there are, so nothing is wrong before.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lowshot.encoder import Card, Features
from lowshot.errors import GalleryError
from lowshot.gallery.index import Index, Ints
from lowshot.recognize.choice import NAMES, choose, recognizer_named
from lowshot.recognize.unknown import Calibration, calibrate

LEARNED = "learned"  # the fact
AUTO = "auto"
_MOST = 5_000  # examples to learn from
# How far a query is from a class by logistic regression depends on the other classes there are. So distances in another
# gallery tell nothing of this one, and strangers are hardly told: it is a user's choice, never the gallery's own.
_RELATIVE = ("logistic",)
_CANDIDATES = tuple(name for name in NAMES if name not in _RELATIVE)


@dataclass(frozen=True)
class Learned:
    """What was learned.

    Attributes:
        recognizer: how queries are compared, see :mod:`lowshot.recognize.choice`.
        asked: what the user asked for: a recognizer, or ``auto`` to have one chosen.
        calibration: from distances to probabilities.
        examples: how many the gallery had.
        chosen: how many it had when its recognizer was chosen.
        queries: how many queries a user has labeled for it.
    """

    recognizer: str
    asked: str
    calibration: Calibration
    examples: int
    chosen: int
    queries: int = 0

    def is_stale(self, examples: int) -> bool:
        """Whether the gallery has changed so much that it should learn anew. What users have labeled is not dropped."""
        changed = abs(examples - self.examples)
        return not self.queries and changed > 0 and 10 * changed >= self.examples

    def is_outgrown(self, examples: int) -> bool:
        """Whether the gallery has changed so much that its recognizer should be chosen anew."""
        return not self.chosen / 2 < examples < self.chosen * 2

    def text(self) -> str:
        """As it is kept."""
        return json.dumps(asdict(self))


_ADAPTER = TypeAdapter(Learned)


@lru_cache(maxsize=16)  # every query asks
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
    before: Learned | None = None,
) -> Learned:
    """Learn from the examples, or from some thousands of them, and from queries that a user has labeled.

    The recognizer that was chosen ``before`` stays until the gallery has twice or half as many examples: choosing takes
    long, as against learning how sure to be.
    """
    held = index.held(_MOST)
    name, chosen = asked, len(index)
    if asked == AUTO and before is not None and before.asked == AUTO and not before.is_outgrown(len(index)):
        name, chosen = before.recognizer, before.chosen
    elif asked == AUTO:
        name = choose(
            held.features,
            held.labels,
            card.compare,
            candidates=_CANDIDATES,
            distance=card.distance,
            negative=card.negative,
            background=background,
        ).name
    recognizer = recognizer_named(name, card.distance, card.negative, background)
    stand_in = None if name in _RELATIVE else background
    calibration = calibrate(recognizer, held.features, held.labels, stand_in, queries)
    return Learned(name, asked, calibration, len(index), chosen, len(queries[1]) if queries else 0)
