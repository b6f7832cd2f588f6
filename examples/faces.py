"""Recognize people by one photograph each, and notice those who were never enrolled.

    python examples/faces.py [--encoder faces.onnx] [--people 100]

Labeled Faces in the Wild has a long tail: 4,069 of its 5,749 people have one photograph. The encoder beside this file
learned from the people at the head of the tail (`make faces`); all who are asked for here are new to it:

- **known**: people with 2 to 11 photographs. The first one is enrolled, the others are queries.
- **strangers**: people with a single photograph whom nobody enrolls.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from lowshot import Gallery, load

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--encoder", default=str(Path(__file__).with_name("faces.onnx")), help="a name or a file")
parser.add_argument("--people", type=int, default=100, help="how many to enroll; 1553 for all there are")


def main(arguments: list[str] | None = None) -> None:
    """Enroll, identify, and print what came of it."""
    chosen = parser.parse_args(arguments)
    people, strangers = load("lfw?least=2&most=11"), load("lfw?most=1&classes=0.5:1")
    people = people.only(people.classes[: chosen.people])
    enrolled, queries = people.take(people.places == 0), people.take(people.places > 0)
    truth = [people.classes[label] for label in queries.labels]

    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "faces.gallery", chosen.encoder, create=True) as gallery,
    ):
        gallery.enroll_examples(enrolled)
        answers = gallery.identify(list(queries.items), top=5)
        unknown = gallery.identify(list(strangers.items[: len(queries)]), top=5)

    names = [[candidate.label for candidate in answer.candidates] for answer in answers]
    first = np.mean([found[0] == name for found, name in zip(names, truth, strict=True)])
    five = np.mean([name in found for found, name in zip(names, truth, strict=True)])
    known = [answer.known for answer in answers + unknown]
    area = roc_auc_score([1] * len(answers) + [0] * len(unknown), known)
    print(f"{len(queries)} photographs of {len(people.classes)} people enrolled with one each ({gallery.card.name}):")
    print(f"the right name comes first for {first:.1%} of them, among the first five for {five:.1%}")
    print(f"{len(unknown)} strangers: told from the enrolled with an AUROC of {area:.3f}")
    print(f"for instance, {truth[0]}:", *(f"{each.label} {each.score:.2f}" for each in answers[0].candidates), sep="  ")


if __name__ == "__main__":
    main()
