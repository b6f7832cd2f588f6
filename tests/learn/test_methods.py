"""Every method keeps the two-verb contract, and each computes its paper's formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lowshot.errors import ConfigError
from lowshot.learn.distances import distances, mahalanobis
from lowshot.learn.method import EpisodeBatch, Method, PairBatch
from lowshot.learn.methods import METHODS, find_method
from lowshot.learn.methods.classifier import BackgroundClassifier
from lowshot.learn.methods.contrastive import ContrastiveLoss
from lowshot.learn.methods.prototypical import PrototypicalConfig, PrototypicalNetworks
from lowshot.learn.methods.quadruplet import QuadrupletLoss
from lowshot.learn.methods.siamese import SiameseConfig, SiameseNetworks
from lowshot.learn.methods.transfer import Transfer
from lowshot.learn.methods.triplet import TripletConfig, TripletNetworks
from lowshot.learn.methods.weak_labels import WeakLabels
from lowshot.learn.recipe import Recipe
from lowshot.learn.run import configure

every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.record.name)


def small(method: type[Method[Any]]) -> Method[Any]:
    """The method with its small network."""
    torch.manual_seed(0)
    config, _ = configure(method, "cpu", {})
    return method(config.model_copy(update={"filters": 8}))


@every_method
def test_presets_are_valid(method: type[Method[Any]]) -> None:
    assert {"paper", "cpu"} <= set(method.presets)
    for preset in method.presets:
        config, recipe = configure(method, preset, {})
        assert isinstance(config, method.Config) and isinstance(recipe, Recipe)
    assert configure(method, "paper", {})[0] == method.Config(), "the defaults are the paper's"


@every_method
@torch.no_grad()
def test_scores_are_per_episode_and_way(method: type[Method[Any]]) -> None:
    chosen = small(method).eval()
    size = chosen.config.size
    support, query = chosen.embed(torch.rand(4 * 3 * 2 + 4 * 6, 1, size, size)).tensor_split([24])
    support, query = support.unflatten(0, (4, 3, 2)), query.unflatten(0, (4, 6))
    scores = chosen.scores(support, query)
    assert scores.shape == (4, 6, 3)
    # an episode's scores depend neither on the episodes beside it nor on its other queries
    off = 0.05 if method is Transfer else 1e-4  # a hundred steps of fine-tuning make more of a rounding
    torch.testing.assert_close(chosen.scores(support[:1], query[:1]), scores[:1], atol=off, rtol=off)
    torch.testing.assert_close(chosen.scores(support, query[:, 2:3]), scores[:, 2:3], atol=off, rtol=off)


@pytest.mark.parametrize(
    "method", [each for each in METHODS if not small(each).config.obstacle], ids=lambda method: method.record.name
)
def test_an_example_of_itself_fits_best(method: type[Method[Any]]) -> None:
    chosen = small(method).eval()
    features = chosen.embed(torch.rand(5, 1, chosen.config.size, chosen.config.size))
    assert chosen.scores(features.view(1, 5, 1, -1), features[None]).argmax(-1).tolist() == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("distance", ["euclidean", "cosine", "l1", "mahalanobis"])
@pytest.mark.parametrize(
    "method",
    [PrototypicalNetworks, TripletNetworks, QuadrupletLoss, ContrastiveLoss, BackgroundClassifier, WeakLabels],
    ids=lambda method: method.record.name,
)
def test_a_metric_method_takes_any_distance(method: type[Method[Any]], distance: str) -> None:
    """It learns by that distance, and answers by it."""
    config, _ = configure(method, "cpu", {"distance": distance, "filters": 8, "network": "conv4", "size": 28})
    torch.manual_seed(0)
    chosen = method(config)
    images, labels = torch.rand(4, 3, 1, 28, 28), torch.tensor([0, 1, 0, 1])[:, None].expand(4, 3)
    if method in (BackgroundClassifier, WeakLabels):
        images, labels = images[:, 0], labels[:, : 1 if method is BackgroundClassifier else 3].squeeze(1)
    elif method is PrototypicalNetworks:
        images, labels = images[None], labels[None]
    loss = chosen.loss(chosen.batch(images, labels))
    loss.backward()
    gradient = torch.cat([each.grad.flatten() for each in chosen.network.parameters() if each.grad is not None])
    assert loss.isfinite() and gradient.isfinite().all() and gradient.abs().sum() > 0
    chosen.eval()
    with torch.no_grad():
        support, query = chosen.embed(torch.rand(14, 1, 28, 28)).split([6, 8])
        support, query = support.view(1, 3, 2, -1), query[None]
        scores = chosen.scores(support, query)
    spread = distance == "mahalanobis"
    expected = -(mahalanobis(query, support) if spread else distances(query, support.mean(2), distance))  # type: ignore[arg-type]
    assert (scores.argmax(-1) == expected.argmax(-1)).all()
    assert np.corrcoef(scores.flatten(), expected.flatten())[0, 1] > 0.999  # but for a learned scale, the same
    assert bool(chosen.config.obstacle) == spread


def test_items_of_a_batch_are_compared_by_the_configured_distance() -> None:
    features = torch.randn(5, 7)
    for distance, power in (("euclidean", 2), ("l1", 1)):
        method = TripletNetworks(TripletConfig(distance=distance, filters=4))  # type: ignore[arg-type]
        for i in range(5):
            for j in range(5):
                expected = ((features[i] - features[j]).abs() ** power).sum() ** (2 / power)
                assert float(method.squares(features)[i, j]) == pytest.approx(float(expected), rel=1e-4, abs=1e-4)


def test_unknown_method_lists_the_names() -> None:
    with pytest.raises(ConfigError, match=r"there are prototypical, .*triplet"):
        find_method("protonet")


def identity(method: Method[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let features be the pixels, so that a formula can be checked on numbers."""
    monkeypatch.setattr(method, "embed", lambda images: images.flatten(1))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_prototypical_loss_is_equation_2(distance: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    method = PrototypicalNetworks(PrototypicalConfig(distance=distance))
    identity(method, monkeypatch)
    rng = np.random.default_rng(0)
    support, query = rng.normal(size=(2, 4, 3, 1, 2, 2)), rng.normal(size=(2, 4, 5, 1, 2, 2))
    found = method.loss(EpisodeBatch(torch.from_numpy(support), torch.from_numpy(query)))
    expected = []
    for episode in range(2):
        prototypes = support[episode].reshape(4, 3, 4).mean(1)
        for way in range(4):
            for q in query[episode, way].reshape(5, 4):
                if distance == "euclidean":
                    logits = np.array([-((q - p) ** 2).sum() for p in prototypes])
                else:
                    logits = -10 * np.array([1 - q @ p / np.linalg.norm(q) / np.linalg.norm(p) for p in prototypes])
                expected.append(np.log(np.exp(logits).sum()) - logits[way])
    assert float(found.detach()) == pytest.approx(np.mean(expected), rel=1e-5)


def siamese(
    monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> tuple[SiameseNetworks, PairBatch, np.ndarray, np.ndarray, np.ndarray]:
    """A method with pixels as features, a batch, and the batch's left, right and weights in NumPy."""
    method = SiameseNetworks(SiameseConfig(network="conv4", size=16, filters=4, **settings)).double()
    identity(method, monkeypatch)
    rng = np.random.default_rng(1)
    left, right = rng.random((6, 1, 2, 2)), rng.random((6, 1, 2, 2))
    method.weight_D.data = torch.from_numpy(rng.normal(size=4))
    batch = PairBatch(
        *map(torch.from_numpy, (left, right)), torch.tensor([0, 1, 2, 0, 1, 2]), torch.tensor([0, 1, 2, 1, 2, 0])
    )
    return method, batch, left.reshape(6, 4), right.reshape(6, 4), method.weight_D.detach().numpy()


def cross_entropy(probability: float, same: bool) -> float:
    return -np.log(probability if same else 1 - probability)


def test_siamese_loss_is_cross_entropy_on_same_or_different(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch, left, right, weight = siamese(monkeypatch)
    bias = float(method.bias.detach())
    expected = [
        cross_entropy(
            1 / (1 + np.exp(-(weight @ np.abs(left[i] - right[i]) + bias))),
            bool(batch.left_class[i] == batch.right_class[i]),
        )
        for i in range(6)
    ]
    assert float(method.loss(batch).detach()) == pytest.approx(np.mean(expected), rel=1e-6)


def test_crossed_pairs_compare_every_left_with_every_right(monkeypatch: pytest.MonkeyPatch) -> None:
    method, batch, left, right, weight = siamese(monkeypatch, crossed=True, same=1)
    total = 0.0
    for i in range(6):
        for j in range(6):
            logit = weight @ np.abs(left[i] - right[j]) + float(method.bias.detach())
            total += cross_entropy(1 / (1 + np.exp(-logit)), bool(batch.left_class[i] == batch.right_class[j]))
    assert float(method.loss(batch).detach()) == pytest.approx(total / 6, rel=1e-6)


def test_siamese_gradient_reaches_every_part() -> None:
    method = small(SiameseNetworks)
    images = torch.rand(8, 1, method.config.size, method.config.size)
    method.loss(PairBatch(images[:4], images[4:], torch.arange(4), torch.arange(4))).backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        if not name.endswith("0.bias"):  # batch normalization takes a convolution's bias away again
            assert parameter.grad.abs().sum() > 0, name


def test_siamese_export_ranks_as_its_scores() -> None:
    method = small(SiameseNetworks).eval()
    images = torch.rand(9, 1, method.config.size, method.config.size)
    with torch.no_grad():
        features = method.embed(images)
        scores = method.scores(features[None, :5, None], features[None, 5:])[0]
        exported = method.exported()
        weighted = exported.network(images)
    split = exported.features - exported.negative
    sign = torch.cat([torch.ones(split), -torch.ones(exported.negative)])
    signed = ((weighted[5:, None] - weighted[None, :5]).abs() * sign).sum(-1)
    torch.testing.assert_close(-signed + method.bias, scores, atol=1e-4, rtol=1e-4)


def test_siamese_settings_that_cannot_work_are_refused() -> None:
    for settings, needle in (
        ({"network": "koch", "size": 28}, "105"),
        ({"same": 1.0}, "crossed"),
        ({"dropout": 0.1}, "no dropout"),
    ):
        with pytest.raises(ValueError, match=needle):
            SiameseConfig(**settings)


def test_cosine_features_are_of_unit_length() -> None:
    method = PrototypicalNetworks(PrototypicalConfig(distance="cosine", filters=8))
    norms: Tensor = method.embed(torch.rand(5, 1, 28, 28)).norm(dim=1)
    torch.testing.assert_close(norms, torch.ones(5))
