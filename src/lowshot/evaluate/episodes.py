"""Scoring many episodes at once, from features that were embedded once.

Shape suffixes: E episodes, W ways, K shots, Q queries (of all ways), R references, N items, D features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from lowshot.data import Episodes, Form
from lowshot.errors import ConfigError, EncoderError, ShapeError
from lowshot.evaluate.statistics import auroc, expected_right, fpr95
from lowshot.recognize.choice import recognizer_named
from lowshot.recognize.compare import Compare, check_compare
from lowshot.recognize.distances import Distance, check_distance, unit
from lowshot.recognize.recognizer import Recognizer

if TYPE_CHECKING:
    from lowshot.encoder import Encoder

Features = NDArray[np.float32]

_CHUNK_BYTES = 2 << 20  # features gathered at once: what one chunk touches stays in a core's cache
_ROUNDING = 1e-6  # of a squared length: float32 products differ by this much without a reason


@dataclass(frozen=True, eq=False)
class EpisodeScores:
    """How each episode went, one number an episode; ``auroc`` and ``fpr95`` are None without unknown queries."""

    accuracy: NDArray[np.float64]
    auroc: NDArray[np.float64] | None
    fpr95: NDArray[np.float64] | None


def score_episodes(
    features_ND: NDArray[Any], episodes: Episodes, *, distance: Distance, compare: Compare, negative: int = 0
) -> EpisodeScores:
    """Answer every query of every episode with the nearest class.

    Args:
        features_ND: of the items the episodes index.
        episodes: see :meth:`~lowshot.data.EpisodeSampler.draw`.
        distance, negative: as in :func:`~lowshot.recognize.distances`.
        compare: with each class's mean (``prototype``) or with its nearest example (``neighbor``).

    Returns:
        Accuracy, with ties at their expected value (see :func:`~lowshot.evaluate.statistics.expected_right`), and how
        well the distance to the nearest class tells queries of the episode's classes from those of unknown ones.

    Example:
        >>> import numpy as np
        >>> from lowshot.data import EpisodeSampler
        >>> episodes = EpisodeSampler(np.array([0, 0, 1, 1])).draw(3, ways=2, shots=1, queries=1)
        >>> features = np.array([[0.0], [0.1], [5.0], [5.1]])
        >>> score_episodes(features, episodes, distance="euclidean", compare="prototype").accuracy.tolist()
        [1.0, 1.0, 1.0]
    """
    features = checked(features_ND)
    check_distance(distance)
    if distance == "cosine":
        features = unit(features)
    check_compare(compare)
    count, ways = episodes.query.shape[:2]
    query_EQ = episodes.query.reshape(count, -1)
    known = query_EQ.shape[1]
    if not known:
        raise ConfigError("the episodes have no queries: draw at least one a class")
    asked_EQ = np.concatenate([query_EQ, episodes.unknown.reshape(count, -1)], axis=1)
    answer_1Q = np.repeat(np.arange(ways), known // ways)[None]
    accuracy_E, nearest_EQ = np.empty(count), np.empty(asked_EQ.shape, np.float32)
    step = max(1, _CHUNK_BYTES // (4 * features.shape[1] * asked_EQ.shape[1]))
    for start in range(0, count, step):
        chunk = slice(start, start + step)
        queries_EQD = features.take(asked_EQ[chunk], axis=0)
        supports_EWKD = features.take(episodes.support[chunk], axis=0)
        distances_EWQ = _to_classes(queries_EQD, supports_EWKD, distance, compare, negative)
        nearest_EQ[chunk] = distances_EWQ.min(axis=1)
        slack_EQ = None if distance == "l1" else _ROUNDING * _squares(queries_EQD[:, :known])
        right_EQ = expected_right(distances_EWQ[..., :known], answer_1Q, slack_EQ)
        accuracy_E[chunk] = right_EQ.mean(axis=1)
    if not episodes.unknown.size:
        return EpisodeScores(accuracy_E, None, None)
    scores = -nearest_EQ[:, :known], -nearest_EQ[:, known:]
    return EpisodeScores(accuracy_E, auroc(*scores), fpr95(*scores))


def score_recognizer(recognizer: Recognizer, features_ND: NDArray[Any], episodes: Episodes) -> EpisodeScores:
    """As :func:`score_episodes`, with any recognizer, which is fitted to the support of each episode in turn."""
    features = checked(features_ND)
    count, ways, shots = episodes.support.shape
    query_EQ = episodes.query.reshape(count, -1)
    if not (known := query_EQ.shape[1]):
        raise ConfigError("the episodes have no queries: draw at least one a class")
    asked_EQ = np.concatenate([query_EQ, episodes.unknown.reshape(count, -1)], axis=1)
    taught, answer_1Q = np.repeat(np.arange(ways), shots), np.repeat(np.arange(ways), known // ways)[None]
    accuracy_E, nearest_EQ = np.empty(count), np.empty(asked_EQ.shape, np.float32)
    for episode, (support_WK, asked_Q) in enumerate(zip(episodes.support, asked_EQ, strict=True)):
        distances_QW = clone(recognizer).fit(features[support_WK.ravel()], taught).distances(features[asked_Q])
        accuracy_E[episode] = expected_right(distances_QW[None, :known].swapaxes(1, 2), answer_1Q).mean()
        nearest_EQ[episode] = distances_QW.min(axis=1)
    if not episodes.unknown.size:
        return EpisodeScores(accuracy_E, None, None)
    scores = -nearest_EQ[:, :known], -nearest_EQ[:, known:]
    return EpisodeScores(accuracy_E, auroc(*scores), fpr95(*scores))


def recognizer_of(encoder: Encoder, name: str) -> Recognizer:
    """The recognizer of that name, for an encoder's features. Raises ConfigError where there is none."""
    return recognizer_named(name, encoder.card.distance, encoder.card.negative, encoder.background())


@runtime_checkable
class Answering(Protocol):
    """What answers whole episodes, without features that could be kept: a meta-learner, a memory."""

    @property
    def form(self) -> Form:
        """The items it takes."""

    def scores(self, items: NDArray[Any], support_EWK: NDArray[np.int64], query_EM: NDArray[np.int64]) -> NDArray[Any]:
        """How well each query fits each way, (E, M, W), higher is better, from packed items and their indices."""


def score_answers(model: Answering, items: NDArray[Any], episodes: Episodes) -> EpisodeScores:
    """As :func:`score_episodes`, for a model that is asked episode by episode what each query's scores are.

    Raises EncoderError where a score is not a finite number.
    """
    count, ways = episodes.query.shape[:2]
    known = episodes.query[0].size
    asked_EM = np.concatenate([episodes.query.reshape(count, -1), episodes.unknown.reshape(count, -1)], axis=1)
    scores_EMW = model.scores(items, episodes.support, asked_EM)
    if not np.isfinite(scores_EMW).all():
        raise EncoderError("a score is not a finite number: train the method anew, with a lower lr")
    answer_1M = np.repeat(np.arange(ways), known // ways)[None]
    accuracy_E = expected_right(-scores_EMW[:, :known].swapaxes(1, 2), answer_1M).mean(axis=1)
    if not episodes.unknown.size:
        return EpisodeScores(accuracy_E, None, None)
    best_EM = scores_EMW.max(axis=2)
    ranked = best_EM[:, :known], best_EM[:, known:]
    return EpisodeScores(accuracy_E, auroc(*ranked), fpr95(*ranked))


def batched_distances(
    queries_EQD: Features, references_ERD: Features, distance: Distance, negative: int = 0
) -> Features:
    """Distances (E, R, Q) within each episode, the twin of :func:`~lowshot.recognize.distances` for many at once.

    References come before queries, so that the minimum over the few classes runs along whole rows. With ``cosine``,
    both must be of unit length already.
    """
    if distance == "l1":
        sign_D = np.ones(queries_EQD.shape[2], np.float32)
        sign_D[len(sign_D) - negative :] = -1
        columns = [np.abs(queries_EQD - reference[:, None]) @ sign_D for reference in references_ERD.swapaxes(0, 1)]
        return np.stack(columns, axis=1)
    product_ERQ: Features = references_ERD @ queries_EQD.swapaxes(1, 2)
    if distance == "cosine":
        return np.subtract(1, product_ERQ, out=product_ERQ)
    product_ERQ *= -2
    product_ERQ += _squares(references_ERD)[:, :, None]
    product_ERQ += _squares(queries_EQD)[:, None]
    return product_ERQ


def checked(features_ND: NDArray[Any]) -> Features:
    """The features as a contiguous ``float32`` matrix.

    Raises:
        ShapeError: they are not (items, features).
        EncoderError: one is not a finite number.
    """
    features = np.ascontiguousarray(features_ND, np.float32)
    if features.ndim != 2:
        raise ShapeError(f"features must be (items, features), not {features.shape}")
    if not np.isfinite(features).all():
        item = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise EncoderError(
            f"the features of item {item} are not finite numbers: repair the encoder or leave the item out"
        )
    return features


def _to_classes(
    queries_EQD: Features, supports_EWKD: Features, distance: Distance, compare: Compare, negative: int
) -> Features:
    """Distances (E, W, Q) of each query to each class."""
    count, ways, shots, size = supports_EWKD.shape
    if compare == "prototype":
        means = supports_EWKD.mean(axis=2)
        if distance == "cosine":
            means = unit(means.reshape(-1, size)).reshape(means.shape)
        return batched_distances(queries_EQD, means, distance, negative)
    examples_ERD = supports_EWKD.reshape(count, ways * shots, size)
    distances_ERQ = batched_distances(queries_EQD, examples_ERD, distance, negative)
    nearest: Features = distances_ERQ.reshape(count, ways, shots, -1).min(axis=2)
    return nearest


def _squares(features_EQD: Features) -> Features:
    """Squared lengths."""
    squares: Features = np.einsum("eqd,eqd->eq", features_EQD, features_EQD)
    return squares
