"""Classification losses for labels that are sometimes wrong.

All take logits (N, C) and, for each image, K classes it is said to be of, (N, K): one label, or several tags, each with
1/K of the weight. All are means over images; one wrong tag in a batch moves the robust ones less than cross-entropy,
whose loss and gradient have no upper bound.

Shape suffixes: N images, C classes, K tags an image.
"""

from __future__ import annotations

import torch
from torch import Tensor


def tag_cross_entropy(logits_NC: Tensor, tags_NK: Tensor, *, smoothing: float = 0) -> Tensor:
    """Softmax cross-entropy with a target of 1/K on each tag (Mahajan et al. 2018).

    Label smoothing (Szegedy et al. 2016, section 7) moves a share ``smoothing`` of the target to all classes alike.

    Example:
        >>> round(float(tag_cross_entropy(torch.zeros(1, 4), torch.tensor([[0, 2]]))), 4)  # log 4
        1.3863
    """
    log_NC = logits_NC.log_softmax(dim=1)
    told = log_NC.gather(1, tags_NK).mean()
    return -((1 - smoothing) * told + smoothing * log_NC.mean())


def generalized_cross_entropy(logits_NC: Tensor, tags_NK: Tensor, *, q: float = 0.7) -> Tensor:
    """(1 - p^q) / q of each tag's probability p (Zhang & Sabuncu 2018).

    Between cross-entropy (q towards 0), which learns fast, and 1 - p (q = 1), which forgives wrong labels.
    """
    log_NK = logits_NC.log_softmax(dim=1).gather(1, tags_NK)
    return -torch.expm1(q * log_NK).mean() / q


def symmetric_cross_entropy(
    logits_NC: Tensor, tags_NK: Tensor, *, alpha: float = 0.1, beta: float = 1.0, log_zero: float = -4.0
) -> Tensor:
    """``alpha`` × cross-entropy + ``beta`` × reverse cross-entropy (Wang et al. 2019).

    The reverse, -Σ p log q, has the prediction p and the tag's target q in each other's places. Log 0 is taken as
    ``log_zero``, so it is -log_zero · (1 - p) of the tag's probability p.
    """
    log_NK = logits_NC.log_softmax(dim=1).gather(1, tags_NK)
    return -(alpha * log_NK - beta * log_zero * torch.expm1(log_NK)).mean()
