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


def mahalanobis(query_EMD: Tensor, support_EWKD: Tensor) -> Tensor:
    """Half the squared Mahalanobis distance of each query to each class mean, (E, M, W) (Simple CNAPS; Bateni et al. 2020).

    1/2 (q - mu_k)ᵀ Q_k⁻¹ (q - mu_k), where Q_k = l S_k + (1 - l) S + I mixes the covariance S_k of the class with that of
    the whole support set, S, and l = K / (K + 1) (section 4). Of one shot, S_k is 0. The twin of
    :class:`lowshot.recognize.MahalanobisPrototype`, with gradients.

    Each Q_k is factored once, whatever the number of queries: as it is, or, where features outnumber the support
    examples, through the products of the examples with one another.
    """
    with torch.autocast(query_EMD.device.type, enabled=False):
        center_E1D = support_EWKD.mean(dim=(1, 2))[:, None]
        support_EWKD, query_EMD = support_EWKD - center_E1D[:, None], query_EMD - center_E1D
        narrow = support_EWKD.shape[3] <= support_EWKD.shape[1:3].numel()
        return (_by_covariance if narrow else _by_products)(query_EMD, support_EWKD)


def _weights(ways: int, shots: int) -> tuple[float, float]:
    """Weight of an example's deviation from its class mean in Q_k, and of that from the mean of all."""
    return shots / (shots + 1) / max(shots - 1, 1), 1 / (shots + 1) / (ways * shots - 1)


def _different(ways: int, shots: int) -> int:
    """How many of the Q_k differ: of one shot all are the same, and are factored once."""
    return ways if shots > 1 else 1


def _by_covariance(query_EMD: Tensor, support_EWKD: Tensor) -> Tensor:
    """:func:`mahalanobis` of centered features: |L⁻¹ (q - mu_k)|² / 2, where Q_k = L Lᵀ."""
    _, ways, shots, features = support_EWKD.shape
    own, every = _weights(ways, shots)
    mean_EWD = support_EWKD.mean(dim=2)
    inner_EWKD = (support_EWKD - mean_EWD[:, :, None])[:, : _different(ways, shots)]
    all_END = support_EWKD.flatten(1, 2)
    covariance_EWDD = own * inner_EWKD.mT @ inner_EWKD + every * (all_END.mT @ all_END)[:, None]
    factor_EWDD = torch.linalg.cholesky(covariance_EWDD + _eye(features, query_EMD))
    difference_EWDM = (query_EMD[:, None] - mean_EWD[:, :, None]).mT
    return _half_squares(factor_EWDD, difference_EWDM)


def _by_products(query_EMD: Tensor, support_EWKD: Tensor) -> Tensor:
    """:func:`mahalanobis` of centered features, by Woodbury's identity.

    Q_k = I + Cᵀ P_k C, where the rows of C are the N centered examples and P_k, (N, N), is made of constants: ``every`` on
    the diagonal, and ``own`` times the centering matrix H of K numbers on the block of class k. Then
    Q_k⁻¹ = I - Cᵀ (P_k⁻¹ + C Cᵀ)⁻¹ C, and since H is a projection the block of P_k⁻¹ is
    I / every - (1 / every - 1 / (every + own)) H.
    """
    _, ways, shots, _ = support_EWKD.shape
    own, every = _weights(ways, shots)
    all_END, mean_EWD = support_EWKD.flatten(1, 2), support_EWKD.mean(dim=2)
    of_WN = _eye(ways, query_EMD).repeat_interleave(shots, dim=1)[: _different(ways, shots)]
    centering_WNN = torch.diag_embed(of_WN) - of_WN[:, :, None] * of_WN[:, None] / shots
    inverse_WNN = _eye(ways * shots, query_EMD) / every - (1 / every - 1 / (every + own)) * centering_WNN
    factor_EWNN = torch.linalg.cholesky((all_END @ all_END.mT)[:, None] + inverse_WNN)
    products_EWNM = (all_END @ query_EMD.mT)[:, None] - (all_END @ mean_EWD.mT).mT[..., None]
    return _distances(query_EMD, mean_EWD, "euclidean") / 2 - _half_squares(factor_EWNN, products_EWNM)


def _half_squares(factor_EWXX: Tensor, vector_EWXM: Tensor) -> Tensor:
    """|L⁻¹ v|² / 2 of every column, (E, M, W); a product with L⁻¹ is quicker than solving for every query."""
    identity_XX = _eye(factor_EWXX.shape[-1], factor_EWXX)
    solved_EWXM = torch.linalg.solve_triangular(factor_EWXX, identity_XX, upper=False) @ vector_EWXM
    half_EMW: Tensor = solved_EWXM.square().sum(dim=2).mT / 2
    return half_EMW


def _eye(size: int, like: Tensor) -> Tensor:
    return torch.eye(size, dtype=like.dtype, device=like.device)
