"""Many copies of one network, each with weights of its own: how many episodes adapt at once.

The copies' images lie side by side as channels, (N, E·C, H, W). One convolution in E groups then serves all copies, and
batch normalization over E·C channels normalizes each copy by its own images: an episode is answered as if it were alone.

Shape suffixes: E copies (one an episode), N images of each, W ways, K shots, M queries, C channels, H height, W width of
images, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

Statistics = list[tuple[Tensor, Tensor]]
"""Mean and variance, (E·C,) each, of what goes into every batch normalization."""

_NUMBERS = 1 << 25  # in the largest of the tensors computed at once: 128 MB


class Copies:
    """A network's layers, run with other weights than its own.

    Args:
        network: convolutions, batch normalizations, and layers without weights that treat each channel alike, applied one
            after the other.

    Example:
        >>> copies = Copies(nn.Sequential(nn.Conv2d(1, 8, kernel_size=3), nn.MaxPool2d(2)))
        >>> copies(copies.weights(2), torch.rand(2, 5, 1, 10, 10)).shape
        torch.Size([2, 5, 128])
    """

    def __init__(self, network: nn.Module) -> None:
        self.layers = [layer for layer in network.modules() if not next(layer.children(), None)]

    def weights(self, copies: int) -> list[Tensor]:
        """The network's own weights for each copy: (E, ...) each, layer by layer, without their history."""
        own = (weight.detach() for layer in self.layers for weight in layer.parameters())
        return [weight.expand(copies, *weight.shape).clone() for weight in own]

    def statistics(self, copies: int) -> Statistics:
        """The network's own running statistics for each copy."""
        own = ((norm.get_buffer("running_mean"), norm.get_buffer("running_var")) for norm in self._norms())
        return [(mean.repeat(copies), variance.repeat(copies)) for mean, variance in own]

    def __call__(self, weights: Iterable[Tensor], images_ENCHW: Tensor, statistics: Statistics | None = None) -> Tensor:
        """Features (E, N, D), normalized by ``statistics``; or, as in training, by those of each copy's images."""
        return self._run(weights, images_ENCHW, statistics, own=statistics is None)

    def measure(self, weights: Iterable[Tensor], images_ENCHW: Tensor) -> Statistics:
        """The statistics of each copy's images, their variance unbiased as torch's running one."""
        sizes = [len(images_ENCHW) * norm.num_features for norm in self._norms()]
        statistics = [(images_ENCHW.new_zeros(size), images_ENCHW.new_zeros(size)) for size in sizes]
        with torch.no_grad():
            self._run(weights, images_ENCHW, statistics, own=True)
        return statistics

    def _norms(self) -> list[nn.BatchNorm2d]:
        return [layer for layer in self.layers if isinstance(layer, nn.BatchNorm2d)]

    def _run(self, weights: Iterable[Tensor], images_ENCHW: Tensor, statistics: Statistics | None, own: bool) -> Tensor:
        """With ``own``, by the images' statistics, which are also written to ``statistics`` where there are any."""
        left, known, copies = iter(weights), iter(statistics or ()), len(images_ENCHW)
        maps = images_ENCHW.transpose(0, 1).flatten(1, 2).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                weight, bias = next(left).flatten(0, 1), next(left).flatten()
                maps = functional.conv2d(maps, weight, bias, layer.stride, layer.padding, groups=copies)
            elif isinstance(layer, nn.BatchNorm2d):
                weight, bias = next(left).flatten(), next(left).flatten()
                mean, variance = next(known, (None, None))
                maps = functional.batch_norm(maps, mean, variance, weight, bias, own, momentum=1, eps=layer.eps)
            else:
                maps = layer(maps)
        features_END: Tensor = maps.unflatten(1, (copies, -1)).transpose(0, 1).flatten(2)
        return features_END


def in_parts(
    answer: Callable[[Tensor, Tensor], Tensor], support_EWKx: Tensor, query_EMx: Tensor, numbers: int
) -> Tensor:
    """``answer(support, query)`` of all episodes, as many together as memory allows.

    Args:
        answer: gives scores (E, M, W), of each episode for itself.
        numbers: in the largest tensor that answering one episode needs.
    """
    together = max(1, _NUMBERS // numbers)
    parts = zip(support_EWKx.split(together), query_EMx.split(together), strict=True)
    return torch.cat([answer(support, query) for support, query in parts])
