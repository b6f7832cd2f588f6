"""The shipped encoder in a gallery of real characters of alphabets it never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lowshot import Encoder, Gallery, load
from lowshot.data import EpisodeSampler
from lowshot.encoder.named import find

pytestmark = pytest.mark.skipif(
    not find("characters").is_file(), reason="the characters encoder is not in this checkout"
)


@pytest.mark.parametrize("shots", [1, 3])
def test_new_characters_are_told_apart_and_strangers_refused(data_folder: Path, tmp_path: Path, shots: int) -> None:
    encoder = Encoder.load("characters")
    examples = load("omniglot:evaluation", encoder.card.form)
    episode = EpisodeSampler(examples.labels).draw(1, 20, shots, 5, unknown_ways=20, seed=shots)
    with Gallery.open(tmp_path / "my.gallery", encoder, create=True) as gallery:
        gallery.enroll_examples(examples.take(episode.support.ravel()))
        known = gallery.identify(list(examples.items[episode.query.ravel()]))
        unknown = gallery.identify(list(examples.items[episode.unknown.ravel()]))
    truth = [examples.classes[label] for label in examples.labels[episode.query.ravel()]]
    assert np.mean([answer.candidates[0].label == label for answer, label in zip(known, truth, strict=True)]) >= 0.92
    right = [answer.label == label for answer, label in zip([*known, *unknown], [*truth, *[None] * 100], strict=True)]
    assert np.mean(right) >= 0.83
    assert np.mean([answer.unknown for answer in known]) <= 0.25
    assert np.mean([answer.unknown for answer in unknown]) >= 0.8
    assert np.mean([answer.confidence for answer in [*known, *unknown]]) == pytest.approx(np.mean(right), abs=0.1)
