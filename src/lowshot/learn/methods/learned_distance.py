"""A learned distance: MatchNet (Han, Leung, Jia, Sukthankar & Berg, CVPR 2015).

One network embeds both images of a pair. Their features, concatenated, go through three fully connected layers to the
probability that both are of one class: a sigmoid, in the paper as a softmax of two. The distance is learned with the
features, and need be no metric; here it is made symmetric, since it should not matter which of two images is the query.

Shape suffixes: E episodes, W ways, K shots, M queries, N references, D features, P numbers of a pair.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from lowshot.learn.augment import LIGHT
from lowshot.learn.comparison import ComparisonConfig, ComparisonMethod
from lowshot.learn.embedding import make_network
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU


class LearnedDistanceConfig(ComparisonConfig):
    """Defaults: the paper's comparison, behind the field's four blocks; the paper itself compares patches of photographs.

    Attributes:
        pair: what the layers see of features u and v. ``both orders``: (u, v) and (v, u), and the mean of both log-odds
            counts. ``differences``: |u - v| and u · v, component by component, which are the same in either order, of
            features brought to one length; it learns several times faster.
        hidden: width of the two hidden layers.
    """

    balanced: bool = True
    pair: Literal["both orders", "differences"] = "both orders"
    hidden: int = Field(default=256, ge=1)


class LearnedDistance(ComparisonMethod[LearnedDistanceConfig]):
    """Binary cross-entropy on like and unlike pairs of an episode, both kinds with the same weight in all."""

    record = Record("learned-distance", "Learned distance", "MatchNet: Han et al., CVPR", 2015, "pairs of episodes")
    Config = LearnedDistanceConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 50_000, "optimizer": "sgd", "lr": 1e-2}},
        "cpu": {
            "method": {"ways": 60, "queries": 5, "pair": "differences", "hidden": 128},  # pair: on omniglot:vinyals-val
            "recipe": CPU | {"distortion": LIGHT.model_dump()},
        },
    }

    def __init__(self, config: LearnedDistanceConfig) -> None:
        super().__init__(config)
        self.network = make_network(config)
        self.layers = nn.Sequential(
            *(nn.Linear(2 * self.network.features, config.hidden), nn.ReLU()),
            *(nn.Linear(config.hidden, config.hidden), nn.ReLU()),
            nn.Linear(config.hidden, 1),
        )

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Features (N, D)."""
        features_ND: Tensor = self.network(images_NCHW).float()
        if self.config.pair == "differences":
            return functional.normalize(features_ND, dim=1) * math.sqrt(features_ND.shape[1])
        return features_ND

    def log_odds(self, one_MD: Tensor, other_ND: Tensor) -> Tensor:
        """Of "both are of one class", for every pair, (M, N). Computed in float32 even under autocast."""
        one_MND, other_MND = torch.broadcast_tensors(one_MD[:, None], other_ND[None])
        with torch.autocast(one_MD.device.type, enabled=False):
            if self.config.pair == "differences":
                pairs_MNP = torch.cat([(one_MND - other_MND).abs(), one_MND * other_MND], dim=-1)
            else:
                pairs_MNP = torch.stack([torch.cat([one_MND, other_MND], -1), torch.cat([other_MND, one_MND], -1)])
            odds: Tensor = self.layers(pairs_MNP).squeeze(-1)
        return odds if self.config.pair == "differences" else odds.mean(dim=0)

    def compare(self, support_WKD: Tensor, query_MD: Tensor) -> Tensor:
        """Log-odds that a query is of one class with an example of each way, (M, W): their odds add up."""
        odds_MN = self.log_odds(query_MD, support_WKD.flatten(0, 1))
        odds_MW: Tensor = odds_MN.unflatten(1, support_WKD.shape[:2]).logsumexp(dim=2)
        return odds_MW

    def losses(self, scores_EMW: Tensor, alike_EMW: Tensor) -> Tensor:
        """Binary cross-entropy."""
        return functional.binary_cross_entropy_with_logits(scores_EMW, alike_EMW, reduction="none")
