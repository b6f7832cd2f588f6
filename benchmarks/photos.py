"""What the ``photos`` encoder, which learned from everyday things, is worth on steel and on clothes.

    python benchmarks/photos.py [steel] [clothes] [shelf]

**Steel** (``neu_cls``): five defects are enrolled with one or five examples each, the sixth is unknown; every defect is
left out in turn, with 20 draws of the examples each. **Clothes** (``clothing:test``): episodes of five kinds. **Shelf**:
every garment of ``clothing:test`` is a class with one photograph, asked for by a changed copy of it (see
``examples/shop.py``), with and without a gate by kind, which is trained on ``clothing:train``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from runpy import run_path

import numpy as np
from numpy.typing import NDArray
from parts import run_parts

from lowshot import Encoder, Examples, Gallery, load
from lowshot.evaluate import nway_of
from lowshot.evaluate.results import Budget, Result
from lowshot.evaluate.statistics import auroc, mean_ci95

SECTION = "Steel and clothes by the `photos` encoder"
DRAWS, EPISODES = 20, 600


def steel() -> None:
    """Five defects and a sixth that was never enrolled."""
    encoder = Encoder.load("photos")
    examples = load("neu_cls", encoder.card.form)
    features = encoder.embed(examples.items)
    for shots in (1, 5):
        runs = np.array(
            [
                one_line(encoder, examples, features, left_out, shots, draw)
                for left_out in range(len(examples.classes))
                for draw in range(DRAWS)
            ]
        )
        protocol = f"5-way {shots}-shot, each of six defects left out in turn"
        for measure, values in zip(("accuracy", "AUROC"), runs.T, strict=True):
            figures = {measure: mean_ci95(values)[0], "ci95": mean_ci95(values)[1]}
            record(
                f"defects of steel, {shots} shot, {measure}", "neu_cls", protocol, measure, figures, len(runs), "steel"
            )


def one_line(
    encoder: Encoder, examples: Examples, features: NDArray[np.float32], left_out: int, shots: int, draw: int
) -> tuple[float, float]:
    """Accuracy of the five enrolled defects, and AUROC of the one left out, by a gallery's own answers."""
    rng = np.random.default_rng((left_out, shots, draw))
    known = np.flatnonzero(np.arange(len(examples.classes)) != left_out)
    enrolled = np.concatenate([rng.choice(np.flatnonzero(examples.labels == label), shots, False) for label in known])
    queries = np.setdiff1d(np.arange(len(examples)), enrolled)
    with opened(encoder) as gallery:
        gallery.enroll_examples(examples.take(enrolled))
        answers = gallery.identify_features(features[queries], top=1)
    named = np.array([answer.candidates[0].label for answer in answers])
    sure, truth = np.array([answer.known for answer in answers]), examples.labels[queries]
    asked = truth != left_out
    right = named[asked] == np.array(examples.classes)[truth[asked]]
    return float(right.mean()), float(auroc(sure[None, asked], sure[None, ~asked])[0])


def clothes() -> None:
    """Five kinds of garments, five others unknown."""
    encoder = Encoder.load("photos")
    examples = load("clothing:test", encoder.card.form)
    for shots in (1, 5):
        found = nway_of(encoder, examples, ways=5, shots=shots, queries=5, episodes=EPISODES)
        figures = {"accuracy": found.accuracy, "ci95": found.ci95, "AUROC": found.auroc, "FPR95": found.fpr95}
        protocol = f"5-way {shots}-shot"
        record(f"kinds of clothes, {protocol}", "clothing:test", protocol, "accuracy", figures, EPISODES, "clothes")


def shelf() -> None:
    """The very garment, with and without a gate by its kind."""
    changed = run_path(str(Path(__file__).parents[1] / "examples" / "shop.py"))["changed"]
    encoder = Encoder.load("photos")
    garments, catalog = load("clothing:test").with_own_classes(), load("clothing:train", encoder.card.form)
    queries = encoder.embed(encoder.read([changed(item) for item in garments.items]))
    with opened(encoder) as gallery:
        gallery.enroll_examples(garments)
        gallery.train_gate("category", catalog.with_own_classes())
        for gate in ((), ("category",)):
            answers = gallery.identify_features(queries, top=1, gate=gate)
            right = [answer.candidates[0].label == name for answer, name in zip(answers, garments.classes, strict=True)]
            found, ci95 = mean_ci95(np.array(right))
            compared = float(np.mean([answer.compared for answer in answers]))
            figures = {"found": found, "ci95": ci95, "compared": compared, "enrolled": len(gallery)}
            title = f"one garment of {len(gallery)}, " + ("gate by kind" if gate else "no gate")
            protocol = f"1 photograph each, changed copies asked, {compared:.0f} compared"
            record(title, "clothing:test", protocol, "found", figures, None, "shelf")


@contextmanager
def opened(encoder: Encoder) -> Iterator[Gallery]:
    """A gallery that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "benchmark.gallery", encoder, create=True) as gallery,
    ):
        yield gallery


def record(
    title: str,
    data: str,
    protocol: str,
    measure: str,
    figures: dict[str, float | int | None],
    episodes: int | None,
    command: str,
) -> None:
    """Keep a figure."""
    result = Result(
        section=SECTION,
        title=title,
        data=data,
        protocol=protocol,
        measure=measure,
        figures=figures,
        seed=0,
        episodes=episodes,
        budget=Budget(hardware="encoder `photos`"),
        command=f"python benchmarks/photos.py {command}",
    )
    name = "".join(c if c.isalnum() else " " for c in title.lower())
    result.save(Path("results") / f"photos-{'-'.join(name.split())}.json")
    print(f"{title}: {result.show(result.value, figures['ci95'])} {figures}", flush=True)


if __name__ == "__main__":
    run_parts(steel, clothes, shelf)
