"""Gates in a gallery: fewer comparisons, the same answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lowshot import Encoder, Examples, Gallery
from lowshot.errors import ConfigError, DataError, GalleryError

KINDS = ["arch", "bolt", "coil", "disk"]


def _pictures(seed: int, classes: int = 80, items: int = 1) -> tuple[list[Any], list[str], list[str]]:
    """Drawings, their classes, and the kind of each: pictures of a kind share their left half, more or less."""
    rng = np.random.default_rng(seed)
    likeness = np.random.default_rng(0).integers(0, 256, (len(KINDS), 8, 4))
    own = np.random.default_rng(1).integers(0, 256, (classes, 8, 4))
    codes = np.repeat(np.arange(classes), items)
    pictures = np.concatenate([likeness[codes % len(KINDS)], own[codes]], axis=2)
    noisy = np.clip(pictures + rng.normal(0, 25, pictures.shape), 0, 255).astype(np.uint8)
    return list(noisy), [f"class {code}" for code in codes], [KINDS[code % len(KINDS)] for code in codes]


@pytest.fixture
def gallery(tmp_path: Path, tiny_encoder: Encoder) -> Any:
    with Gallery.open(tmp_path / "my.gallery", tiny_encoder, create=True) as opened:
        pictures, labels, kinds = _pictures(2)
        facts = [{"kind": kind, "code": label} for kind, label in zip(kinds, labels, strict=True)]
        opened.enroll(pictures, labels, attributes=facts)
        yield opened


def test_a_gate_spares_comparisons_and_keeps_the_answers(gallery: Gallery) -> None:
    queries, labels, kinds = _pictures(3)
    plain = gallery.identify(queries)
    gated = gallery.identify(queries, gate=["kind"], gate_recall=0.9)
    assert np.mean([answer.compared for answer in gated]) <= 0.5 * np.mean([answer.compared for answer in plain])
    right = [
        sum(a.candidates[0].label == b for a, b in zip(answers, labels, strict=True)) for answers in (plain, gated)
    ]
    assert right[1] >= 0.9 * right[0]
    assert np.mean([kind in answer.gate["kind"] for answer, kind in zip(gated, kinds, strict=True)]) >= 0.8
    assert all(answer.gate == {} for answer in plain)
    sure = gallery.identify(queries, gate=["kind"], gate_recall=0.999)  # more than 80 examples can promise
    assert all(answer.compared == 80 and len(answer.gate["kind"]) == 4 for answer in sure)


def test_every_process_passes_the_same_gate(gallery: Gallery) -> None:
    queries = _pictures(3)[0]
    answers = gallery.identify(queries, gate=["kind"], gate_recall=0.9)
    with Gallery.open(gallery.place, gallery.encoder) as other:
        assert other.identify(queries, gate=["kind"], gate_recall=0.9) == answers
        pictures, labels, kinds = _pictures(9, items=5)
        values = np.array(kinds)
        classes = sorted(set(labels))
        numbers = np.array([classes.index(label) for label in labels])
        items = np.stack(pictures)[..., None]
        other.train_gate("kind", Examples(items, numbers, tuple(classes), attributes={"kind": values}))
        assert gallery.identify(queries, gate=["kind"], gate_recall=0.9) == other.identify(
            queries, gate=["kind"], gate_recall=0.9
        )
        with pytest.raises(DataError, match="no attribute 'shade'"):
            other.train_gate("shade", Examples(items, numbers, tuple(classes), attributes={"kind": values}))


def test_what_it_would_be_worth_is_told_for_shared_attributes_only(gallery: Gallery) -> None:
    reports = gallery.gate_reports(0.9)
    assert set(reports) == {"kind"}  # every example has a code of its own
    assert reports["kind"].recall >= 0.8 and reports["kind"].times_fewer > 1.5


def test_gates_that_cannot_be(gallery: Gallery) -> None:
    query = _pictures(3)[0][:1]
    with pytest.raises(GalleryError, match="no enrolled example has an attribute 'color'"):
        gallery.identify(query, gate=["color"])
    with pytest.raises(DataError, match="two such values"):
        gallery.identify(query, gate=["code"])
    with pytest.raises(ConfigError, match="recall"):
        gallery.identify(query, gate=["kind"], gate_recall=1.5)


def test_the_command(
    lowshot: Callable[..., Any], fails: Callable[..., str], tmp_path: Path, tiny_model: Callable[..., bytes]
) -> None:
    from PIL import Image

    (encoder := tmp_path / "tiny.onnx").write_bytes(tiny_model())
    rows = ["path,label,kind"]
    for i, (picture, label, kind) in enumerate(zip(*_pictures(2), strict=True)):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{label},{kind}")
    (tmp_path / "table.csv").write_text("\n".join(rows))
    lowshot("enroll", tmp_path / "g", tmp_path / "table.csv", "--encoder", encoder)
    trained = lowshot("gallery", "gate", tmp_path / "g", "kind")
    assert trained.out == "kind: tells 4 values apart (arch, bolt, coil, disk)\n"
    asked = lowshot("identify", tmp_path / "g", tmp_path / "0.png", "--gate", "kind", "--gate-recall", 0.9)
    assert "; kind taken for arch" in asked.out and "compared: with 20 classes" in asked.out
    filtered = lowshot("identify", tmp_path / "g", tmp_path / "0.png", "--where", "kind=bolt,coil")
    assert "compared: with 40 classes" in filtered.out
    assert "write key=value" in fails("identify", tmp_path / "g", tmp_path / "0.png", "--where", "kind")
