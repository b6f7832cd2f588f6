"""Measure unknown queries and confidence, and record them.

    python benchmarks/confidence.py [by_shots] [growth] [domains]

Settings of what learns how sure to be were chosen on Omniglot's background alphabets, printed glyphs and digits, so the last
two are no unseen data here; the evaluation alphabets are only measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from parts import run_parts

from lowshot import Encoder, load
from lowshot.data import Examples
from lowshot.evaluate import OpenSetResult, open_set, open_set_of
from lowshot.evaluate.results import Budget, Result

ENCODER, DATA, SHOTS = "characters", "omniglot:evaluation", (1, 2, 5)
SIZES = {20: 5, 50: 5, 100: 5, 200: 5, 400: 5, 600: 1}  # classes, and queries of each: few are left for the unknown
MEASURES = {
    "accuracy": ("closed accuracy", "%", "higher"),
    "auroc": ("AUROC of known against unknown", "", "higher"),
    "fpr95": ("unknown accepted when 95 % of the known are", "%", "lower"),
    "oscr": ("OSCR", "", "higher"),
    "ece": ("expected calibration error", "", "lower"),
}


def record(name: str, title: str, command: str, figures: Mapping[str, Any], measure: str, **more: Any) -> None:
    """Write one result file."""
    numbers = {key: value for key, value in figures.items() if isinstance(value, int | float)}
    Result(
        section="Unknown and confidence",
        title=title,
        figures=numbers | {"ci95": numbers.get(f"{measure}_ci95")},
        measure=measure,
        command=command,
        budget=Budget(hardware="1 CPU thread"),
        **more,
    ).save(Path("results") / f"confidence-{name}.json")
    print(f"{title}: {numbers[measure]:.4f}")


def rows(name: str, data: str, result: OpenSetResult, targets: Mapping[str, float], measures: tuple[str, ...]) -> None:
    """A row for each measure of one result."""
    command = f"lowshot evaluate {ENCODER} {data} --protocol open --ways {result.ways} --shots {result.shots}"
    for measure in measures:
        what, unit, better = MEASURES[measure]
        record(
            f"{name}-{result.ways}-{result.shots}-{measure}",
            f"{what}, {result.ways} classes, {result.shots}-shot",
            command,
            result.as_dict(),
            measure,
            unit=unit,
            better=better,
            data=data,
            protocol="as many unknown queries as known",
            target=targets.get(measure),
            seed=result.seed,
            note=NOTES[measure] if measure in targets else "",
        )


NOTES = {
    "ece": "of all answers of 20 galleries together, 15 bins; `ece_each` in the file is the mean within a gallery",
    "auroc": "P(known) never rises with the distance to the nearest class, so this is a figure of the encoder",
}


def by_shots() -> None:
    """Everything asked for, by number of examples."""
    for result in open_set_of(*opened(DATA), ways=200, shots=SHOTS).by_shots:
        rows("evaluation", DATA, result, {"ece": 0.05, "auroc": 0.95} if result.shots == 1 else {}, tuple(MEASURES))


def growth() -> None:
    """The gallery learns how sure to be at 20 classes, and grows to 600."""
    encoder, examples = opened(DATA)
    features, support, card = encoder.embed(examples.items), encoder.embed_support(examples.items), encoder.card
    compared = {"distance": card.distance, "compare": card.compare, "negative": card.negative}
    for shots in SHOTS:
        figures = {}
        for ways, queries in SIZES.items():
            sizes = {"ways": ways, "shots": shots, "queries": queries, "galleries": 50, "learned": 20}
            background = encoder.background()
            found = open_set(features, examples.labels, background=background, support_BD=support, **compared, **sizes)
            figures |= {f"ece_{ways}": found.ece, f"ece_{ways}_ci95": found.ece_ci95, f"each_{ways}": found.ece_each}
        worst = max(SIZES, key=lambda ways: figures[f"ece_{ways}"])
        record(
            f"growth-{shots}",
            f"expected calibration error, worst of 20 to 600 classes, learned at 20, {shots}-shot",
            "python benchmarks/confidence.py growth",
            figures | {"worst": figures[f"ece_{worst}"], "worst_ci95": figures[f"ece_{worst}_ci95"]},
            "worst",
            unit="",
            better="lower",
            data=DATA,
            protocol="not learned anew as the gallery grows",
            target=0.07,
            seed=0,
            note=f"worst at {worst} classes, every size in the file; beside 600 there are 59 for the unknown queries",
        )


def domains() -> None:
    """What the encoder and its background never saw."""
    for name, data, ways in (("digits", "digits", 5), ("glyphs", "glyphs", 200)):
        for result in open_set_of(*opened(data), ways=ways, shots=(1, 5)).by_shots:
            rows(name, data, result, {}, ("auroc", "ece"))


def opened(data: str) -> tuple[Encoder, Examples]:
    """The encoder, and data as it takes them."""
    encoder = Encoder.load(ENCODER)
    return encoder, load(data, encoder.card.form)


if __name__ == "__main__":
    run_parts(by_shots, growth, domains)
