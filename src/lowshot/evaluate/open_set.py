"""The open set: does a gallery say "unknown" when it should, and is it as often right as it says?

Galleries are drawn at random, and each is asked as many queries of its classes as of others. They are answered as
:class:`lowshot.gallery.Gallery` answers: the likeliest class where the query is more likely known than not, "unknown"
otherwise; the confidence is the probability that this is right.

Shape suffixes: G galleries, W ways, N known queries, M answers (known queries, then unknown ones), D features, B items.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowshot.data import EpisodeSampler, Examples
from lowshot.disk import write_atomically
from lowshot.errors import ConfigError, ShapeError
from lowshot.evaluate.episodes import checked
from lowshot.evaluate.report import Report, percent
from lowshot.evaluate.statistics import (
    Reliability,
    auroc,
    expected_calibration_error,
    fpr95,
    mean_ci95,
    oscr,
    reliability,
)
from lowshot.recognize.choice import Background
from lowshot.recognize.compare import Compare, comparing
from lowshot.recognize.distances import Distance, Floats
from lowshot.recognize.unknown import calibrate

if TYPE_CHECKING:
    from lowshot.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class OpenSetResult(Report):
    """How galleries answered; all rates are fractions, ``*_ci95`` half widths of 95 % intervals over the galleries.

    Attributes:
        accuracy: closed: how many known queries are nearest to their own class.
        open_accuracy: how many answers are right, "unknown" included.
        auroc, fpr95: of telling known from unknown queries by the probability that they are known: the area under the
            ROC curve, and the share of unknown ones accepted when 95 % of the known are.
        oscr: area under the share of known queries accepted and answered right over the share of unknown ones accepted.
        ece: expected calibration error of all answers of all galleries together, 15 bins.
        ece_each: the same within each gallery, on average: never 0, since each has few answers.
        ways, learned: classes of a gallery, and how many of them were enrolled when it learned how sure to be.
        queries: known ones of a gallery, and as many unknown.
        reliability: the bins behind ``ece``.
    """

    accuracy: float
    accuracy_ci95: float | None
    open_accuracy: float
    open_accuracy_ci95: float | None
    auroc: float
    auroc_ci95: float | None
    fpr95: float
    fpr95_ci95: float | None
    oscr: float
    oscr_ci95: float | None
    ece: float
    ece_ci95: float | None
    ece_each: float
    ece_each_ci95: float | None
    ways: int
    learned: int
    shots: int
    queries: int
    unknown_classes: int
    galleries: int
    seed: int
    reliability: Reliability = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, ready for JSON."""
        bins = {name: array.tolist() for name, array in vars(self.reliability).items()}
        return super().as_dict() | {"reliability": bins}

    def __str__(self) -> str:
        return (
            f"{self.ways} classes, {self.shots} example{'s' if self.shots > 1 else ''} each: "
            f"closed {percent(self.accuracy, self.accuracy_ci95)}, "
            f"open {percent(self.open_accuracy, self.open_accuracy_ci95)}; "
            f"unknown: AUROC {_plain(self.auroc, self.auroc_ci95)}, "
            f"FPR at 95 % TPR {percent(self.fpr95, self.fpr95_ci95)}, OSCR {_plain(self.oscr, self.oscr_ci95)}; "
            f"confidence: ECE {_plain(self.ece, self.ece_ci95)} over {self.galleries} galleries ({self.seconds:.1f} s)"
        )


@dataclass(frozen=True, kw_only=True)
class OpenSetReport(Report):
    """A result for each number of shots."""

    by_shots: tuple[OpenSetResult, ...]

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, ready for JSON."""
        return super().as_dict() | {"by_shots": [result.as_dict() for result in self.by_shots]}

    def __str__(self) -> str:
        return "\n".join(map(str, self.by_shots))


def open_set(
    features_BD: NDArray[Any],
    labels: NDArray[np.integer],
    *,
    distance: Distance,
    compare: Compare,
    negative: int = 0,
    background: Background | None = None,
    support_BD: NDArray[Any] | None = None,
    ways: int = 20,
    shots: int = 1,
    queries: int = 5,
    galleries: int = 20,
    seed: int = 0,
    learned: int | None = None,
    apart: Sequence[str] | NDArray[np.str_] | None = None,
    class_names: Sequence[str] = (),
) -> OpenSetResult:
    """Evaluate features.

    Args:
        features_BD: one row an item, embedded once.
        labels: class of each item, (B,), each in ``0 .. classes - 1``.
        distance, compare, negative: as the encoder's card says, see :class:`~lowshot.encoder.Card`.
        background: what the encoder carries, see :meth:`~lowshot.encoder.Encoder.background`.
        support_BD: features of the same items where they are enrolled, see :meth:`~lowshot.encoder.Encoder.embed_support`;
            None for those of a query.
        ways, shots: classes of a gallery, and examples of each.
        queries: of each class of a gallery. As many in all are of other classes, of ``ways`` ones where there are so many.
        galleries, seed: how many, and what draws them.
        learned: how sure to be is learned when so many of the classes are enrolled, and not again. Default: all.
        apart: group of each item, (B,), such as its speaker: the queries of a class then come from other groups than its
            enrolled examples.
        class_names: used in messages only.

    Raises:
        ClassTooSmall: a class has fewer items than shots and queries need, or than can be held apart.
        ConfigError: too few classes, or a number outside its range.
        ShapeError: features and labels do not agree.
        EncoderError: a feature is not a finite number.

    Example:
        >>> import numpy as np
        >>> labels = np.repeat(np.arange(40), 10)
        >>> centers = np.random.default_rng(0).normal(size=(40, 32))
        >>> result = open_set(centers[labels], labels, distance="euclidean", compare="prototype", shots=2)
        >>> result.accuracy, result.auroc, result.oscr
        (1.0, 1.0, 1.0)
    """
    started = perf_counter()
    features = checked(features_BD)
    enrolled = features if support_BD is None else checked(support_BD)
    if not len(features) == len(enrolled) == len(labels):
        raise ShapeError(f"{len(features)} features but {len(labels)} labels: give one for each item")
    if queries < 1 or galleries < 1:
        raise ConfigError(f"queries and galleries must be at least 1, not {queries} and {galleries}")
    learned = ways if learned is None else learned
    if not 1 <= learned <= ways:
        raise ConfigError(f"learned must lie in 1..{ways}, the number of ways, not {learned}")
    sampler = EpisodeSampler(labels, apart=apart, class_names=class_names)
    if (others := min(ways, len(sampler.counts_C) - ways)) < 1:
        raise ConfigError(
            f"{ways} of {len(sampler.counts_C)} classes are enrolled: ask for fewer ways, some must be unknown"
        )
    asked = -(-ways * queries // others)  # of each unknown class
    drawn = sampler.draw(galleries, ways, shots, asked, unknown_ways=others, seed=seed)
    known_GN = drawn.query[..., :queries].reshape(galleries, -1)
    unknown_GN = drawn.unknown.swapaxes(1, 2).reshape(galleries, -1)[:, : ways * queries]
    recognizer = comparing(compare, distance, negative)
    taught, truth_N = np.repeat(np.arange(ways), shots), np.repeat(np.arange(ways), queries)
    answers = []
    for support_WK, known_N, unknown_N in zip(drawn.support, known_GN, unknown_GN, strict=True):
        support_ND, few = enrolled[support_WK.ravel()], learned * shots
        calibration = calibrate(recognizer, support_ND[:few], taught[:few], background)
        distances = recognizer.fit(support_ND, taught).distances(features[np.append(known_N, unknown_N)])
        answers.append(_answered(distances, calibration.probabilities(distances), truth_N))
    figures = _figures(*map(np.stack, zip(*answers, strict=True)))
    return OpenSetResult(
        **figures,
        ways=ways,
        learned=learned,
        shots=shots,
        queries=ways * queries,
        unknown_classes=others,
        galleries=galleries,
        seed=seed,
        seconds=perf_counter() - started,
    )


def open_set_of(
    encoder: Encoder,
    examples: Examples,
    *,
    ways: int = 20,
    shots: Sequence[int] = (1,),
    queries: int = 5,
    galleries: int = 20,
    seed: int = 0,
    learned: int | None = None,
    apart: str | None = None,
) -> OpenSetReport:
    """Evaluate an encoder for each number of shots; each item is embedded once. See :func:`open_set`.

    ``apart`` is an attribute, such as ``speaker``.
    """
    started = perf_counter()
    features = encoder.embed(examples.items)
    support = features if encoder.card.views == "none" else encoder.embed_support(examples.items)
    embedded = perf_counter() - started
    card = encoder.card
    held = None if apart is None else examples.values(apart)
    results = tuple(
        open_set(
            features,
            examples.labels,
            distance=card.distance,
            compare=card.compare,
            negative=card.negative,
            background=encoder.background(),
            support_BD=support,
            ways=ways,
            shots=each,
            queries=queries,
            galleries=galleries,
            seed=seed,
            learned=learned,
            apart=held,
            class_names=examples.classes,
        )
        for each in shots
    )
    return OpenSetReport(by_shots=results, seconds=perf_counter() - started, embed_seconds=embedded)


def write_diagram(report: OpenSetReport, path: Path) -> None:
    """Draw a reliability diagram for each number of shots, as SVG: how often answers are right, by how sure they were."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    results = report.by_shots
    with pyplot.rc_context({"svg.hashsalt": "lowshot", "svg.fonttype": "none", "font.size": 9}):
        figure, grid = pyplot.subplots(1, len(results), figsize=(3.6 * len(results) + 0.4, 3.9), squeeze=False)
        for axes, result in zip(grid[0], results, strict=True):
            _panel(axes, result)
        grid[0, 0].set_ylabel("answers that are right")
        page = io.BytesIO()
        figure.savefig(page, format="svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
    write_atomically(path, page.getvalue())


def _panel(axes: Any, result: OpenSetResult) -> None:
    """Bars of accuracy beside the diagonal on which confidence is honest; in light gray, how many answers a bin holds."""
    bins = result.reliability
    edges = np.linspace(0, 1, len(bins.counts) + 1)
    filled = bins.counts > 0
    width, middle = edges[1], (edges[:-1] + edges[1:]) / 2
    axes.bar(middle, bins.counts / bins.counts.sum(), width, color="0.88", label="share of answers")
    axes.plot([0, 1], [0, 1], color="0.4", lw=1, ls="--", label="as it says")
    axes.plot(bins.confidence[filled], bins.accuracy[filled], "o-", ms=4, lw=1.5, color="C0", label="is right")
    shots = f"{result.shots} example{'s' if result.shots > 1 else ''} each"
    axes.set_title(f"{result.ways} classes, {shots}\nECE {_plain(result.ece, result.ece_ci95)}", fontsize=9)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", frameon=False)


def _answered(distances_MW: Floats, scores_MW: Floats, truth_N: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    """Of each answer: P(known), the best class's probability, whether that is right, the confidence, and whether *it* is."""
    known_M, best_M = scores_MW.sum(axis=1), scores_MW.max(axis=1)
    named_M = known_M >= 0.5
    own_M = distances_MW.argmin(axis=1) == np.append(truth_N, np.full(len(known_M) - len(truth_N), -1))
    stranger_M = np.arange(len(known_M)) >= len(truth_N)
    right_M = np.where(named_M, own_M, stranger_M)
    return known_M, best_M, own_M, np.where(named_M, best_M, 1 - known_M), right_M


def _figures(
    known_GM: Floats,
    best_GM: Floats,
    own_GM: NDArray[np.bool_],
    confidence_GM: Floats,
    right_GM: NDArray[np.bool_],
) -> dict[str, Any]:
    """All rates with their intervals, of answers to known queries in the first half of each row and unknown ones after."""
    half = known_GM.shape[1] // 2
    told = known_GM[:, :half], known_GM[:, half:]
    found = {
        "accuracy": own_GM[:, :half].mean(axis=1),
        "open_accuracy": right_GM.mean(axis=1),
        "auroc": auroc(*told),
        "fpr95": fpr95(*told),
        "oscr": oscr(best_GM[:, :half], own_GM[:, :half], best_GM[:, half:]),
        "ece_each": np.array([reliability(*each).error for each in zip(confidence_GM, right_GM, strict=True)]),
    }
    figures: dict[str, Any] = {"reliability": reliability(confidence_GM.ravel(), right_GM.ravel())}
    figures["ece"], figures["ece_ci95"] = expected_calibration_error(confidence_GM, right_GM)
    for name, values_G in found.items():
        figures[name], figures[f"{name}_ci95"] = mean_ci95(values_G)
    return figures


def _plain(value: float, interval: float | None) -> str:
    return f"{value:.4f}" if interval is None else f"{value:.4f} ± {interval:.4f}"
