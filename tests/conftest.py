"""What the tests share: where the real data are, encoders made on the spot, and the command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

# A busy machine is no bug: tests that promise a time measure it themselves.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

_BESIDE = Path(__file__).parents[2] / "shared" / "data"


def pytest_configure() -> None:
    """Use the data beside the checkout where there are any and none were named."""
    if "LOWSHOT_DATA" not in os.environ and _BESIDE.is_dir():
        os.environ["LOWSHOT_DATA"] = str(_BESIDE)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data sets; skips where there is none."""
    folder = Path(os.environ.get("LOWSHOT_DATA", ""))
    if not (folder / "omniglot" / "images_background.zip").is_file():
        pytest.skip("needs the Omniglot files: set LOWSHOT_DATA to the folder that holds omniglot/")
    return folder


@pytest.fixture
def no_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A world without data: nothing in $LOWSHOT_DATA, an empty cache."""
    monkeypatch.delenv("LOWSHOT_DATA", raising=False)
    monkeypatch.setenv("LOWSHOT_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture(scope="session")
def tiny_model() -> Callable[..., bytes]:
    """Makes encoder files: pixels times fixed random weights, at unit length; card fields and weights can be chosen."""
    onnx = pytest.importorskip("onnx")

    def make(
        *,
        seed: int = 0,
        scale: float = 1,
        size: int = 8,
        features: int = 16,
        background: Any = None,
        **fields: Any,
    ) -> bytes:
        from lowshot.data import ImageForm
        from lowshot.encoder import Card, add_card

        weights = (scale * np.random.default_rng(seed).normal(size=(size * size, features))).astype(np.float32)
        nodes = [
            onnx.helper.make_node("Flatten", ["pixels"], ["flat"]),
            onnx.helper.make_node("MatMul", ["flat", "weights"], ["raw"]),
            onnx.helper.make_node("LpNormalization", ["raw"], ["features"], axis=1, p=2),
        ]
        tensor = onnx.helper.make_tensor_value_info
        graph = onnx.helper.make_graph(
            nodes,
            "tiny",
            [tensor("pixels", onnx.TensorProto.FLOAT, ["n", 1, size, size])],
            [tensor("features", onnx.TensorProto.FLOAT, ["n", features])],
            [onnx.numpy_helper.from_array(weights, "weights")],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        form = ImageForm(height=size, width=size, channels=1)
        card = {"name": "tiny", "form": form, "mean": (127.5,), "std": (127.5,), "features": features} | fields
        return add_card(model.SerializeToString(), Card(**card), background)

    return make


@pytest.fixture
def tiny_encoder(tiny_model: Callable[..., bytes]) -> Any:
    """An encoder of 8×8 gray pictures with 16 features."""
    from lowshot import Encoder

    return Encoder(tiny_model())


@pytest.fixture(scope="session")
def tiny_text_model() -> Callable[..., bytes]:
    """Makes encoder files of texts: the sum of fixed random vectors of the words that it knows, at unit length."""
    onnx = pytest.importorskip("onnx")
    tokenizers = pytest.importorskip("tokenizers", reason="needs the extra lowshot[text]")

    def make(words: str, *, features: int = 16, tokens: int = 16, seed: int = 0) -> bytes:
        from lowshot.data import TextForm
        from lowshot.encoder import Card, add_card

        places = {word: place for place, word in enumerate(["[PAD]", "[UNK]", *dict.fromkeys(words.split())])}
        tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(places, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
        vectors = np.random.default_rng(seed).normal(size=(len(places), features)).astype(np.float32)
        node, tensor, kinds = onnx.helper.make_node, onnx.helper.make_tensor_value_info, onnx.TensorProto
        nodes = [
            node("Gather", ["vectors", "input_ids"], ["each"]),
            node("Cast", ["attention_mask"], ["mask"], to=kinds.FLOAT),
            node("Einsum", ["mask", "each"], ["sum"], equation="np,npd->nd"),
            node("LpNormalization", ["sum"], ["features"], axis=1, p=2),
        ]
        graph = onnx.helper.make_graph(
            nodes,
            "tiny",
            [tensor(name, kinds.INT64, ["n", "pieces"]) for name in ("input_ids", "attention_mask")],
            [tensor("features", kinds.FLOAT, ["n", features])],
            [onnx.numpy_helper.from_array(vectors, "vectors")],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        card = Card(name="tiny text", modality="text", form=TextForm(tokens=tokens), features=features)
        return add_card(model.SerializeToString(), card, tokenizer=tokenizer.to_str())

    return make


@dataclass(frozen=True)
class Ran:
    """What a run of the command left behind."""

    status: int
    out: str
    err: str


@pytest.fixture
def lowshot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``lowshot("evaluate", "characters", "digits")`` runs the command."""
    monkeypatch.setenv("COLUMNS", "140")

    from lowshot.cli import main

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["lowshot", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run


@pytest.fixture
def fails(lowshot: Callable[..., Ran]) -> Callable[..., str]:
    """Run a command that must fail as the user's errors do; gives the one line it prints."""

    def run(*arguments: object) -> str:
        ran = lowshot(*arguments)
        assert ran.status == 2, ran
        assert ran.out == ""
        assert ran.err.startswith("lowshot: ") and ran.err.count("\n") == 1, ran.err
        return ran.err

    return run


@pytest.fixture(scope="session")
def tiny_sound_model() -> Callable[..., bytes]:
    """Makes encoder files of a tenth of a second of sound: fixed random mixtures of the samples, at unit length."""
    onnx = pytest.importorskip("onnx")

    def make(rate: int, *, features: int = 16) -> bytes:
        from lowshot.data import SoundForm
        from lowshot.encoder import Card, add_card

        form = SoundForm(rate=rate, seconds=0.1)
        mixture = np.random.default_rng(0).normal(size=(*form.shape, features)).astype(np.float32)
        info, kind = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
        graph = onnx.helper.make_graph(
            [onnx.helper.make_node("MatMul", ["samples", "mixture"], ["features"])],
            "mixture",
            [info("samples", kind, ["n", *form.shape])],
            [info("features", kind, ["n", features])],
            [onnx.numpy_helper.from_array(mixture, "mixture")],
        )
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
        card = Card(
            name="mixture",
            modality="sound",
            form=form,
            mean=(0,),
            std=(32768,),
            features=features,
            distance="cosine",
        )
        return add_card(model.SerializeToString(), card)

    return make
