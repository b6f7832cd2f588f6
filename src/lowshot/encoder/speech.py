"""The ``speech`` encoder: Google's speech embedding behind its log-mel spectrogram, joined once into one encoder file.

Both come as ONNX graphs inside a package, so no hub is asked. Run as ``python -m lowshot.encoder.speech FILE``, which is
what :meth:`lowshot.encoder.Encoder.load` does the first time.

Source: Lin, Kilgour, Roblek & Sharifi, Training keyword spotters with limited and synthesized speech data, ICASSP 2020
(arXiv 2002.01322), as openWakeWord packs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lowshot.data import SoundForm
from lowshot.disk import write_atomically
from lowshot.encoder.card import Card
from lowshot.encoder.encoder import add_card
from lowshot.encoder.packaged import packaged, run_export
from lowshot.errors import EncoderError

PACKAGE = "openwakeword==0.5.1"  # later releases carry no models
CARD = Card(
    name="speech",
    modality="sound",
    form=SoundForm(rate=16_000, seconds=1.0),
    mean=(0.0,),
    std=(1.0,),  # the spectrogram takes samples as they are
    features=192,
    distance="cosine",
    method="Google speech embedding: of windows of 0.78 s, every 0.08 s, the mean and the largest value of each feature",
    background="recordings from the Internet, of the embedding; 20 words of speech_commands, of the background features",
    command="python -m lowshot.encoder.speech FILE",
    license="embedding Apache-2.0 (Google); openWakeWord, which packs it, licenses its models CC BY-NC-SA 4.0; background "
    "features CC BY 4.0 (Speech Commands)",
)
BACKGROUND = Path(__file__).parent / "files" / "speech_background.npz"  # `make speech`

_MODELS = {
    "melspectrogram.onnx": "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
    "embedding_model.onnx": "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
}
_SILENCE = 4000  # samples before and after a recording: windows that a word fills in part say most where it lies anyhow


def export_speech(path: Path) -> None:
    """Write the encoder file. Raises EncoderError where the packages are not installed, or are others."""
    try:
        import onnx
    except ImportError:
        raise EncoderError("onnx is not installed: pip install 'lowshot[speech]'") from None
    spectrogram, embedding = (onnx.load_from_string(_model(name)).graph for name in _MODELS)
    with np.load(BACKGROUND, allow_pickle=False) as kept:
        background = kept["features"], kept["labels"]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, add_card(_joined(onnx, spectrogram, embedding), CARD, background))


def _model(name: str) -> bytes:
    """The bytes of one of the two models."""
    return packaged(PACKAGE, f"resources/models/{name}", _MODELS[name])


def _joined(onnx: Any, spectrogram: Any, embedding: Any) -> bytes:
    """One graph, from samples (n, samples) to features (n, 192) of unit length.

    The embedding takes 76 frames at a time. It is a stack of convolutions without padding in time, so over a longer
    spectrogram it gives what it would give of each window, eight frames apart, with the work that windows share done once.
    """
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    constants = {"silence": np.array([0, _SILENCE, 0, _SILENCE]), "tenth": np.float32(0.1), "two": np.float32(2)}
    nodes = [
        node("Pad", ["samples", "silence"], ["input"]),
        *map(_each_for_itself(node), spectrogram.node),
        node("Mul", ["output", "tenth"], ["scaled"]),
        node("Add", ["scaled", "two"], ["frames"]),
        *_without_reshape(embedding.node),
        node("ReduceMean", ["windows"], ["mean"], axes=[2, 3], keepdims=0),
        node("ReduceMax", ["windows"], ["largest"], axes=[2, 3], keepdims=0),
        node("LpNormalization", ["mean"], ["unit mean"], axis=1, p=2),
        node("LpNormalization", ["largest"], ["unit largest"], axis=1, p=2),
        node("Concat", ["unit mean", "unit largest"], ["both"], axis=1),
        node("LpNormalization", ["both"], ["features"], axis=1, p=2),
    ]
    info, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes,
        "speech",
        [info("samples", kind, ["n", *CARD.form.shape])],
        [info("features", kind, ["n", CARD.features])],
        [tensor(value, name) for name, value in constants.items()] + [*spectrogram.initializer, *embedding.initializer],
    )
    model = onnx.helper.make_model(
        graph, producer_name="lowshot", opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=7
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _each_for_itself(node: Any) -> Any:
    """Changes the spectrogram's last steps, which cut off what is 80 dB below the loudest of **all** recordings given."""

    def changed(step: Any) -> Any:
        if step.op_type == "ReduceMax":
            return node("ReduceMax", step.input, step.output, axes=[1, 2, 3], keepdims=1)
        if step.op_type == "Clip" and step.output[0] == "output":
            return node("Max", step.input[:2], step.output)
        return step

    return changed


def _without_reshape(steps: Any) -> list[Any]:
    """The embedding's steps, from ``frames`` (n, 1, frames, 32) to ``windows`` (n, 96, windows, 1)."""
    first, *convolutions, last = steps  # the first and the last only swap axes of size 1
    names = {first.output[0]: "frames", last.input[0]: "windows"}
    for step in convolutions:
        step.input[:] = [names.get(name, name) for name in step.input]
        step.output[:] = [names.get(name, name) for name in step.output]
    return list(convolutions)


if __name__ == "__main__":
    run_export(export_speech)
