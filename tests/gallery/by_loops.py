"""What an index must answer, by loops over what a store holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lowshot.data import ImageForm
from lowshot.encoder import Card
from lowshot.gallery.index import Compared
from lowshot.gallery.store import Row, Store
from lowshot.recognize.distances import distances, unit
from lowshot.recognize.unknown import Calibration

FEATURES = 6
CALIBRATION = Calibration(evidence=3.0, sharpness=6.0, contrast=7.0, typical=0.3, spread=0.1, genuine=10, impostors=10)


def card_of(distance: str = "cosine", compare: str = "prototype") -> Card:
    fields: dict[str, Any] = {"distance": distance, "compare": compare, "features": FEATURES}
    return Card(name="made", form=ImageForm(height=2, width=2, channels=1), mean=(0.0,), std=(1.0,), **fields)


def random_row(rng: np.random.Generator) -> Row:
    attributes = {"color": str(rng.choice(["red", "blue", "green"]))} if rng.random() < 0.8 else {}
    attributes |= {"size": str(rng.integers(3))} if rng.random() < 0.5 else {}
    return Row(f"class {rng.integers(8)}", "", attributes, rng.normal(size=FEATURES).astype(np.float32), None)


def expected(store: Store, query: Any, card: Card, allowed: Callable[[Row], bool]) -> dict[str, float]:
    """The distance to each class, by a loop."""
    by_class: dict[str, list[Any]] = {}
    for row in store.rows():
        if allowed(row):
            by_class.setdefault(row.label, []).append(row.feature)
    found = {}
    for label, features in by_class.items():
        if card.compare == "prototype":
            mean = (unit(np.array(features)) if card.distance == "cosine" else np.array(features)).mean(axis=0)
            found[label] = float(distances(query[None], mean[None], card.distance)[0, 0])
        else:
            found[label] = float(distances(query[None], np.array(features), card.distance).min())
    return found


def agrees(compared: Compared, expected: dict[str, float]) -> None:
    assert compared.classes == len(expected)
    far = np.array([[expected[label] for label in sorted(expected)]], np.float32)
    likely = dict(zip(sorted(expected), CALIBRATION.probabilities(far)[0].tolist(), strict=True))
    nearest = sorted(expected, key=lambda label: expected[label])[: len(compared.labels)]
    np.testing.assert_allclose([expected[x] for x in compared.labels], [expected[n] for n in nearest], atol=1e-4)
    np.testing.assert_allclose(compared.scores, [likely[label] for label in compared.labels], atol=2e-3)
    assert compared.known == pytest.approx(sum(likely.values()), abs=2e-3)
