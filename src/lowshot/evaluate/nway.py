"""N-way K-shot: the field's usual protocol, with the rejection of unknown classes measured beside it.

Episodes are as in Vinyals et al. (2016), section 4, and Snell et al. (2017), section 3: classes and items at random,
equally many queries a class, the mean accuracy over episodes with its 95 % interval. Unknown rejection asks each
episode as many queries of classes that are not in its support.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowshot.data import Episodes, EpisodeSampler, Examples
from lowshot.data.texts import readable
from lowshot.errors import ConfigError, ShapeError
from lowshot.evaluate.episodes import (
    Answering,
    EpisodeScores,
    recognizer_of,
    score_answers,
    score_episodes,
    score_recognizer,
)
from lowshot.evaluate.report import Report, percent
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize.compare import Compare
from lowshot.recognize.distances import Distance
from lowshot.recognize.recognizer import Recognizer

if TYPE_CHECKING:
    from lowshot.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class NWayResult(Report):
    """Accuracy over episodes; all rates are fractions.

    Attributes:
        accuracy, ci95: the mean over episodes and the half width of its 95 % interval (None for one episode).
        auroc, fpr95: of telling queries of unknown classes by their distance to the nearest class, means over episodes:
            the area under the ROC curve, and the share accepted when 95 % of the known are. None where there are too
            few classes for unknown ones.
        named: whether each class was enrolled by its name, too.
    """

    accuracy: float
    ci95: float | None
    episodes: int
    ways: int
    shots: int
    queries: int
    seed: int
    auroc: float | None
    fpr95: float | None
    named: bool = False

    def __str__(self) -> str:
        named = (" and by name" if self.shots else " by name") if self.named else ""
        accuracy = percent(self.accuracy, self.ci95)
        known = f"{self.ways}-way {self.shots}-shot{named}: {accuracy} over {self.episodes} episodes"
        if self.auroc is None or self.fpr95 is None:
            return f"{known} ({self.seconds:.1f} s)"
        return f"{known}; unknown: AUROC {self.auroc:.4f}, FPR at 95 % TPR {percent(self.fpr95)} ({self.seconds:.1f} s)"


def nway(
    features_ND: NDArray[Any],
    labels: NDArray[np.integer],
    *,
    named_CD: NDArray[Any] | None = None,
    distance: Distance,
    compare: Compare,
    negative: int = 0,
    ways: int = 20,
    shots: int = 1,
    queries: int = 5,
    episodes: int = 1000,
    seed: int = 0,
    within: Sequence[str] | None = None,
    apart: Sequence[str] | NDArray[np.str_] | None = None,
    class_names: Sequence[str] = (),
    recognizer: Recognizer | None = None,
) -> NWayResult:
    """Evaluate features.

    Args:
        features_ND: one row an item, embedded once.
        labels: class of each item, (N,), each in ``0 .. classes - 1``.
        named_CD: a feature for each class, of its name for instance, that is one more example of it in every episode. There
            may be 0 shots then, and the questions are those of 1 shot.
        distance, compare, negative: as the encoder's card says, see :class:`~lowshot.encoder.Card`.
        ways, shots, queries: classes an episode; support and query items a class.
        episodes, seed: how many, and what draws them: the same seed asks the same questions on every machine.
        within: group of each class, (classes,): an episode's classes then come from one group, which is much harder.
        apart: group of each item, (N,), such as its speaker: the queries of a class then come from other groups than its
            support.
        class_names: used in messages only.
        recognizer: compares queries in another way, and is fitted anew for each episode; it comes back as it was.

    Every group that has enough classes for an episode must have twice as many for unknown classes to be asked, too:
    otherwise asking them would change which groups are evaluated.

    Raises:
        ClassTooSmall: a class has fewer items than shots + queries, or than can be held apart.
        ConfigError: too few classes, or a number below one.
        ShapeError: features and labels do not agree.
        EncoderError: a feature is not a finite number.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat(np.arange(4), 3)
        >>> result = nway(labels[:, None], labels, distance="euclidean", compare="prototype", ways=2, queries=2)
        >>> result.accuracy, result.auroc, result.fpr95
        (1.0, 1.0, 0.0)
    """
    started = perf_counter()
    if len(features_ND) != len(labels):
        raise ShapeError(f"{len(features_ND)} features but {len(labels)} labels: give one for each item")
    sampler = EpisodeSampler(labels, within=within, apart=apart, class_names=class_names)
    if named_CD is None:
        drawn = _draw(sampler, ways, shots, queries, episodes, seed)
    else:
        drawn = _with_names(_draw(sampler, ways, max(shots, 1), queries, episodes, seed), labels, shots)
        features_ND = np.concatenate([features_ND, named_CD])
    if recognizer is None:
        scores = score_episodes(features_ND, drawn, distance=distance, compare=compare, negative=negative)
    else:
        scores = score_recognizer(recognizer, features_ND, drawn)
    result = _result(scores, drawn, seed, perf_counter() - started)
    return result if named_CD is None else replace(result, named=True, shots=shots)


def _with_names(drawn: Episodes, labels: NDArray[np.integer], shots: int) -> Episodes:
    """So many shots, and the feature of each class's name as one more: these follow those of the items, class by class."""
    named_EW1 = len(labels) + labels[drawn.query[..., :1]]
    return replace(drawn, support=np.concatenate([drawn.support[..., :shots], named_EW1], axis=2))


def _draw(sampler: EpisodeSampler, ways: int, shots: int, queries: int, episodes: int, seed: int) -> Episodes:
    if queries < 1:
        raise ConfigError(f"queries must be at least 1, not {queries}")
    enough = [len(group) for group in sampler.members if len(group) >= ways]
    unknown_ways = ways if enough and min(enough) >= 2 * ways else 0
    return sampler.draw(episodes, ways, shots, queries, unknown_ways=unknown_ways, seed=seed)


def _result(scores: EpisodeScores, drawn: Episodes, seed: int, seconds: float) -> NWayResult:
    accuracy, ci95 = mean_ci95(scores.accuracy)
    episodes, ways, shots = drawn.support.shape
    return NWayResult(
        accuracy=accuracy,
        ci95=ci95,
        episodes=episodes,
        ways=ways,
        shots=shots,
        queries=drawn.query.shape[2],
        seed=seed,
        auroc=None if scores.auroc is None else float(scores.auroc.mean()),
        fpr95=None if scores.fpr95 is None else float(scores.fpr95.mean()),
        seconds=seconds,
    )


def nway_of(
    model: Encoder | Answering,
    examples: Examples,
    *,
    ways: int = 20,
    shots: int = 1,
    queries: int = 5,
    episodes: int = 1000,
    seed: int = 0,
    within: str | None = None,
    apart: str | None = None,
    recognizer: str | None = None,
    named: bool = False,
) -> NWayResult:
    """Evaluate an encoder: each item is embedded once, then only indexed. See :func:`nway`.

    Args:
        model: an encoder, or a trained method that answers whole episodes.
        within: an attribute, such as ``alphabet``: an episode's classes then share its value.
        apart: an attribute, such as ``speaker``: the queries of a class then have other values than its support.
        recognizer: the name of another way to compare, see :func:`~lowshot.recognize.recognizer_named`; None for the one
            on the encoder's card.
        named: every class is enrolled by its name in words, too, as by one more example; with 0 shots by that alone.

    Raises as :func:`nway` does; ConfigError also where a recognizer or names are asked of a method that answers by itself,
    or names of an encoder that reads no texts.

    Example:
        >>> from lowshot import Encoder
        >>> from lowshot.data import load
        >>> encoder = Encoder.load("characters")
        >>> nway_of(encoder, load("digits", encoder.card.form), ways=5, episodes=100).ways
        5
    """
    started = perf_counter()
    groups = None if within is None else examples.of_classes(within)
    held = None if apart is None else examples.values(apart)
    if isinstance(model, Answering):
        if recognizer is not None or named:
            raise ConfigError("this method answers by itself: leave the recognizer and the names out")
        sampler = EpisodeSampler(examples.labels, within=groups, apart=held, class_names=examples.classes)
        drawn = _draw(sampler, ways, shots, queries, episodes, seed)
        scores = score_answers(model, examples.items, drawn)
        return _result(scores, drawn, seed, perf_counter() - started)
    if named and model.card.modality != "text":
        raise ConfigError(f"names are words, and {model.card.name} is no encoder of texts: leave the names out")
    features = model.embed(examples.items)
    names = model.embed(model.read([readable(name) for name in examples.classes])) if named else None
    embedded = perf_counter()
    card = model.card
    result = nway(
        features,
        examples.labels,
        named_CD=names,
        distance=card.distance,
        compare=card.compare,
        negative=card.negative,
        ways=ways,
        shots=shots,
        queries=queries,
        episodes=episodes,
        seed=seed,
        within=groups,
        apart=held,
        class_names=examples.classes,
        recognizer=None if recognizer is None else recognizer_of(model, recognizer),
    )
    return replace(result, seconds=perf_counter() - started, embed_seconds=embedded - started)
