"""Classes known by description alone: semantic output codes, direct attribute prediction, ESZSL and exemplars.

    python benchmarks/zero_shot.py [letters] [animals] [clothes]

**Letters** (``glyphs:marked``): Latin letters with and without a mark, printed by sixteen fonts as if by unsteady hands,
described by case, base letter and mark, through the ``characters`` encoder. That has seen handwriting of bare Latin letters,
of none with a mark. **Animals**: 50 animals by the attributes of Animals with Attributes, of which there are no images here;
an animal's one example is GloVe's vector of its name. **Clothes** (``clothing:train``): photographs through the ``photos``
encoder, kinds described by GloVe's vectors of their names. ImageNet, from which that learned, has clothes.

Settings of letters and animals were chosen on classes that are never left out afterwards. Those of clothes, of which there
are ten kinds, are the defaults.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from parts import run_parts

from lowshot import Encoder, load
from lowshot.data.awa import animals as described_animals
from lowshot.data.descriptions import Descriptions
from lowshot.data.examples import places_in_class
from lowshot.data.word_vectors import WordVectors, load_vectors
from lowshot.evaluate import leave_two_out, zero_shot
from lowshot.evaluate.report import Report
from lowshot.evaluate.results import Budget, Result
from lowshot.recognize import ESZSL, DirectAttributePrediction, Exemplars, SemanticCodes, ZeroShot
from lowshot.recognize.distances import unit

SECTION = "Zero-shot: classes known by description"
UNSEEN, SPLITS, PAIRS = 40, 20, 200  # of letters
PENALTIES = (0.1, 1.0, 10.0, 100.0)
GRID: dict[str, list[ZeroShot]] = {
    "semantic output codes": [SemanticCodes(p, d) for p in PENALTIES for d in ("euclidean", "cosine")],
    "direct attribute prediction": [DirectAttributePrediction(p) for p in PENALTIES],
    "predicted exemplars": [Exemplars(d) for d in ("euclidean", "cosine")],
    "ESZSL": [ESZSL(gamma, lam) for gamma in PENALTIES for lam in PENALTIES],
}


def letters() -> None:
    """Unseen letters alone, with the seen ones, and two by two."""
    encoder = Encoder.load("characters")
    examples = load("glyphs:marked", encoder.card.form)
    described = Descriptions.of_examples(examples)
    world = encoder.embed(examples.items), examples.labels, described.codes
    mixed = np.random.default_rng(0).permutation(len(described.classes))
    chosen_on, tested = mixed[: len(mixed) // 5], mixed[len(mixed) // 5 :]
    for name, grid in GRID.items():
        best = max(grid, key=lambda each: zero_shot(each, *world, unseen=UNSEEN, splits=3, among=chosen_on).accuracy)
        found = zero_shot(best, *world, unseen=UNSEEN, splits=SPLITS, among=tested)
        two = leave_two_out(best, *world, pairs=PAIRS, among=tested)
        facts = {
            "data": "glyphs:marked",
            "part": "letters",
            "note": f"`{best}`, {len(described.attributes)} attributes",
        }
        unseen, all_classes = f"{UNSEEN} unseen of {len(described.classes)}", "seen and unseen together"
        record(f"letters, {name}, {unseen}, chance {found.chance:.1%}", "accuracy", found, unseen, **facts)
        record(f"letters, {name}, {all_classes}, harmonic mean", "harmonic", found, all_classes, **facts)
        record(f"letters, {name}, leave two out, chance 50 %", "accuracy", two, "leave two out", **facts)


def animals() -> None:
    """Animals by their names' vectors, two by two."""
    described = described_animals().without_empty()
    vectors = load_vectors().without_common(0)
    world = named(vectors, described.classes), np.arange(len(described.classes)), described.codes
    mixed = np.random.default_rng(0).permutation(len(described.classes))
    chosen_on, tested = mixed[:15], mixed[15:]
    for name, grid in GRID.items():
        best = max(grid, key=lambda each: leave_two_out(each, *world, among=chosen_on).accuracy)
        two = leave_two_out(best, *world, among=tested)
        facts = {
            "data": "awa_attributes",
            "part": "animals",
            "note": f"`{best}`, {len(described.attributes)} attributes",
        }
        title = f"animals' names, {name}, leave two out, chance 50 %"
        record(title, "accuracy", two, "leave two out", **facts)


def clothes() -> None:
    """Kinds of garments by the vectors of their names, two by two."""
    encoder = Encoder.load("photos")
    examples = load("clothing:train", encoder.card.form)
    few = examples.take(np.flatnonzero(places_in_class(examples.labels) < 60))
    words = {"longsleeve": "sleeve", "outwear": "outerwear", "t-shirt": "t-shirt"}  # GloVe writes them so
    codes = unit(named(load_vectors().without_common(1), [words.get(name, name) for name in few.classes]))
    world = encoder.embed(few.items), few.labels, codes.astype(np.float64)
    for name, known in (
        ("semantic output codes", SemanticCodes(distance="cosine")),
        ("ESZSL", ESZSL()),
        ("predicted exemplars", Exemplars("cosine")),
    ):
        two = leave_two_out(known, *world)
        title = f"clothes by the vectors of their names, {name}, leave two out, chance 50 %"
        facts = {"data": "clothing:train", "part": "clothes", "note": f"`{known}`, 60 photographs a kind"}
        record(title, "accuracy", two, "leave two out", **facts)


def named(vectors: WordVectors, names: Iterable[str]) -> NDArray[np.float32]:
    """The mean vector of each name's words."""
    return np.stack([vectors.vectors[[vectors.row(word) for word in name.split()]].mean(axis=0) for name in names])


def record(title: str, measure: str, found: Report, protocol: str, part: str, **facts: Any) -> None:
    """One result file, with the interval of its measure."""
    figures = found.as_dict()
    figures["ci95"] = figures.get(f"{measure}_ci95", figures["ci95"])
    Result(
        section=SECTION,
        title=title,
        protocol=protocol,
        measure=measure,
        figures=figures,
        seed=0,
        budget=Budget(seconds=found.seconds, hardware=f"{os.cpu_count()} CPU cores"),
        command=f"python benchmarks/zero_shot.py {part}",
        **facts,
    ).save(
        Path("results")
        / f"zero-shot-{'-'.join(''.join(c if c.isalnum() else ' ' for c in title).lower().split())}.json"
    )
    print(title, found, facts["note"], sep="; ", flush=True)


if __name__ == "__main__":
    run_parts(letters, animals, clothes)
