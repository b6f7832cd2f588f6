"""Distances between features, as matrix expressions over batches.

Shape suffixes: B batch (any leading axes), M queries, N references, D features.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lowshot.encoder import Distance


def distances(query_BMD: Tensor, reference_BND: Tensor, distance: Distance) -> Tensor:
    """Distances (B, M, N): squared ``euclidean``, ``cosine`` (1 - cosine), or ``l1``.

    The twin of :func:`lowshot.recognize.distances` on tensors, with gradients. Computed in the features' own precision even
    under autocast: a bfloat16 product would round the differences that decide.
    """
    with torch.autocast(query_BMD.device.type, enabled=False):
        return _distances(query_BMD, reference_BND, distance)


def _distances(query_BMD: Tensor, reference_BND: Tensor, distance: Distance) -> Tensor:
    if distance == "l1":
        return torch.cdist(query_BMD, reference_BND, p=1)
    if distance == "cosine":
        return 1 - functional.normalize(query_BMD, dim=-1) @ functional.normalize(reference_BND, dim=-1).mT
    squares = query_BMD.square().sum(-1)[..., :, None] + reference_BND.square().sum(-1)[..., None, :]
    return squares - 2 * query_BMD @ reference_BND.mT
