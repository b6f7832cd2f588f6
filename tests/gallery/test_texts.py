"""A gallery of texts does what one of pictures does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lowshot import Encoder, Gallery, load
from lowshot.data.files import FileSet
from lowshot.errors import BadFiles, GalleryError, ShapeError
from lowshot.gallery import moving
from lowshot.gallery.check import check
from lowshot.recognize import NearestPrototype

WORDS = "what is my balance money left will it rain snow tomorrow tell a joke make me laugh account"
TABLE = """text,label,topic
what is my balance,balance,money
how much money is left,balance,money
will it rain tomorrow,weather,world
"will it snow, tomorrow",weather,world
tell me a joke,joke,fun
make me laugh,joke,fun
"""


@pytest.fixture
def encoder(tmp_path: Path, tiny_text_model: Callable[..., bytes]) -> Path:
    (file := tmp_path / "tiny.onnx").write_bytes(tiny_text_model(WORDS))
    return file


@pytest.fixture
def table(tmp_path: Path) -> FileSet:
    (tmp_path / "intents.csv").write_text(TABLE)
    return FileSet.open(tmp_path / "intents.csv")


@pytest.fixture
def gallery(tmp_path: Path, encoder: Path, table: FileSet) -> Gallery:
    gallery = Gallery.open(tmp_path / "my.gallery", encoder, create=True)
    gallery.enroll_files(table)
    return gallery


def test_answers_are_the_nearest_classes(gallery: Gallery, tmp_path: Path) -> None:
    encoder = gallery.encoder
    (file := tmp_path / "query.txt").write_text("please make me laugh\n")
    queries = ["what money is left", file, b"will it rain"]
    prototypes = NearestPrototype("cosine").fit(encoder.embed(load(tmp_path / "intents.csv").items), [*"bbwwjj"])
    nearest = prototypes.predict(encoder.embed(encoder.read(queries))).tolist()
    answers = gallery.identify(queries)
    assert [answer.candidates[0].label[0] for answer in answers] == nearest == ["b", "j", "w"]
    assert answers[0].examples[0].name == f"{tmp_path / 'intents.csv'}, line 3"


def test_texts_are_kept_and_none_twice(gallery: Gallery, table: FileSet) -> None:
    assert gallery.keeps_items
    assert [gallery.original(each.id).decode() for each in gallery.examples()] == list(table.items)
    assert gallery.enroll_files(table) == [each.id for each in gallery.examples()]
    assert gallery.enroll(["what is my balance"], ["money"]) == [7]
    assert gallery.examples("money")[0].name == ""
    assert dict(gallery.examples("joke")[0].attributes) == {"topic": "fun"}


def test_bulk_gives_the_same_and_lists_the_bad(tmp_path: Path, encoder: Path, gallery: Gallery) -> None:
    (tmp_path / "more.csv").write_text(TABLE + f"{'long ' * 3000},joke,fun\n")
    files = FileSet.open(tmp_path / "more.csv")
    with Gallery.open(tmp_path / "bulk.gallery", encoder, create=True) as bulk:
        found = bulk.enroll_bulk(files, workers=0)
        assert (found.new, found.there) == (6, 0)
        assert [(name, "more than 10,000" in why) for name, why in found.bad] == [(files.names[6], True)]
        assert bulk.enroll_bulk(files, workers=0).there == 6
        assert (bulk.held().features == gallery.held().features).all()


def test_all_or_nothing(gallery: Gallery) -> None:
    with pytest.raises(BadFiles, match=r"1 of 2 .*text 1 \(' '\): it is empty"):
        gallery.enroll(["fine", " "], ["a", "b"])
    assert len(gallery) == 6
    with pytest.raises(ShapeError, match="give a list of items"):
        gallery.identify("what is my balance")


def test_moving_and_checking(
    gallery: Gallery, table: FileSet, tmp_path: Path, tiny_text_model: Callable[..., bytes]
) -> None:
    pytest.importorskip("pyarrow")
    newer = Encoder(tiny_text_model(WORDS, features=9, seed=1))
    moving.copy(gallery.place, str(tmp_path / "copy.gallery"))
    moving.export(gallery.place, tmp_path / "all.parquet")
    moving.import_(tmp_path / "all.parquet", str(tmp_path / "imported.gallery"))
    moving.migrate(gallery.place, str(tmp_path / "newer.gallery"), newer)
    for name in ("copy", "imported"):
        with Gallery.open(tmp_path / f"{name}.gallery") as same:
            assert [same.original(each.id).decode() for each in same.examples()] == list(table.items)
            assert same.identify(["snow"]) == gallery.identify(["snow"])
    with Gallery.open(tmp_path / "newer.gallery", newer) as migrated:
        assert migrated.held().features.shape == (6, 9)
    assert check(gallery).examples == 6


def test_a_gallery_of_another_modality_is_told_apart(table: FileSet, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / "pictures.gallery", "characters", create=True) as pictures:
        for enroll in (pictures.enroll_files, pictures.enroll_bulk):
            with pytest.raises(GalleryError, match=r"line 2 and the others are texts.*'characters' takes pictures"):
                enroll(table)
        assert not (tmp_path / "pictures.gallery").exists()


def test_a_name_in_words_is_an_example_too(tmp_path: Path, encoder: Path) -> None:
    with Gallery.open(tmp_path / "names.gallery", encoder, create=True) as gallery:
        gallery.enroll(["account balance", "weather tomorrow"], ["account_balance", "weather"], names=["its name"] * 2)
        assert gallery.identify(["what is my balance"])[0].candidates[0].label == "account_balance"
