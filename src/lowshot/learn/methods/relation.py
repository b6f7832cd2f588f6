"""Relation Networks: learning to compare (Sung, Yang, Zhang, Xiang, Torr & Hospedales, CVPR 2018, arXiv 1711.06025).

An embedding module turns images into feature maps. The maps of a query and of a class, concatenated, go through a relation
module, itself convolutional, to one number from 0 to 1: how alike they are (§3.2, Figure 2).

Shape suffixes: E episodes, W ways, K shots, M queries, N images; C, H, W channels, height, width of images and of maps.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from lowshot.learn.augment import LIGHT
from lowshot.learn.comparison import ComparisonConfig, ComparisonMethod
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU


class RelationConfig(ComparisonConfig):
    """Defaults: the paper's Omniglot setting (§4.1.1), 20-way 1-shot with 10 queries a class.

    Attributes:
        shots_as: the map of a class is the ``sum`` of its examples' (§3.2), or their ``mean``, which is as large of any
            number of shots: what learned with one can be tested with five.
    """

    size: int = Field(default=28, ge=22, le=512)  # four poolings, and convolutions that shrink maps, leave 1×1 of 22×22
    network: Literal["conv4"] = "conv4"
    shots_as: Literal["sum", "mean"] = "sum"


class RelationNetworks(ComparisonMethod[RelationConfig]):
    """Mean squared error of relation scores: 1 for a query and its own class, 0 for the others (equation 2)."""

    record = Record("relation", "Relation Networks", "Sung et al., CVPR", 2018, "pairs of episodes")
    Config = RelationConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {
            "method": {},
            "recipe": {"steps": 1_000_000, "lr": 1e-3, "schedule": "halve", "halve_every": 100_000},
        },
        "cpu": {
            "method": {"ways": 30, "queries": 5, "balanced": True, "shots_as": "mean"},
            "recipe": CPU | {"distortion": LIGHT.model_dump(), "validations": 10, "val_episodes": 100},
        },
    }

    def __init__(self, config: RelationConfig) -> None:
        super().__init__(config)
        width, side = config.filters, ((config.size - 2) // 2 - 2) // 2
        self.network = nn.Sequential(  # only the first two blocks pool, so that maps remain
            *(nn.Conv2d(config.channels, width, 3), *_rest(config, pool=True)),
            *(nn.Conv2d(width, width, 3), *_rest(config, pool=True)),
            *(nn.Conv2d(width, width, 3, padding=1), *_rest(config)),
            *(nn.Conv2d(width, width, 3, padding=1), *_rest(config)),
        )
        self.concatenated = nn.Conv2d(2 * width, width, 3, padding=1)
        self.relation = nn.Sequential(
            *_rest(config, pool=True),
            *(nn.Conv2d(width, width, 3, padding=1), *_rest(config, pool=True)),
            *(nn.Flatten(), nn.Linear(width * (side // 4) ** 2, 8), nn.ReLU(), nn.Linear(8, 1)),
        )

    def embed(self, images_NCHW: Tensor) -> Tensor:
        """Feature maps (N, C, H, W), 5×5 of 28×28 images."""
        maps_NCHW: Tensor = self.network(images_NCHW).float()
        return maps_NCHW

    def compare(self, support_WKCHW: Tensor, query_MCHW: Tensor) -> Tensor:
        """Log-odds of the relation score of each query and way, (M, W).

        The first convolution is linear in the concatenated maps. So it runs once for each class and each query, over its
        half of the channels, and not for every pair.
        """
        map_WCHW = support_WKCHW.sum(dim=1) if self.config.shots_as == "sum" else support_WKCHW.mean(dim=1)
        for_class, for_query = self.concatenated.weight.chunk(2, dim=1)
        class_WCHW = functional.conv2d(map_WCHW, for_class, self.concatenated.bias, padding=1)
        query_MCHW = functional.conv2d(query_MCHW, for_query, padding=1)
        pairs_MWCHW = query_MCHW[:, None] + class_WCHW
        odds: Tensor = self.relation(pairs_MWCHW.flatten(0, 1))
        return odds.view(pairs_MWCHW.shape[:2]).type_as(support_WKCHW)

    def losses(self, scores_EMW: Tensor, alike_EMW: Tensor) -> Tensor:
        """Squared error of the relation scores, the sigmoids of the log-odds."""
        return (torch.sigmoid(scores_EMW) - alike_EMW).square()


def _rest(config: RelationConfig, pool: bool = False) -> list[nn.Module]:
    """What stands behind a block's convolution; ReLU after pooling, see :class:`~lowshot.learn.networks.ConvNet`."""
    layers: list[nn.Module] = [nn.BatchNorm2d(config.filters)]
    if pool:
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.ReLU())
    if config.dropout:
        layers.append(nn.Dropout(config.dropout))
    return layers
