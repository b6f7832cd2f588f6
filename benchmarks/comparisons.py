"""What each idea adds to its own baseline: both trained alike and asked the same episodes.

    python benchmarks/comparisons.py [transfer] [pseudo-labels] [unlabeled] [weak-labels] [meta-lstm]

A gain is the mean difference of an episode's two accuracies, with its 95 % interval, which is much narrower than that of
either accuracy: an episode that is hard is hard for both. What is trained lies in ``runs/``, and is not trained again. The
baselines' own settings (rate, number of updates) are the best ones on validation classes.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from lowshot.data import Episodes, EpisodeSampler, load
from lowshot.encoder import Encoder
from lowshot.evaluate import score_answers, semi_of
from lowshot.evaluate.bench import Bench, find_tracks
from lowshot.evaluate.results import Budget, Result, write_results
from lowshot.evaluate.statistics import mean_ci95
from lowshot.learn.method import Method
from lowshot.learn.methods import find_method
from lowshot.learn.methods.meta_lstm import FineTuning, MetaLSTM, NearestNeighbor
from lowshot.learn.methods.transfer import FromScratch, Transfer
from lowshot.learn.run import configure, train_encoder
from lowshot.learn.saved import SavedMethod, load_method

SECTION = "What each idea adds to its own baseline"
RUNS = Path("runs")
LEARN, CHOOSE, TEST = "omniglot:vinyals-trainval", "omniglot:vinyals-val", "omniglot:vinyals-test"
EPISODES, QUERIES = 600, 5


@dataclass(frozen=True)
class Asked:
    """Episodes of one data set."""

    data: str
    ways: int
    shots: int
    episodes: int = EPISODES

    def draw(self, model: SavedMethod) -> tuple[Any, Episodes]:
        """The items in a model's form and the episodes, the same for every model."""
        examples = load(self.data, model.form)
        sampler = EpisodeSampler(examples.labels, class_names=examples.classes)
        return examples.items, sampler.draw(self.episodes, self.ways, self.shots, QUERIES, seed=0)

    def accuracies(self, model: SavedMethod) -> NDArray[np.float64]:
        """Of each episode."""
        return score_answers(model, *self.draw(model)).accuracy

    def __str__(self) -> str:
        return f"{self.ways}-way {self.shots}-shot"


def learned(name: str, method: str, data: str = LEARN, **settings: Any) -> SavedMethod:
    """A method trained on a background set by its ``cpu`` preset with other settings, now or before."""
    options = {"seed": 0, **settings}
    everything = [data, *(part.model_dump(mode="json") for part in configure(find_method(method), "cpu", options))]
    digest = hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:8]
    file = RUNS / f"{name}-{digest}.safetensors"
    if not file.is_file():
        RUNS.mkdir(exist_ok=True)
        print(f"{name}:", flush=True)
        command = " ".join(f"--set {key}={value}" for key, value in options.items())
        train_encoder(
            data,
            method,
            file,
            settings=options,
            validation="none",
            resume=True,
            command=f"lowshot train '{data}' --val none --method {method} {command} --out {file.name}",
            console=Console(stderr=True),
        )
    return load_method(file)


def record(
    title: str, asked: Asked, figures: dict[str, float], *, aimed: bool, budget: Budget, command: str, slug: str
) -> None:
    """Keep a gain, which, where it is ``aimed`` at, should be more than its interval."""
    result = Result(
        section=SECTION,
        title=title,
        data=asked.data,
        protocol=str(asked),
        measure="gain",
        unit="points",
        figures=figures,
        target=figures["ci95"] if aimed else None,
        seed=0,
        episodes=asked.episodes,
        budget=budget,
        command=f"python benchmarks/comparisons.py {command}",
        note=f"{figures['with']:.2%} against {figures['baseline']:.2%}" + aimed * "; to be more than its interval",
    )
    name = "".join(c if c.isalnum() else "-" for c in f"{slug} {asked.data} {asked}".lower())
    result.save(Path("results") / f"gain-{name}.json")
    print(f"{result.title}: {result.show(figures['gain'], figures['ci95'])} ({result.note})", flush=True)


def compare(
    idea: str, baseline: str, asked: Asked, one: SavedMethod, other: SavedMethod, *, aimed: bool = True
) -> None:
    """Ask both the same episodes and keep the gain."""
    with_idea, without = asked.accuracies(one), asked.accuracies(other)
    gain, ci95 = mean_ci95(with_idea - without)
    (mean, mean_ci), (mean_before, before_ci) = mean_ci95(with_idea), mean_ci95(without)
    recipe = one.card.config
    record(
        f"{idea} over {baseline}, {asked}",
        asked,
        {
            **{"gain": gain, "ci95": ci95, "with": mean, "with_ci95": mean_ci},
            **{"baseline": mean_before, "baseline_ci95": before_ci},
        },
        aimed=aimed,
        budget=Budget(**{key: recipe.get(key) for key in ("seconds", "steps", "hardware")}),
        command=one.card.method,
        slug=f"{idea} {baseline}",
    )


def best(models: Iterable[SavedMethod], asked: Asked) -> SavedMethod:
    """That which is right most often on validation classes."""
    return max(models, key=lambda model: float(asked.accuracies(model).mean()))


def instead(model: SavedMethod, method: Method[Any]) -> SavedMethod:
    """A baseline in the place of a trained method."""
    return SavedMethod(method.eval(), model.card)


def transfer() -> None:
    """A new last layer against training the same network on the examples alone; slow fine-tuning below it in two worlds.

    On characters a new last layer leaves nothing to tune for. Digits were written and digitized otherwise.
    """
    (track,) = find_tracks(["vinyals"])
    model = load_method(Bench(trained=RUNS, console=Console(stderr=True)).train("transfer", track))
    trained = model.method
    assert isinstance(trained, Transfer)
    probe = slow(trained, steps=0, rate=trained.config.tune_rate)
    tuned, untuned = "a new last layer and slow fine-tuning", "a new last layer"
    for shots in (1, 5, 15):
        few = Asked(CHOOSE, 5, shots, episodes=20)
        torch.manual_seed(0)
        rates = (0.03, 0.1, 0.3)
        scratch = best((instead(model, FromScratch(trained.config, steps=50, rate=rate)) for rate in rates), few)
        asked = Asked(TEST, 5, shots, episodes=100)
        compare(untuned, "training from scratch", asked, instead(model, probe), scratch)
        compare(tuned, untuned, asked, model, instead(model, probe), aimed=False)
    for shots in (1, 5):
        few = Asked("digits?classes=0:0.5", 5, shots, episodes=20)
        slowly = best((instead(model, slow(trained, steps, rate)) for steps in (5, 20) for rate in (1e-3, 1e-2)), few)
        elsewhere = Asked("digits?classes=0.5:1", 5, shots, episodes=100)
        compare(tuned, untuned, elsewhere, slowly, instead(model, probe))


def slow(trained: Transfer, steps: int, rate: float) -> Transfer:
    """The same encoder, fine-tuned otherwise when it is asked."""
    tuned = Transfer(trained.config.model_copy(update={"tune_steps": steps, "tune_rate": rate}))
    tuned.load_state_dict(trained.state_dict())
    return tuned


def pseudo_labels() -> None:
    """Labels and predictions against labels alone, two a class: the same images pass through both networks.

    Five alphabets, so that the network is soon sure of something; the confidence is the best one on small2.
    """
    shared = {"labeled": 2, "unlabeled": 128, "items": 64, "start": 200, "full": 500, "confidence": 0.5, "steps": 800}
    both = learned("pseudo-labels", "pseudo-labels", "omniglot:small1", **shared)
    labels = learned("labels-alone", "pseudo-labels", "omniglot:small1", **shared, alpha=0)
    for shots in (1, 5):
        compare("labels and predictions", "labels alone", Asked("omniglot:evaluation", 20, shots), both, labels)


def unlabeled() -> None:
    """Support sets with ten unlabeled items a class beside one labeled: soft k-means on the shipped encoder's features."""
    encoder = Encoder.load("characters")
    evaluation = load("omniglot:evaluation", encoder.card.form)
    for ways in (5, 20):
        asked = Asked("omniglot:evaluation", ways, 1)
        found = semi_of(
            encoder, evaluation, ways=ways, shots=1, unlabeled=10, queries=QUERIES, episodes=asked.episodes, seed=0
        )
        record(
            f"soft k-means with ten unlabeled items a class over labels alone, {asked}",
            asked,
            {
                **{"gain": found.gain, "ci95": found.gain_ci95 or 0.0},
                **{"with": found.accuracy, "with_ci95": found.ci95 or 0.0},
                **{"baseline": found.labels_only, "baseline_ci95": found.labels_only_ci95 or 0.0},
            },
            aimed=True,
            budget=Budget(hardware="encoder `characters`"),
            command="unlabeled",
            slug="soft k-means labels alone",
        )


def weak_labels() -> None:
    """Several noisy tags, drawn with the root of their frequency, against one noisy label; 30 % are wrong."""
    tags = learned("tags", "weak-labels", steps=2000)
    hard = learned("hard-labels", "weak-labels", steps=2000, targets="hard", resample=False)
    for shots in (1, 5):
        compare("noisy tags, √-resampled", "hard noisy labels", Asked(TEST, 20, shots), tags, hard)


def meta_lstm() -> None:
    """The LSTM meta-learner against gradient descent and nearest neighbors, all from its own initial weights."""
    model = learned("meta-lstm", "meta-lstm", "omniglot:vinyals-train")
    trained = model.method
    assert isinstance(trained, MetaLSTM)
    for shots in (1, 5):
        few, asked = Asked(CHOOSE, 5, shots, episodes=100), Asked(TEST, 5, shots)
        tuned = best(
            (
                instead(model, FineTuning(trained, updates=updates, rate=rate))
                for updates in (5, 20)
                for rate in (0.01, 0.03, 0.1, 0.3, 1.0)
            ),
            few,
        )
        compare("the LSTM meta-learner", "fine-tuning from its start", asked, model, tuned)
        nearest = instead(model, NearestNeighbor(trained))
        compare("the LSTM meta-learner", "nearest neighbors at its start", asked, model, nearest)


COMPARISONS: dict[str, Callable[[], None]] = {
    "transfer": transfer,
    "pseudo-labels": pseudo_labels,
    "unlabeled": unlabeled,
    "weak-labels": weak_labels,
    "meta-lstm": meta_lstm,
}


def main() -> None:
    """Run the comparisons that are named, or all."""
    for name in sys.argv[1:] or COMPARISONS:
        COMPARISONS[name]()
    write_results()


if __name__ == "__main__":
    main()
