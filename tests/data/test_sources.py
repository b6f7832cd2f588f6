from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from lowshot.data import ImageForm, datasets, load, modality_of
from lowshot.errors import DataError

FORM = ImageForm(height=8, width=8, channels=1)
COLORS = ("x,y", "a&b+c?", "100%")


@pytest.fixture
def animals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of class folders in the working folder: one cat, two dogs, three owls, all black."""
    for count, name in enumerate(("cat", "dog", "owl"), start=1):
        (tmp_path / "animals" / name).mkdir(parents=True)
        for i in range(count):
            Image.new("L", (8, 8)).save(tmp_path / "animals" / name / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "animals"


def test_every_name_is_described() -> None:
    names = datasets()
    assert {"omniglot", "omniglot:background", "omniglot:vinyals-test", "lfw", "digits", "glyphs"} <= set(names)
    assert all(about and "\n" not in about for about in names.values())


def test_a_folder_by_text_or_path(animals: Path) -> None:
    for spec in ("animals", "./animals", animals, Path("animals"), f"{animals}/"):
        examples = load(spec, FORM)
        assert examples.classes == ("cat", "dog", "owl")
        assert examples.counts.tolist() == [1, 2, 3]


def test_a_name_wins_over_a_folder_of_that_name(animals: Path) -> None:
    animals.rename("digits")
    assert len(load("digits", FORM)) == 1797
    for spec in ("./digits", Path("digits")):
        assert load(spec, FORM).classes == ("cat", "dog", "owl")


def test_a_file_name_may_hold_the_signs_of_the_language(animals: Path) -> None:
    animals.rename("a+b?c=d")
    assert len(load("a+b?c=d", FORM)) == 6


def test_percent_signs_stand_for_the_signs_of_the_language(animals: Path, tmp_path: Path) -> None:
    animals.rename("a+b?c")
    rows = "".join(f'a+b?c/owl/0.png,owl,"{color}"\n' for color in COLORS)
    (tmp_path / "t.csv").write_text(f"path,label,two+two\n{rows}")
    assert load("a%2Bb%3Fc?least=2", FORM).classes == ("dog", "owl")
    assert len(load("digits+a%2Bb%3Fc", FORM)) == 1797 + 6
    for color in COLORS:
        chosen = load(f"t.csv?two%2Btwo={quote(color)}", FORM)
        assert chosen.attributes["two+two"].tolist() == [color]
    Path("a+b?c").rename("a%2Bb")
    assert len(load("a%2Bb?least=3", FORM)) == 3, "what exists as it is written is meant"


def test_plus_merges(animals: Path) -> None:
    merged = load("digits?classes=0:0.5+animals", FORM)
    assert len(merged) == 901 + 6
    assert merged.classes[-3:] == ("cat", "dog", "owl")
    assert (merged.items[-6:] == 0).all()


def test_filters() -> None:
    training, rest = load("digits?classes=0:0.7"), load("digits?classes=0.7:1")
    assert len(training.classes) == 7
    assert sorted(training.classes + rest.classes) == list("0123456789")
    assert len(training) + len(rest) == 1797
    assert load("digits?least=182").classes == ("1", "3", "5")
    assert load("digits?most=177").classes == load("digits?most=177&most=178").classes == ("2", "8")
    assert load("digits?least=182&classes=0:0.4").classes[0] in {"1", "3", "5"}


def test_filters_by_attribute(data_folder: Path) -> None:
    greek = load("omniglot:background?alphabet=Greek,Latin&drawer=01", ImageForm(height=28, width=28, channels=1))
    assert len(greek) == len(greek.classes) == 24 + 26
    assert set(greek.attributes["alphabet"]) == {"Greek", "Latin"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "no data ''"),
        ("digits+", "no data ''"),
        ("nowhere", "no data 'nowhere': give a folder, a zip, a CSV table, or one of omniglot, lfw, clothing"),
        (Path("nowhere"), "no data 'nowhere'"),
        ("x" * 5000, "no data 'xxx"),
        ("~nobody-of-this-name/x", "no data '~nobody"),
        ("nul\0byte", "no data"),
        ("omniglot:backgrund", "omniglot has no part 'backgrund'; there are: omniglot, omniglot:background"),
        ("digits:odd", "digits has no part 'odd'; there are: digits"),
        ("digits?odd", "'odd' in 'digits[?]odd' is no filter"),
        ("digits?classes=half", "classes=half cannot be read: write classes=0:0.8"),
        ("digits?classes=0.5", "classes=0.5 cannot be read"),
        ("digits?classes=nan:1", "empty or outside 0:1"),
        ("digits?least=two", "least=two cannot be read"),
        ("digits?least=999", "no class has 999 items; the largest has 183"),
        ("digits?color=red", "no attribute 'color'"),
        ("digits?self=1", "no attribute 'self'"),
        ("digits?self!=1", "no attribute 'self'"),
    ],
)
def test_what_cannot_be_loaded_says_why(spec: str | Path, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        load(spec)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("spec", "modality"),
    [
        ("digits", "image"),
        ("fsdd:speakers?speaker=theo", "sound"),
        ("speech_commands+fsdd", "sound"),
        ("words.csv", "text"),
        ("./words.csv?label=a", "text"),
        ("animals", "image"),
        ("anim%61ls?least=2", "image"),
    ],
)
def test_what_data_are_is_known_before_they_are_loaded(spec: str, modality: str, animals: Path) -> None:
    Path("words.csv").write_text("text,label\nhello,a\n")
    assert modality_of(spec) == modality
    for wrong in ("nowhere", "nowhere?a=b", ""):
        with pytest.raises(DataError, match="no data '"):
            modality_of(wrong)


def test_merging_needs_one_form() -> None:
    assert load("digits+digits", FORM).items.shape == (2 * 1797, 8, 8, 1)
    native = ImageForm(height=32, width=32, channels=1)
    assert np.array_equal(load("digits").items, load("digits", native).items)


def test_without_a_form_all_follow_the_first(animals: Path) -> None:
    """By itself a folder is loaded in color."""
    assert load("animals").items.shape == (6, 84, 84, 3)
    assert load("digits+animals").items.shape == (1797 + 6, 32, 32, 1)
    assert load("animals+digits").items.shape == (6 + 1797, 84, 84, 3)
