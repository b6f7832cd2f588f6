"""Name the individual, or say that it is a new one: the protocol and files of Kaggle's Humpback Whale Identification.

    python examples/whales.py train.csv train/ test/ --encoder flukes.onnx [--truth test.csv]

``train.csv`` has the columns ``Image,Id``: a file in ``train/`` and the individual, or ``new_whale`` for one that has no
name yet. Writes ``submission.csv``, also with ``Image,Id``: for each picture in ``test/`` up to five guesses, best first,
separated by spaces. ``new_whale`` stands where the probability of being none of the enrolled puts it. Given the truth, it
prints the competition's score: the mean of 1, 1/2, … 1/5 where the right guess comes first, second, … fifth, else 0.
"""

import argparse
import csv
import tempfile
from pathlib import Path

from lowshot import Answer, Gallery

NEW = "new_whale"

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("train", type=Path, help="CSV table with the columns Image,Id")
parser.add_argument("train_folder", type=Path)
parser.add_argument("test_folder", type=Path)
parser.add_argument("--encoder", default="photos", help="a name or a file, best one trained on such pictures")
parser.add_argument("--truth", type=Path, help="CSV table with the columns Image,Id of the test pictures")
parser.add_argument("--out", type=Path, default=Path("submission.csv"))


def main(arguments: list[str] | None = None) -> None:
    """Enroll the named individuals, identify the test pictures, write the submission."""
    chosen = parser.parse_args(arguments)
    named = {image: name for image, name in read(chosen.train).items() if name != NEW}
    pictures = sorted(chosen.test_folder.iterdir())
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "whales.gallery", chosen.encoder, create=True) as gallery,
    ):
        gallery.enroll([chosen.train_folder / image for image in named], list(named.values()))
        answers = gallery.identify(pictures, top=5)
    guesses = {picture.name: five_guesses(answer) for picture, answer in zip(pictures, answers, strict=True)}
    with chosen.out.open("w", newline="") as file:
        csv.writer(file).writerows([("Image", "Id"), *((image, " ".join(five)) for image, five in guesses.items())])
    if chosen.truth:
        truth = read(chosen.truth)
        scores = [1 / (1 + guesses[image].index(name)) for image, name in truth.items() if name in guesses[image]]
        print(f"MAP@5 {sum(scores) / len(truth):.4f} on {len(truth)} pictures")


def five_guesses(answer: Answer) -> list[str]:
    """The likeliest first, and ``new_whale`` among them."""
    scores = {each.label: each.score for each in answer.candidates} | {NEW: 1 - answer.known}
    return sorted(scores, key=lambda label: -scores[label])[:5]


def read(table: Path) -> dict[str, str]:
    """The individual of each picture."""
    with table.open(newline="") as file:
        return {row["Image"]: row["Id"] for row in csv.DictReader(file)}


if __name__ == "__main__":
    main()
