"""From trained weights to an encoder file, and the proof that both give the same features."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lowshot.data import Examples, ImageForm
from lowshot.disk import write_atomically
from lowshot.encoder import Card, Encoder, add_card
from lowshot.errors import TrainingError
from lowshot.learn.method import Method

_BACKGROUND_CLASSES, _BACKGROUND_ITEMS = 100, 5
_TOLERANCE = 1e-3  # relative to the largest feature; float32 on two runtimes differs by about 1e-6


def to_onnx(network: nn.Module, form: ImageForm) -> bytes:
    """The ONNX graph of a network that takes float32 images (n, channels, height, width) and gives features (n, d)."""
    images = torch.zeros(2, form.channels, form.height, form.width)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about its own internals
        program: Any = torch.onnx.export(
            network.eval().cpu(),
            (images,),
            input_names=["images"],
            output_names=["features"],
            dynamic_shapes={"images": {0: torch.export.Dim("n")}},
            dynamo=True,
            verbose=False,
        )
    return _without_origins(program.model_proto)


def _without_origins(model: Any) -> bytes:
    """The model's bytes without stack traces and names of source files: the same weights are the same file anywhere."""
    graph = model.graph
    model.producer_name, model.producer_version = "lowshot", ""
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    return bytes(model.SerializeToString(deterministic=True))


def check_same(encoder: Encoder, network: nn.Module, items: np.ndarray[Any, Any]) -> float:
    """The largest difference between ONNX Runtime's and torch's features, relative to the largest feature.

    Raises TrainingError where it is above 0.001: the exported file would not be the network that was trained.
    """
    mean, std = (torch.tensor(values)[:, None, None] for values in (encoder.card.mean, encoder.card.std))
    with torch.no_grad():
        pixels = torch.from_numpy(np.ascontiguousarray(items)).permute(0, 3, 1, 2).float()
        expected = network.eval().cpu()((pixels - mean) / std).numpy()
    difference = float(np.abs(encoder.embed(items) - expected).max() / max(np.abs(expected).max(), 1e-12))
    if not difference <= _TOLERANCE:
        raise TrainingError(
            f"the exported encoder's features differ from torch's by {difference:.2g}: it was not written"
        )
    return difference


def export(method: Method[Any], card: Card, path: Path, *, sample: Examples) -> None:
    """Write the encoder file of a trained method, once its features are shown to equal torch's.

    Args:
        sample: examples of which a few features travel in the file, so that galleries know what strangers look like; of
            classes the method did not learn from, where there are any.

    Raises TrainingError where the check fails.
    """
    network = method.exported().network
    few = _sample(sample)
    with torch.no_grad():
        model = to_onnx(network, method.config.form)
    encoder = Encoder(add_card(model, card))
    check_same(encoder, network, few.items)
    write_atomically(path, add_card(model, card, (encoder.embed(few.items), few.labels)))


def _sample(examples: Examples) -> Examples:
    """A few items of each of at most a hundred classes, the same each time."""
    rng = np.random.default_rng(0)
    classes = rng.permutation(len(examples.classes))[:_BACKGROUND_CLASSES]
    return examples.take(np.isin(examples.labels, classes) & (examples.places < _BACKGROUND_ITEMS))
