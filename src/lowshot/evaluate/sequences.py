"""Sequences: accuracy at the k-th presentation of a class, as memory-augmented networks are measured (Santoro et al. 2016).

Items of a few classes come one after another in random order, each with the label of the item before it, and each has to
be labeled when it comes (section 4.1 and Tables 1 and 2). Labels are dealt anew to the classes in every sequence. So the
first presentation of a class can only be guessed, and from the second on one example after another has been seen.

Shape suffixes: S sequences, W ways, P presentations, T = W·P times, L characters of a label, N items, D features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lowshot.data import EpisodeSampler, Examples, ImageForm, Spelling, draw_sequences
from lowshot.errors import ConfigError, ShapeError
from lowshot.evaluate.episodes import Answering, batched_distances, checked
from lowshot.evaluate.report import Report, percent
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize.distances import Distance, unit

if TYPE_CHECKING:
    from lowshot.encoder import Encoder

Ints = NDArray[np.int64]
Present = Callable[[NDArray[Any], Ints, Ints], NDArray[Any]]
"""(items, their indices (S, T), their labels (S, T, L)) → labels (S, T, L), the one at time t by the items up to t and the
labels before t. An item is whatever the function takes: an image, or its features."""

_TOGETHER = 100  # sequences whose features are gathered at once


@dataclass(frozen=True, kw_only=True)
class SequentialResult(Report):
    """Accuracy at each presentation, fractions.

    Attributes:
        accuracy: at the first presentation of a class, the second, and so on. A label counts as right where all of its
            characters are.
        ci95: the half widths of their 95 % intervals over sequences (None for one sequence).
    """

    accuracy: tuple[float, ...]
    ci95: tuple[float | None, ...]
    sequences: int
    ways: int
    presentations: int
    seed: int

    def at(self, presentation: int) -> PresentationResult:
        """The accuracy at one presentation. Raises ConfigError where there were not so many."""
        if not 1 <= presentation <= self.presentations:
            raise ConfigError(f"presentations are 1 to {self.presentations}, not {presentation}")
        return PresentationResult(
            accuracy=self.accuracy[presentation - 1],
            ci95=self.ci95[presentation - 1],
            presentation=presentation,
            sequences=self.sequences,
            ways=self.ways,
            seed=self.seed,
            seconds=self.seconds,
            embed_seconds=self.embed_seconds,
        )

    def __str__(self) -> str:
        shown = [k for k in (1, 2, 3, 5, 10) if k < self.presentations] + [self.presentations]
        each = ", ".join(f"{k}: {percent(self.accuracy[k - 1], self.ci95[k - 1])}" for k in shown)
        return f"{self.ways}-way, at presentation {each}, over {self.sequences} sequences ({self.seconds:.1f} s)"


@dataclass(frozen=True, kw_only=True)
class PresentationResult(Report):
    """Accuracy at one presentation, a fraction, with the half width of its 95 % interval."""

    accuracy: float
    ci95: float | None
    presentation: int
    sequences: int
    ways: int
    seed: int

    def __str__(self) -> str:
        found = percent(self.accuracy, self.ci95)
        return f"{self.ways}-way, presentation {self.presentation}: {found} over {self.sequences} sequences"


def sequential(
    present: Present,
    items: NDArray[Any],
    labels: NDArray[np.integer],
    *,
    ways: int = 5,
    presentations: int = 10,
    sequences: int = 1000,
    seed: int = 0,
    spelling: Spelling | None = None,
    class_names: tuple[str, ...] = (),
) -> SequentialResult:
    """Present sequences and count right answers.

    Args:
        present: what answers, see :data:`Present` and :func:`nearest_neighbor`.
        items, labels: what ``present`` takes of each item, and the item's class.
        ways, presentations: classes of a sequence, and how often each is presented, by another item each time.
        sequences, seed: how many, and what draws them: the same seed asks the same questions on every machine.
        spelling: the labels; one-hot ones without it.
        class_names: used in messages only.

    Raises:
        ClassTooSmall: a class has fewer items than presentations.
        ConfigError: too few classes or labels, or a number below one.
        ShapeError: items and labels do not agree, or the answers have another shape than the labels.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat(np.arange(4), 3)
        >>> result = sequential(nearest_neighbor, np.eye(4)[labels], labels, ways=2, presentations=3)
        >>> result.accuracy[1:], 0.2 < result.accuracy[0] < 0.3
        ((1.0, 1.0), True)
    """
    started = perf_counter()
    if len(items) != len(labels):
        raise ShapeError(f"{len(items)} items but {len(labels)} labels: give one for each item")
    sampler = EpisodeSampler(labels, class_names=class_names)
    drawn = draw_sequences(sampler, sequences, ways, presentations, seed=seed)
    words_SWL = (spelling or Spelling(ways)).draw(sequences, ways, seed=seed)
    labels_STL = np.take_along_axis(words_SWL, drawn.slots[..., None], axis=1)
    answers_STL = np.asarray(present(items, drawn.items, labels_STL))
    if answers_STL.shape != labels_STL.shape:
        raise ShapeError(
            f"answers must be (sequences, times, characters) = {labels_STL.shape}, not {answers_STL.shape}"
        )
    right_ST = (answers_STL == labels_STL).all(axis=2)
    right_SWP = np.take_along_axis(right_ST, drawn.times.reshape(sequences, -1), axis=1).reshape(drawn.times.shape)
    figures = [mean_ci95(right_S) for right_S in right_SWP.mean(axis=1).T]
    return SequentialResult(
        accuracy=tuple(mean for mean, _ in figures),
        ci95=tuple(ci95 for _, ci95 in figures),
        sequences=sequences,
        ways=ways,
        presentations=presentations,
        seed=seed,
        seconds=perf_counter() - started,
    )


def nearest_neighbor(
    features_ND: NDArray[Any],
    index_ST: Ints,
    labels_STL: Ints,
    *,
    distance: Distance = "euclidean",
    negative: int = 0,
) -> Ints:
    """The label of the nearest item seen before: the baseline with a perfect memory (Table 2).

    The very first item of a sequence is answered with the first label there is, so of the first presentations one in the
    square of the ways is right. Otherwise a class that comes for the first time is always taken for another.

    Args:
        distance, negative: of features, as in :func:`~lowshot.recognize.distances`.
    """
    features = checked(features_ND)
    if distance == "cosine":
        features = unit(features)
    parts = [
        _nearest_before(features[index_ST[start : start + _TOGETHER]], distance, negative)
        for start in range(0, len(index_ST), _TOGETHER)
    ]
    answers: Ints = np.take_along_axis(labels_STL, np.concatenate(parts)[..., None], axis=1)
    answers[:, 0] = 0
    return answers


def _nearest_before(features_STD: NDArray[np.float32], distance: Distance, negative: int) -> Ints:
    """When the nearest of the items before each was seen, (S, T); 0 for the first."""
    distances_SRT = batched_distances(features_STD, features_STD, distance, negative)  # of T, from those remembered, R
    not_yet_RT = np.tri(distances_SRT.shape[1], dtype=bool)
    nearest: Ints = np.where(not_yet_RT, np.inf, distances_SRT).argmin(axis=1)
    return nearest


@runtime_checkable
class Presenting(Protocol):
    """What answers items one after another: a network with a memory."""

    @property
    def form(self) -> ImageForm:
        """The images it takes."""

    @property
    def spelling(self) -> Spelling:
        """The labels it can give."""

    def present(self, items: NDArray[Any], index_ST: Ints, labels_STL: Ints) -> NDArray[Any]:
        """Labels (S, T, L) of packed images; see :data:`Present`."""


def sequential_of(
    model: Encoder | Presenting | Answering,
    examples: Examples,
    *,
    ways: int = 5,
    presentations: int = 10,
    sequences: int = 1000,
    seed: int = 0,
) -> SequentialResult:
    """Evaluate a network with a memory, or the nearest neighbor on an encoder's features; see :func:`sequential`.

    Raises:
        ConfigError: a method that answers whole episodes only.

    Example:
        >>> from lowshot import Encoder
        >>> from lowshot.data import load
        >>> encoder = Encoder.load("characters")
        >>> result = sequential_of(encoder, load("digits", encoder.card.form), sequences=20)
        >>> result.accuracy[0] < 0.2 < 0.8 < result.accuracy[9]
        True
    """
    started = perf_counter()
    options: dict[str, Any] = {"ways": ways, "presentations": presentations, "sequences": sequences, "seed": seed}
    options["class_names"] = examples.classes
    if isinstance(model, Presenting):
        return sequential(model.present, examples.items, examples.labels, spelling=model.spelling, **options)
    if isinstance(model, Answering):
        raise ConfigError("this method answers whole episodes, not one item after another: choose nway or lake")
    features = model.embed(examples.items)
    embedded = perf_counter()
    compare = partial(nearest_neighbor, distance=model.card.distance, negative=model.card.negative)
    result = sequential(compare, features, examples.labels, **options)
    return replace(result, seconds=perf_counter() - started, embed_seconds=embedded - started)
