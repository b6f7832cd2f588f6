"""The base of all classifiers: heads, outputs for a background set, what is drawn."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lowshot.data import EpisodeSampler, Examples
from lowshot.errors import ConfigError
from lowshot.learn.classification import ClassificationConfig, ClassificationMethod, CosineHead
from lowshot.learn.method import Record

SMALL: dict[str, Any] = {"size": 16, "filters": 4}


class Plain(ClassificationMethod[ClassificationConfig]):
    """The least a subclass needs."""

    record = Record("plain", "Plain", "", 2000, "items")
    Config = ClassificationConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {}

    def loss(self, batch: Any) -> Tensor:
        return functional.cross_entropy(self.logits(batch.images), batch.labels)


def background(classes: int = 5) -> Examples:
    items = np.random.default_rng(0).integers(0, 256, (3 * classes, 16, 16, 1)).astype(np.uint8)
    return Examples(items, np.repeat(np.arange(classes), 3), tuple(map(str, range(classes))))


@pytest.mark.parametrize("head", ["linear", "cosine"])
def test_a_background_set_says_how_many_outputs_there_are(head: Any) -> None:
    method = Plain(Plain.for_background(ClassificationConfig(head=head, **SMALL), background(7)))
    assert method.config.classes == 7
    assert method.logits(torch.rand(3, 1, 16, 16)).shape == (3, 7)


def test_other_outputs_than_classes_are_refused() -> None:
    config = ClassificationConfig(classes=4, **SMALL)
    assert Plain.for_background(config, background(4)) == config
    with pytest.raises(ConfigError, match="classes=4, but the background set has 5"):
        Plain.for_background(config, background(5))


def test_the_cosine_head_compares_directions() -> None:
    head = CosineHead(3, 4)
    features = np.random.default_rng(0).normal(size=(5, 3))
    weight = head.weight.detach().numpy()
    expected = [[10 * (f @ w) / np.linalg.norm(f) / np.linalg.norm(w) for w in weight] for f in features]
    np.testing.assert_allclose(head(torch.tensor(features, dtype=torch.float32)).detach(), expected, rtol=1e-4)
    head(torch.rand(2, 3)).sum().backward()
    assert head.log_scale.grad is not None and head.log_scale.grad != 0


def test_logits_are_float32_even_under_autocast() -> None:
    method = Plain(ClassificationConfig(classes=3, **SMALL))
    with torch.autocast("cpu", torch.bfloat16):
        assert method.logits(torch.rand(2, 1, 16, 16)).dtype == torch.float32


def test_every_item_is_drawn_alike_and_a_seed_repeats_it() -> None:
    method = Plain(ClassificationConfig(items=4000, classes=4, **SMALL))
    sampler = EpisodeSampler(np.repeat(np.arange(4), [1, 2, 3, 4]))
    drawn = method.draw(sampler, (0, 1, 0))
    assert (drawn == method.draw(sampler, (0, 1, 0))).all()
    assert (drawn != method.draw(sampler, (0, 2, 0))).any()
    np.testing.assert_allclose(np.bincount(drawn, minlength=10) / 4000, 0.1, atol=0.02)


def test_new_classes_are_told_apart_by_features() -> None:
    method = Plain(ClassificationConfig(classes=3, **SMALL)).eval()
    with torch.no_grad():
        features = method.embed(torch.rand(6, 1, 16, 16))
        scores = method.scores(features.view(1, 3, 2, -1), features[None])
        means = features.view(3, 2, -1).mean(1)
        expected = functional.cosine_similarity(features[:, None], means[None], dim=-1)
    torch.testing.assert_close(scores[0] + 1, expected, atol=1e-5, rtol=1e-5)
    assert method.exported().compare == "prototype"
