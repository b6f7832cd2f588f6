"""The open set: does a gallery say "unknown" when it should, and is it as often right as it says?

Galleries are drawn at random, and each is asked as many queries of its classes as of others; or their examples alone are
drawn, and all are asked the same queries of another set. They are answered as :class:`lowshot.gallery.Gallery` answers: the
likeliest class where the query is more likely known than not, "unknown" otherwise; the confidence is the probability that
this is right.

Shape suffixes: G galleries, W ways, K shots, N known queries, M answers (known queries, then unknown ones), D features,
B items.
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
from sklearn.base import clone

from lowshot.data import EpisodeSampler, Examples
from lowshot.disk import write_atomically
from lowshot.errors import ConfigError, ShapeError
from lowshot.evaluate.episodes import checked, recognizer_of
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
from lowshot.recognize.recognizer import Recognizer
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
        queries, unknown_queries: known and unknown ones that a gallery is asked. They weigh as many as they are in the open
            accuracy and in the errors of the confidence.
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
    unknown_queries: int
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
    recognizer: Recognizer | None = None,
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
        recognizer: compares queries in another way; it comes back as it was.

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
    learned = _learned(learned, ways)
    sampler = EpisodeSampler(labels, apart=apart, class_names=class_names)
    if (others := min(ways, len(sampler.counts_C) - ways)) < 1:
        raise ConfigError(
            f"{ways} of {len(sampler.counts_C)} classes are enrolled: ask for fewer ways, some must be unknown"
        )
    asked = -(-ways * queries // others)  # of each unknown class
    drawn = sampler.draw(galleries, ways, shots, asked, unknown_ways=others, seed=seed)
    known_GN = drawn.query[..., :queries].reshape(galleries, -1)
    unknown_GN = drawn.unknown.swapaxes(1, 2).reshape(galleries, -1)[:, : ways * queries]
    chosen, truth_N = recognizer or comparing(compare, distance, negative), np.repeat(np.arange(ways), queries)
    answers = [
        _answers(chosen, background, enrolled[support_WK], learned, features[np.append(known_N, unknown_N)], truth_N)
        for support_WK, known_N, unknown_N in zip(drawn.support, known_GN, unknown_GN, strict=True)
    ]
    return OpenSetResult(
        **_figures(*map(np.stack, zip(*answers, strict=True)), known=ways * queries),
        ways=ways,
        learned=learned,
        shots=shots,
        queries=ways * queries,
        unknown_queries=ways * queries,
        unknown_classes=others,
        galleries=galleries,
        seed=seed,
        seconds=perf_counter() - started,
    )


def asked_set(
    support_BD: NDArray[Any],
    labels: NDArray[np.integer],
    query_MD: NDArray[Any],
    truth: NDArray[np.integer],
    *,
    distance: Distance,
    compare: Compare,
    negative: int = 0,
    background: Background | None = None,
    shots: int = 1,
    galleries: int = 20,
    seed: int = 0,
    learned: int | None = None,
    class_names: Sequence[str] = (),
    unknown_classes: int = 1,
    recognizer: Recognizer | None = None,
) -> OpenSetResult:
    """Evaluate features on given queries: galleries enroll all classes, other examples each, and all are asked the same.

    Args:
        support_BD, labels: what the examples are drawn from; see :func:`open_set`, also for the other arguments.
        query_MD: one row a query.
        truth: the class of each query, (M,), a number as in ``labels``; -1 where it is of no enrolled class.
        galleries: how many draws of the examples. Intervals are over these alone, not over the queries.
        unknown_classes: how many classes the unknown queries are of, for the report.

    Raises:
        ClassTooSmall: a class has fewer items than shots.
        ConfigError: no known or no unknown queries, or a number outside its range.
        ShapeError: features and labels do not agree.
        EncoderError: a feature is not a finite number.

    Example:
        >>> import numpy as np
        >>> few, asked = np.array([[0.0], [0.1], [5.0], [5.1]]), np.array([[0.2], [4.9], [90.0]])
        >>> settings = {"distance": "euclidean", "compare": "prototype", "shots": 2}
        >>> result = asked_set(few, np.array([0, 0, 1, 1]), asked, np.array([0, 1, -1]), **settings)
        >>> result.accuracy, result.auroc, result.unknown_queries
        (1.0, 1.0, 1)
    """
    started = perf_counter()
    enrolled, asked = checked(support_BD), checked(query_MD)
    if len(enrolled) != len(labels) or len(asked) != len(truth) or asked.shape[1] != enrolled.shape[1]:
        raise ShapeError(
            f"{enrolled.shape} features with {len(labels)} labels and {asked.shape} queries with {len(truth)}: give one "
            "label for each, and features of one encoder"
        )
    sampler = EpisodeSampler(labels, class_names=class_names)
    ways = len(sampler.counts_C)
    if not -1 <= truth.min(initial=-1) <= truth.max(initial=-1) < ways:
        raise ShapeError(f"the classes of the queries must lie in -1..{ways - 1}, not {truth.min()}..{truth.max()}")
    learned, order = _learned(learned, ways), np.argsort(truth < 0, kind="stable")
    asked_MD, known = asked[order], int((truth >= 0).sum())
    if known in (0, len(truth)):
        lacking = "of an enrolled class" if not known else "of another class than those enrolled"
        raise ConfigError(f"no query is {lacking}: add some")
    if galleries < 1:
        raise ConfigError(f"galleries must be at least 1, not {galleries}")
    drawn = sampler.draw(galleries, ways, shots, 0, seed=seed)
    places_GC = np.argsort(labels[drawn.support[..., 0]], axis=1)  # where a gallery has each class
    chosen = recognizer or comparing(compare, distance, negative)
    answers = [
        _answers(chosen, background, enrolled[support_WK], learned, asked_MD, places_C[truth[order[:known]]])
        for support_WK, places_C in zip(drawn.support, places_GC, strict=True)
    ]
    return OpenSetResult(
        **_figures(*map(np.stack, zip(*answers, strict=True)), known=known),
        ways=ways,
        learned=learned,
        shots=shots,
        queries=known,
        unknown_queries=len(truth) - known,
        unknown_classes=unknown_classes,
        galleries=galleries,
        seed=seed,
        seconds=perf_counter() - started,
    )


def open_set_of(
    encoder: Encoder,
    examples: Examples,
    *,
    ways: int | None = None,
    shots: Sequence[int] = (1,),
    queries: int | Examples = 5,
    galleries: int = 20,
    seed: int = 0,
    learned: int | None = None,
    apart: str | None = None,
    recognizer: str | None = None,
) -> OpenSetReport:
    """Evaluate an encoder for each number of shots; each item is embedded once. See :func:`open_set`.

    Args:
        ways: None for 20.
        queries: of each class; or a set of them, and then all classes of ``examples`` are enrolled, and what is of no such
            class is unknown, see :func:`asked_set`.
        apart: an attribute, such as ``speaker``: the queries of a class then have other values than its examples.
        recognizer: the name of another way to compare, see :func:`~lowshot.recognize.recognizer_named`; None for the one
            on the encoder's card.

    Raises as these do; ConfigError also where ``ways`` or ``apart`` are given together with a set of queries.
    """
    started = perf_counter()
    card, chosen = encoder.card, None if recognizer is None else recognizer_of(encoder, recognizer)
    settings: dict[str, Any] = {
        "distance": card.distance,
        "compare": card.compare,
        "negative": card.negative,
        "background": encoder.background(),
        "galleries": galleries,
        "seed": seed,
        "learned": learned,
        "class_names": examples.classes,
        "recognizer": chosen,
    }
    if isinstance(queries, Examples):
        if ways is not None:
            raise ConfigError("all classes are enrolled where the queries are given: leave the ways out")
        if apart is not None:
            raise ConfigError(f"queries that are given are apart already: leave {apart!r} out")
        support, asked = encoder.embed_support(examples.items), encoder.embed(queries.items)
        embedded = perf_counter() - started
        numbers = {name: number for number, name in enumerate(examples.classes)}
        number_of = np.array([numbers.get(name, -1) for name in queries.classes])
        settings["unknown_classes"] = int((number_of < 0).sum())
        results = [
            asked_set(support, examples.labels, asked, number_of[queries.labels], shots=each, **settings)
            for each in shots
        ]
        return OpenSetReport(by_shots=tuple(results), seconds=perf_counter() - started, embed_seconds=embedded)
    features = encoder.embed(examples.items)
    settings["support_BD"] = features if card.views == "none" else encoder.embed_support(examples.items)
    embedded = perf_counter() - started
    settings |= {
        "ways": 20 if ways is None else ways,
        "queries": queries,
        "apart": None if apart is None else examples.values(apart),
    }
    results = [open_set(features, examples.labels, shots=each, **settings) for each in shots]
    return OpenSetReport(by_shots=tuple(results), seconds=perf_counter() - started, embed_seconds=embedded)


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


def _learned(learned: int | None, ways: int) -> int:
    """Of how many classes a gallery learns how sure to be."""
    if learned is not None and not 1 <= learned <= ways:
        raise ConfigError(f"learned must lie in 1..{ways}, the number of ways, not {learned}")
    return learned or ways


def _answers(
    recognizer: Recognizer,
    background: Background | None,
    support_WKD: Floats,
    learned: int,
    asked_MD: Floats,
    truth_N: NDArray[np.int64],
) -> tuple[NDArray[Any], ...]:
    """What one gallery says to its queries, of which the first N are of known classes; see :func:`_answered`."""
    ways, shots = support_WKD.shape[:2]
    support_BD, taught_B, few = (
        support_WKD.reshape(ways * shots, -1),
        np.repeat(np.arange(ways), shots),
        learned * shots,
    )
    calibration = calibrate(recognizer, support_BD[:few], taught_B[:few], background)
    distances_MW = clone(recognizer).fit(support_BD, taught_B).distances(asked_MD)
    return _answered(distances_MW, calibration.probabilities(distances_MW), truth_N)


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
    *,
    known: int,
) -> dict[str, Any]:
    """All rates with their intervals, of answers to so many known queries first in each row and unknown ones after."""
    told = known_GM[:, :known], known_GM[:, known:]
    found = {
        "accuracy": own_GM[:, :known].mean(axis=1),
        "open_accuracy": right_GM.mean(axis=1),
        "auroc": auroc(*told),
        "fpr95": fpr95(*told),
        "oscr": oscr(best_GM[:, :known], own_GM[:, :known], best_GM[:, known:]),
        "ece_each": np.array([reliability(*each).error for each in zip(confidence_GM, right_GM, strict=True)]),
    }
    figures: dict[str, Any] = {"reliability": reliability(confidence_GM.ravel(), right_GM.ravel())}
    figures["ece"], figures["ece_ci95"] = expected_calibration_error(confidence_GM, right_GM)
    for name, values_G in found.items():
        figures[name], figures[f"{name}_ci95"] = mean_ci95(values_G)
    return figures


def _plain(value: float, interval: float | None) -> str:
    return f"{value:.4f}" if interval is None else f"{value:.4f} ± {interval:.4f}"
