"""What unlabeled items are worth: the same episodes answered from labels alone, and from labels and unlabeled items.

As in Ren et al. (2018), section 5: beside K labeled examples a class, an episode has U unlabeled items of each class, and,
where distractors are asked for, as many of classes that no query is of.

Shape suffixes: E episodes, U unlabeled items, D features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lowshot.data import EpisodeSampler, Examples
from lowshot.errors import ConfigError, ShapeError
from lowshot.evaluate.episodes import checked
from lowshot.evaluate.report import Report, percent
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize.soft_kmeans import SoftKMeans

if TYPE_CHECKING:
    from lowshot.encoder import Card, Encoder


class SemiRecognizer(Protocol):
    """A recognizer that also learns from unlabeled features, such as :class:`~lowshot.recognize.SoftKMeans`."""

    def fit(self, X: Any, y: Any, unlabeled: Any = None) -> Any:
        """Learn examples with labels, and items without."""

    def predict(self, X: Any) -> NDArray[Any]:
        """A label for each query."""


@dataclass(frozen=True, kw_only=True)
class SemiResult(Report):
    """Accuracies over the same episodes; all rates are fractions, each with the half width of its 95 % interval.

    Attributes:
        labels_only, labels_only_ci95: from the labeled examples alone.
        accuracy, ci95: from labeled examples and unlabeled items.
        gain, gain_ci95: the mean difference of an episode's two accuracies. Its interval is much narrower than theirs: an
            episode that is hard is hard for both.
        ways, shots, unlabeled, distractors, queries, episodes, seed: the protocol; ``unlabeled`` items a class, of as many
            more classes as there are ``distractors``.

    Intervals are None for one episode.
    """

    labels_only: float
    labels_only_ci95: float | None
    accuracy: float
    ci95: float | None
    gain: float
    gain_ci95: float | None
    ways: int
    shots: int
    unlabeled: int
    distractors: int
    queries: int
    episodes: int
    seed: int

    def __str__(self) -> str:
        beside = f", {self.distractors} distractor classes" if self.distractors else ""
        return (
            f"{self.ways}-way {self.shots}-shot, {self.unlabeled} unlabeled a class{beside}: "
            f"{percent(self.labels_only, self.labels_only_ci95)} from labels, {percent(self.accuracy, self.ci95)} with "
            f"predictions, gain {percent(self.gain, self.gain_ci95)} over {self.episodes} episodes ({self.seconds:.1f} s)"
        )


def semi(
    features_ND: NDArray[Any],
    labels: NDArray[np.integer],
    recognizer: SemiRecognizer,
    *,
    ways: int = 5,
    shots: int = 1,
    unlabeled: int = 5,
    distractors: int = 0,
    queries: int = 5,
    episodes: int = 1000,
    seed: int = 0,
    within: Sequence[str] | None = None,
    class_names: Sequence[str] = (),
) -> SemiResult:
    """Evaluate features and a recognizer that learns from unlabeled items, too.

    Args:
        features_ND: one row an item, embedded once.
        labels: class of each item, (N,), each in ``0 .. classes - 1``.
        recognizer: fitted anew for each episode, without and with the unlabeled items; it comes back fitted to the last.
        ways, shots, queries: classes an episode; labeled examples and queries a class.
        unlabeled: items without a label, of each class.
        distractors: classes whose items are unlabeled, too, but of which no query is.
        episodes, seed: how many, and what draws them: the same seed asks the same questions on every machine.
        within: group of each class, (classes,): an episode's classes then come from one group, which is much harder.
        class_names: used in messages only.

    Raises:
        ClassTooSmall: a class has fewer items than shots + queries + unlabeled.
        ConfigError: too few classes, or a number outside its range.
        ShapeError: features and labels do not agree.
        EncoderError: a feature is not a finite number.

    Example:
        >>> import numpy as np
        >>> from lowshot.recognize import SoftKMeans
        >>> labels = np.repeat(np.arange(4), 12)
        >>> result = semi(labels[:, None], labels, SoftKMeans(), ways=2, episodes=10)
        >>> result.labels_only, result.accuracy
        (1.0, 1.0)
    """
    started = perf_counter()
    features = checked(features_ND)
    if len(features) != len(labels):
        raise ShapeError(f"{len(features)} features but {len(labels)} labels: give one for each item")
    if queries < 1 or unlabeled < 1:
        raise ConfigError(f"queries and unlabeled must be at least 1, not {queries} and {unlabeled}")
    sampler = EpisodeSampler(labels, within=within, class_names=class_names)
    drawn = sampler.draw(episodes, ways, shots, queries + unlabeled, unknown_ways=distractors, seed=seed)
    query, own, other = drawn.query[..., :queries], drawn.query[..., queries:], drawn.unknown[..., :unlabeled]
    taught, asked = np.repeat(np.arange(ways), shots), np.repeat(np.arange(ways), queries)
    right_2E = np.empty((2, episodes))
    for episode in range(episodes):
        support_ND, query_ND = features[drawn.support[episode].ravel()], features[query[episode].ravel()]
        unlabeled_UD = features[np.concatenate([own[episode].ravel(), other[episode].ravel()])]
        for row, known in enumerate((None, unlabeled_UD)):
            recognizer.fit(support_ND, taught, unlabeled=known)
            right_2E[row, episode] = (recognizer.predict(query_ND) == asked).mean()
    (labels_only, labels_only_ci95), (accuracy, ci95) = map(mean_ci95, right_2E)
    gain, gain_ci95 = mean_ci95(right_2E[1] - right_2E[0])
    return SemiResult(
        labels_only=labels_only,
        labels_only_ci95=labels_only_ci95,
        accuracy=accuracy,
        ci95=ci95,
        gain=gain,
        gain_ci95=gain_ci95,
        ways=ways,
        shots=shots,
        unlabeled=unlabeled,
        distractors=distractors,
        queries=queries,
        episodes=episodes,
        seed=seed,
        seconds=perf_counter() - started,
    )


def semi_of(
    encoder: Encoder,
    examples: Examples,
    recognizer: SemiRecognizer | None = None,
    *,
    ways: int = 5,
    shots: int = 1,
    unlabeled: int = 5,
    distractors: int = 0,
    queries: int = 5,
    episodes: int = 1000,
    seed: int = 0,
    within: str | None = None,
) -> SemiResult:
    """Evaluate an encoder: each item is embedded once, then only indexed. See :func:`semi`.

    Args:
        within: an attribute, such as ``alphabet``: an episode's classes then share its value.

    Example:
        >>> from lowshot import Encoder
        >>> from lowshot.data import load
        >>> encoder = Encoder.load("characters")
        >>> digits = load("digits", encoder.card.form)
        >>> result = semi_of(encoder, digits, SoftKMeans("cosine", temperature=0.05), unlabeled=20, episodes=100)
        >>> result.gain > result.gain_ci95
        True
    """
    started = perf_counter()
    groups = None if within is None else examples.of_classes(within)
    features = encoder.embed(examples.items)
    embedded = perf_counter()
    result = semi(
        features,
        examples.labels,
        recognizer or _soft_k_means(encoder.card, masked=distractors > 0),
        ways=ways,
        shots=shots,
        unlabeled=unlabeled,
        distractors=distractors,
        queries=queries,
        episodes=episodes,
        seed=seed,
        within=groups,
        class_names=examples.classes,
    )
    return replace(result, seconds=perf_counter() - started, embed_seconds=embedded - started)


def _soft_k_means(card: Card, masked: bool) -> SoftKMeans:
    """With the settings that its documentation calls a fair start."""
    temperature = 0.05 if card.distance == "cosine" else 1.0
    return SoftKMeans(card.distance, card.negative, temperature, mask=(0.6, 20) if masked else None)
