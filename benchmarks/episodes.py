"""Time an episode costs once features are there, beside scikit-learn's NearestCentroid in a loop over the same ones.

1000 classes × 20 items × 64 features, one thread. Prints one JSON object. ``microseconds`` counts drawing the episodes,
gathering their features, scoring and averaging; ``with_unknown_microseconds`` is all of ``nway``, which asks as many
queries of unknown classes and computes AUROC and FPR. The loop gets its episodes drawn for nothing. Wall-clock time,
the fastest of a few runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestCentroid
from threadpoolctl import threadpool_limits

from lowshot.data import Episodes, EpisodeSampler
from lowshot.evaluate import nway, score_episodes
from lowshot.evaluate.statistics import mean_ci95

CLASSES, ITEMS, FEATURES, EPISODES, REPEATS = 1000, 20, 64, 1000, 5
SETTINGS = ({"ways": 5, "shots": 1, "queries": 15}, {"ways": 20, "shots": 5, "queries": 15})
TARGET_MICROSECONDS, TARGET_SPEEDUP = 40, 20
T = TypeVar("T")


def main() -> None:
    """Measure both and print the figures."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(CLASSES, 1, FEATURES))
    features = (centers + 1.3 * rng.normal(size=(CLASSES, ITEMS, FEATURES))).reshape(-1, FEATURES).astype(np.float32)
    labels = np.repeat(np.arange(CLASSES), ITEMS)
    with threadpool_limits(limits=1):
        rows = [measure(features, labels, **setting) for setting in SETTINGS]
    first = rows[0]
    print(
        json.dumps(
            {
                "benchmark": "episodes",
                "data": f"{CLASSES} classes × {ITEMS} × {FEATURES} features",
                "episodes": EPISODES,
                "threads": 1,
                "target_microseconds": TARGET_MICROSECONDS,
                "target_speedup": TARGET_SPEEDUP,
                "reached": first["microseconds"] <= TARGET_MICROSECONDS and first["speedup"] >= TARGET_SPEEDUP,
                "rows": rows,
            },
            indent=2,
            ensure_ascii=False,
        )
    )


def measure(features: NDArray[np.float32], labels: NDArray[np.int64], **setting: int) -> dict[str, Any]:
    """One setting, ours and scikit-learn's."""
    sampler = EpisodeSampler(labels)

    def ours() -> float:
        episodes = sampler.draw(EPISODES, **setting)
        return mean_ci95(score_episodes(features, episodes, distance="euclidean", compare="prototype").accuracy)[0]

    def everything() -> float | None:
        return nway(features, labels, distance="euclidean", compare="prototype", episodes=EPISODES, **setting).auroc

    fast, accuracy = best_of(REPEATS, ours)
    unknown, _ = best_of(REPEATS, everything)
    episodes = sampler.draw(EPISODES, **setting)
    slow, expected = best_of(2, lambda: scikit_learn(features, labels, episodes))
    assert abs(accuracy - expected) < 1e-6, f"accuracies differ: {accuracy} and scikit-learn's {expected}"
    return {
        **setting,
        "accuracy": accuracy,
        "microseconds": round(fast, 1),
        "with_unknown_microseconds": round(unknown, 1),
        "scikit_learn_microseconds": round(slow, 1),
        "speedup": round(slow / fast, 1),
    }


def scikit_learn(features: NDArray[np.float32], labels: NDArray[np.int64], episodes: Episodes) -> float:
    """Mean accuracy of a NearestCentroid fitted to each episode."""
    pairs = zip(episodes.support.reshape(EPISODES, -1), episodes.query.reshape(EPISODES, -1), strict=True)
    with np.errstate(invalid="ignore"):  # its variance of one example; warning about it would cost it time
        right = [NearestCentroid().fit(features[s], labels[s]).score(features[q], labels[q]) for s, q in pairs]
    return float(np.mean(right))


def best_of(repeats: int, run: Callable[[], T]) -> tuple[float, T]:
    """Microseconds an episode in the fastest run, and what it gave: other programs only ever make a run slower."""
    times = []
    for _ in range(repeats):
        started = perf_counter()
        result = run()
        times.append(perf_counter() - started)
    return min(times) / EPISODES * 1e6, result


if __name__ == "__main__":
    main()
