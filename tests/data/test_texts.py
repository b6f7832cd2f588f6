"""Texts as anyone sends them, brought to one form."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lowshot.data import TextForm
from lowshot.data.forms import blank, check_packed, read_items, shown_item
from lowshot.data.texts import MAX_CHARACTERS, read_texts, readable
from lowshot.errors import BadFiles, ShapeError

FORM = TextForm(tokens=16)


def test_a_string_is_the_text_and_a_path_its_file(tmp_path: Path) -> None:
    (file := tmp_path / "a.txt").write_text("  grüß dich\n", encoding="utf-8")
    (with_mark := tmp_path / "b.txt").write_text("hi", encoding="utf-8-sig")
    texts = read_items([str(file), file, with_mark, "über".encode(), "e\u0301"], FORM)
    assert texts.tolist() == [str(file), "grüß dich", "hi", "über", "é"]
    check_packed(texts, FORM, "a test")


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)))
def test_every_text_comes_back_composed_or_is_refused_as_empty(texts: list[str]) -> None:
    full = [text for text in texts if text.strip()]
    assert read_texts(full).tolist() == [unicodedata.normalize("NFC", text).strip() for text in full]
    empty = [i for i, text in enumerate(texts) if not text.strip()]
    if empty:
        with pytest.raises(BadFiles) as caught:
            read_texts(texts, [f"text {i}" for i in range(len(texts))])
        assert list(caught.value.problems) == [(f"text {i}", "it is empty") for i in empty]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"caf\xe9", "it is not UTF-8"),
        (" \n\t", "it is empty"),
        (b"", "it is empty"),
        ("a\0b", "characters that no text has"),
        ("\ud800", "characters that no text has"),
        ("x" * (MAX_CHARACTERS + 1), "more than 10,000"),
        (Path("missing.txt"), "no such file"),
    ],
)
def test_what_is_no_text_says_why(text: str | bytes | Path, reason: str) -> None:
    with pytest.raises(BadFiles, match=reason):
        read_items(["fine", text], FORM)


def test_errors_show_the_beginning_of_a_text() -> None:
    assert shown_item("a very long sentence about nothing", 3, FORM) == "text 3 ('a very long sentence'…)"
    assert shown_item(b"x", 0, FORM) == "text 0" and shown_item(Path("a/b.txt"), 0, FORM) == "a/b.txt"


def test_forms() -> None:
    assert FORM.modality == "text" and FORM.shape == () and len(blank(FORM)) == 1
    with pytest.raises(ValidationError):
        TextForm(tokens=2)
    for wrong in (read_texts(["a"])[None], blank(FORM).astype("S")):
        with pytest.raises(ShapeError, match=r"takes texts as str_ \(n,\)"):
            check_packed(wrong, FORM, "a test")


def test_names_in_words() -> None:
    assert readable("card_arrival") == "card arrival"
    assert readable("_a__b ") == "a b" and readable("whale 7") == "whale 7"
