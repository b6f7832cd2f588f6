from __future__ import annotations

import json
from pathlib import Path

import pytest

from lowshot.data import SoundForm, clinc150, load
from lowshot.errors import DataError, DataNotFound


@pytest.fixture
def real(data_folder: Path) -> None:
    if not (data_folder / clinc150.FILE).is_file():
        pytest.skip("needs CLINC150: set LOWSHOT_DATA to the folder that holds clinc150/")


@pytest.mark.parametrize(("part", "each"), [("train", 100), ("val", 20), ("test", 30)])
def test_counts_are_the_published_ones(real: None, part: str, each: int) -> None:
    examples = load(f"clinc150:{part}")
    assert examples.counts.tolist() == [each] * 150
    domains = examples.of_classes("domain")
    assert {domains.count(domain) for domain in clinc150.DOMAINS} == {15}
    assert domains[examples.classes.index("pto_request")] == "work"
    assert repr(examples) == f"Examples({150 * each} texts, 150 classes)"


@pytest.mark.parametrize(("part", "number"), [("train", 100), ("val", 100), ("test", 1000)])
def test_sentences_of_no_intent_are_a_class_of_their_own(real: None, part: str, number: int) -> None:
    examples = load(f"clinc150:oos-{part}")
    assert (examples.classes, len(examples)) == (("out of scope",), number)
    both = load(f"clinc150:val+clinc150:oos-{part}")
    assert len(both.classes) == 151 and (both.values("domain") == "").sum() == number


def test_parts_share_no_sentence(real: None) -> None:
    train, test = (set(load(f"clinc150:{part}").items.tolist()) for part in ("train", "test"))
    assert len(train & test) < 0.01 * len(test)


def test_filters_and_other_forms(real: None) -> None:
    assert len(load("clinc150:val?domain=travel").classes) == 15
    with pytest.raises(DataError, match="clinc150 is a set of texts, but sounds are wanted"):
        load("clinc150:val", SoundForm())


def test_another_file_of_that_name_is_refused(no_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (no_data / "clinc150").mkdir()
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    for content in (b"{", json.dumps({"train": []}).encode(), json.dumps({"val": [["one"]]}).encode(), b"[1]"):
        (no_data / clinc150.FILE).write_bytes(content)
        with pytest.raises(DataError, match=r"is not CLINC150's data_full\.json: fetch"):
            load("clinc150:val")


def test_without_the_file_it_says_how_to_get_it(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match=r"data_full\.json is neither in .* not downloaded: fetch"):
        load("clinc150:train")
