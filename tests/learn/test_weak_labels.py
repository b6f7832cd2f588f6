"""Weak labels: how tags are made and drawn, that the truth stays hidden, and that tags teach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lowshot.data import EpisodeSampler, Examples, ImageForm
from lowshot.learn.batches import Batches
from lowshot.learn.classification import ClassBatch
from lowshot.learn.methods.weak_labels import LOSSES, WeakLabels, WeakLabelsConfig, draw_chances, noisy_tags
from lowshot.learn.recipe import Recipe
from lowshot.learn.robust import tag_cross_entropy
from lowshot.learn.trainer import Validator, train

LABELS = np.repeat(np.arange(50), 40)


def method(**settings: Any) -> WeakLabels:
    return WeakLabels(WeakLabelsConfig(**{"filters": 4, "size": 16, "classes": 50, **settings}))


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0])
def test_so_many_tags_are_wrong(noise: float) -> None:
    tags = noisy_tags(LABELS, 50, tags=3, noise=noise, zipf=0)
    assert tags.shape == (2000, 3)
    wrong = tags != LABELS[:, None]
    assert wrong.mean() == pytest.approx(noise * 49 / 50, abs=0.02)  # one wrong tag in fifty happens to be right
    assert wrong.all(axis=1).mean() == pytest.approx(noise**3, abs=0.06), "tags err for themselves"


def test_wrong_tags_follow_zipfs_law() -> None:
    tags = noisy_tags(np.zeros(200_000, np.int64), 50, tags=1, noise=1, zipf=1.5, seed=3)
    found = np.sort(np.bincount(tags[:, 0], minlength=50))[::-1]
    expected = np.arange(1.0, 51) ** -1.5
    np.testing.assert_allclose(found[:20] / found.sum(), expected[:20] / expected.sum(), rtol=0.1)


def test_tags_are_the_same_for_a_seed() -> None:
    one, same, other = (noisy_tags(LABELS, 50, tags=2, noise=0.3, seed=seed) for seed in (1, 1, 2))
    assert (one == same).all() and (one != other).any()


@given(seed=st.integers(0, 100), tags=st.integers(1, 3))
def test_a_tag_is_drawn_with_the_root_of_its_frequency(seed: int, tags: int) -> None:
    drawn = np.random.default_rng(seed).zipf(1.5, size=(60, tags)).clip(max=9)
    chances = draw_chances(drawn)
    frequency = np.bincount(drawn.ravel(), minlength=10)
    root = np.sqrt(frequency) / np.sqrt(frequency).sum()
    for image in range(60):  # first a tag, then one of the places it stands at
        assert chances[image] == pytest.approx(sum(root[tag] / frequency[tag] for tag in drawn[image]))


def true_classes(drawn: np.ndarray) -> np.ndarray:
    return LABELS[drawn[:, 0]]


def test_draws_follow_the_chances_and_tags_stay_with_their_image() -> None:
    sampler = EpisodeSampler(LABELS)
    chosen = method(items=20_000, zipf=2, noise=0.5)
    drawn = chosen.draw(sampler, (0, 0, 0))
    tags = noisy_tags(LABELS, 50, tags=3, noise=0.5, zipf=2)
    assert (LABELS[drawn[:, 1:]] == tags[drawn[:, 0]]).all()
    found = np.bincount(drawn[:, 0], minlength=2000) / 20_000
    assert np.corrcoef(found, draw_chances(tags))[0, 1] > 0.5
    even = np.bincount(method(items=20_000, resample=False).draw(sampler, (0, 0, 0))[:, 0], minlength=2000)
    assert even.std() < 1.2 * np.sqrt(10)


def test_hard_labels_are_the_first_tags() -> None:
    sampler = EpisodeSampler(LABELS)
    drawn = method(targets="hard").draw(sampler, (0, 0, 0))
    assert drawn.shape == (128, 2)
    assert (LABELS[drawn[:, 1]] == noisy_tags(LABELS, 50, tags=3, noise=0.3)[drawn[:, 0], 0]).all()
    assert (LABELS[drawn[:, 1]] != true_classes(drawn)).mean() > 0.15


def test_items_need_not_be_sorted_by_class() -> None:
    labels = np.random.default_rng(0).permutation(LABELS)
    drawn = method().draw(EpisodeSampler(labels), (0, 0, 0))
    assert (method().shown(drawn) == drawn[:, 0]).all(), "items that name a tag are not looked at"
    assert (labels[drawn[:, 1:]] == noisy_tags(labels, 50, tags=3, noise=0.3)[drawn[:, 0]]).all()


def test_the_true_class_never_reaches_the_loss() -> None:
    images, labels = torch.rand(6, 1, 16, 16), torch.randint(50, (6, 4))
    batch = method().batch(images, labels)
    assert (batch.images == images).all()
    assert (batch.labels == labels[:, 1:]).all(), "the first column is of the image itself"


@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_that_of_the_tags(loss: Any) -> None:
    chosen = method(loss=loss).eval()
    images, tags = torch.rand(6, 1, 16, 16), torch.randint(50, (6, 3))
    torch.testing.assert_close(chosen.loss(ClassBatch(images, tags)), LOSSES[loss](chosen.logits(images), tags))


def test_a_step_of_the_trainer_has_images_and_tags(characters: Callable[[ImageForm], Any]) -> None:
    config = WeakLabelsConfig(filters=4)
    background, _ = characters(config.form)
    chosen = WeakLabels(WeakLabels.for_background(config, background))
    batch = Batches(background, chosen, Recipe().distortion, torch.device("cpu")).draw(0, 0)
    assert batch.images.shape == (128, 1, 28, 28) and batch.labels.shape == (128, 3)
    assert chosen.loss(batch) == tag_cross_entropy(chosen.logits(batch.images), batch.labels)


def test_it_learns_from_wrong_tags(characters: Callable[[ImageForm], tuple[Examples, Examples]]) -> None:
    config = WeakLabelsConfig(filters=16, items=64)
    background, unseen = characters(config.form)
    background = background.where(alphabet=["Latin", "Hebrew", "Tagalog"])
    torch.manual_seed(0)
    chosen = WeakLabels(WeakLabels.for_background(config, background))
    recipe = Recipe(steps=120, lr=6e-3, schedule="cosine", val_episodes=100)
    validator = Validator(unseen, recipe, torch.device("cpu"))
    before = validator.accuracy(chosen)
    train(chosen, background, recipe)
    assert validator.accuracy(chosen) > 2 * before
