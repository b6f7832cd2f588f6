"""Against overfitting: what each option does, and where it is set.

| option | what it does | where |
|---|---|---|
| ``weight_decay`` | pulls weights towards 0 | :class:`~lowshot.learn.recipe.Recipe` |
| ``distortion`` | affine and elastic, see :mod:`lowshot.learn.augment` | Recipe |
| ``embedding_norm`` | pulls features towards 0, see :func:`feature_length` | Recipe |
| ``dropout`` | forgets a share of each block's output | the network |
| ``label_smoothing``, ``mixup`` | soften the target of a cross-entropy, see :func:`soft_cross_entropy` | the method |

All are off unless a preset or a user asks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional


def mix(images: Tensor, alpha: float, axis: int) -> tuple[Tensor, float]:
    """Each image with a share of the one before it along ``axis``: mixup (Zhang et al. 2018, equation 1).

    Args:
        alpha: both parameters of the Beta distribution that the share, one for all, is drawn from.

    Returns:
        The mixed images, and the share of the image itself; the rest is of ``images.roll(1, axis)``.
    """
    share = float(torch.distributions.Beta(alpha, alpha).sample())
    return torch.lerp(images.roll(1, axis), images, share), share


def soft_cross_entropy(scores_NW: Tensor, answer_N: Tensor, other_N: Tensor, share: float, smoothing: float) -> Tensor:
    """Cross-entropy where ``answer`` has ``share`` of the truth and ``other`` the rest; a scalar.

    With ``smoothing`` s the target is (1 - s) times that, plus s / W on every way (Szegedy et al. 2016, section 7).
    """
    own = functional.cross_entropy(scores_NW, answer_N, label_smoothing=smoothing)
    if share == 1:
        return own
    return share * own + (1 - share) * functional.cross_entropy(scores_NW, other_N, label_smoothing=smoothing)


@contextlib.contextmanager
def watch(module: nn.Module) -> Iterator[list[Tensor]]:
    """Everything a module gives while this is open."""
    seen: list[Tensor] = []
    hook = module.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    try:
        yield seen
    finally:
        hook.remove()


def feature_length(features: list[Tensor]) -> Tensor:
    """Mean squared feature, the part of the loss that ``embedding_norm`` weighs."""
    return torch.cat([each.float().flatten() for each in features]).square().mean()
