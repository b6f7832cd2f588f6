"""Zero-shot protocols: what they learn from, what they ask, and their figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lowshot.data import Examples
from lowshot.data.descriptions import Descriptions
from lowshot.encoder import Encoder
from lowshot.errors import ClassTooSmall, ConfigError, ShapeError
from lowshot.evaluate import leave_two_out, leave_two_out_of, zero_shot, zero_shot_of
from lowshot.evaluate.zero_shot import _Game
from lowshot.recognize import ESZSL, SemanticCodes, ZeroShot

CLASSES, EACH = 24, 10
LABELS = np.repeat(np.arange(CLASSES), EACH)
CODES = (np.random.default_rng(0).permutation(64)[:CLASSES, None] >> np.arange(6) & 1).astype(float)


def features(noise: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(1)
    return CODES[LABELS] @ rng.normal(size=(6, 12)) + noise * rng.normal(size=(len(LABELS), 12))


class Spy(SemanticCodes):
    """Remembers what it was taught and asked."""

    calls: list[tuple[Any, Any, Any]] = []  # noqa: RUF012

    def fit(self, X: Any, y: Any, codes: Any) -> Any:
        self.taught = np.asarray(y)
        return super().fit(X, y, codes)

    def scores(self, X: Any) -> Any:
        Spy.calls.append((self.taught, len(X), self.classes_))
        return super().scores(X)


def test_unseen_classes_are_told_far_above_chance() -> None:
    result = zero_shot(SemanticCodes(), features(), LABELS, CODES, unseen=6, splits=10)
    assert result.accuracy - (result.ci95 or 0) > 3 * result.chance
    assert result.chance == pytest.approx(1 / 6)
    assert result.harmonic >= result.unpenalized - 0.02
    assert "6 unseen classes" in str(result) and "10 splits" in str(result)


def test_codes_that_say_nothing_leave_chance() -> None:
    noise = np.random.default_rng(5).normal(size=(len(LABELS), 12))
    result = zero_shot(SemanticCodes(), noise, LABELS, CODES, unseen=6, splits=20)
    assert abs(result.accuracy - 1 / 6) < 0.1


def test_no_item_of_an_unseen_class_is_learned() -> None:
    Spy.calls = []
    zero_shot(Spy(), features(), LABELS, CODES, unseen=5, splits=2, among=range(8))
    game, within = Spy.calls[0], Spy.calls[1]
    unseen = np.setdiff1d(np.arange(CLASSES), game[0])
    assert len(unseen) == 5 and unseen.max() < 8
    assert game[1] == 5 * EACH + (CLASSES - 5) * 2  # all of theirs, a fifth of the others'
    assert np.bincount(game[0]).max() == 8
    assert game[2].tolist() == list(range(CLASSES))
    assert len(within[2]) == CLASSES - 5 and len(np.unique(within[0])) == CLASSES - 10


@pytest.mark.parametrize("seed", range(5))
def test_the_best_penalty_is_the_best_of_all(seed: int) -> None:
    rng = np.random.default_rng(seed)
    unseen, right, gap = rng.random(40) < 0.4, rng.random(40) < 0.7, rng.normal(size=40)
    weight = np.where(unseen, 1 / unseen.sum(), 1 / (~unseen).sum())
    game = _Game(weight, unseen, right, gap)

    def harmonic(penalty: float) -> float:
        seen = np.mean((right & (gap > penalty))[~unseen])
        new = np.mean((right & (gap <= penalty))[unseen])
        assert game.accuracies(penalty) == pytest.approx((seen, new))
        return 2 * seen * new / (seen + new) if seen + new else 0.0

    assert harmonic(game.best_penalty()) == pytest.approx(max(map(harmonic, [*gap, gap.min() - 1])))
    assert game.unseen_alone == pytest.approx(right[unseen].mean())


def test_leave_two_out_learns_all_but_two_and_asks_those() -> None:
    few = 5 * EACH
    Spy.calls = []
    result = leave_two_out(Spy(), features()[:few], LABELS[:few], CODES[:5])
    assert result.pairs == len(Spy.calls) == 10
    for taught, asked, described in Spy.calls:
        assert asked == 2 * EACH and sorted({*taught, *described}) == list(range(5)) and len(set(taught)) == 3
    right = []
    X = features()[:few]
    for one in range(5):
        for other in range(one + 1, 5):
            out = np.isin(LABELS[:few], [one, other])
            rest = np.delete(CODES[:5], [one, other], axis=0)
            known = SemanticCodes().fit(X[~out], LABELS[:few][~out], rest).describe([one, other], CODES[[one, other]])
            right.append((known.predict(X[out]) == LABELS[:few][out]).mean())
    assert result.accuracy == pytest.approx(np.mean(right))
    assert "10 pairs of 5 classes" in str(result)


def test_its_interval_is_between_classes() -> None:
    every = leave_two_out(ESZSL(), features(2.0), LABELS, CODES)
    some = leave_two_out(ESZSL(), features(2.0), LABELS, CODES, pairs=40, seed=3)
    assert every.pairs == 276 and some.pairs == 40
    assert abs(every.accuracy - some.accuracy) < (every.ci95 or 0) + (some.ci95 or 0)
    assert some.ci95 is not None and every.ci95 is not None and 0 < every.ci95 < 0.2


@pytest.mark.parametrize("recognizer", [SemanticCodes(seen_penalty=9.0), ESZSL()], ids=str)
def test_a_seed_gives_the_same_figures_and_the_recognizer_stays_as_it_was(recognizer: ZeroShot) -> None:
    setting = {"unseen": 4, "splits": 3}
    one, same, other = (zero_shot(recognizer, features(), LABELS, CODES, seed=seed, **setting) for seed in (1, 1, 2))
    assert (one.accuracy, one.harmonic) == (same.accuracy, same.harmonic) != (other.accuracy, other.harmonic)
    assert not hasattr(recognizer, "classes_")


def test_an_encoder_and_the_attributes_of_items(pixels: Encoder, drawings: Examples) -> None:
    values = np.arange(12)
    described = {"bit0": values % 2, "bit1": values // 2 % 2, "bit2": values // 4 % 2, "bit3": values // 8}
    attributes = {name: bit.astype(str)[drawings.labels] for name, bit in described.items()}
    examples = Examples(drawings.items, drawings.labels, drawings.classes, attributes=attributes)
    codes = Descriptions.of_examples(examples).codes
    result = zero_shot_of(pixels, examples, ESZSL(), unseen=3, splits=4)
    expected = zero_shot(ESZSL(), pixels.embed(drawings.items), drawings.labels, codes, unseen=3, splits=4)
    assert (result.accuracy, result.harmonic) == (expected.accuracy, expected.harmonic)
    two = leave_two_out_of(pixels, examples, ESZSL(), pairs=5)
    assert (
        two.accuracy == leave_two_out(ESZSL(), pixels.embed(drawings.items), drawings.labels, codes, pairs=5).accuracy
    )


def test_bad_input_is_refused() -> None:
    X = features()
    for setting, match in (({"unseen": 1}, "2..11"), ({"unseen": 12}, "2..11"), ({"splits": 0}, "splits")):
        with pytest.raises(ConfigError, match=match):
            zero_shot(ESZSL(), X, LABELS, CODES, **setting)
    with pytest.raises(ConfigError, match=r"1\.\.276 pairs"):
        leave_two_out(ESZSL(), X, LABELS, CODES, pairs=277)
    with pytest.raises(ShapeError, match="25 codes"):
        zero_shot(ESZSL(), X, LABELS, np.vstack([CODES, CODES[:1]]))
    with pytest.raises(ShapeError, match="240 labels"):
        leave_two_out(ESZSL(), X[1:], LABELS, CODES)
    with pytest.raises(ClassTooSmall, match="three items"):
        zero_shot(ESZSL(), X[::5], LABELS[::5], CODES)
