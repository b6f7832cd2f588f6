"""What the ``text`` encoder is worth on the intents of CLINC150 and BANKING77, which it never learned from.

    python benchmarks/texts.py [choice] [intents] [scope] [names] [latency]

**choice**: how to compare, and how much a class's name weighs beside its examples, chosen on CLINC150's validation part
(examples from ``clinc150:train``, queries ``clinc150:val`` and ``clinc150:oos-val``). The other parts run it first.
**intents**: episodes of all classes, drawn from the test parts, with prototypes and with what was chosen. **scope**: all
4,500 test sentences and the 1,000 of no intent, asked of galleries with examples from ``clinc150:train``. **names**: the
classes of BANKING77 by their names in words, by one example, and by both. **latency**: one sentence at a time, in process.
"""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from parts import run_parts

from lowshot import Encoder, Examples, Gallery, load
from lowshot.data import EpisodeSampler
from lowshot.data.texts import readable
from lowshot.evaluate import OpenSetResult, asked_set, nway
from lowshot.evaluate.episodes import recognizer_of
from lowshot.evaluate.results import Budget, Result
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize import NearestPrototype
from lowshot.recognize.choice import NAMES

SECTION = "Sentences by the `text` encoder"
SHOTS, DRAWS, EPISODES = (1, 5, 10), 20, 200
WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of a name, in examples
QUERIES = 500  # timed ones

Features = NDArray[np.float32]


@cache
def encoder() -> Encoder:
    """The encoder."""
    return Encoder.load("text")


@cache
def embedded(data: str) -> tuple[Examples, Features]:
    """Sentences and their features."""
    examples = load(data, encoder().card.form)
    return examples, encoder().embed(examples.items)


@cache
def asked(part: str, shots: int, recognizer: str, draws: int = DRAWS) -> OpenSetResult:
    """Galleries of all 150 intents, asked a part of CLINC150 and its sentences of no intent."""
    examples, support = embedded("clinc150:train")
    queries, features = embedded(f"clinc150:{part}+clinc150:oos-{part}")
    number = {name: number for number, name in enumerate(examples.classes)}
    truth = np.array([number.get(name, -1) for name in queries.classes])[queries.labels]
    return asked_set(
        support,
        examples.labels,
        features,
        truth,
        distance="cosine",
        compare="prototype",
        background=encoder().background(),
        shots=shots,
        galleries=draws,
        recognizer=recognizer_of(encoder(), recognizer),
    )


@cache
def best(shots: int, measure: str) -> str:
    """The recognizer that is best on the validation part."""
    found = {name: getattr(asked("val", shots, name, 5), measure) for name in NAMES}
    print(
        f"validation, {shots} shots, {measure}:", {name: round(value, 4) for name, value in found.items()}, flush=True
    )
    return max(found, key=lambda name: found[name])


@cache
def weight_of_names() -> float:
    """How many examples a name is worth, beside one example, on the validation part."""
    found = {weight: float(by_names("clinc150:train", "clinc150:val", weight, 1).mean()) for weight in WEIGHTS}
    print("validation, a name's weight beside one example:", found, flush=True)
    return max(found, key=lambda weight: found[weight])


def by_names(support: str, queries: str, weight: float, shots: int) -> NDArray[np.float64]:
    """Accuracy of each draw: prototypes of so many examples, and of the class's name as so many more."""
    examples, features = embedded(support)
    asked, asked_features = embedded(queries)
    ways = len(examples.classes)
    named = encoder().embed(encoder().read([readable(name) for name in examples.classes]))
    recognizer, right = NearestPrototype("cosine"), []
    for drawn in EpisodeSampler(examples.labels).draw(DRAWS if shots else 1, ways, max(shots, 1), 0).support:
        order = np.argsort(examples.labels[drawn[:, 0]])
        prototypes = weight * named + (features[drawn[order]].sum(axis=1) if shots else 0)
        recognizer.fit(prototypes, np.array(examples.classes))
        right.append((recognizer.predict(asked_features) == np.array(asked.classes)[asked.labels]).mean())
    return np.array(right)


def choice() -> None:
    """What is chosen, and on what."""
    for shots in SHOTS:
        print(f"{shots} shots: {best(shots, 'accuracy')} for accuracy, {best(shots, 'oscr')} with unknown ones")
    print("weight of a name:", weight_of_names())


def intents() -> None:
    """All classes at once, from their test parts."""
    targets = {("clinc150", 1): 0.675, ("clinc150", 5): 0.879, ("banking77", 1): 0.521, ("banking77", 5): 0.781}
    for (data, shots), target in targets.items():
        examples, features = embedded(f"{data}:test")
        ways = len(examples.classes)
        for name in dict.fromkeys(["prototype", best(shots, "accuracy")]):
            found = nway(
                features,
                examples.labels,
                distance="cosine",
                compare="prototype",
                ways=ways,
                shots=shots,
                queries=5,
                episodes=EPISODES,
                recognizer=None if name == "prototype" else recognizer_of(encoder(), name),
            )
            record(
                f"{data}, all {ways} intents, {shots} shot, {name}",
                data=f"{data}:test",
                protocol=f"{ways}-way {shots}-shot",
                figures={"accuracy": found.accuracy, "ci95": found.ci95},
                episodes=EPISODES,
                target=target,
                note="" if name == "prototype" else "the recognizer was chosen on CLINC150's validation part",
                command="intents",
            )


def scope() -> None:
    """Are sentences of no intent told, and those of one named?"""
    for shots in SHOTS:
        name = best(shots, "oscr")
        found = asked("test", shots, name)
        figures = {key: getattr(found, key) for key in ("accuracy", "auroc", "fpr95", "oscr", "open_accuracy", "ece")}
        note = (
            f"compared by {name}, chosen on the validation part by OSCR; the interval is over draws of examples; as a "
            f"gallery answers, {found.open_accuracy:.1%} are right, ECE {found.ece:.3f}: it takes known and unknown "
            "queries to be equally frequent, and here they are 4.5 to 1"
        )
        for measure, unit, target in (("auroc", "", 0.90 if shots == 10 else None), ("accuracy", "%", None)):
            record(
                f"out-of-scope queries, {shots} shot, {measure}",
                data="clinc150:train, clinc150:test+clinc150:oos-test",
                protocol=f"150 intents, {found.queries} queries of them and {found.unknown_queries} of none",
                measure=measure,
                unit=unit,
                figures=figures | {"ci95": getattr(found, f"{measure}_ci95")},
                episodes=DRAWS,
                target=target,
                note=note if measure == "auroc" else "",
                command="scope",
            )


def names() -> None:
    """Classes by name, by example, and by both."""
    weight, data = weight_of_names(), ("banking77:train", "banking77:test")
    alone, one = by_names(*data, 1.0, 0), by_names(*data, 0.0, 1)
    rows: list[tuple[str, NDArray[np.float64], float | None]] = [
        ("its name alone", alone, 0.604),
        ("one example", one, None),
        ("its name and one example", by_names(*data, weight, 1), max(float(alone.mean()), float(one.mean()))),
        ("five examples", by_names(*data, 0.0, 5), None),
        ("its name and five examples", by_names(*data, weight, 5), None),
    ]
    for title, right, target in rows:
        accuracy, ci95 = mean_ci95(right)
        record(
            f"banking77, an intent by {title}",
            data=", ".join(data),
            protocol="all 77 intents, all 3080 queries",
            figures={"accuracy": accuracy, "ci95": ci95},
            episodes=len(right),
            target=target,
            note=f"the name weighs as {weight:g} example, chosen on CLINC150's validation part"
            if "and" in title
            else "",
            command="names",
        )


def latency() -> None:
    """One sentence at a time, from the text to the answer."""
    examples, _ = embedded("clinc150:val")
    queries = embedded("clinc150:oos-val")[0].items.tolist() + load("clinc150:test").items[::10].tolist()
    times, alone = [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        Gallery.open(Path(folder) / "benchmark.gallery", encoder(), create=True) as gallery,
    ):
        gallery.enroll_examples(examples.take(examples.places < 5))
        for query in queries[:QUERIES]:
            started = perf_counter()
            gallery.identify([query])
            answered = perf_counter()
            encoder().embed(encoder().read([query]))
            times.append(1000 * (answered - started))
            alone.append(1000 * (perf_counter() - answered))
    p50, p95 = np.quantile(times[20:], [0.5, 0.95]).tolist()
    record(
        "identify a sentence in process",
        data="clinc150",
        protocol="150 classes of 5 examples, one query a call",
        measure="p50",
        unit="ms",
        better="lower",
        figures={"p50": p50, "p95": p95},
        target=6.0,
        note=f"the encoder alone, in the same run: {np.median(alone[20:]):.1f} ms",
        command="latency",
    )


def record(title: str, *, command: str, figures: dict[str, Any], measure: str = "accuracy", **facts: Any) -> None:
    """Keep a figure."""
    result = Result(
        section=SECTION,
        title=title,
        measure=measure,
        figures=figures,
        seed=0,
        budget=Budget(hardware="encoder `text`"),
        command=f"python benchmarks/texts.py {command}",
        **facts,
    )
    name = "".join(c if c.isalnum() else " " for c in title.lower())
    result.save(Path("results") / f"texts-{'-'.join(name.split())}.json")
    print(f"{title}: {result.show(result.value, figures.get('ci95'))}, {result.verdict}", flush=True)


if __name__ == "__main__":
    run_parts(choice, intents, scope, names, latency)
