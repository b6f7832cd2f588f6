"""Classes enrolled by what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot import Encoder, Examples, Gallery
from lowshot.errors import BadDescriptions, BadLabels, DataError, EmptyGallery, GalleryError
from lowshot.gallery.check import check

QUARTERS = {"nw": np.s_[:4, :4], "ne": np.s_[:4, 4:], "sw": np.s_[4:, :4], "se": np.s_[4:, 4:]}


def _drawings(seed: int = 0, items: int = 3) -> tuple[list[Any], list[str], list[dict[str, str]]]:
    """Noisy 8×8 pictures of which each quarter has ink or none; the class says which, but for the blank one."""
    rng = np.random.default_rng(seed)
    drawings, labels, facts = [], [], []
    for inked in list(product((True, False), repeat=4))[:-1]:
        said = {name: "ink" if ink else "paper" for name, ink in zip(QUARTERS, inked, strict=True)}
        for _ in range(items):
            picture = np.full((8, 8), 245.0)
            for quarter, ink in zip(QUARTERS.values(), inked, strict=True):
                picture[quarter] -= 235 * ink
            drawings.append(np.clip(picture + rng.normal(0, 8, (8, 8)), 0, 255).astype(np.uint8))
            labels.append(" ".join(name for name, ink in zip(QUARTERS, inked, strict=True) if ink))
            facts.append(said)
    return drawings, labels, facts


UNSEEN = "nw se"
SAID = {UNSEEN: {"nw": "ink", "ne": "paper", "sw": "paper", "se": "ink"}}


@pytest.fixture
def gallery(tmp_path: Path, tiny_model: Callable[..., bytes]) -> Iterator[Gallery]:
    """Every class but one has examples."""
    with Gallery.open(tmp_path / "g", Encoder(tiny_model(distance="euclidean")), create=True) as opened:
        seen = [each for each in zip(*_drawings(), strict=True) if each[1] != UNSEEN]
        opened.enroll([each[0] for each in seen], [each[1] for each in seen], attributes=[each[2] for each in seen])
        yield opened


def _queries(label: str) -> list[Any]:
    drawings, labels, _ = _drawings(1, items=5)
    return [drawing for drawing, each in zip(drawings, labels, strict=True) if each == label]


def test_a_class_nobody_has_seen_is_recognized(gallery: Gallery) -> None:
    before = gallery.identify(_queries(UNSEEN))
    (id,) = gallery.describe(SAID)
    answers = gallery.identify(_queries(UNSEEN))
    assert UNSEEN not in {each.candidates[0].label for each in before}
    assert [each.candidates[0].label for each in answers] == [UNSEEN] * 5
    assert {(each.id, each.described) for answer in answers for each in answer.examples} == {
        (id, "nw=ink, ne=paper, sw=paper, se=ink")
    }
    others = gallery.identify(_queries("ne sw"))
    assert [each.candidates[0].label for each in others] == ["ne sw"] * 5
    assert {each.described for answer in others for each in answer.examples} == {None}


def test_examples_and_description_are_combined(gallery: Gallery) -> None:
    (id,) = gallery.describe(SAID)
    (example,) = gallery.enroll(_queries(UNSEEN)[:1], [UNSEEN])
    (answer,) = gallery.identify(_queries(UNSEEN)[1:2])
    assert gallery.classes()[UNSEEN] == 2
    assert {each.id: each.described is not None for each in answer.examples} == {id: True, example: False}
    gallery.remove([id])
    assert [each.described for each in gallery.examples(UNSEEN)] == [None]


def test_the_same_said_again_changes_nothing(gallery: Gallery) -> None:
    assert gallery.describe(SAID) == gallery.describe(SAID)
    record = gallery.examples(UNSEEN)[0]
    assert record.described == "nw=ink, ne=paper, sw=paper, se=ink" and record.attributes["ne"] == "paper"


def test_nothing_is_learned_from_descriptions(gallery: Gallery) -> None:
    gates = gallery.gate_reports()
    gallery.describe(SAID | {"none": {"nw": "ink"}})
    assert gallery.gate_reports() == gates and set(gates) == {*QUARTERS}
    assert check(gallery).examples == len(gallery)


def test_a_background_can_say_what_attributes_look_like(tmp_path: Path, tiny_model: Callable[..., bytes]) -> None:
    drawings, labels, facts = _drawings()
    classes = sorted(set(labels))
    columns = {key: np.array([each[key] for each in facts]) for key in QUARTERS}
    pixels = np.stack(drawings)[..., None]
    background = Examples(pixels, np.array([classes.index(each) for each in labels]), tuple(classes), (), columns)
    with Gallery.open(tmp_path / "g", Encoder(tiny_model(distance="euclidean")), create=True) as gallery:
        gallery.describe(dict(zip(labels, facts, strict=True)), background)
        assert [each.candidates[0].label for each in gallery.identify(_queries(UNSEEN))] == [UNSEEN] * 5
        with pytest.raises(DataError, match="no attribute 'color'"):
            gallery.describe({"red": {"color": "red"}}, background)


def test_descriptions_survive_a_copy_and_are_dropped_by_no_other_encoder(
    gallery: Gallery, tmp_path: Path, tiny_model: Callable[..., bytes]
) -> None:
    from lowshot.gallery.moving import copy, migrate

    gallery.describe(SAID)
    copy(gallery.place, tmp_path / "copy")
    encoder = tmp_path / "other.onnx"
    encoder.write_bytes(tiny_model(seed=1, distance="euclidean"))
    with Gallery.open(tmp_path / "copy", Encoder(tiny_model(distance="euclidean"))) as copied:
        assert copied.identify(_queries(UNSEEN))[0].examples[0].described
    with pytest.raises(GalleryError, match=r"1 of 43 examples .* have no file"):
        migrate(gallery.place, tmp_path / "new", encoder)


@pytest.mark.parametrize(
    ("said", "error", "why"),
    [
        ({"a": "a tall animal"}, BadDescriptions, "only an encoder of texts reads: say values of attributes"),
        ({"a": {}}, BadDescriptions, "described by nothing"),
        ({"a": {"nw": 3}}, BadDescriptions, "mapping of text to text"),
        ({"a": 3}, BadDescriptions, "by words or by a mapping"),
        (["a"], BadDescriptions, "map labels to words"),
        ({" a": {"nw": "ink"}}, BadLabels, "begins or ends with a space"),
        (
            {"a": {"nw": "half"}},
            BadDescriptions,
            "no enrolled example says nw=half; there are: nw=ink, nw=paper",
        ),
        ({"a": {"color": "red"}}, BadDescriptions, "has an attribute 'color': correct its name"),
        ({"a": {"nw": "ink", "sw": "x"}}, BadDescriptions, "says sw=x; there are"),
    ],
)
def test_what_is_no_description_is_refused(gallery: Gallery, said: Any, error: type[Exception], why: str) -> None:
    number = len(gallery)
    with pytest.raises(error, match=why):
        gallery.describe({"b": {"nw": "ink"}, **said} if isinstance(said, dict) else said)
    assert len(gallery) == number


def test_an_empty_gallery_has_nothing_to_learn_from(tmp_path: Path, tiny_encoder: Encoder) -> None:
    with Gallery.open(tmp_path / "g", tiny_encoder, create=True) as gallery, pytest.raises(EmptyGallery):
        gallery.describe(SAID)


def test_the_mark_is_no_attribute_of_an_example(gallery: Gallery) -> None:
    with pytest.raises(GalleryError, match="'described' marks descriptions"):
        gallery.enroll(_queries(UNSEEN)[:1], ["a"], attributes=[{"described": "x"}])


def test_the_command_describes_a_class(
    tmp_path: Path, tiny_model: Callable[..., bytes], lowshot: Any, fails: Any
) -> None:
    encoder, place = tmp_path / "tiny.onnx", tmp_path / "g"
    encoder.write_bytes(tiny_model(distance="euclidean"))
    drawings, labels, facts = _drawings()
    with Gallery.open(place, encoder, create=True) as gallery:
        gallery.enroll(drawings, labels, attributes=facts)
    ran = lowshot("gallery", "describe", place, "any corner", "--attribute", "nw=ink")
    assert ran.status == 0 and "described any corner as example 46" in ran.out
    assert "or by --attribute" in fails("gallery", "describe", place, "a")
    assert "write key=value" in fails("gallery", "describe", place, "a", "--attribute", "nw")
