"""A gallery of sounds: enrolled as files, found again, kept, moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lowshot import Encoder, Gallery
from lowshot.data import SoundForm
from lowshot.data.files import FileSet
from lowshot.data.sounds import wav
from lowshot.encoder import Card, add_card
from lowshot.errors import BadFiles, GalleryError
from lowshot.gallery.moving import copy, migrate

RATE = 4000
FORM = SoundForm(rate=RATE, seconds=0.1)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    """Features are the spectrum: cosines and sines of twenty frequencies."""
    onnx = pytest.importorskip("onnx")
    waves = 2 * np.pi * np.outer(np.arange(400) / RATE, 100 * np.arange(1, 21))
    weights = {"cos": np.cos(waves), "sin": np.sin(waves), "two": np.float64(2)}
    node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    nodes = [
        *(node("MatMul", ["samples", part], [f"{part} part"]) for part in ("cos", "sin")),
        *(node("Pow", [f"{part} part", "two"], [f"{part} power"]) for part in ("cos", "sin")),
        node("Add", ["cos power", "sin power"], ["features"]),
    ]
    graph = onnx.helper.make_graph(
        nodes,
        "spectrum",
        [info("samples", onnx.TensorProto.FLOAT, ["n", 400])],
        [info("features", onnx.TensorProto.FLOAT, ["n", 20])],
        [onnx.numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in weights.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    card = Card(name="spectrum", modality="sound", form=FORM, mean=(0,), std=(32768,), features=20, distance="cosine")
    return Encoder(add_card(model.SerializeToString(), card))


def note(hertz: float, seed: int = 0) -> NDArray[np.int16]:
    noise = 300 * np.random.default_rng(seed).normal(size=400)
    return (8000 * np.sin(2 * np.pi * hertz * np.arange(400) / RATE) + noise).astype(np.int16)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """A folder of three notes, two recordings each."""
    for hertz in (300, 700, 1500):
        (tmp_path / "notes" / str(hertz)).mkdir(parents=True)
        for i in range(2):
            (tmp_path / "notes" / str(hertz) / f"{i}.wav").write_bytes(wav(note(hertz, seed=i), RATE))
    return tmp_path / "notes"


@pytest.fixture
def gallery(tmp_path: Path, notes: Path, encoder: Encoder) -> Any:
    with Gallery.open(tmp_path / "notes.gallery", encoder, create=True) as opened:
        opened.enroll_files(FileSet.open(notes))
        yield opened


def heard(gallery: Gallery, *sounds: Any) -> list[str]:
    return [answer.candidates[0].label for answer in gallery.identify(list(sounds))]


def test_what_was_heard_is_recognized(gallery: Gallery, notes: Path) -> None:
    assert gallery.classes() == {"1500": 2, "300": 2, "700": 2}
    asked = [note(700, seed=9), wav(note(1500, seed=9), RATE), notes / "300" / "0.wav", str(notes / "300" / "1.wav")]
    assert heard(gallery, *asked) == ["700", "1500", "300", "300"]
    assert gallery.enroll_files(FileSet.open(notes)) == [each.id for each in gallery.examples()]
    assert len(gallery) == 6, "what is there is not enrolled twice"


def test_bulk_enrolls_the_same(gallery: Gallery, notes: Path, tmp_path: Path, encoder: Encoder) -> None:
    (notes / "700" / "2.wav").write_bytes(b"RIFF no sound")
    with Gallery.open(tmp_path / "bulk.gallery", encoder, create=True) as bulk:
        done = bulk.enroll_bulk(FileSet.open(notes), workers=0)
        assert (done.new, [Path(name).name for name, _ in done.bad]) == (6, ["2.wav"])
        np.testing.assert_array_equal(bulk.held().features, gallery.held().features)


def test_a_recording_is_kept_as_it_was_given(gallery: Gallery, notes: Path) -> None:
    first = gallery.examples("300")[0]
    assert gallery.original(first.id) == (notes / "300" / "0.wav").read_bytes()
    (id,) = gallery.enroll([note(900)], ["900"])
    assert gallery.encoder.read([gallery.original(id)]).tolist() == [note(900).tolist()]


def test_bad_recordings_enroll_nothing(gallery: Gallery) -> None:
    with pytest.raises(BadFiles, match="2 of 3 files"):
        gallery.enroll([note(900), b"", b"hello"], ["a", "b", "c"])
    assert len(gallery) == 6


def test_it_moves(gallery: Gallery, tmp_path: Path, encoder: Encoder, tiny_encoder: Encoder) -> None:
    assert copy(gallery.place, tmp_path / "copy.gallery") == 6
    with Gallery.open(tmp_path / "copy.gallery", encoder) as copied:
        assert heard(copied, note(700, seed=9)) == ["700"]
    with pytest.raises(GalleryError, match="holds sounds, but the encoder 'tiny' takes images: choose another"):
        migrate(gallery.place, tmp_path / "pictures.gallery", tiny_encoder)
    assert not (tmp_path / "pictures.gallery").exists()
    assert migrate(gallery.place, tmp_path / "anew.gallery", encoder) == 6
