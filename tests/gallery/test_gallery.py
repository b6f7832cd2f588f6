"""The gallery as a user meets it, on a tiny encoder whose features can be computed by hand."""

from __future__ import annotations

import io
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.neighbors import NearestCentroid

from lowshot import Encoder, Examples, Gallery
from lowshot.data.files import FileSet
from lowshot.errors import BadFiles, ConfigError, EncoderError, GalleryError, ShapeError


def _drawings(seed: int, classes: int = 5, items: int = 4) -> tuple[Any, list[str]]:
    """Noisy copies of random 8×8 patterns, and their labels."""
    rng = np.random.default_rng(seed)
    patterns = rng.integers(0, 256, (classes, 8, 8))
    codes = np.repeat(np.arange(classes), items)
    noisy = np.clip(patterns[codes] + rng.normal(0, 25, (len(codes), 8, 8)), 0, 255)
    return noisy.astype(np.uint8), [f"class {c}" for c in codes]


def _png(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "my.gallery"


@pytest.fixture
def gallery(path: Path, tiny_encoder: Encoder) -> Iterator[Gallery]:
    with Gallery.open(path, tiny_encoder, create=True) as opened:
        yield opened


class TestIdentify:
    def test_noisy_copies_are_recognized(self, gallery: Gallery) -> None:
        drawings, labels = _drawings(0)
        support = np.arange(len(labels)) % 4 < 2
        gallery.enroll(list(drawings[support]), [x for x, s in zip(labels, support, strict=True) if s])
        answers = gallery.identify(list(drawings[~support]))
        assert [a.candidates[0].label for a in answers] == [x for x, s in zip(labels, support, strict=True) if not s]
        assert np.mean([a.unknown for a in answers]) < 0.2

    def test_strangers_are_unknown(self, gallery: Gallery) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        strangers = gallery.identify(list(_drawings(1)[0]))
        assert np.mean([a.unknown for a in strangers]) > 0.8
        assert all(a.label is None and a.confidence > 0.5 for a in strangers if a.unknown)

    @pytest.mark.parametrize("compare", ["prototype", "neighbor"])
    @pytest.mark.parametrize("distance", ["euclidean", "cosine", "l1"])
    def test_the_card_says_how_to_compare(self, tmp_path: Path, tiny_model: Any, compare: str, distance: str) -> None:
        encoder = Encoder(tiny_model(compare=compare, distance=distance))
        drawings, labels = _drawings(2)
        queries = list(np.random.default_rng(3).integers(0, 256, (30, 8, 8)).astype(np.uint8))
        with Gallery.open(tmp_path / "g", encoder, create=True) as gallery:
            gallery.enroll(list(drawings), labels)
            answers = gallery.identify(queries, top=1)
        far = _class_distances(
            encoder.embed(encoder.read(queries)), encoder.embed(encoder.read(list(drawings))), labels, compare, distance
        )
        assert [a.candidates[0].label for a in answers] == [f"class {c}" for c in far.argmin(axis=1)]

    def test_prototypes_answer_as_scikit_learn(self, gallery: Gallery, tiny_encoder: Encoder) -> None:
        drawings, labels = _drawings(4)
        gallery.enroll(list(drawings), labels)
        queries = list(np.random.default_rng(5).integers(0, 256, (50, 8, 8)).astype(np.uint8))
        theirs = NearestCentroid().fit(tiny_encoder.embed(tiny_encoder.read(list(drawings))), labels)
        # On unit features the nearest by cosine is the nearest prototype at unit length.
        theirs.centroids_ /= np.linalg.norm(theirs.centroids_, axis=1, keepdims=True)
        want = theirs.predict(tiny_encoder.embed(tiny_encoder.read(queries))).tolist()
        assert [a.candidates[0].label for a in gallery.identify(queries)] == want

    def test_scores_and_the_chance_of_unknown_sum_to_one(self, gallery: Gallery) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        for answer in gallery.identify([*_drawings(0)[0], *_drawings(1)[0]], top=99):
            scores = [c.score for c in answer.candidates]
            assert len(scores) == 5
            assert scores == sorted(scores, reverse=True)
            unknown = 1 - sum(scores)
            assert answer.known == pytest.approx(1 - unknown, abs=1e-5)
            assert answer.unknown == (unknown > 0.5)
            assert answer.confidence == pytest.approx(unknown if answer.unknown else scores[0], abs=1e-5)

    def test_the_examples_that_decided_come_with_their_distance(self, gallery: Gallery, tiny_encoder: Encoder) -> None:
        drawings, labels = _drawings(0, items=8)
        ids = gallery.enroll(list(drawings), labels, names=[f"{i}.png" for i in range(len(labels))])
        answer = gallery.identify([drawings[11]])[0]
        features = tiny_encoder.embed(tiny_encoder.read(list(drawings)))
        far = 1 - features @ features[11]
        nearest = [i for i in np.argsort(far) if labels[i] == labels[11]][:5]
        assert [m.id for m in answer.examples] == [ids[i] for i in nearest]
        assert [m.name for m in answer.examples] == [f"{i}.png" for i in nearest]
        assert {m.label for m in answer.examples} == {labels[11]}
        np.testing.assert_allclose([m.distance for m in answer.examples], far[nearest], atol=1e-5)

    def test_top_limits_the_candidates(self, gallery: Gallery) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        assert len(gallery.identify(_drawings(0)[0][:1], top=2)[0].candidates) == 2
        with pytest.raises(ConfigError, match="top"):
            gallery.identify(_drawings(0)[0][:1], top=0)

    def test_no_pictures_no_answers(self, gallery: Gallery) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        assert gallery.identify([]) == []

    def test_an_empty_gallery_says_so(self, gallery: Gallery) -> None:
        with pytest.raises(GalleryError, match="empty: enroll"):
            gallery.identify([_drawings(0)[0][0]])

    def test_one_example_in_all_gives_an_open_answer(self, gallery: Gallery) -> None:
        gallery.enroll([_drawings(0)[0][0]], ["only"])
        answer = gallery.identify([_drawings(0)[0][1]])[0]
        assert (answer.label, answer.confidence) == ("only", 0.5)

    def test_bad_queries_are_all_listed(self, gallery: Gallery, tmp_path: Path) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        with pytest.raises(BadFiles, match="2 of 3") as caught:
            gallery.identify([b"no picture", _drawings(0)[0][0], tmp_path / "missing.png"])
        assert len(caught.value.problems) == 2

    def test_the_encoders_background_makes_one_shot_unknowns_reliable(self, tmp_path: Path, tiny_model: Any) -> None:
        drawings, labels = _drawings(9, classes=80)
        encoder = Encoder(tiny_model())
        features = encoder.embed(encoder.read(list(drawings)))
        background = features, np.array([int(label.split()[1]) for label in labels])
        with Gallery.open(tmp_path / "g", Encoder(tiny_model(background=background)), create=True) as gallery:
            known, names = _drawings(0, classes=10)
            gallery.enroll(list(known[::4]), names[::4])
            accepted = [not a.unknown for a in gallery.identify(list(known[1::4]))]
            refused = [a.unknown for a in gallery.identify(list(_drawings(1, classes=10)[0]))]
        assert np.mean(accepted) > 0.8
        assert np.mean(refused) > 0.8


def _class_distances(queries: Any, references: Any, labels: list[str], compare: str, distance: str) -> Any:
    """(queries, classes), by plain loops."""
    measure: dict[str, Callable[[Any, Any], Any]] = {
        "euclidean": lambda a, b: np.square(a - b).sum(),
        "cosine": lambda a, b: 1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b),
        "l1": lambda a, b: np.abs(a - b).sum(),
    }
    far = np.zeros((len(queries), len(set(labels))))
    for row, query in enumerate(queries):
        for column, label in enumerate(sorted(set(labels))):
            members = references[np.array(labels) == label]
            if compare == "prototype":
                members = members.mean(axis=0, keepdims=True)
            far[row, column] = min(measure[distance](query, member) for member in members)
    return far


class TestEnroll:
    def test_every_kind_of_picture(self, gallery: Gallery, tmp_path: Path) -> None:
        drawings = _drawings(0)[0]
        for name, pixels in zip("ab", drawings, strict=False):
            (tmp_path / f"{name}.png").write_bytes(_png(pixels))
        last = Image.fromarray(drawings[3]), drawings[4]
        pictures = [tmp_path / "a.png", str(tmp_path / "b.png"), _png(drawings[2]), *last]
        ids = gallery.enroll(pictures, ["same"] * 5, attributes=[{"kind": str(i)} for i in range(5)])
        records = gallery.examples("same")
        assert [r.id for r in records] == ids
        assert [r.name for r in records] == ["a.png", "b.png", "", "", ""]
        assert [r.attributes for r in records] == [{"kind": str(i)} for i in range(5)]
        assert all(r.added.utcoffset() is not None for r in records)
        nearest = [answer.examples[0] for answer in gallery.identify(list(drawings[:5]))]
        assert [match.id for match in nearest] == ids
        np.testing.assert_allclose([match.distance for match in nearest], 0, atol=1e-6)

    def test_files_are_kept_as_they_are_and_pixels_without_loss(self, gallery: Gallery) -> None:
        pixels = _drawings(0)[0][0]
        photo = io.BytesIO()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3)).astype(np.uint8)).save(photo, "JPEG")
        cmyk = Image.new("CMYK", (5, 5), (10, 20, 30, 40))
        ids = gallery.enroll([photo.getvalue(), pixels, pixels[..., None], cmyk], ["a", "b", "c", "d"])
        assert gallery.original(ids[0]) == photo.getvalue()
        for id in ids[1:3]:
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(gallery.original(id)))), pixels)
        assert Image.open(io.BytesIO(gallery.original(ids[3]))).size == (5, 5)
        with pytest.raises(GalleryError, match="no example 99"):
            gallery.original(99)

    def test_packed_examples_keep_their_names_and_attributes(self, gallery: Gallery) -> None:
        drawings, labels = _drawings(0)
        classes, codes = np.unique(labels, return_inverse=True)
        examples = Examples(
            drawings[..., None],
            codes.astype(np.int64),
            tuple(map(str, classes)),
            tuple(f"{i}.png" for i in range(len(labels))),
            {"drawer": np.array([str(i % 4) for i in range(len(labels))])},
        )
        ids = gallery.enroll_examples(examples)
        assert gallery.classes() == dict.fromkeys(classes, 4)
        assert [(r.id, r.label, r.name, r.attributes["drawer"]) for r in gallery.examples()] == [
            (ids[i], labels[i], f"{i}.png", str(i % 4)) for i in range(len(labels))
        ]

    def test_a_folder_of_files_is_kept_as_it_is(self, gallery: Gallery, tmp_path: Path) -> None:
        contents = {
            f"{label}/{i}.png": _png(pixels) for i, (pixels, label) in enumerate(zip(*_drawings(0), strict=True))
        }
        for name, content in contents.items():
            (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / name).write_bytes(content)
        gallery.enroll_files(FileSet.open(tmp_path / "set"))
        kept = {f"{r.label}/{Path(r.name).name}": gallery.original(r.id) for r in gallery.examples()}
        assert kept == contents

    def test_one_bad_file_and_nothing_is_written(self, gallery: Gallery, tmp_path: Path) -> None:
        good = _drawings(0)[0][0]
        (tmp_path / "cut.png").write_bytes(_png(good)[:40])
        (tmp_path / "empty.png").touch()
        with pytest.raises(BadFiles) as caught:
            gallery.enroll([good, tmp_path / "cut.png", tmp_path / "empty.png"], ["a", "b", "c"])
        assert [Path(name).name for name, _ in caught.value.problems] == ["cut.png", "empty.png"]
        assert len(gallery) == 0

    @pytest.mark.parametrize(
        "label",
        ["", "  ", " a", "a\n", "a\x00b", "tab\tbed", "\ud800", "x" * 201, 7, None, "line\u2028break"],
        ids=repr,
    )
    def test_labels_that_cannot_be_are_refused(self, gallery: Gallery, label: Any) -> None:
        drawings = list(_drawings(0)[0][:2])
        with pytest.raises(GalleryError, match="label"):
            gallery.enroll(drawings, ["fine", label])
        assert len(gallery) == 0

    @pytest.mark.parametrize("label", ["é", "日本", "👩‍🏫 teacher", "a/b?c=d", "'; DROP TABLE examples; --", "x" * 200])
    def test_other_labels_come_back_as_they_are(self, gallery: Gallery, label: str) -> None:
        gallery.enroll([_drawings(0)[0][0]], [label])
        assert gallery.classes() == {label: 1}
        assert gallery.identify([_drawings(0)[0][0]])[0].candidates[0].label == label
        assert gallery.remove_class(label) == 1

    def test_attributes_that_are_no_text_are_refused(self, gallery: Gallery) -> None:
        with pytest.raises(GalleryError, match="not all text"):
            gallery.enroll([_drawings(0)[0][0]], ["a"], attributes=[{"year": 2015}])  # type: ignore[dict-item]
        assert len(gallery) == 0

    @pytest.mark.parametrize(
        "bad", [{"names": [1]}, {"names": [None]}, {"names": "x"}, {"attributes": [None]}], ids=repr
    )
    def test_names_and_attributes_of_another_kind_are_refused(self, gallery: Gallery, bad: dict[str, Any]) -> None:
        with pytest.raises(GalleryError, match=r"cannot be|list of names"):
            gallery.enroll([_drawings(0)[0][0]], ["a"], **bad)
        assert len(gallery) == 0

    def test_what_is_embedded_and_what_is_kept_are_the_same_bytes(self, gallery: Gallery) -> None:
        """A file that changes after it was read: each read gives another drawing."""
        contents = iter([_png(pixels) for pixels in _drawings(0)[0]])

        class Changing:
            def read_bytes(self) -> bytes:
                return next(contents)

        (id,) = gallery.enroll([Changing()], ["a"])
        match = gallery.identify([gallery.original(id)])[0].examples[0]
        assert match.distance == pytest.approx(0, abs=1e-6)

    def test_every_label_that_cannot_be_is_listed_with_its_picture(self, gallery: Gallery, tmp_path: Path) -> None:
        bad = {" a": "space", "b\tc": "control", "x" * 201: "201 characters"}
        with pytest.raises(GalleryError, match="3 of 4 labels") as caught:
            gallery.enroll(list(_drawings(0)[0][:5]), ["fine", *bad, " a"], names=[f"{i}.png" for i in range(5)])
        message = str(caught.value)
        assert all(f"{i}.png: the label" in message for i in (1, 2, 3)) and "4.png" not in message
        assert all(why in message for why in bad.values())
        with pytest.raises(GalleryError, match="and 3 more"):
            gallery.enroll(list(_drawings(0)[0][:13]), [" " * i for i in range(13)])

    def test_doing_it_twice_changes_nothing(self, gallery: Gallery) -> None:
        drawings, labels = _drawings(0)
        ids = gallery.enroll(list(drawings), labels, names=[f"{i}" for i in range(20)])
        before = gallery.examples()
        assert gallery.enroll([*drawings, _png(drawings[0])], [*labels, labels[0]]) == [*ids, ids[0]]
        assert gallery.examples() == before
        assert gallery.enroll([drawings[0]], ["another label"]) == [ids[-1] + 1]

    def test_lists_of_unequal_length_are_refused(self, gallery: Gallery) -> None:
        drawings = list(_drawings(0)[0][:2])
        with pytest.raises(ShapeError, match="2 items but 1 labels"):
            gallery.enroll(drawings, ["a"])
        with pytest.raises(ShapeError, match="2 items but 3 names"):
            gallery.enroll(drawings, ["a", "b"], names=["x", "y", "z"])
        with pytest.raises(ShapeError, match="2 items but 1 attributes"):
            gallery.enroll(drawings, ["a", "b"], attributes=[{}])

    def test_one_picture_alone_is_refused_and_not_taken_apart(self, gallery: Gallery) -> None:
        with pytest.raises(ShapeError, match="list of items"):
            gallery.enroll("ab", ["x", "y"])
        with pytest.raises(GalleryError, match="list of labels"):
            gallery.enroll([_drawings(0)[0][0]], "x")
        with pytest.raises(ShapeError, match="list of items"):
            gallery.identify(b"png")  # type: ignore[arg-type]

    def test_nothing_to_enroll_is_no_error(self, gallery: Gallery) -> None:
        assert gallery.enroll([], []) == []

    def test_file_names_that_are_no_text_are_kept_readable(self, gallery: Gallery) -> None:
        gallery.enroll([_drawings(0)[0][0]], ["a"], names=["caf\udce9.png"])
        assert gallery.examples()[0].name == "caf?.png"

    def test_features_that_are_no_numbers_are_refused(self, tmp_path: Path, tiny_model: Any) -> None:
        encoder = Encoder(tiny_model(scale=7e37))  # too large for float32
        with Gallery.open(tmp_path / "g", encoder, create=True) as gallery:
            with pytest.raises(GalleryError, match="no numbers"):
                gallery.enroll([_drawings(0)[0][0]], ["a"])
            assert len(gallery) == 0


class TestRemove:
    def test_what_is_removed_no_longer_decides(self, gallery: Gallery) -> None:
        drawings, labels = _drawings(0)
        ids = gallery.enroll(list(drawings), labels)
        assert gallery.identify([drawings[0]])[0].candidates[0].label == "class 0"
        assert gallery.remove(ids[:3]) == 3
        assert gallery.classes()["class 0"] == 1
        assert [m.id for m in gallery.identify([drawings[3]])[0].examples] == [ids[3]]
        assert gallery.remove_class("class 1") == 4
        assert {c.label for c in gallery.identify([drawings[4]])[0].candidates} == {
            "class 0",
            "class 2",
            "class 3",
            "class 4",
        }
        gallery.remove([ids[3]])
        assert "class 0" not in gallery.classes()
        with pytest.raises(GalleryError, match=f"no example {ids[3]}"):
            gallery.original(ids[3])

    def test_all_or_nothing(self, gallery: Gallery) -> None:
        ids = gallery.enroll(*map(list, _drawings(0)))
        with pytest.raises(GalleryError, match="no example 999"):
            gallery.remove([ids[0], 999])
        with pytest.raises(GalleryError, match="no class 'nobody'"):
            gallery.remove_class("nobody")
        for beyond in (2**70, -1):
            with pytest.raises(GalleryError):
                gallery.remove([beyond])
        with pytest.raises(GalleryError):
            gallery.remove_class("\ud800")
        assert len(gallery) == len(ids)

    def test_ids_are_never_used_again(self, gallery: Gallery) -> None:
        drawings, labels = _drawings(0)
        ids = gallery.enroll(list(drawings), labels)
        gallery.remove(ids)
        with pytest.raises(GalleryError, match="empty"):
            gallery.identify([drawings[0]])
        assert min(gallery.enroll(list(drawings), labels)) > max(ids)
        assert gallery.identify([drawings[0]])[0].candidates[0].label == "class 0"

    @settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        steps=st.lists(st.tuples(st.sampled_from(["add", "remove", "class", "ask"]), st.integers(0, 99)), max_size=12)
    )
    @pytest.mark.parametrize("compare", ["prototype", "neighbor"])
    def test_any_history_answers_as_a_gallery_reopened(
        self, tmp_path: Path, tiny_model: Any, compare: str, steps: list[tuple[str, int]]
    ) -> None:
        drawings, labels = _drawings(6)
        (path := tmp_path / "g").unlink(missing_ok=True)
        encoder = Encoder(tiny_model(compare=compare))
        with Gallery.open(path, encoder, create=True) as gallery:
            gallery.enroll(list(drawings[::4]), labels[::4])
            for what, number in steps:
                if what == "add":
                    gallery.enroll([drawings[number % 20]], [labels[number % 20]])
                elif what == "ask":
                    gallery.identify([drawings[number % 20]])
                elif len(gallery) > 3:
                    record = gallery.examples()[number % len(gallery)]
                    if what == "remove":
                        gallery.remove([record.id])
                    elif len(gallery.classes()) > 1:
                        gallery.remove_class(record.label)
            answers = gallery.identify(list(drawings), top=3)
            with Gallery.open(path, encoder) as again:
                for one, other in zip(answers, again.identify(list(drawings), top=3), strict=True):
                    assert one.unknown == other.unknown or abs(one.confidence - 0.5) < 1e-3
                    assert [c.label for c in one.candidates] == [c.label for c in other.candidates]
                    np.testing.assert_allclose(
                        [c.score for c in one.candidates], [c.score for c in other.candidates], atol=1e-3
                    )


class _Interrupting:
    def read_bytes(self) -> bytes:
        raise KeyboardInterrupt


class TestOpen:
    def test_it_remembers_its_encoder(self, path: Path, tmp_path: Path, tiny_model: Any) -> None:
        (tmp_path / "tiny.onnx").write_bytes(tiny_model())
        drawings, labels = _drawings(0)
        with Gallery.open(path, tmp_path / "tiny.onnx", create=True) as gallery:
            gallery.enroll(list(drawings), labels)
        with Gallery.open(path) as gallery:
            assert gallery.encoder.card.name == "tiny"
            assert len(gallery) == len(labels)
            assert gallery.identify([drawings[0]])[0].candidates[0].label == "class 0"

    def test_an_encoder_that_moved_is_found_beside_the_gallery_or_given(self, tmp_path: Path, tiny_model: Any) -> None:
        for name in ("there", "elsewhere"):
            (tmp_path / name).mkdir()
        file, path = tmp_path / "there" / "tiny.onnx", tmp_path / "my.gallery"
        file.write_bytes(tiny_model())
        drawings, labels = _drawings(0)
        with Gallery.open(path, file, create=True) as gallery:
            gallery.enroll(list(drawings), labels)

        def asked(encoder: Path | None = None) -> str:
            with Gallery.open(path, encoder) as gallery:
                return gallery.identify([drawings[0]])[0].candidates[0].label

        beside = file.rename(tmp_path / "tiny.onnx")
        assert asked() == "class 0"
        moved = beside.rename(tmp_path / "elsewhere" / "renamed.onnx")
        with pytest.raises(EncoderError, match=rf"'tiny' of .* is neither {file} nor beside .*--encoder FILE"):
            asked()
        assert asked(moved) == "class 0"  # and is remembered
        assert asked() == "class 0"
        copy = tmp_path / "copy.onnx"
        copy.write_bytes(moved.read_bytes())
        assert asked(copy) == "class 0"  # but a copy is not, while the other is there
        copy.unlink()
        assert asked() == "class 0"
        moved.write_bytes(tiny_model(seed=1))
        with pytest.raises(GalleryError, match="belongs to the encoder 'tiny'"):
            asked()

    def test_what_it_holds_is_known_without_its_encoder(
        self, path: Path, tmp_path: Path, tiny_model: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "tiny.onnx").write_bytes(tiny_model())
        with Gallery.open(path, tmp_path / "tiny.onnx", create=True) as gallery:
            ids = gallery.enroll(*map(list, _drawings(0)))
            fingerprint = gallery.encoder.fingerprint
        monkeypatch.setattr(Encoder, "load", None)
        with Gallery.open(path) as gallery:
            assert (gallery.card.name, gallery.fingerprint) == ("tiny", fingerprint)
            assert len(gallery.examples("class 0")) == 4 and "tiny" in repr(gallery)
            gallery.remove(ids)
            with pytest.raises(GalleryError, match="empty: enroll"):
                gallery.identify([_drawings(0)[0][0]])

    def test_an_encoder_object_has_to_be_given_again(
        self, gallery: Gallery, path: Path, tmp_path: Path, tiny_model: Any
    ) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        with Gallery.open(path) as again, pytest.raises(GalleryError, match="encoder object 'tiny'"):
            again.identify([_drawings(0)[0][0]])
        (tmp_path / "saved.onnx").write_bytes(tiny_model())
        Gallery.open(path, tmp_path / "saved.onnx").close()
        with Gallery.open(path) as again:
            assert again.identify([_drawings(0)[0][0]])[0].candidates[0].label == "class 0"

    def test_a_damaged_card_is_named(self, gallery: Gallery, path: Path) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        with sqlite3.connect(path) as raw:
            raw.execute("UPDATE meta SET value = '{}' WHERE key = 'card'")
        raw.close()
        with pytest.raises(GalleryError, match="damaged"):
            Gallery.open(path)

    def test_a_gallery_in_a_read_only_folder_answers(self, sealed: Any, tiny_model: Any) -> None:
        folder, seal = sealed
        drawings, labels = _drawings(0)
        with Gallery.open(folder / "g", Encoder(tiny_model()), create=True) as gallery:
            gallery.enroll(list(drawings), labels)
        (folder / "tiny.onnx").write_bytes(tiny_model())
        seal()
        with Gallery.open(folder / "g", folder / "tiny.onnx") as gallery:  # whose place cannot be remembered
            assert gallery.identify([drawings[0]])[0].candidates[0].label == "class 0"
            with pytest.raises(GalleryError, match="read-only"):
                gallery.enroll([drawings[0]], ["new"])

    def test_no_file_is_left_where_nothing_was_enrolled(self, path: Path, tiny_encoder: Encoder) -> None:
        with pytest.raises(KeyboardInterrupt), Gallery.open(path, tiny_encoder, create=True) as gallery:
            gallery.enroll([_Interrupting()], ["a"])
        assert list(path.parent.iterdir()) == []

    def test_another_encoders_gallery_is_refused(self, gallery: Gallery, path: Path, tiny_model: Any) -> None:
        gallery.enroll([], [])
        with pytest.raises(GalleryError, match=r"belongs to the encoder 'tiny' .*not to 'other'"):
            Gallery.open(path, Encoder(tiny_model(seed=1, name="other")))

    def test_a_card_with_new_measurements_is_the_same_encoder(
        self, gallery: Gallery, path: Path, tiny_model: Any
    ) -> None:
        gallery.enroll([], [])
        Gallery.open(path, Encoder(tiny_model(measured=({"accuracy": 0.9},)))).close()

    def test_a_missing_gallery_is_not_made_by_accident(self, path: Path, tiny_encoder: Encoder) -> None:
        with pytest.raises(GalleryError, match=r"no gallery .*my\.gallery"):
            Gallery.open(path, tiny_encoder)
        assert not path.exists()

    def test_no_file_is_left_where_the_encoder_is_missing(self, path: Path) -> None:
        with pytest.raises(EncoderError):
            Gallery.open(path, "nobody", create=True)
        assert not path.exists()

    def test_creating_twice_opens_the_first(self, gallery: Gallery, path: Path, tiny_encoder: Encoder) -> None:
        gallery.enroll(*map(list, _drawings(0)))
        with Gallery.open(path, tiny_encoder, create=True) as again:
            assert len(again) == 20

    def test_closed_galleries_refuse(self, gallery: Gallery) -> None:
        gallery.close()
        gallery.close()
        with pytest.raises(GalleryError, match="closed"):
            gallery.classes()


def test_threads_share_one_gallery(gallery: Gallery) -> None:
    drawings, labels = _drawings(0, classes=8)
    gallery.enroll(list(drawings[::4]), labels[::4])
    errors: list[BaseException] = []

    def work(start: int) -> None:
        try:
            for i in range(start, 32, 4):
                gallery.enroll([drawings[i]], [labels[i]])
                assert gallery.identify([drawings[i]])[0].candidates[0].label == labels[i]
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(gallery) == 32


def test_two_connections_see_each_other_at_the_next_query(gallery: Gallery, path: Path, tiny_encoder: Encoder) -> None:
    drawings, labels = _drawings(0)
    ids = gallery.enroll(list(drawings[:6]), labels[:6])
    with Gallery.open(path, tiny_encoder) as other:
        gallery.enroll(list(drawings[6:8]), labels[6:8])
        assert other.identify([drawings[0]])[0].examples[0].id == ids[0]
        other.remove_class("class 0")
        new = other.enroll([drawings[12]], [labels[12]])
        assert gallery.identify([drawings[12]])[0].examples[0].id == new[0]
        assert {c.label for c in gallery.identify([drawings[0]])[0].candidates} == {"class 1", "class 3"}


def test_a_feature_of_the_wrong_length_is_damage(gallery: Gallery, path: Path) -> None:
    gallery.enroll(*map(list, _drawings(0)))
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE examples SET feature = x'00' WHERE id = 3")
    raw.close()
    with pytest.raises(GalleryError, match="damaged"):
        gallery.identify([_drawings(0)[0][0]])
