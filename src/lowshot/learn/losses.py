"""Losses of the distances between the items of a batch, as matrix expressions over all its pairs, triplets or quadruplets.

Functions of distances or similarities, and of labels; which distance they are given is the method's choice. None ever makes
more numbers than there are triplets, and quadruplets are counted without being listed.

Shape suffixes: B items of the batch, P pairs of one class, T the same with either item as the anchor, R nodes.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def root(squares: Tensor) -> Tensor:
    """Euclidean distances of squared ones. No gradient where two items coincide, where the root has none."""
    return squares.clamp_min(1e-8).sqrt()


def symmetric(distances_BB: Tensor, labels_B: Tensor) -> Tensor:
    """How much farther the positive is than the negative, d(a, p) - d(a, n), in every triplet of the batch.

    Either item of a positive pair is the anchor once, so there are two for each pair and negative; "batch all" in Hermans et
    al. 2017.

    Returns:
        (T, B): a row for each pair and anchor, a column for each item n; minus infinity where n is of the same class.
    """
    anchor_T, positive_T = _same(labels_B).nonzero(as_tuple=True)
    return distances_BB[anchor_T, positive_T, None] - _negatives(distances_BB, labels_B)[anchor_T]


def swapped(distances_BB: Tensor, labels_B: Tensor) -> Tensor:
    """d(p1, p2) - min(d(p1, n), d(p2, n)): the harder one is the anchor ("swap", Balntas et al. 2016); (P, B) as above."""
    first_P, second_P = _same(labels_B).triu().nonzero(as_tuple=True)
    negatives_BB = _negatives(distances_BB, labels_B)
    return distances_BB[first_P, second_P, None] - torch.minimum(negatives_BB[first_P], negatives_BB[second_P])


def averaged(distances_BB: Tensor, labels_B: Tensor) -> Tensor:
    """d(p1, p2) - (d(p1, n) + d(p2, n)) / 2 (Zhang et al. 2016, "SymTriplet"); (P, B) as above."""
    first_P, second_P = _same(labels_B).triu().nonzero(as_tuple=True)
    negatives_BB = _negatives(distances_BB, labels_B)
    return distances_BB[first_P, second_P, None] - (negatives_BB[first_P] + negatives_BB[second_P]) / 2


def semi_hard(distances_BB: Tensor, labels_B: Tensor) -> Tensor:
    """d(a, p) - d(a, n) with the nearest negative that is farther away than the positive (Schroff et al. 2015, §3.2).

    Returns:
        (T,): one for each anchor and positive; minus infinity where no negative is farther away.
    """
    anchor_T, positive_T = _same(labels_B).nonzero(as_tuple=True)
    positive_T1 = distances_BB[anchor_T, positive_T, None]
    negatives_TB = _negatives(distances_BB, labels_B)[anchor_T]
    farther_TB = negatives_TB.masked_fill(negatives_TB <= positive_T1, torch.inf)
    return positive_T1[:, 0] - farther_TB.amin(1)


def batch_hard(distances_BB: Tensor, labels_B: Tensor) -> Tensor:
    """d(a, p) - d(a, n) with the farthest positive and the nearest negative (Hermans et al. 2017, §2).

    Returns:
        (B,): one for each anchor; minus infinity where it has no positive or no negative.
    """
    positive_B = distances_BB.masked_fill(~_same(labels_B), -torch.inf).amax(1)
    return positive_B - _negatives(distances_BB, labels_B).amin(1)


def hinge(excess: Tensor, margin: float | Tensor) -> Tensor:
    """Mean of [margin + x]₊ over those above zero; a scalar, 0 where there are none.

    The mean over all would fade as most triplets come to be fulfilled (Hermans et al. 2017, "batch all, ≠ 0").
    """
    violation = functional.relu(excess + margin)
    return violation.sum() / (violation > 0).sum().clamp_min(1)


def soft_margin(excess: Tensor) -> Tensor:
    """Mean of ln(1 + eˣ), the hinge without a corner and a margin (Hermans et al. 2017, §2)."""
    return functional.softplus(excess).sum() / excess.isfinite().sum().clamp_min(1)


def softmax_ratio(excess: Tensor) -> Tensor:
    """Mean of d₊², where d₊ = e^d(a, p) / (e^d(a, p) + e^d(a, n)) = sigmoid(x) (Hoffer & Ailon 2015, §3)."""
    return excess.sigmoid().square().sum() / excess.isfinite().sum().clamp_min(1)


def quadruplets(distances_BB: Tensor, labels_B: Tensor, margin: float | Tensor) -> Tensor:
    """Mean of [margin + d(i, j) - d(k, l)]₊ over those above zero, i and j of one class, k and l of two others.

    The second hinge of Chen et al. 2017 (§3.2); a scalar. Of n sorted values v, those below a threshold t give
    Σ [t - v]₊ = (how many) t - (their sum), so that neither the pairs (k, l) nor the quadruplets are ever listed.
    """
    first_P, second_P = _same(labels_B).triu().nonzero(as_tuple=True)
    threshold_P = distances_BB[first_P, second_P] + margin
    sum_BP, number_BP = _below(threshold_P, _negatives(distances_BB, labels_B))
    # Row k sums over all l, so all rows together over every pair twice. Half of those with an item of the class of (i, j)
    # are in that class's own rows: counting these rows as -1 takes out both halves.
    sign_BP = torch.where(labels_B[:, None] == labels_B[first_P], -1, 1)
    mean = (sign_BP * sum_BP).sum() / (sign_BP * number_BP).sum().clamp_min(1)
    return mean.to(distances_BB.dtype)


def _below(threshold_P: Tensor, values_BB: Tensor) -> tuple[Tensor, Tensor]:
    """Σ [t - v]₊ over each row's values v, and how many are above zero: both (B, P)."""
    ordered_BB = values_BB.sort(dim=1).values
    threshold_BP = threshold_P.expand(len(values_BB), -1).contiguous()
    number_BP = torch.searchsorted(ordered_BB.detach(), threshold_BP.detach())
    sums_BB = functional.pad(ordered_BB.double().cumsum(1), (1, 0))  # a difference of long sums needs the digits
    return number_BP * threshold_BP - sums_BB.gather(1, number_BP), number_BP


def spread(distances_BB: Tensor, labels_B: Tensor) -> Tensor:
    """Mean distance of negative pairs less that of positive ones, without gradient: how far classes are apart already.

    Chen et al. 2017 (§3.3) take shares of it for margins.
    """
    same_BB, distances_BB = _same(labels_B), distances_BB.detach()
    other_BB = labels_B[:, None] != labels_B
    return _mean(distances_BB, other_BB) - _mean(distances_BB, same_BB)


def contrastive(distances_BB: Tensor, labels_B: Tensor, margin: float) -> Tensor:
    """½ d² of positive pairs and ½ ([margin - d]₊)² of negative ones (Hadsell et al. 2006, equation 4); a scalar.

    The mean of each kind's own, of the negative ones' over those within the margin: nearly all pairs of a batch are
    negative, and soon nearly all of those are far enough apart.
    """
    pull = _mean(distances_BB.square(), _same(labels_B))
    short_BB = functional.relu(margin - _negatives(distances_BB, labels_B))
    return (pull + short_BB.square().sum() / (short_BB > 0).sum().clamp_min(1)) / 2


def histogram(similarities_BB: Tensor, labels_B: Tensor, nodes: int) -> Tensor:
    """The chance that a negative pair is more similar than a positive one (Ustinova & Lempitsky 2016, equation 5); a scalar.

    Both kinds of pairs fill a histogram over [-1, 1], each value shared by the two nodes beside it (equations 1 and 2);
    the loss is Σ_r h⁻_r Σ_{q ≤ r} h⁺_q.
    """
    first_P, second_P = torch.triu_indices(len(labels_B), len(labels_B), 1, device=labels_B.device)
    place_P = (similarities_BB[first_P, second_P] + 1) * ((nodes - 1) / 2)
    node_P = place_P.detach().long().clamp(0, nodes - 2)  # rounding may leave [-1, 1] by a little
    share_P = place_P - node_P
    row_P = torch.where(labels_B[first_P] == labels_B[second_P], node_P, node_P + nodes)
    filled = share_P.new_zeros(2 * nodes).index_add(0, row_P, 1 - share_P).index_add(0, row_P + 1, share_P)
    positive_R, negative_R = filled.view(2, nodes) / filled.view(2, nodes).sum(1, keepdim=True).clamp_min(1)
    loss: Tensor = (negative_R * positive_R.cumsum(0)).sum()
    return loss


def _same(labels_B: Tensor) -> Tensor:
    """Which two different items are of one class, (B, B)."""
    return (labels_B[:, None] == labels_B).fill_diagonal_(False)


def _negatives(distances_BB: Tensor, labels_B: Tensor) -> Tensor:
    """Distances, infinite between items of one class, so that no hinge minds them."""
    return distances_BB.masked_fill(labels_B[:, None] == labels_B, torch.inf)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    return (values * where).sum() / where.sum().clamp_min(1)
