"""What a gallery learns from its examples, and that every process has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot import Encoder, Gallery, load
from lowshot.errors import ConfigError, GalleryError, ShapeError
from lowshot.gallery.learned import LEARNED, read_learned


def _drawings(seed: int, items: int = 4) -> tuple[list[Any], list[str]]:
    """Noisy copies of five patterns."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(5), items)
    patterns = np.random.default_rng(0).integers(0, 256, (5, 8, 8))[codes]
    noisy = np.clip(patterns + rng.normal(0, 40, patterns.shape), 0, 255).astype(np.uint8)
    return list(noisy), [f"class {code}" for code in codes]


def _strangers(seed: int, number: int = 20) -> list[Any]:
    return list(np.random.default_rng(seed).integers(0, 256, (number, 8, 8)).astype(np.uint8))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.gallery"


def test_what_one_process_learned_all_answer_by(path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as one, Gallery.open(path, tiny_encoder, create=True) as other:
        one.enroll(*_drawings(1))
        query = _drawings(2)[0][:1]
        first = one.identify(query)
        one.enroll(_drawings(3)[0][:1], ["class 0"])  # 5 % more: no reason to learn anew
        kept = one._store.facts()[LEARNED]
        assert one.identify(query) != first and one._store.facts()[LEARNED] == kept
        assert other.identify(query) == one.identify(query)
        one.enroll(*_drawings(4))
        assert other.identify(query) == one.identify(query)
        assert read_learned(one._store.facts()[LEARNED], "").examples == 41


def test_labeled_queries_make_it_sure_and_stay_until_asked_again(path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as gallery:
        drawings, labels = _drawings(1)
        gallery.enroll(drawings[::4], labels[::4])  # one each, and an encoder without a background
        queries, truth = _drawings(2)
        before = [answer.unknown for answer in gallery.identify(queries + _strangers(5))]
        gallery.calibrate(queries + _strangers(6), truth + [None] * 20)
        after = [answer.unknown for answer in gallery.identify(queries + _strangers(5))]
        wanted = [False] * 20 + [True] * 20
        assert np.mean(np.equal(after, wanted)) >= max(0.85, float(np.mean(np.equal(before, wanted))))
        gallery.enroll(drawings, labels)
        kept = gallery._store.facts()[LEARNED]
        gallery.identify(queries)
        assert gallery._store.facts()[LEARNED] == kept
        gallery.calibrate()
        assert gallery._store.facts()[LEARNED] != kept


def test_labels_that_are_none_are_refused(path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as gallery:
        with pytest.raises(GalleryError, match="empty"):
            gallery.calibrate()
        gallery.enroll(*_drawings(1))
        with pytest.raises(GalleryError, match=r"no class 'klass'.*give None"):
            gallery.calibrate(_drawings(2)[0][:1], ["klass"])
        with pytest.raises(ShapeError, match="1 items but 2 labels"):
            gallery.calibrate(_drawings(2)[0][:1], [None, None])
        gallery._store.change({LEARNED: "{}"})
        with pytest.raises(GalleryError, match="run `lowshot gallery calibrate`"):
            gallery.identify(_drawings(2)[0])
        gallery.calibrate()
        assert gallery.identify(_drawings(2)[0])


def test_a_gallery_that_cannot_be_written_answers_all_the_same(
    path: Path, tiny_encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as gallery:
        gallery.enroll(*_drawings(1))

        def refuse(*_: object, **__: object) -> None:
            raise GalleryError("it is being written by another process: try again")

        monkeypatch.setattr(gallery._store, "change", refuse)
        first = gallery.identify(_drawings(2)[0])
        assert gallery.identify(_drawings(2)[0]) == first
        monkeypatch.undo()
        assert LEARNED not in gallery._store.facts()


def test_only_examples_of_an_attribute_are_compared(path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as gallery:
        drawings, labels = _drawings(1)
        colors = [{"color": "red" if label in ("class 1", "class 2") else "blue"} for label in labels]
        gallery.enroll(drawings, labels, attributes=colors)
        queries, truth = _drawings(2)
        for answer, label in zip(gallery.identify(queries, where={"color": "red"}), truth, strict=True):
            assert {each.label for each in answer.candidates} == {"class 1", "class 2"} and answer.compared == 2
            assert label not in ("class 1", "class 2") or answer.candidates[0].label == label
        assert gallery.identify(queries[:1], where={"color": ["red", "blue"]})[0].compared == 5
        with pytest.raises(GalleryError, match="no enrolled example has color=green; there are: blue, red"):
            gallery.identify(queries, where={"color": "green"})


def test_a_class_gets_another_name(path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as gallery:
        gallery.enroll(*_drawings(1))
        query = _drawings(2)[0][:1]
        gallery.identify(query)
        assert gallery.rename_class("class 0", "zero") == 4
        assert gallery.identify(query)[0].candidates[0].label == "zero"
        assert gallery.rename_class("zero", "class 1") == 4
        assert gallery.classes()["class 1"] == 8
        for bad in ("", " x", "a" * 201):
            with pytest.raises(GalleryError):
                gallery.rename_class("class 1", bad)


def test_the_command_learns_from_a_folder_of_queries(
    lowshot: Callable[..., Any], tmp_path: Path, tiny_model: Callable[..., bytes]
) -> None:
    from PIL import Image

    (encoder := tmp_path / "tiny.onnx").write_bytes(tiny_model())
    for folder, seed in (("enrolled", 1), ("queries", 2)):
        for i, (drawing, label) in enumerate(zip(*_drawings(seed), strict=True)):
            (tmp_path / folder / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(drawing).save(tmp_path / folder / label / f"{i}.png")
    (tmp_path / "queries" / "other").mkdir()
    Image.fromarray(_strangers(3)[0]).save(tmp_path / "queries" / "other" / "1.png")
    lowshot("enroll", tmp_path / "g", tmp_path / "enrolled", "--encoder", encoder)
    ran = lowshot("gallery", "calibrate", tmp_path / "g", "--queries", tmp_path / "queries")
    assert ran.status == 0 and "20 examples and 21 queries" in ran.out and "unknown: other" in ran.out
    assert "20 examples and 0 queries" in lowshot("gallery", "calibrate", tmp_path / "g").out
    assert lowshot("gallery", "rename", tmp_path / "g", "class 0", "zero").status == 0
    assert "zero" in lowshot("gallery", "list", tmp_path / "g").out


def test_a_recognizer_stays_until_the_gallery_has_doubled(path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as gallery:
        gallery.enroll(*_drawings(1, items=6))
        query = _drawings(2)[0][:1]

        def learned() -> Any:
            gallery.identify(query)
            return read_learned(gallery._store.facts()[LEARNED], "")

        assert learned().chosen == 30
        gallery.enroll(*_drawings(3, items=3))
        assert (learned().examples, learned().chosen) == (45, 30)
        gallery.enroll(*_drawings(5, items=4))
        assert (learned().examples, learned().chosen) == (65, 65)


def test_what_cannot_be_asked(path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(path, tiny_encoder, create=True) as gallery:
        drawings, labels = _drawings(1)
        gallery.enroll(drawings, labels, attributes=[{"color": "red"}] * 20)
        with pytest.raises(ShapeError, match=r"an array \(8, 8\) is one item"):
            gallery.identify(drawings[0])
        with pytest.raises(ShapeError, match="give a list of items"):
            gallery.identify(None)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="where must map"):
            gallery.identify(drawings[:1], where="color=red")  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="must be text"):
            gallery.identify(drawings[:1], where={"color": 3})  # type: ignore[dict-item]


@pytest.mark.parametrize("recognizer", ["prototype", "neighbor", "logistic"])
def test_a_chosen_recognizer_names_what_it_knows(path: Path, recognizer: str, data_folder: Path) -> None:
    tibetan = load("omniglot:evaluation?alphabet=Tibetan")
    first = tibetan.only(tibetan.classes[:12])
    with Gallery.open(path, create=True) as gallery:
        gallery.enroll_examples(first.take(np.arange(len(first)) % 20 < 5))
        gallery.calibrate(recognizer=recognizer)
        queries = first.take(np.arange(len(first)) % 20 >= 12)
        answers = gallery.identify(list(queries.items))
        assert answers[0].recognizer == recognizer
        truth = [queries.classes[label] for label in queries.labels]
        assert np.mean([answer.label == label for answer, label in zip(answers, truth, strict=True)]) > 0.8
