"""Encoder files: what goes in comes out, and what does not fit is refused when loaded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from lowshot.data import ImageForm
from lowshot.encoder import Card, Encoder, add_card, named_encoders, onnx_file
from lowshot.errors import BadFiles, EncoderError, ShapeError

Make = Callable[..., bytes]
FORM = ImageForm(height=8, width=8, channels=1)


def _items(number: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).integers(0, 256, (number, 8, 8, 1)).astype(np.uint8)


def _card(**fields: Any) -> Card:
    return Card(**{"name": "tiny", "form": FORM, "mean": (127.5,), "std": (127.5,), "features": 16} | fields)


class TestEmbed:
    def test_features_are_the_models(self, tiny_encoder: Encoder) -> None:
        items = _items(7)
        weights = np.random.default_rng(0).normal(size=(64, 16)).astype(np.float32)
        raw = ((items.astype(np.float32) - 127.5) / 127.5).reshape(7, 64) @ weights
        features = tiny_encoder.embed(items)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5)

    def test_many_items_in_chunks_are_as_one_by_one(
        self, tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        items = _items(23)
        whole = tiny_encoder.embed(items)
        monkeypatch.setattr("lowshot.encoder.inputs._CHUNK_BYTES", 5 * 4 * 64)
        np.testing.assert_allclose(tiny_encoder.embed(items), whole, atol=1e-6)

    def test_no_items_no_features(self, tiny_encoder: Encoder) -> None:
        assert tiny_encoder.embed(_items(0)).shape == (0, 16)
        assert tiny_encoder.embed(tiny_encoder.read([])).shape == (0, 16)

    @pytest.mark.parametrize(
        "items",
        [_items(2)[..., 0], _items(2)[:, :7], _items(2).astype(np.float32), _items(1)[0]],
        ids=lambda a: str(a.shape),
    )
    def test_items_of_another_form_are_refused_with_both_shapes(self, tiny_encoder: Encoder, items: Any) -> None:
        with pytest.raises(ShapeError, match=r"uint8 \(n, 8, 8, 1\), not " + items.dtype.name):
            tiny_encoder.embed(items)

    def test_pictures_of_any_size_are_brought_to_the_form(self, tiny_encoder: Encoder) -> None:
        item = _items(1)
        large = item[0, :, :, 0].repeat(5, axis=0).repeat(5, axis=1)
        np.testing.assert_allclose(tiny_encoder.embed(tiny_encoder.read([large])), tiny_encoder.embed(item), atol=1e-6)

    def test_bad_pictures_are_all_listed(self, tiny_encoder: Encoder, tmp_path: Path) -> None:
        (tmp_path / "empty.png").touch()
        with pytest.raises(BadFiles, match="2 of 3") as caught:
            tiny_encoder.embed(tiny_encoder.read([tmp_path / "empty.png", _items(1)[0], tmp_path / "missing.png"]))
        assert [Path(name).name for name, _ in caught.value.problems] == ["empty.png", "missing.png"]


class TestBackground:
    def test_it_comes_back(self, tiny_model: Make) -> None:
        features = np.random.default_rng(0).normal(size=(30, 16)).astype(np.float32)
        labels = np.repeat(np.arange(10), 3)
        back = Encoder(tiny_model(background=(features, labels))).background()
        assert back is not None
        assert [part.dtype for part in back] == [np.float32, np.int64]
        np.testing.assert_allclose(back[0], features, rtol=1e-3)
        np.testing.assert_array_equal(back[1], labels)

    def test_most_encoders_have_none(self, tiny_encoder: Encoder) -> None:
        assert tiny_encoder.background() is None

    @pytest.mark.parametrize(
        ("features", "labels"),
        [
            (np.zeros((3, 15)), np.zeros(3, int)),
            (np.zeros((3, 16)), np.zeros(2, int)),
            (np.full((3, 16), np.nan), np.zeros(3, int)),
            (np.full((3, 16), 1e6), np.zeros(3, int)),
        ],
        ids=["width", "length", "nan", "beyond float16"],
    )
    def test_a_background_that_does_not_fit_is_refused(self, tiny_model: Make, features: Any, labels: Any) -> None:
        with pytest.raises(ShapeError, match="background"):
            tiny_model(background=(features, labels))

    @pytest.mark.parametrize("content", ["", "not base64!", "AAAA"])
    def test_a_damaged_background_is_refused(self, tiny_model: Make, content: str) -> None:
        graph, metadata = onnx_file.split(tiny_model())
        encoder = Encoder(onnx_file.join(graph, metadata | {"lowshot.background": content}))
        with pytest.raises(EncoderError, match="background"):
            encoder.background()


class TestFingerprint:
    def test_it_is_of_what_makes_the_features(self, tiny_model: Make) -> None:
        same = Encoder(tiny_model()).fingerprint
        for describes in (
            {"measured": ({"accuracy": 0.9},)},
            {"name": "renamed"},
            {"background": (np.zeros((2, 16)), np.zeros(2, int))},
        ):
            assert Encoder(tiny_model(**describes)).fingerprint == same
        for changes in ({"seed": 1}, {"mean": (0.0,)}, {"std": (255.0,)}, {"distance": "l1"}, {"size": 9}):
            assert Encoder(tiny_model(**changes)).fingerprint != same

    def test_a_new_card_leaves_the_model_alone(self, tiny_model: Make) -> None:
        model = tiny_model()
        again = add_card(model, Encoder(model).card.model_copy(update={"command": "lowshot train"}))
        assert Encoder(again).card.command == "lowshot train"
        assert onnx_file.split(again)[0] == onnx_file.split(model)[0]


class TestLoad:
    def test_a_file_is_loaded_with_its_card(self, tiny_model: Make, tmp_path: Path) -> None:
        (tmp_path / "tiny.onnx").write_bytes(tiny_model(method="prototypical", config={"ways": 60}))
        encoder = Encoder.load(str(tmp_path / "tiny.onnx"))
        assert encoder.card == _card(method="prototypical", config={"ways": 60})
        assert repr(encoder) == "Encoder('tiny', 8×8×1 → 16)"

    def test_names_and_files_that_are_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(EncoderError, match=f"'nobody': give a file, or one of {', '.join(named_encoders())}"):
            Encoder.load("nobody")
        with pytest.raises(EncoderError, match="no encoder"):
            Encoder.load(tmp_path)

    def test_a_cache_that_cannot_keep_the_photos_encoder_is_named_before_the_export(self, no_data: Path) -> None:
        (no_data / "cache").write_text("not a folder")
        with pytest.raises(EncoderError, match=r"cannot be kept in .*LOWSHOT_CACHE"):
            Encoder.load("photos")

    @pytest.mark.parametrize(
        "content", [b"", b"text that is no model at all", bytes(500)], ids=["empty", "text", "zeros"]
    )
    def test_other_files_are_refused_by_name(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "other.onnx").write_bytes(content)
        with pytest.raises(EncoderError, match=r"other\.onnx: .*(card|ONNX)"):
            Encoder.load(tmp_path / "other.onnx")

    def test_files_cut_short_anywhere_are_refused(self, tiny_model: Make) -> None:
        model = tiny_model()
        for cut in np.linspace(0, len(model) - 1, 60, dtype=int):
            with pytest.raises(EncoderError):
                Encoder(model[:cut])

    def test_a_model_without_a_card_says_how_to_give_it_one(self, tiny_model: Make) -> None:
        with pytest.raises(EncoderError, match="add_card"):
            Encoder(onnx_file.split(tiny_model())[0])

    def test_a_card_without_a_model_is_refused(self, tiny_model: Make) -> None:
        with pytest.raises(EncoderError, match="ONNX Runtime"):
            Encoder(onnx_file.join(b"", onnx_file.split(tiny_model())[1]))

    def test_a_card_from_elsewhere_is_refused(self, tiny_model: Make) -> None:
        graph, _ = onnx_file.split(tiny_model())
        for card in ("", "{}", '{"name": 1}', "[]"):
            with pytest.raises(EncoderError, match="card cannot be read"):
                Encoder(onnx_file.join(graph, {"lowshot.card": card}))

    def test_a_card_that_does_not_fit_the_model_is_refused(self, tiny_model: Make) -> None:
        with pytest.raises(EncoderError, match=r"says 15 features, the model gives \(16,\)"):
            Encoder(add_card(tiny_model(), _card(features=15)))
        wide = FORM.model_copy(update={"width": 9})
        with pytest.raises(EncoderError, match="does not take what its card says"):
            Encoder(add_card(tiny_model(), _card(form=wide)))

    def test_nothing_is_reported_and_nothing_is_left_in_the_home_folder(self, tiny_model: Make, tmp_path: Path) -> None:
        (tmp_path / "tiny.onnx").write_bytes(tiny_model())
        (home := tmp_path / "home").mkdir()
        code = "import sys; from lowshot import Encoder; Encoder.load(sys.argv[1])"
        places = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(home))
        kept = {key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "tiny.onnx")], check=True, env=kept | places)
        assert list(home.rglob("*")) == []

    def test_torch_is_never_imported(self, tiny_model: Make, tmp_path: Path) -> None:
        (tmp_path / "tiny.onnx").write_bytes(tiny_model())
        code = (
            "import sys, numpy as np; from lowshot import Encoder; encoder = Encoder.load(sys.argv[1]); "
            "encoder.embed(np.zeros((1, 8, 8, 1), np.uint8)); assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code, str(tmp_path / "tiny.onnx")], check=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mean": (1.0, 2.0)}, "mean needs 1 numbers"),
        ({"std": (1.0, 2.0, 3.0)}, "std needs 1 numbers"),
        ({"std": (0.0,)}, "std must not be 0"),
        ({"negative": 3}, "l1"),
        ({"negative": 17, "distance": "l1"}, "more than all"),
        ({"features": 0}, "greater than or equal to 1"),
        ({"distance": "hamming"}, "cosine"),
        ({"color": "red"}, "color"),
    ],
    ids=str,
)
def test_cards_that_contradict_themselves_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _card(**fields)


def test_a_method_that_was_kept_as_it_is_is_no_encoder(tmp_path: Path) -> None:
    (tmp_path / "memory.safetensors").write_bytes(b"whatever")
    with pytest.raises(EncoderError, match=r"as it is, for `lowshot evaluate`: name an \.onnx file"):
        Encoder.load(tmp_path / "memory.safetensors")
