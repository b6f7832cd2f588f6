"""Identification by one photograph each of 1,553 people nobody saw in training, and strangers among the queries.

    python benchmarks/faces.py [pixels] [photos] [faces]

Labeled Faces in the Wild, whose people were parted by how many photographs they have: the encoder ``examples/faces.onnx``
(``make faces``) learned from the 96 with 15 or more, and its settings were chosen on the 31 with 12 to 14. The first
photograph of each of the 1,553 with 2 to 11 is enrolled, their others are queries; strangers are 2,035 of those with one.
``pixels`` compares gray values: each image at mean 0 and length 1, minus the mean of the 96 people's.

Shape suffixes: Q queries of enrolled people, S strangers, N features.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from lowshot import Answer, Encoder, Gallery, ImageForm, load
from lowshot.encoder import Card, add_card
from lowshot.evaluate.results import Budget, Result, write_results
from lowshot.evaluate.statistics import auroc_ci95, clustered_ci95
from lowshot.learn.batches import to_network
from lowshot.learn.export import to_onnx

SECTION = "Faces: one photograph each of 1,553 people nobody saw in training"
HEAD, CHOSEN_ON = "lfw?least=15", "lfw?least=12&most=14"
PEOPLE, STRANGERS = "lfw?least=2&most=11", "lfw?most=1&classes=0.5:1"
FACES = Path("examples/faces.onnx")
NEW = "new individual"


class Pixels(nn.Module):
    """Gray values at mean 0 and length 1, minus a mean face, at length 1 again."""

    def __init__(self, images_NCHW: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", self.contrast(images_NCHW).mean(dim=0))

    def contrast(self, images_NCHW: Tensor) -> Tensor:
        """Without brightness and contrast, (n, pixels)."""
        flat = images_NCHW.flatten(1)
        return functional.normalize(flat - flat.mean(dim=1, keepdim=True), dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Unit features (n, pixels)."""
        return functional.normalize(self.contrast(images) - self.mean, dim=1)


def pixels() -> Encoder:
    """The baseline as an encoder; as the trained one, it carries what strangers look like."""
    form = ImageForm(height=62, width=47, channels=1)  # as scikit-learn halves them
    network = Pixels(to_network(torch.from_numpy(np.array(load(HEAD, form).items)).permute(0, 3, 1, 2)))
    card = Card(name="pixels", form=form, mean=(255.0,), std=(-255.0,), features=form.height * form.width)
    model = to_onnx(network, form)
    others = load(CHOSEN_ON, form)
    few = others.take(others.places < 5)
    return Encoder(add_card(model, card, (Encoder(add_card(model, card)).embed(few.items), few.labels)))


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "pixels": pixels,
    "photos": lambda: Encoder.load("photos"),
    "faces": lambda: Encoder.load(FACES),
}


def measure(name: str) -> None:
    """Enroll and ask with one encoder, and keep the figures."""
    encoder = ENCODERS[name]()
    people, strangers = load(PEOPLE, encoder.card.form), load(STRANGERS, encoder.card.form)
    enrolled, queries = people.take(people.places == 0), people.take(people.places > 0)
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "faces.gallery", encoder, create=True) as gallery,
    ):
        gallery.enroll_examples(enrolled)
        known = gallery.identify(list(queries.items))
        unknown = gallery.identify(list(strangers.items))
    person_Q = queries.labels
    rank_Q = ranks(known, [people.classes[label] for label in person_Q])
    known_Q, known_S = (np.array([answer.known for answer in answers]) for answers in (known, unknown))
    everyone = np.concatenate([person_Q, len(people.classes) + np.arange(len(unknown))])
    precision = np.concatenate([precision_at_5(rank_Q + (rank_Q >= place(known))), precision_at_5(place(unknown))])
    always_new = float(np.concatenate([precision_at_5(rank_Q + 1), np.ones(len(unknown))]).mean())
    facts = f"{len(people.classes)} enrolled, {len(queries)} queries"
    mixed = f"{facts}, {len(unknown)} strangers"
    record(encoder, facts, "rank 1", "right", clustered_ci95(rank_Q == 0, person_Q))
    record(encoder, facts, "ranked", "MAP@5", clustered_ci95(precision_at_5(rank_Q), person_Q))
    record(encoder, mixed, "strangers told", "AUROC", auroc_ci95(known_Q, known_S, person_Q))
    new = {"new_first": always_new}
    record(encoder, mixed, "with new individuals", "MAP@5", clustered_ci95(precision, everyone), new)


def ranks(answers: list[Answer], truth: list[str]) -> NDArray[np.int64]:
    """Place of the right name among the candidates, from 0; 5 where it is not there."""
    right_Q5 = np.array([[each.label for each in answer.candidates] for answer in answers]) == np.array(truth)[:, None]
    return np.where(right_Q5.any(axis=1), right_Q5.argmax(axis=1), 5)


def place(answers: list[Answer]) -> NDArray[np.int64]:
    """Where "new individual" goes among the candidates: by its probability."""
    scores_Q5 = np.array([[each.score for each in answer.candidates] for answer in answers])
    unknown_Q = 1 - np.array([answer.known for answer in answers])
    return (scores_Q5 > unknown_Q[:, None]).sum(axis=1)


def precision_at_5(rank_Q: NDArray[np.int64]) -> NDArray[np.float64]:
    """1, 1/2, … 1/5 by the rank of the one right answer; 0 from the sixth place on."""
    return np.where(rank_Q < 5, 1 / (rank_Q + 1), 0.0)


def record(
    encoder: Encoder,
    protocol: str,
    column: str,
    measure: str,
    found: tuple[float, float | None],
    more: dict[str, float] | None = None,
) -> None:
    """Keep a figure with its interval, people being the sample."""
    name, recipe = encoder.card.name, encoder.card.config
    Result(
        section=SECTION,
        title=f"encoder `{name}`",
        data=f"{PEOPLE}; {STRANGERS}",
        protocol=protocol,
        measure=measure,
        figures={measure: found[0], "ci95": found[1]} | (more or {}),
        budget=Budget(**({key: recipe.get(key) for key in ("seconds", "steps")} | {"hardware": hardware(encoder)})),
        command=f"python benchmarks/faces.py {name}",
        column=column,
        note=NOTES[name],
    ).save(Path("results") / f"faces-{name}-{column}.json".replace(" ", "-"))
    print(f"{name}, {column}: {measure} {found[0]:.2%} ± {found[1] or 0:.2%} {more or ''}", flush=True)


NOTES = {
    "pixels": "cosine of centered gray values, 62×47",
    "photos": "EfficientNet-Lite0 from ImageNet",
    "faces": "learned from 96 other people",
}


def hardware(encoder: Encoder) -> str:
    """What the encoder was trained on."""
    return str(encoder.card.config.get("hardware", "nothing trained here"))


def main() -> None:
    """Measure the encoders that are named, or all."""
    for name in sys.argv[1:] or ENCODERS:
        measure(name)
    write_results()


if __name__ == "__main__":
    main()
