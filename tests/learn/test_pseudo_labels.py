"""Pseudo-labels: equations 15 and 16, who predicts, that hidden labels stay hidden, and that it learns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lowshot.data import EpisodeSampler, Examples, ImageForm
from lowshot.errors import ConfigError
from lowshot.learn.classification import ClassBatch
from lowshot.learn.methods.pseudo_labels import PseudoLabels, PseudoLabelsConfig
from lowshot.learn.recipe import Recipe
from lowshot.learn.trainer import Validator, train


def method(**settings: Any) -> PseudoLabels:
    torch.manual_seed(0)
    small = {"filters": 4, "size": 16, "classes": 3, "items": 4, "unlabeled": 6}
    return PseudoLabels(PseudoLabelsConfig(**{**small, **settings}))


def batch(chosen: PseudoLabels) -> ClassBatch:
    generator = torch.Generator().manual_seed(0)
    return ClassBatch(torch.rand(10, 1, 16, 16, generator=generator), torch.tensor([0, 1, 2, 0]))


def value(chosen: PseudoLabels) -> float:
    return float(chosen.loss(batch(chosen)).detach())


def probabilities(logits: Any) -> np.ndarray:
    powers = np.exp(logits.detach().double().numpy())
    return np.asarray(powers / powers.sum(1, keepdims=True))


@pytest.mark.parametrize("share", [0, 0.5])
def test_the_loss_is_equation_15(share: float) -> None:
    unsure = method()
    p = probabilities(unsure.eval().logits(batch(unsure).images))
    confidence = float(np.quantile(p[4:].max(axis=1), share)) - 1e-6
    chosen = method(confidence=confidence, alpha=2, start=0, full=10).eval()
    chosen.step.fill_(5)
    labeled = np.mean([-np.log(p[i, label]) for i, label in enumerate([0, 1, 2, 0])])
    unlabeled = [-np.log(row.max()) if row.max() >= confidence else 0 for row in p[4:]]
    assert sum(map(bool, unlabeled)) == (3 if share else 6)
    assert value(chosen) == pytest.approx(labeled + 1.0 * np.mean(unlabeled), rel=1e-5)


def test_the_weight_is_equation_16() -> None:
    chosen = method(alpha=3, start=100, full=600)
    for step, weight in ((0, 0), (100, 0), (225, 0.75), (350, 1.5), (600, 3), (9000, 3)):
        chosen.step.fill_(step)
        assert float(chosen.weight()) == weight


def test_a_step_counts_in_training_only() -> None:
    chosen = method()
    for _ in range(3):
        chosen.train().loss(batch(chosen))
    chosen.eval().loss(batch(chosen))
    assert int(chosen.step) == 3
    assert "step" in chosen.state_dict(), "a resumed run goes on from where it was"


def test_predictions_are_taken_as_given() -> None:
    """No gradient flows through the teacher's choice, and the teacher itself learns nothing."""
    chosen = method(start=0, full=1, teacher=0.9)
    chosen.step.fill_(5)
    chosen.loss(batch(chosen)).backward()
    assert chosen.teacher is not None
    assert all(parameter.grad is None for parameter in chosen.teacher.parameters())
    assert all(parameter.grad is not None for parameter in chosen.network.parameters())


def test_the_teachers_predictions_are_learned() -> None:
    chosen = method(start=0, full=1, alpha=1, teacher=0.9).eval()
    assert chosen.teacher is not None
    torch.nn.init.constant_(chosen.teacher[1].bias, 0)
    chosen.teacher[1].bias.data[2] = 100  # the teacher calls everything class 2
    chosen.step.fill_(5)
    p = probabilities(chosen.logits(batch(chosen).images))
    labeled = np.mean([-np.log(p[i, label]) for i, label in enumerate([0, 1, 2, 0])])
    assert value(chosen) == pytest.approx(labeled - np.log(p[4:, 2]).mean(), rel=1e-5)


def test_a_running_average_follows_the_network() -> None:
    chosen = method(teacher=0.75)
    assert chosen.teacher is not None
    old = chosen.head.weight.detach().clone()
    chosen.head.weight.data += 4
    chosen.loss(batch(chosen))
    torch.testing.assert_close(chosen.teacher[1].weight, old + 1)
    assert not chosen.train().teacher.training, "who predicts is never in training"  # type: ignore[union-attr]


def test_in_rounds_the_teacher_stays_until_the_next_begins() -> None:
    chosen = method(round=3)
    assert chosen.teacher is not None
    held = []
    for step in range(7):
        chosen.head.weight.data.fill_(step)
        chosen.loss(batch(chosen))
        held.append(float(chosen.teacher[1].weight[0, 0]))
    assert held == [0, 0, 0, 3, 3, 3, 6]


@given(seed=st.integers(0, 1000), labeled=st.integers(1, 4))
def test_the_first_items_of_each_class_are_labeled_and_the_others_not(seed: int, labeled: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(5), [1, 2, 6, 7, 8]))
    place = np.array([(labels[:i] == labels[i]).sum() for i in range(len(labels))])
    drawn = method(labeled=labeled, items=40, unlabeled=200).draw(EpisodeSampler(labels), (seed, 0, 0))
    assert (place[drawn[:40]] < labeled).all() and (place[drawn[40:]] >= labeled).all()
    assert set(drawn[40:]) == set(np.flatnonzero(place >= labeled)) or labeled < 4


def test_the_baseline_sees_the_same_images_and_learns_the_labels_alone() -> None:
    sampler = EpisodeSampler(np.repeat(np.arange(3), 20))
    both, baseline, alone = (
        method(**settings).draw(sampler, (0, 7, 0)) for settings in ({}, {"alpha": 0}, {"unlabeled": 0})
    )
    assert both.shape == (10,) and (baseline == both).all() and (alone == both[:4]).all()
    for settings in ({"alpha": 0}, {"unlabeled": 0}):
        chosen = method(**settings, start=0, full=1).eval()
        chosen.step.fill_(5)
        images, labels = torch.rand(10, 1, 16, 16), torch.tensor([0, 1, 2, 0])
        images = images[:4] if "unlabeled" in settings else images
        expected = torch.nn.functional.cross_entropy(chosen.logits(images[:4]), labels)
        torch.testing.assert_close(chosen.loss(chosen.batch(images, labels)), expected)


def test_hidden_labels_never_reach_the_loss() -> None:
    chosen = method()
    assert chosen.batch(torch.rand(10, 1, 16, 16), torch.arange(10)).labels.tolist() == [0, 1, 2, 3]


def test_settings_that_cannot_work_are_refused() -> None:
    with pytest.raises(ConfigError, match="labeled=20 leaves no item unlabeled"):
        method(labeled=20).draw(EpisodeSampler(np.repeat(np.arange(3), 20)), (0, 0, 0))
    for settings, needle in (({"start": 9, "full": 9}, "full above start"), ({"teacher": 0.9, "round": 5}, "round")):
        with pytest.raises(ValueError, match=needle):
            PseudoLabelsConfig(**settings)


def test_it_learns_from_labels_and_predictions(characters: Callable[[ImageForm], tuple[Examples, Examples]]) -> None:
    config = PseudoLabelsConfig(filters=16, items=32, unlabeled=32, alpha=1, start=40, full=80, confidence=0.8)
    background, unseen = characters(config.form)
    background = background.where(alphabet=["Latin", "Hebrew", "Tagalog"])
    torch.manual_seed(0)
    chosen = PseudoLabels(PseudoLabels.for_background(config, background))
    recipe = Recipe(steps=120, lr=6e-3, schedule="cosine", val_episodes=100)
    validator = Validator(unseen, recipe, torch.device("cpu"))
    before = validator.accuracy(chosen)
    train(chosen, background, recipe)
    assert validator.accuracy(chosen) > 2 * before
