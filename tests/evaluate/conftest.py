"""An encoder that needs no training: its features are the pixels."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from lowshot.data import Examples, ImageForm
from lowshot.encoder import Card, Encoder, add_card

SIDE = 4


@pytest.fixture
def pixels() -> Encoder:
    """Pixels of 4×4 images, compared by squared Euclidean distance."""
    size = SIDE * SIDE
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["images"], ["features"])],
        "pixels",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, SIDE, SIDE])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", size])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    form = ImageForm(height=SIDE, width=SIDE, channels=1)
    card = Card(name="pixels", form=form, mean=(0.0,), std=(255.0,), features=size, distance="euclidean")
    return Encoder(add_card(model.SerializeToString(), card))


@pytest.fixture
def drawings() -> Examples:
    """12 classes in two alphabets, 6 items each, around one random image a class."""
    rng = np.random.default_rng(3)
    centers = rng.integers(60, 196, (12, 1, SIDE, SIDE, 1))
    items = (centers + rng.integers(-60, 60, (12, 6, SIDE, SIDE, 1))).reshape(-1, SIDE, SIDE, 1).astype(np.uint8)
    labels = np.repeat(np.arange(12), 6)
    alphabets = np.array(["Greek"] * 8 + ["Latin"] * 4)
    return Examples(
        items,
        labels,
        tuple(f"letter {i}" for i in range(12)),
        attributes={"alphabet": alphabets[labels], "drawer": np.array([str(i % 6) for i in range(72)])},
    )
