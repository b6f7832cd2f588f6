"""What choosing a recognizer is worth, and what views of the enrolled examples are, on classes no encoder was tuned on.

    python benchmarks/recognizers.py [choice] [views]

A gain is the mean difference of an episode's two accuracies, with its 95 % interval. In every episode the recognizer is
chosen by that episode's support examples alone, as a gallery would, beside all of them asked the same queries.
Characters are the validation alphabets, kept out of the encoder's training.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lowshot.data import Episodes, EpisodeSampler, Examples, load, read_pictures
from lowshot.data.files import FileSet
from lowshot.data.images import ImageForm
from lowshot.data.locate import find
from lowshot.encoder import Encoder, Views
from lowshot.errors import ConfigError, DataNotFound
from lowshot.evaluate import score_episodes
from lowshot.evaluate.results import Budget, Result, write_results
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize.choice import NAMES, choose, recognizer_named

SECTION = "Recognizers chosen by the gallery, and views of its examples"
EPISODES, EPISODES_OF_VIEWS, PHOTOS = 30, 400, 40  # photos of each class


@dataclass(frozen=True)
class World:
    """Some data, the encoder for it, and what is asked."""

    name: str
    data: str
    encoder: str
    load: Callable[[ImageForm], Examples]
    ways: int
    shots: tuple[int, ...]
    queries: int
    views: Views


def clothing(form: ImageForm) -> Examples:
    """The train folder inside the zip, whose class folders lie one level deeper than usual."""
    files = FileSet.open(_found("clothing/clothing_small_160.zip"))
    chosen = [i for i, part in enumerate(files.labels) if part == "train"]
    kinds = [files.names[i].split("/")[-2] for i in chosen]
    classes, labels = np.unique(kinds, return_inverse=True)
    few = _few(labels)
    items = read_pictures([files.items[chosen[i]] for i in few], form)
    return Examples(items, labels[few], tuple(classes.tolist()))


def _steel(form: ImageForm) -> Examples:
    examples = load(_found("neu_cls/neu_cls_200.zip"), form)
    return examples.take(_few(examples.labels))


def _faces(form: ImageForm) -> Examples:
    examples = load("lfw?least=26", form)
    return examples.take(_few(examples.labels, 26))


def _few(labels: NDArray[np.int64], most: int = PHOTOS) -> NDArray[np.int64]:
    """Where the first items of each class are, in an order shuffled once."""
    order = np.random.default_rng(0).permutation(len(labels))
    by_class = order[np.argsort(labels[order], kind="stable")]
    counts = np.bincount(labels)
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(by_class[place < most])


def _found(path: str) -> Path:
    file = find(path)
    if file is None:
        raise DataNotFound(f"{path} is not there: set LOWSHOT_DATA to the folder that holds it")
    return file


VALIDATION = "omniglot:background?alphabet=Bengali,Hebrew"
WORLDS = (
    World(
        *("characters", VALIDATION, "characters", lambda form: load(VALIDATION, form)),
        *(20, (1, 2, 5, 10, 15), 5, "shifts"),
    ),
    World("clothing", "clothing, train folder", "photos", clothing, 10, (1, 2, 5, 10, 20), 15, "flip"),
    World("steel", "neu_cls", "photos", _steel, 6, (1, 2, 5, 10, 20), 15, "flip"),
    World("faces", "lfw?least=26", "photos", _faces, 20, (1, 2, 5, 10, 20), 6, "flip"),
)


def choice() -> None:
    """The recognizer that each episode's examples choose, against the comparison on the encoder's card."""
    for world in WORLDS:
        encoder = Encoder.load(world.encoder)
        examples = world.load(encoder.card.form)
        features = encoder.embed(examples.items)
        sampler = EpisodeSampler(examples.labels, class_names=examples.classes)
        for shots in world.shots:
            episodes = sampler.draw(EPISODES, world.ways, shots, world.queries, seed=0)
            _record_choice(world, encoder, features, episodes)


def _record_choice(world: World, encoder: Encoder, features: NDArray[np.float32], episodes: Episodes) -> None:
    card, background = encoder.card, encoder.background()
    right: dict[str, list[float]] = {}
    chosen = []
    for support_WK, query_WQ in zip(episodes.support, episodes.query, strict=True):
        (X, y), (asked, answers) = (_flat(features, each) for each in (support_WK, query_WQ))
        picked = choose(
            X, y, card.compare, distance=card.distance, negative=card.negative, background=background, seed=0
        )
        chosen.append(picked.name)
        for name in NAMES:
            try:
                recognizer = recognizer_named(name, card.distance, card.negative, background)
            except ConfigError:  # needs a background, and this encoder carries none
                continue
            right.setdefault(name, []).append(float((recognizer.fit(X, y).predict(asked) == answers).mean()))
    table = {name: np.array(each) for name, each in right.items()}
    with_choice = np.array([right[name][i] for i, name in enumerate(chosen)])
    shots = episodes.support.shape[2]
    picks = ", ".join(f"{name} {chosen.count(name)}" for name in NAMES if name in chosen)
    each = ", ".join(f"{name} {found.mean():.2%}" for name, found in table.items())
    _record(
        *(f"the recognizer chosen over the card's, {world.name}", world, shots, with_choice, table[card.compare]),
        extra={name: float(found.mean()) for name, found in table.items()},
        note=f"chosen: {picks}; alone: {each}",
        command="choice",
    )


def _flat(features: NDArray[np.float32], items_WK: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Features and ways of an episode's items."""
    return features[items_WK.ravel()], np.repeat(np.arange(len(items_WK)), items_WK.shape[1])


def views() -> None:
    """The mean over an enrolled example and its views, against the example alone; queries are seen once in both."""
    for world in WORLDS:
        encoder = Encoder.load(world.encoder)
        examples = world.load(encoder.card.form)
        alone, seen = encoder.embed(examples.items), encoder.embed_support(examples.items, world.views)
        sampler = EpisodeSampler(examples.labels, class_names=examples.classes)
        both = np.concatenate([seen, alone])  # support items point into the first half, queries into the second
        for shots in (1, 5):
            drawn = sampler.draw(EPISODES_OF_VIEWS, world.ways, shots, world.queries, seed=0)
            rows = len(alone) + drawn.query
            with_views, without = (
                score_episodes(
                    both,
                    Episodes(support, rows, drawn.unknown),
                    distance=encoder.card.distance,
                    compare=encoder.card.compare,
                    negative=encoder.card.negative,
                ).accuracy
                for support in (drawn.support, len(alone) + drawn.support)
            )
            _record(
                *(f"views ({world.views}) over single examples, {world.name}", world, shots, with_views, without),
                extra={},
                note="",
                command="views",
            )


def _record(
    title: str,
    world: World,
    shots: int,
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    *,
    extra: dict[str, float],
    note: str,
    command: str,
) -> None:
    """Keep a gain, which should be no loss beyond its interval."""
    gain, ci95 = mean_ci95(one - other)
    result = Result(
        section=SECTION,
        title=f"{title}, {world.ways}-way {shots}-shot",
        data=world.data,
        protocol=f"{world.ways}-way {shots}-shot, {world.queries} queries a class",
        measure="gain",
        unit="points",
        figures={"gain": gain, "ci95": ci95, "with": float(one.mean()), "baseline": float(other.mean()), **extra},
        target=-(ci95 or 0.0),
        seed=0,
        episodes=len(one),
        budget=Budget(hardware=f"encoder `{world.encoder}`"),
        command=f"python benchmarks/recognizers.py {command}",
        note=f"{one.mean():.2%} against {other.mean():.2%}" + f"; {note}" * bool(note),
    )
    result.save(Path("results") / f"recognizers-{command}-{world.name}-{shots}.json")
    print(f"{result.title}: {result.show(gain, ci95)} ({result.note})", flush=True)


BENCHMARKS: dict[str, Callable[[], None]] = {"choice": choice, "views": views}


def main() -> None:
    """Run what is named, or all."""
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()
    write_results()


if __name__ == "__main__":
    main()
