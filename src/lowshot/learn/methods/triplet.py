"""Triplet networks (Hoffer & Ailon, ICLR workshop 2015, arXiv 1412.6622), with the losses that followed.

One network embeds three images, two of one class and one of another, and learns that the two belong closer together. A batch
has equally many images of each class, and all of its triplets are compared, or the hard ones (:mod:`lowshot.learn.losses`).

| preset | triplets | loss of x = d(a, p) - d(a, n) | distance d |
|---|---|---|---|
| ``paper`` | p1, p2 and n, either of p1 and p2 the anchor | [margin + x]₊ | Euclidean |
| ``hoffer`` (Hoffer & Ailon 2015, §3) | the same | (eᵈ⁺ / (eᵈ⁺ + eᵈ⁻))² | Euclidean, of features of any length |
| ``facenet`` (Schroff et al. 2015, §3) | semi-hard | [margin + x]₊ | squared Euclidean |
| ``hermans`` (Hermans et al. 2017, §2) | batch hard | ln(1 + eˣ) | Euclidean, of features of any length |

Shape suffixes: N images, D features.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from torch import Tensor

from lowshot.learn.augment import LIGHT
from lowshot.learn.embedding import STEM, BalancedConfig, BalancedMethod
from lowshot.learn.losses import (
    averaged,
    batch_hard,
    hinge,
    root,
    semi_hard,
    soft_margin,
    softmax_ratio,
    swapped,
    symmetric,
)
from lowshot.learn.method import Record
from lowshot.learn.recipe import CPU

TRIPLETS = {"sum": symmetric, "swap": swapped, "mean": averaged, "semi-hard": semi_hard, "batch-hard": batch_hard}


class TripletConfig(BalancedConfig):
    """Defaults: the symmetric loss, [m + d(p1, p2) - d(p1, n)]₊ + [m + d(p1, p2) - d(p2, n)]₊, of unit-length features.

    Attributes:
        triplets: ``sum`` has a hinge for either image of the positive pair; ``swap`` one, for that nearer to the negative
            (Balntas et al. 2016); ``mean`` one, for the mean of both distances; ``semi-hard`` compares each positive with
            the nearest negative beyond it; ``batch-hard`` the farthest positive with the nearest negative.
        margin: of the hinge; or ``soft`` for a hinge without a corner, which has none; or ``ratio`` for the square of the
            positive's share in a softmax over both distances.
        squared: compare squared distances.
    """

    triplets: Literal["sum", "swap", "mean", "semi-hard", "batch-hard"] = "sum"
    margin: Annotated[float, Field(gt=0)] | Literal["soft", "ratio"] = 0.2
    squared: bool = False


class TripletNetworks(BalancedMethod[TripletConfig]):
    """How much farther the positive is than the negative, over the triplets of a batch."""

    record = Record(
        "triplet", "Triplet Networks", "Hoffer & Ailon, ICLR workshop", 2015, "triplets of balanced batches"
    )
    Config = TripletConfig
    presets: ClassVar[dict[str, dict[str, dict[str, Any]]]] = {
        "paper": {"method": {}, "recipe": {"steps": 25_000, "lr": 1e-3}},
        "cpu": {
            "method": STEM | {"margin": 0.1},  # chosen on omniglot:vinyals-val
            "recipe": CPU | {"distortion": LIGHT.model_dump()},
        },
        "hoffer": {
            "method": {"distance": "euclidean", "margin": "ratio"},
            "recipe": {"steps": 25_000, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 1e-4},
        },
        "facenet": {
            "method": {"ways": 90, "items": 20, "triplets": "semi-hard", "squared": True},
            "recipe": {"steps": 25_000, "optimizer": "adagrad", "lr": 0.05},
        },
        "hermans": {
            "method": {"ways": 18, "items": 4, "distance": "euclidean", "triplets": "batch-hard", "margin": "soft"},
            "recipe": {"steps": 25_000, "lr": 3e-4},
        },
    }

    def loss_of(self, features_ND: Tensor, labels_N: Tensor) -> Tensor:
        """Mean loss of the triplets."""
        squares_NN = self.squares(features_ND)
        excess = TRIPLETS[self.config.triplets](squares_NN if self.config.squared else root(squares_NN), labels_N)
        match self.config.margin:
            case "soft":
                return soft_margin(excess)
            case "ratio":
                return softmax_ratio(excess)
            case margin:
                return hinge(excess, margin)
