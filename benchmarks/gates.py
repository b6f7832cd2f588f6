"""What gates save and what they cost: the comparisons, the accuracy that is left, and their own time.

    python benchmarks/gates.py [glyphs] [omniglot] [clinc150] [latency]

A gallery of a few examples a class, one prototype each; queries are other examples of the same classes. The gate is asked
for a recall of 0.99. Where nothing else is said it learns from the gallery; with ``classes`` held out it promises the recall
for classes that it has never seen, with ``examples`` held out for those that it knows. What is compared are prototypes.

``clinc150`` needs the encoder of texts: pip install 'lowshot[text]'
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from parts import run_parts

from lowshot import Encoder, Examples, load
from lowshot.evaluate.results import Budget, Result
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize import NearestPrototype
from lowshot.recognize.gate import AttributeGate, allowed

RECALL, SHOTS, QUERIES = 0.99, 5, 5


@dataclass(frozen=True)
class Labeled:
    """Features with the class and the value of each."""

    features: NDArray[np.float32]
    labels: NDArray[Any]
    values: NDArray[np.str_]

    def __getitem__(self, rows: NDArray[Any]) -> Labeled:
        return Labeled(self.features[rows], self.labels[rows], self.values[rows])


def measure(gallery: Labeled, queries: Labeled, learned_from: Labeled, held_out: str) -> dict[str, float]:
    """Ask the same queries with the gate and without."""
    groups = learned_from.labels if held_out == "classes" else np.arange(len(learned_from.labels))
    gate = AttributeGate().fit(learned_from.features, learned_from.values, groups)
    prototypes = NearestPrototype("cosine").fit(gallery.features, gallery.labels)
    value_of = dict(zip(gallery.labels.tolist(), gallery.values.tolist(), strict=True))
    kept = gate.kept(queries.features, RECALL)
    own = gate.codes(queries.values)
    compared = allowed(kept, gate.codes([value_of[label] for label in prototypes.classes_.tolist()]))
    far = prototypes.distances(queries.features)
    ungated, gated = (
        prototypes.classes_[each.argmin(axis=1)] == queries.labels for each in (far, np.where(compared, far, np.inf))
    )
    ratio = gated.mean() / ungated.mean()
    first = gate.kept(queries.features, 1e-9)[np.arange(len(own)), own]
    recall, recall_ci = mean_ci95(allowed(kept, own)[np.arange(len(own)), np.arange(len(own))])
    return {
        "times_fewer": float(1 / compared.mean()),
        "accuracy_ratio": float(ratio),
        "accuracy_ratio_ci95": (mean_ci95(gated - ratio * ungated)[1] or 0) / float(ungated.mean()),
        "gated": float(gated.mean()),
        "ungated": float(ungated.mean()),
        "classifier": float(first.mean()),
        "recall": recall,
        "recall_ci95": recall_ci or 0.0,
        "kept": float(kept.sum(axis=1).mean()),
        "values": len(gate.values_),
        "classes": len(prototypes.classes_),
        "queries": len(own),
    }


def record(name: str, data: str, title: str, found: dict[str, float], aimed: bool) -> None:
    """One result for the comparisons, one for the accuracy."""
    note = (
        f"classic classifier right for {found['classifier']:.1%} of the queries; recall {found['recall']:.2%}; "
        f"{found['kept']:.2f} of {found['values']:.0f} values kept; accuracy {found['gated']:.2%} of {found['ungated']:.2%} "
        f"without the gate; {found['classes']:.0f} classes, {found['queries']:.0f} queries"
    )
    for measure, unit, target, interval in (
        ("times_fewer", "×", 5.0 if aimed else None, None),
        ("accuracy_ratio", "%", 0.99, found["accuracy_ratio_ci95"]),
    ):
        Result(
            section="Gates",
            title=f"{title}, {'times fewer comparisons' if unit == '×' else 'accuracy, that without the gate = 100 %'}",
            data=data,
            protocol=f"recall {RECALL}",
            measure=measure,
            unit=unit,
            figures=found | ({} if interval is None else {"ci95": interval}),
            target=target,
            seed=0,
            budget=Budget(hardware=f"{os.cpu_count()} CPU cores"),
            command=f"python benchmarks/gates.py {name.split('-')[0]}",
            note=note if unit == "×" else "",
        ).save(Path("results") / f"gate-{name}-{measure.replace('_', '-')}.json")
    print(f"{title}: {found['times_fewer']:.2f} times fewer, {note}, ratio {found['accuracy_ratio']:.4f}", flush=True)


def drawn(data: str, attribute: str) -> Labeled:
    """Letters through the ``characters`` encoder."""
    encoder = Encoder.load("characters")
    examples = load(data, encoder.card.form)
    return Labeled(encoder.embed(examples.items), examples.labels, examples.attributes[attribute])


def letters(name: str, data: str, attribute: str) -> None:
    """A gallery of 20 drawings' first ones, the last ones as queries; the gate learns from the gallery."""
    everything = drawn(data, attribute)
    number = np.arange(len(everything.labels)) % 20
    gallery, queries = everything[number < SHOTS], everything[number >= 20 - QUERIES]
    for held_out in ("classes", "examples"):
        found = measure(gallery, queries, gallery, held_out)
        title = f"{name} by {attribute}, {SHOTS} examples a letter, {held_out} held out"
        record(f"{name}-{held_out}", data, title, found, aimed=found["classifier"] >= 0.9)


def glyphs() -> None:
    """Printed letters by script."""
    letters("glyphs", "glyphs", "script")


def omniglot() -> None:
    """Handwritten characters by alphabet: poorly predicted, so the gate widens."""
    letters("omniglot", "omniglot:evaluation", "alphabet")


def clinc150() -> None:
    """Intents by domain: a gallery by intent, and a background set of which only the domains are known."""
    train, asked = (_first(f"clinc150:{part}", most) for part, most in (("train", 26), ("test", 10)))
    encoder = Encoder.load("text")
    background, queries = (
        Labeled(encoder.embed(each.items), np.array(each.classes)[each.labels], each.values("domain"))
        for each in (train, asked)
    )
    gallery = background[train.places < SHOTS]
    found = measure(gallery, queries, background, "examples")
    title = (
        f"intents by domain, {SHOTS} examples an intent, 26 of each intent's domain as background, examples held out"
    )
    record("clinc150-background", "clinc150", title, found, aimed=True)
    for held_out in ("classes", "examples"):
        found = measure(gallery, queries, gallery, held_out)
        title = f"intents by domain, {SHOTS} examples an intent, {held_out} held out"
        record(f"clinc150-{held_out}", "clinc150", title, found, aimed=found["classifier"] >= 0.9)


def _first(data: str, most: int) -> Examples:
    """The first sentences of each intent."""
    examples = load(data)
    return examples.take(examples.places < most)


def latency() -> None:
    """One query through a gate of 20 values and 1280 features, and fitting it to 200,000 examples."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200_000, 1280)).astype(np.float32)
    values = np.array([f"value {each}" for each in range(20)])[np.arange(len(X)) % 20]
    X[:, :20] += 5 * np.eye(20, dtype=np.float32)[np.arange(len(X)) % 20]
    started = perf_counter()
    gate = AttributeGate().fit(X, values, np.arange(len(X)) // 10)
    seconds = perf_counter() - started
    times = []
    for query in X[:500]:
        started = perf_counter()
        gate.kept(query[None], RECALL)
        times.append(1e6 * (perf_counter() - started))
    figures = {"microseconds": float(np.median(times)), "seconds": seconds, "kilobytes": len(gate.to_bytes()) / 1000}
    for measure, unit, title in (
        ("microseconds", "µs", "one query through a gate of 20 values, 1280 features"),
        ("seconds", "s", "fitting a gate of 20 values to 200,000 examples of 1280 features"),
    ):
        Result(
            section="Gates",
            title=title,
            data="–",
            protocol="–",
            measure=measure,
            unit=unit,
            better="lower",
            figures=figures,
            budget=Budget(hardware=f"{os.cpu_count()} CPU cores"),
            command="python benchmarks/gates.py latency",
        ).save(Path("results") / f"gate-{measure}.json")
    print(figures)


if __name__ == "__main__":
    run_parts(glyphs, omniglot, clinc150, latency)
