"""SimpleShot's training and its transformed features against the formulas, and through an encoder file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss
from sklearn.neighbors import NearestCentroid
from sklearn.preprocessing import normalize

from lowshot.data import Examples, ImageForm
from lowshot.errors import ConfigError
from lowshot.learn.embedding import ClassBatch
from lowshot.learn.methods.classifier import BackgroundClassifier, ClassifierConfig
from lowshot.learn.recipe import Recipe
from lowshot.learn.run import configure
from lowshot.learn.trainer import Validator, train


def small(**settings: Any) -> BackgroundClassifier:
    torch.manual_seed(0)
    return BackgroundClassifier(ClassifierConfig(channels=1, size=16, filters=8, classes=6, items=12, **settings))


def batch(items: int = 12) -> ClassBatch:
    torch.manual_seed(1)
    return ClassBatch(torch.rand(items, 1, 16, 16), torch.randint(0, 6, (items,)))


@pytest.mark.parametrize("head", ["linear", "cosine"])
def test_the_loss_is_cross_entropy_of_the_background_classes(head: Any) -> None:
    method, images = small(head=head).eval(), batch()
    features = method.network(images.images).detach().double().numpy()
    weight = method.head.weight.detach().double().numpy()  # type: ignore[union-attr]
    if head == "linear":
        logits = features @ weight.T + method.head.bias.detach().numpy()  # type: ignore[union-attr]
    else:
        logits = 10 * normalize(features) @ normalize(weight).T
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected = log_loss(images.labels.numpy(), powers / powers.sum(axis=1, keepdims=True), labels=range(6))
    assert float(method.loss(images).detach()) == pytest.approx(expected, rel=1e-5)


def test_smoothing_and_mixup_soften_the_target() -> None:
    images = batch()
    hard, smooth = (float(small(label_smoothing=s).eval().loss(images).detach()) for s in (0, 0.2))
    logits = small().eval().logits(images.images).detach()
    uniform = float(-logits.log_softmax(1).mean())
    assert smooth == pytest.approx(0.8 * hard + 0.2 * uniform, rel=1e-5)
    torch.manual_seed(3)
    share = float(torch.distributions.Beta(0.5, 0.5).sample())
    logits = small().eval().logits(torch.lerp(images.images.roll(1, 0), images.images, share)).log_softmax(1).detach()
    rows = torch.arange(12)
    mixed = -(share * logits[rows, images.labels] + (1 - share) * logits[rows, images.labels.roll(1)]).mean()
    method = small(mixup=0.5).eval()
    torch.manual_seed(3)
    assert float(method.loss(images).detach()) == pytest.approx(float(mixed), rel=1e-5)


@pytest.mark.parametrize("transform", ["UN", "L2N", "CL2N"])
def test_new_classes_are_the_nearest_centroids_of_transformed_features(transform: Any) -> None:
    method = small(transform=transform)
    for _ in range(60):
        method.loss(batch())  # until the running mean is that of the batch
    features = method.network(batch().images).detach().numpy()
    method.eval()
    np.testing.assert_allclose(method.mean.numpy(), features.mean(axis=0), rtol=0.01)
    images = batch(11).images
    plain = method.network(images).detach().double().numpy()
    expected = {"UN": plain, "L2N": normalize(plain), "CL2N": normalize(plain - method.mean.double().numpy())}[
        transform
    ]
    found = method.embed(images).detach()
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    centroids = NearestCentroid().fit(expected[:6], [0, 0, 1, 1, 2, 2])
    answers = method.scores(found[:6].view(1, 3, 2, -1), found[None, 6:]).argmax(-1)[0]
    assert answers.tolist() == centroids.predict(expected[6:]).tolist()


def test_the_mean_is_learned_in_training_alone() -> None:
    method = small().eval()
    method.loss(batch())
    assert (method.mean == 0).all()
    method.train().loss(batch())
    assert (method.mean != 0).any()


def test_the_head_has_an_output_for_each_background_class(
    characters: Callable[[ImageForm], tuple[Examples, Examples]],
) -> None:
    config, _ = configure(BackgroundClassifier, "cpu", {})
    assert isinstance(config, ClassifierConfig)
    background, _ = characters(config.form)
    assert BackgroundClassifier.for_background(config, background).classes == len(background.classes)
    with pytest.raises(ConfigError, match="classes=7"):
        BackgroundClassifier.for_background(config.model_copy(update={"classes": 7}, deep=True), background)


def test_seconds_of_training_beat_an_untrained_network(
    characters: Callable[[ImageForm], tuple[Examples, Examples]],
) -> None:
    settings = {"steps": 100, "lr": 0.01, "average": 0.9, "filters": 32, "items": 32, "val_episodes": 100}
    config, recipe = configure(BackgroundClassifier, "cpu", {**settings, "validations": 1, "distortion": {}})
    assert isinstance(config, ClassifierConfig) and isinstance(recipe, Recipe)
    background, held_out = characters(config.form)
    background = background.where(alphabet=["Latin"])
    torch.manual_seed(0)
    method = BackgroundClassifier(BackgroundClassifier.for_background(config, background))
    before = Validator(held_out, recipe, torch.device("cpu")).accuracy(method)
    trained = train(method, background, recipe, validation=held_out)
    assert trained.accuracy is not None and trained.accuracy > before + 0.2


def test_what_is_exported_has_the_mean_in_it() -> None:
    method = small()
    for _ in range(3):
        method.loss(batch())
    parts = method.eval().exported()
    assert (parts.distance, parts.compare, parts.features) == ("euclidean", "prototype", 8)
    found = parts.network(batch().images)
    torch.testing.assert_close(found, method.embed(batch().images))
    torch.testing.assert_close(found.norm(dim=1), torch.ones(12))
