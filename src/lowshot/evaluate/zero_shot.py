"""Zero-shot protocols: classes of which nothing was seen but a description.

Shape suffixes: N items, C classes, A attributes, D features, P pairs, G gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from lowshot.data import Examples
from lowshot.data.descriptions import Descriptions
from lowshot.data.examples import places_in_class
from lowshot.errors import ClassTooSmall, ConfigError, ShapeError
from lowshot.evaluate.episodes import checked
from lowshot.evaluate.report import Report, percent
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize.zero_shot import ZeroShot

if TYPE_CHECKING:
    from lowshot.encoder import Encoder

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

_HELD = 5  # one of so many items of each seen class is asked, and not learned


@dataclass(frozen=True, kw_only=True)
class ZeroShotResult(Report):
    """Means over the splits, each with the half width of its 95 % interval; every class counts as one.

    Attributes:
        accuracy, ci95: of items of unseen classes, answered with one of these.
        unseen, chance: how many classes those are, and 1 / that.
        harmonic, harmonic_ci95: of items of all classes, answered with one of all: the harmonic mean of the next two.
        seen_accuracy, unseen_accuracy: of the items of either kind, when seen classes pay the penalty.
        unpenalized: the harmonic mean when they pay none.
        penalty: the mean of those that were chosen.
        splits, seed: the protocol.
    """

    accuracy: float
    ci95: float | None
    chance: float
    unseen: int
    harmonic: float
    harmonic_ci95: float | None
    seen_accuracy: float
    unseen_accuracy: float
    unpenalized: float
    penalty: float
    splits: int
    seed: int

    def __str__(self) -> str:
        return (
            f"{self.unseen} unseen classes: {percent(self.accuracy, self.ci95)} (chance {percent(self.chance)}); "
            f"seen and unseen together: harmonic mean {percent(self.harmonic, self.harmonic_ci95)} of "
            f"{percent(self.seen_accuracy)} and {percent(self.unseen_accuracy)}, {percent(self.unpenalized)} without a "
            f"penalty; {self.splits} splits ({self.seconds:.1f} s)"
        )


@dataclass(frozen=True, kw_only=True)
class LeaveTwoOutResult(Report):
    """Of two unseen classes, how often the right one is named; chance is one half.

    Attributes:
        accuracy: the mean over the pairs.
        ci95: the half width of its 95 % interval between classes: pairs that share a class are not independent.
        pairs, classes, seed: how many pairs of how many classes, and the seed of the choice.
    """

    accuracy: float
    ci95: float | None
    pairs: int
    classes: int
    seed: int

    def __str__(self) -> str:
        shown = percent(self.accuracy, self.ci95)
        return f"{shown} over {self.pairs} pairs of {self.classes} classes, chance 50 % ({self.seconds:.1f} s)"


def zero_shot(
    recognizer: ZeroShot,
    features_ND: NDArray[Any],
    labels: NDArray[np.integer],
    codes_CA: NDArray[Any],
    *,
    unseen: int = 10,
    splits: int = 20,
    seed: int = 0,
    among: Sequence[int] | None = None,
) -> ZeroShotResult:
    """Evaluate on classes left out: alone, and together with the seen ones (Chao et al. 2016, Xian et al. 2017).

    In every split classes are drawn that are not seen. A fifth of the items of each seen class is not learned either, and
    asked. The penalty that seen classes pay is chosen by the same game within the items that are learned: as many of their
    classes are left out, and the penalty with the highest harmonic mean is taken.

    Args:
        recognizer: fitted anew each time; not changed.
        features_ND: a feature for each item.
        labels: the class of each, a row of the codes.
        codes_CA: what the classes are described by.
        unseen: classes left out in a split.
        splits: how many.
        seed: of the classes drawn.
        among: the classes that may be left out, such as those on which no setting was chosen; None for all.

    Raises:
        ShapeError: features, labels and codes do not agree.
        ConfigError: too many unseen classes, or no splits.
        ClassTooSmall: no class has three items.
    """
    started = perf_counter()
    world = _World.checked(features_ND, labels, codes_CA)
    may_C = _among(among, world.classes)
    most = min(int(may_C.sum()), world.classes // 2 - 1)
    if not 2 <= unseen <= most or splits < 1:
        raise ConfigError(
            f"{unseen} unseen classes of {world.classes} in {splits} splits: ask for 2..{most} unseen classes, and for one "
            "split or more"
        )
    if np.bincount(world.labels).max() < 3:
        raise ClassTooSmall("no class has three items: seen classes need some to learn from and some to be asked")
    rng = np.random.default_rng(seed)
    plain = clone(recognizer).set_params(seen_penalty=0.0)
    held_N = _held(world.labels)
    found = np.empty((splits, 6))
    for split in range(splits):
        unseen_C = _drawn(np.flatnonzero(may_C), unseen, world.classes, rng)
        game = _play(plain, world, unseen_C, held_N)
        learned = world.only(~unseen_C[world.labels] & ~held_N)
        within_C = _drawn(np.arange(learned.classes), unseen, learned.classes, rng)
        penalty = _play(plain, learned, within_C, _held(learned.labels)).best_penalty()
        seen, new = game.accuracies(penalty)
        found[split] = game.unseen_alone, _harmonic(seen, new), seen, new, _harmonic(*game.accuracies(0.0)), penalty
    (accuracy, ci95), (harmonic, harmonic_ci95) = map(mean_ci95, found.T[:2])
    seen, new, unpenalized, penalty = found[:, 2:].mean(axis=0).tolist()
    return ZeroShotResult(
        accuracy=accuracy,
        ci95=ci95,
        chance=1 / unseen,
        unseen=unseen,
        harmonic=harmonic,
        harmonic_ci95=harmonic_ci95,
        seen_accuracy=seen,
        unseen_accuracy=new,
        unpenalized=unpenalized,
        penalty=penalty,
        splits=splits,
        seed=seed,
        seconds=perf_counter() - started,
    )


def leave_two_out(
    recognizer: ZeroShot,
    features_ND: NDArray[Any],
    labels: NDArray[np.integer],
    codes_CA: NDArray[Any],
    *,
    pairs: int | None = None,
    seed: int = 0,
    among: Sequence[int] | None = None,
) -> LeaveTwoOutResult:
    """Learn from all classes but two, and tell those two apart (Palatucci et al. 2009, section 5).

    Args:
        recognizer, features_ND, labels, codes_CA, among: as for :func:`zero_shot`.
        pairs: how many pairs of classes, drawn without repetition; None for all of them.
        seed: of the choice.

    Raises:
        ShapeError: features, labels and codes do not agree.
        ConfigError: there are not so many pairs, or fewer than four classes.
    """
    started = perf_counter()
    world = _World.checked(features_ND, labels, codes_CA)
    every_P2 = np.array([*combinations(np.flatnonzero(_among(among, world.classes)), 2)])
    number = len(every_P2) if pairs is None else pairs
    if world.classes < 4 or not 1 <= number <= len(every_P2):
        raise ConfigError(
            f"{number} pairs of {world.classes} classes: at least four classes are needed, and 1..{len(every_P2)} pairs"
        )
    chosen_P2 = every_P2[np.sort(np.random.default_rng(seed).permutation(len(every_P2))[:number])]
    plain = clone(recognizer).set_params(seen_penalty=0.0)
    right_P2 = np.empty((number, 2))
    for place, pair in enumerate(chosen_P2):
        out_N = np.isin(world.labels, pair)
        world.teach(plain, ~out_N).describe(pair, world.codes[pair])
        right_P2[place] = _by_class(plain.predict(world.features[out_N]) == world.labels[out_N], world.labels[out_N])
    # Each class is a sample: its mean over its pairs.
    of_class = np.unique(chosen_P2, return_inverse=True)[1].ravel()
    by_class = np.bincount(of_class, right_P2.ravel()) / np.bincount(of_class)
    return LeaveTwoOutResult(
        accuracy=float(right_P2.mean()),
        ci95=mean_ci95(by_class)[1],
        pairs=number,
        classes=world.classes,
        seed=seed,
        seconds=perf_counter() - started,
    )


def zero_shot_of(
    encoder: Encoder,
    examples: Examples,
    recognizer: ZeroShot,
    descriptions: Descriptions | None = None,
    *,
    unseen: int = 10,
    splits: int = 20,
    seed: int = 0,
) -> ZeroShotResult:
    """Evaluate an encoder; each item is embedded once. See :func:`zero_shot`.

    Args:
        descriptions: of the classes; None for those that the items' attributes give, :meth:`Descriptions.of_examples`.
    """
    started = perf_counter()
    described = described_world(encoder, examples, descriptions)
    embedded = perf_counter()
    result = zero_shot(recognizer, *described, unseen=unseen, splits=splits, seed=seed)
    return replace(result, seconds=perf_counter() - started, embed_seconds=embedded - started)


def leave_two_out_of(
    encoder: Encoder,
    examples: Examples,
    recognizer: ZeroShot,
    descriptions: Descriptions | None = None,
    *,
    pairs: int | None = None,
    seed: int = 0,
) -> LeaveTwoOutResult:
    """Evaluate an encoder; each item is embedded once. See :func:`leave_two_out` and :func:`zero_shot_of`."""
    started = perf_counter()
    described = described_world(encoder, examples, descriptions)
    embedded = perf_counter()
    result = leave_two_out(recognizer, *described, pairs=pairs, seed=seed)
    return replace(result, seconds=perf_counter() - started, embed_seconds=embedded - started)


def described_world(
    encoder: Encoder, examples: Examples, descriptions: Descriptions | None = None
) -> tuple[NDArray[Any], Ints, Doubles]:
    """Features and labels of the items and codes of the classes, (N, D), (N,) and (C, A), without empty attributes.

    Raises DataError where a class is not described, or its code is 0 throughout.
    """
    described = (descriptions or Descriptions.of_examples(examples)).without_empty()
    present, labels_N = np.unique(examples.labels, return_inverse=True)
    codes_CA = described.of([examples.classes[i] for i in present])
    return encoder.embed(examples.items), labels_N, codes_CA


@dataclass(frozen=True, eq=False)
class _World:
    """Items with a class each, which is a row of the codes."""

    features: NDArray[Any]
    labels: Ints
    codes: Doubles

    @classmethod
    def checked(cls, features_ND: NDArray[Any], labels: NDArray[np.integer], codes_CA: NDArray[Any]) -> _World:
        world = cls(checked(features_ND), np.asarray(labels, np.int64), np.asarray(codes_CA, np.float64))
        if len(world.features) != len(world.labels) or world.codes.ndim != 2:
            raise ShapeError(
                f"{len(world.features)} features, {len(world.labels)} labels and codes {world.codes.shape}: give a label an "
                "item and a code (attributes,) a class"
            )
        if not np.array_equal(np.unique(world.labels), np.arange(world.classes)):
            raise ShapeError(
                f"{world.classes} codes for items of {len(np.unique(world.labels))} classes: labels must be "
                f"0..{world.classes - 1}, each with an item"
            )
        return world

    @property
    def classes(self) -> int:
        return len(self.codes)

    def only(self, chosen_N: Mask) -> _World:
        """The chosen items and their classes, numbered anew."""
        rows, labels_N = np.unique(self.labels[chosen_N], return_inverse=True)
        return _World(self.features[chosen_N], labels_N, self.codes[rows])

    def teach(self, recognizer: ZeroShot, chosen_N: Mask) -> ZeroShot:
        """Fit it to the chosen items."""
        labels_N = self.labels[chosen_N]
        return recognizer.fit(self.features[chosen_N], labels_N, self.codes[np.unique(labels_N)])


@dataclass(frozen=True, eq=False)
class _Game:
    """Items of seen and unseen classes, asked among all classes.

    Attributes:
        weight: of each item, (N,): those of a class add up to 1 over the number of classes of its kind.
        unseen: whether its class is.
        right: whether the best class of its own kind is its class.
        gap: by how much the best seen class is better than the best unseen one.
    """

    weight: Doubles
    unseen: Mask
    right: Mask
    gap: Doubles

    @property
    def unseen_alone(self) -> float:
        """How often an item of an unseen class is given the right one of these."""
        return float(self.weight @ (self.unseen & self.right))

    def accuracies(self, penalty: float) -> tuple[float, float]:
        """Of seen and of unseen classes' items, when seen ones pay the penalty."""
        kept = self.gap > penalty  # answered with a seen class
        return float(self.weight @ (self.right & ~self.unseen & kept)), float(
            self.weight @ (self.right & self.unseen & ~kept)
        )

    def best_penalty(self) -> float:
        """The penalty with the highest harmonic mean; where several are alike, the middle one."""
        order = np.argsort(self.gap, kind="stable")
        right_G = (self.weight * self.right)[order]
        unseen_G = np.cumsum(right_G * self.unseen[order])  # right when this gap and all smaller ones are given up
        seen_G = (right_G * ~self.unseen[order])[::-1].cumsum()[::-1] - right_G * ~self.unseen[order]
        means_G = _harmonic(seen_G, unseen_G)
        best = np.flatnonzero(means_G >= means_G.max() - 1e-12)
        return float(np.median(self.gap[order][best]))


def _play(recognizer: ZeroShot, world: _World, unseen_C: Mask, held_N: Mask) -> _Game:
    """Learn the items of seen classes that are not held out, and ask all others among all classes."""
    asked_N = held_N | unseen_C[world.labels]
    known = world.teach(recognizer, ~asked_N).describe(np.arange(world.classes), world.codes)
    scores_NC, labels_N = known.scores(world.features[asked_N]), world.labels[asked_N]
    of_seen_NC, of_unseen_NC = (np.where(kind_C, scores_NC, -np.inf) for kind_C in (~unseen_C, unseen_C))
    unseen_N = unseen_C[labels_N]
    counts_C = np.bincount(labels_N, minlength=world.classes)
    of_kind_2 = np.bincount(unseen_C[counts_C > 0], minlength=2)
    return _Game(
        weight=1 / counts_C[labels_N] / of_kind_2[unseen_N.astype(np.int64)],
        unseen=unseen_N,
        right=np.where(unseen_N, of_unseen_NC.argmax(axis=1), of_seen_NC.argmax(axis=1)) == labels_N,
        gap=of_seen_NC.max(axis=1) - of_unseen_NC.max(axis=1),
    )


def _held(labels_N: Ints) -> Mask:
    """One of five items of each class, and none of a class that has but one."""
    return np.asarray(places_in_class(labels_N) % _HELD == 1)


def _by_class(right_N: Mask, labels_N: Ints) -> Doubles:
    """The share of right answers of each class."""
    rows = np.unique(labels_N, return_inverse=True)[1]
    share: Doubles = np.bincount(rows, right_N) / np.bincount(rows)
    return share


def _harmonic(one: Any, other: Any) -> Any:
    """The harmonic mean; 0 where either is."""
    return 2 * one * other / np.maximum(one + other, 1e-300)


def _drawn(of: Ints, number: int, classes: int, rng: np.random.Generator) -> Mask:
    """So many of these classes, marked among all."""
    marked = np.zeros(classes, bool)
    marked[rng.permutation(of)[:number]] = True
    return marked


def _among(among: Sequence[int] | None, classes: int) -> Mask:
    """The classes that may be left out."""
    marked = np.full(classes, among is None)
    if among is not None:
        marked[np.asarray(among)] = True
    return marked
