"""Lake's 400 within-alphabet trials (Lake et al. 2015): 20 runs of 20 queries, each one of 20 characters seen once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lowshot.data.lake import Runs, load_runs
from lowshot.errors import EncoderError, ShapeError
from lowshot.evaluate.episodes import Answering
from lowshot.evaluate.report import Report, percent
from lowshot.evaluate.statistics import expected_right, mean_ci95
from lowshot.recognize.distances import distances

if TYPE_CHECKING:
    from lowshot.encoder import Encoder

Comparison = Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[Any]]
"""(support images, query images) of one run → distances (queries, supports)."""


@dataclass(frozen=True, kw_only=True)
class LakeResult(Report):
    """The error over all trials, a fraction, and the half width of its 95 % interval."""

    error: float
    ci95: float | None
    trials: int

    def __str__(self) -> str:
        return f"error {percent(self.error, self.ci95)} in {self.trials} trials ({self.seconds:.1f} s)"


def lake(compare: Comparison, runs: Runs) -> LakeResult:
    """Run the trials with any way of comparing images; ties count at their expected value.

    Args:
        compare: takes the support images (20, H, W, C) and the query images (20, H, W, C) of a run and gives distances
            (20 queries, 20 supports), smaller is nearer. See :mod:`lowshot.evaluate.baselines` for two.
        runs: see :func:`~lowshot.data.lake.load_runs`.

    Raises:
        ShapeError: the distances have another shape.
        EncoderError: a distance is not a finite number.
    """
    started = perf_counter()
    distances_RQW = np.stack([_compared(compare, *images) for images in zip(runs.support, runs.query, strict=True)])
    right_RQ = expected_right(distances_RQW.swapaxes(1, 2), runs.answer)
    error, ci95 = mean_ci95(1 - right_RQ.ravel())
    return LakeResult(error=error, ci95=ci95, trials=right_RQ.size, seconds=perf_counter() - started)


def lake_of(model: Encoder | Answering, runs: Runs | None = None) -> LakeResult:
    """Run the trials with an encoder and its card's distance, or with a method that answers whole episodes.

    ``runs`` are loaded in the form that it takes where none are given.
    """
    started = perf_counter()
    runs = runs or load_runs(model.form if isinstance(model, Answering) else model.card.form)
    loaded = perf_counter()
    shape = runs.support.shape[:2]
    drawings = np.concatenate([runs.support, runs.query]).reshape(-1, *runs.support.shape[2:])
    if isinstance(model, Answering):
        support_RW, query_RQ = np.arange(len(drawings)).reshape(2, *shape)
        scores_RQW = iter(model.scores(drawings, support_RW[:, :, None], query_RQ))
        result = lake(lambda s, q: -next(scores_RQW), runs)
        return replace(result, seconds=perf_counter() - started)
    support, query = model.embed(drawings).reshape(2, *shape, -1)
    embed_seconds = perf_counter() - loaded
    card = model.card
    result = lake(
        lambda s, q: distances(q, s, card.distance, card.negative), replace(runs, support=support, query=query)
    )
    return replace(result, seconds=perf_counter() - started, embed_seconds=embed_seconds)


def _compared(compare: Comparison, support: NDArray[np.uint8], query: NDArray[np.uint8]) -> NDArray[Any]:
    found = np.asarray(compare(support, query))
    if found.shape != (len(query), len(support)):
        raise ShapeError(f"distances must be (queries, supports) = {(len(query), len(support))}, not {found.shape}")
    if not np.isfinite(found).all():
        raise EncoderError("a distance between two drawings is not a finite number: repair what compares them")
    return found
