from __future__ import annotations

from pathlib import Path

import pytest

from lowshot.data import load
from lowshot.errors import DataError, DataNotFound


def test_counts_are_the_published_ones(data_folder: Path) -> None:
    if not (data_folder / "banking77" / "test.csv").is_file():
        pytest.skip("needs BANKING77: set LOWSHOT_DATA to the folder that holds banking77/")
    train, test = load("banking77:train"), load("banking77:test")
    assert (len(train), len(test), len(train.classes)) == (10_003, 3_080, 77)
    assert test.counts.tolist() == [40] * 77 and train.classes == test.classes
    assert (int(train.counts.min()), int(train.counts.max())) == (35, 187)
    assert test.items[0] == "How do I locate my card?" and test.classes[test.labels[0]] == "card_arrival"


@pytest.mark.parametrize("content", ["text,label\na,b\n", "text,category\n"])
def test_another_table_of_that_name_is_refused(no_data: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    (no_data / "banking77").mkdir()
    (no_data / "banking77" / "test.csv").write_text(content)
    monkeypatch.setenv("LOWSHOT_DATA", str(no_data))
    with pytest.raises(DataError, match="is not BANKING77's table of questions: fetch"):
        load("banking77:test")


def test_without_the_file_it_says_how_to_get_it(no_data: Path) -> None:
    with pytest.raises(DataNotFound, match=r"train\.csv is neither in .* not downloaded: fetch"):
        load("banking77:train")
