"""WordNet's data files as entries."""

from __future__ import annotations

from pathlib import Path

import pytest

from lowshot.data import wordnet
from lowshot.data.wordnet import Entry, definitions, entries
from lowshot.errors import DataNotFound

LINES = {
    "noun": '00001 03 n 02 Dwarf 0 small_one 0 001 @ 00002 n 0000 | a small plant; "the ___ grew"; "dwarfs grow"  ',
    "verb": "00003 29 v 01 grow 1 000 01 + 02 00 | become larger  ",
    "adj": "00005 00 a 01 tiny_one 0 000 | of no single word  ",
    "adv": "00004 00 r 01 fast(p) 0 000 | quickly  ",
}


def test_entries_are_words_definition_and_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWSHOT_DATA", str(tmp_path))
    (tmp_path / "wordnet").mkdir()
    for part, line in LINES.items():
        (tmp_path / "wordnet" / f"data.{part}").write_text(f"  1 a license  \n{line}\n", encoding="latin-1")
    found = entries()
    assert found == [
        Entry(("dwarf",), "a small plant", ("the ___ grew", "dwarfs grow"), "noun"),
        Entry(("grow",), "become larger", (), "verb"),
        Entry(("fast",), "quickly", (), "adv"),
    ]
    assert found[0].lines == ("dwarf: a small plant", "the ___ grew", "dwarfs grow")


def test_definitions_do_not_spell_their_words() -> None:
    known = [
        Entry(("cat", "kitty"), "a feline", ("a cat!",), "noun"),
        Entry(("dog", "hound"), "a Dog-like", (), "noun"),
    ]
    expected = [("cat", "___ is a feline"), ("kitty", "___ is a feline"), ("hound", "___ is a Dog-like")]
    assert definitions(known) == expected


def test_where_it_is_missing_it_says_how_to_come_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWSHOT_DATA", str(tmp_path))
    monkeypatch.setenv("LOWSHOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(wordnet, "_DEBIAN", tmp_path / "debian")
    with pytest.raises(DataNotFound, match="wordnet-base"):
        entries()
