"""Prototypical Networks (Snell, Swersky & Zemel, NIPS 2017, arXiv 1703.05175).

A class is the mean of its embedded support examples; a query belongs to the class with the nearest mean.

Shape suffixes: E episodes, W ways, K shots, M queries an episode, D features.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from lowshot.learn.augment import LIGHT
from lowshot.learn.embedding import EpisodeConfig, EpisodeMethod
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU


class PrototypicalConfig(EpisodeConfig):
    """Defaults: the paper's Omniglot setting (§3.1): 60-way training with as many shots as at test time.

    The paper compares Euclidean distances; ``distance="cosine"`` compares directions only, with a learned scale in place
    of the features' length, ``distance="mahalanobis"`` weighs directions by how the support set spreads (Simple CNAPS).
    """

    compare: Literal["prototype"] = "prototype"


class PrototypicalNetworks(EpisodeMethod[PrototypicalConfig]):
    """Cross-entropy over the softmax of negative distances to the prototypes (equation 2)."""

    record = Record("prototypical", "Prototypical Networks", "Snell et al., NIPS", 2017, "episodes")
    Config = PrototypicalConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {
            "method": {},
            "recipe": {"steps": 40_000, "lr": 1e-3, "schedule": "halve", "halve_every": 2000},
        },
        "cpu": {
            "method": {"distance": "cosine"},
            "recipe": CPU | {"distortion": LIGHT.model_dump()},  # chosen on omniglot:vinyals-val
        },
    }
