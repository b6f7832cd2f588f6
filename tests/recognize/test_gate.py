"""Gates on Gaussian worlds whose truth is known, and on drawn letters by script."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from lowshot.errors import ConfigError, DataError, ShapeError
from lowshot.recognize import gate as module
from lowshot.recognize.gate import (
    SILENT,
    AttributeGate,
    GateReport,
    allowed,
    gate_report,
    keep_likely,
)


def _world(
    seed: int, classes: int, items: int, values: int = 4, apart: float = 3.0, features: int = 8
) -> tuple[Any, Any, Any]:
    """Items of classes that lie around the center of their value: features, values, classes."""
    rng = np.random.default_rng(seed)
    centers = apart * np.random.default_rng(1000).normal(size=(values, features)) / np.sqrt(features)
    value_of = np.arange(classes) % values
    means = centers[value_of] + 0.5 * rng.normal(size=(classes, features))
    labels = np.repeat(np.arange(classes), items)
    X = means[labels] + 0.5 * rng.normal(size=(len(labels), features))
    return X.astype(np.float32), np.array([f"value {each}" for each in value_of])[labels], labels


def _recall(gate: AttributeGate, X: Any, values: Any, recall: float) -> float:
    return float(gate.kept(X, recall)[np.arange(len(X)), gate.codes(values)].mean())


@pytest.mark.parametrize("recall", [0.8, 0.95])
@pytest.mark.parametrize("apart", [0.5, 1.2])
def test_the_recall_asked_for_is_found_on_classes_never_seen(recall: float, apart: float) -> None:
    """Over many draws of the gallery; conservative by what one group more costs, and by folds that learn from less."""
    found = []
    for seed in range(25):
        gate = AttributeGate().fit(*_world(seed, 60, 3, apart=apart))
        found.append(_recall(gate, *_world(500 + seed, 200, 2, apart=apart)[:2], recall))
    noise = 3 * np.std(found) / np.sqrt(len(found))
    assert recall - noise <= np.mean(found) <= recall + 0.06
    assert np.min(found) < 1


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([0.7, 0.9, 0.97]), st.sampled_from([0.3, 1.0, 4.0]))
def test_no_draw_is_far_below_the_recall(seed: int, recall: float, apart: float) -> None:
    gate = AttributeGate().fit(*_world(seed, 120, 1, apart=apart))
    found = _recall(gate, *_world(seed + 1, 300, 1, apart=apart)[:2], recall)
    assert found >= recall - 5 * np.sqrt(recall * (1 - recall) * (1 / 120 + 1 / 300))


def test_the_masses_are_those_of_conformal_prediction_counted_by_hand() -> None:
    X, values, groups = _world(0, 40, 3)
    gate = AttributeGate().fit(X, values, groups)
    queries = _world(1, 6, 1)[0]
    unit = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    for query, kept in zip(unit, gate.kept(queries, 0.8), strict=True):
        for value in range(4):
            as_strange = 1 / 41
            for fold in range(5):
                logits = gate.coef_[fold] @ query + gate.intercept_[fold]
                strange = np.log(np.exp(logits).sum()) - logits[value]
                held = gate.strangeness_[gate.start_[fold] : gate.start_[fold + 1]]
                as_strange += (held >= strange).sum() / 3 / 41
            assert kept[value] == (as_strange > 0.2)


def test_values_that_features_do_not_tell_are_all_kept_but_for_the_misses() -> None:
    X, _, groups = _world(0, 400, 1)
    noise = np.random.default_rng(7).choice(["a", "b", "c", "d", "e"], len(X))
    told, guessed = gate_report(X, _world(0, 400, 1)[1], groups, 0.95), gate_report(X, noise, groups, 0.95)
    assert guessed.accuracy < 0.3 and guessed.kept > 4.5 and guessed.compared > 0.9
    assert told.accuracy > 0.75 and told.kept < 2.5 and told.times_fewer > 1.7
    assert min(told.recall_high, guessed.recall_high) >= 0.95


def test_a_report_agrees_with_queries_of_other_classes() -> None:
    report = gate_report(*_world(0, 400, 2), recall=0.95)
    gate = AttributeGate().fit(*_world(0, 400, 2))
    X, values, _ = _world(1, 1000, 1)
    assert report.recall_low <= _recall(gate, X, values, 0.95) <= report.recall_high
    assert report.kept == pytest.approx(gate.kept(X, 0.95).sum(axis=1).mean(), rel=0.1)
    assert report.compared == pytest.approx(report.kept / 4, rel=0.05)  # values have equally many classes
    first = LinearDiscriminantAnalysis().fit(*_world(0, 400, 2)[:2]).predict(X) == values
    assert report.accuracy == pytest.approx(first.mean(), abs=0.05)
    assert report.figures()["times_fewer"] == pytest.approx(1 / report.compared)


def test_groups_are_never_both_learned_and_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example of a group carries the group's number: no classifier may meet it on both sides."""
    X, values, groups = _world(0, 30, 4)
    X[:, -1] = groups
    monkeypatch.setattr(module, "unit", lambda features: features)
    learned, held = [], []
    regression, strangeness = module._regression, module._strangeness
    monkeypatch.setattr(
        module, "_regression", lambda X, *more: (learned.append(set(X[:, -1])), regression(X, *more))[1]
    )
    monkeypatch.setattr(module, "_strangeness", lambda X, *more: (held.append(set(X[:, -1])), strangeness(X, *more))[1])
    AttributeGate().fit(X, values, groups)
    assert len(learned) == len(held) == 5
    assert all(not one & other and len(one | other) == 30 for one, other in zip(learned, held, strict=True))
    assert sorted(each for fold in held for each in fold) == list(range(30))


@pytest.mark.parametrize("groups", [20, 98, 99])
def test_too_few_groups_cannot_promise_and_keep_everything(groups: int) -> None:
    """99 groups of 100 may promise 0.99, one fewer may not: (G + 1) · 0.01 must reach 1."""
    X, values, labels = _world(0, groups, 2, apart=20.0)
    kept = AttributeGate().fit(X, values, labels).kept(X, 0.99)
    assert kept.all() == (groups < 99)


def test_asking_for_everything_keeps_everything_and_nothing_keeps_the_first() -> None:
    X, values, groups = _world(0, 200, 1)
    gate = AttributeGate().fit(X, values, groups)
    assert gate.kept(X, 1.0).all()
    assert gate.kept(X, 1e-9).any(axis=1).all()
    assert (gate.kept(X, 1e-9).sum(axis=1) == 1).mean() > 0.98  # where two are equally likely, both are kept
    kept = [gate.kept(X, recall) for recall in (0.5, 0.8, 0.9, 0.99)]
    assert all((more >= fewer).all() for fewer, more in itertools.pairwise(kept))
    assert gate.kept(X[:0]).shape == (0, 4)


def test_many_examples_of_one_class_do_not_outweigh_the_others() -> None:
    """100 ordinary classes, and one of 2000 examples that look like another value."""
    X, values, groups = _world(0, 100, 1)
    odd = np.tile(X[values == "value 1"][:1], (2000, 1))
    gate = AttributeGate().fit(
        np.concatenate([X, odd]), np.append(values, ["value 0"] * 2000), np.append(groups, [100] * 2000)
    )
    alone = AttributeGate().fit(X, values, groups)
    queries = _world(1, 300, 1)[0]
    assert gate.kept(queries, 0.9).mean() == pytest.approx(alone.kept(queries, 0.9).mean(), abs=0.12)


def test_it_survives_being_kept_as_bytes() -> None:
    X, values, groups = _world(0, 120, 2)
    gate = AttributeGate().fit(X, values, groups)
    again = AttributeGate.from_bytes(gate.to_bytes())
    assert again.values_ == gate.values_ and again.groups_ == gate.groups_
    assert np.array_equal(gate.kept(X, 0.9), again.kept(X, 0.9))
    assert gate.to_bytes() == again.to_bytes() == AttributeGate().fit(X, values, groups).to_bytes()


@pytest.mark.parametrize("damage", [b"", b"no file", None])
def test_damaged_bytes_are_refused(damage: bytes | None) -> None:
    kept = AttributeGate().fit(*_world(0, 40, 1)).to_bytes()
    with pytest.raises(DataError, match="train it again"):
        AttributeGate.from_bytes(kept[: len(kept) // 2] if damage is None else damage)


def test_nothing_is_unpickled() -> None:
    import io

    file = io.BytesIO()
    np.savez(file, values_=np.array([{}], object))
    with pytest.raises(DataError, match="pickle"):
        AttributeGate.from_bytes(file.getvalue())


def test_examples_that_say_nothing_are_left_out_and_always_compared() -> None:
    X, values, groups = _world(0, 120, 2)
    silent = np.random.default_rng(0).random(len(X)) < 0.3
    mixed = [
        None if s and i % 2 else "" if s else value for i, (s, value) in enumerate(zip(silent, values, strict=True))
    ]
    gate = AttributeGate().fit(X, mixed, groups)
    without = AttributeGate().fit(X[~silent], values[~silent], groups[~silent])
    np.testing.assert_allclose(gate.coef_, without.coef_, atol=1e-3)
    rows = gate.codes(mixed)
    assert (rows[silent] == SILENT).all() and (rows[~silent] != SILENT).all()
    compared = allowed(gate.kept(X[:5], 0.8), rows)
    assert compared[:, silent].all() and not compared.all()
    assert gate_report(X, mixed, groups, 0.8).compared > gate_report(X, values, groups, 0.8).compared


def test_a_value_of_one_class_cannot_be_learned_and_is_always_compared() -> None:
    X, values, groups = _world(0, 40, 3)
    rare = np.where(groups == 0, "rare", values)
    gate = AttributeGate().fit(X, rare, groups)
    assert gate.values_ == ("value 0", "value 1", "value 2", "value 3")
    assert gate.codes(["rare", "value 2"]).tolist() == [SILENT, 2]


def test_a_value_of_two_classes_is_learned_by_every_fold() -> None:
    X, values, groups = _world(0, 60, 2)
    scarce = np.where(np.isin(groups, [3, 7]), "scarce", values)
    assert (AttributeGate().fit(X, scarce, groups).intercept_ > module._NEVER).all()


def test_examples_of_a_class_may_have_different_values() -> None:
    X, values, groups = _world(0, 50, 4)
    gate = AttributeGate().fit(X, np.roll(values, 2), groups)
    assert np.isfinite(gate.strangeness_).all() and gate.kept(X, 0.9).any(axis=1).all()


def test_two_values_are_told_apart_as_well() -> None:
    X, values, groups = _world(0, 300, 1, values=2, apart=6.0)
    gate = AttributeGate().fit(X, values, groups)
    X, values, _ = _world(1, 300, 1, values=2, apart=6.0)
    assert _recall(gate, X, values, 0.95) > 0.9
    assert gate.kept(X, 0.95).sum(axis=1).mean() < 1.2


def test_several_gates_share_the_misses() -> None:
    X, values, groups = _world(0, 400, 1)
    other = np.where(X[:, 0] + np.random.default_rng(0).normal(size=len(X)) > 0, "high", "low")
    gates = {"value": AttributeGate().fit(X, values, groups), "height": AttributeGate().fit(X, other, groups)}
    kept = keep_likely(gates, X, 0.9)
    for name, gate in gates.items():
        assert np.array_equal(kept[name], gate.kept(X, 0.95))
    both = [
        kept[name][np.arange(len(X)), gates[name].codes(each)] for name, each in (("value", values), ("height", other))
    ]
    assert np.logical_and(*both).mean() >= 0.9
    assert keep_likely({}, X, 0.9) == {}


def test_large_sets_are_sampled_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 200)
    gate = AttributeGate().fit(*_world(0, 150, 40))
    assert len(gate.strangeness_) == 200 and gate.groups_ == 150
    assert AttributeGate().fit(*_world(0, 900, 2)).groups_ == 200


@pytest.mark.parametrize(
    ("X", "values", "groups", "error", "match"),
    [
        (np.zeros((4, 3)), ["a", "b", "a"], [0, 1, 2, 3], ShapeError, "4 examples but 3 values"),
        (np.zeros((4, 3)), ["a", "b"] * 2, [0, 1], ShapeError, "2 groups"),
        (np.zeros(4), ["a", "b"] * 2, [0, 1, 2, 3], ShapeError, r"shape \(4,\)"),
        (np.full((4, 3), np.nan), ["a", "b"] * 2, [0, 1, 2, 3], ShapeError, "finite"),
        (np.zeros((4, 3)), ["a"] * 4, [0, 1, 2, 3], DataError, "1 values"),
        (np.zeros((4, 3)), ["a", "b"] * 2, [0, 1, 0, 1], DataError, "0 values"),
        (np.zeros((4, 3)), ["", None] * 2, [0, 1, 2, 3], DataError, "0 values"),
        (np.zeros((0, 3)), [], [], DataError, "0 values"),
    ],
)
def test_what_cannot_be_learned_is_refused(
    X: Any, values: Any, groups: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        AttributeGate().fit(X, values, groups)


@pytest.mark.parametrize("recall", [0.0, -0.1, 1.01, np.nan])
def test_a_recall_that_cannot_be_is_refused(recall: float) -> None:
    gate = AttributeGate().fit(*_world(0, 20, 1))
    for ask in (
        lambda: gate.kept(np.zeros((1, 8)), recall),
        lambda: keep_likely({"a": gate}, np.zeros((1, 8)), recall),
    ):
        with pytest.raises(ConfigError, match="recall"):
            ask()


def test_queries_of_another_encoder_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(items, 8\)"):
        AttributeGate().fit(*_world(0, 20, 1)).kept(np.zeros((1, 9)))


def test_equal_features_are_no_error() -> None:
    report = gate_report(np.ones((200, 3)), np.array(["a", "b"])[np.arange(200) % 2], np.arange(200), 0.9)
    assert isinstance(report, GateReport) and report.recall >= 0.9


@pytest.fixture(scope="module")
def letters(data_folder: Any) -> tuple[Any, Any, Any]:
    """Features of 20 characters of each of ten alphabets, 4 drawings each, with alphabets and characters."""
    from lowshot import Encoder, load

    encoder = Encoder.load("characters")
    examples = load("omniglot:evaluation", encoder.card.form)
    alphabets = np.unique(examples.attributes["alphabet"])[:10]
    number = np.arange(len(examples)) % 20
    some = examples.take(np.isin(examples.attributes["alphabet"], alphabets) & (number < 4))
    return encoder.embed(some.items), some.attributes["alphabet"], some.labels


def test_handwritten_characters_pass_the_gate_of_their_alphabet(letters: tuple[Any, Any, Any]) -> None:
    X, alphabets, characters = letters
    seen = characters % 2 == 0
    gate = AttributeGate().fit(X[seen], alphabets[seen], characters[seen])
    assert _recall(gate, X[~seen], alphabets[~seen], 0.95) > 0.93
    kept = gate.kept(X[~seen], 0.95).mean()
    assert 0.2 < kept < 0.8  # alphabets are hard to tell: it widens, and still saves something
    assert AttributeGate().fit(X, alphabets, np.arange(len(X))).kept(X, 0.95).mean() < kept
