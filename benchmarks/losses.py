"""Losses over all pairs and triplets of a batch against pytorch-metric-learning's, forward and backward, in one run.

    python benchmarks/losses.py

256 features of unit length, 64 classes of 4: what a training step of four blocks gives. On one thread, since on a busy
machine two threads wait for each other longer than ours takes. Rounds alternate, so a machine that slows down slows both;
the speedup is the median of the rounds' ratios.
"""

from __future__ import annotations

import json
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from pytorch_metric_learning.losses import HistogramLoss, TripletMarginLoss
from torch import Tensor
from torch.nn import functional

from lowshot.learn.distances import distances
from lowshot.learn.losses import hinge, histogram, root, symmetric
from lowshot.learn.memory import keep_freed_memory

WAYS, ITEMS, FEATURES, BINS, MARGIN = 64, 4, 64, 100, 0.2
ROUNDS, OURS_A_ROUND = 15, 10
Loss = Callable[[Tensor, Tensor], Tensor]


def our_histogram(features_ND: Tensor, labels_N: Tensor) -> Tensor:
    """As :class:`lowshot.learn.methods.histogram.HistogramLoss` has it."""
    return histogram(1 - distances(features_ND, features_ND, "cosine"), labels_N, BINS + 1)


def our_triplets(features_ND: Tensor, labels_N: Tensor) -> Tensor:
    """As :class:`lowshot.learn.methods.triplet.TripletNetworks` has it."""
    return hinge(symmetric(root(distances(features_ND, features_ND, "euclidean")), labels_N), MARGIN)


def once(loss: Loss, features_ND: Tensor, labels_N: Tensor) -> tuple[float, float]:
    """Seconds of a loss and its gradient, and the loss."""
    leaf = features_ND.clone().requires_grad_()
    start = time.perf_counter()
    value = loss(leaf, labels_N)
    value.backward()
    return time.perf_counter() - start, float(value.detach())


def compare(ours: Loss, theirs: Loss) -> dict[str, float]:
    """Median times, the speedup, and how far apart the losses are."""
    generator = torch.Generator().manual_seed(0)
    features_ND = functional.normalize(torch.randn(WAYS * ITEMS, FEATURES, generator=generator), dim=1)
    labels_N = torch.arange(WAYS).repeat_interleave(ITEMS)
    rounds = []
    for _ in range(ROUNDS + 1):
        own = [once(ours, features_ND, labels_N) for _ in range(OURS_A_ROUND)]
        rounds.append((statistics.median(seconds for seconds, _ in own), once(theirs, features_ND, labels_N)[0]))
    rounds = rounds[1:]  # the first one warms up
    difference = abs(once(ours, features_ND, labels_N)[1] - once(theirs, features_ND, labels_N)[1])
    return {
        "ms": round(1000 * statistics.median(own for own, _ in rounds), 3),
        "peer_ms": round(1000 * statistics.median(peer for _, peer in rounds), 3),
        "speedup": round(statistics.median(peer / own for own, peer in rounds), 1),
        "difference": difference,
    }


def main() -> None:
    """Print both comparisons."""
    torch.set_num_threads(1)
    keep_freed_memory()
    warnings.simplefilter("ignore")  # the peer's indexing is deprecated
    print(
        json.dumps(
            {
                "histogram": compare(our_histogram, HistogramLoss(n_bins=BINS)),
                "triplet": compare(our_triplets, TripletMarginLoss(margin=MARGIN)),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
