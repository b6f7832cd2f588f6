"""Words seen once: is a new word placed where it belongs among the known ones?

Shape suffixes: V words, D features, N words asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from lowshot.data.nonces import Chimera, Definition
from lowshot.data.word_vectors import WordVectors, chunks
from lowshot.errors import DataError
from lowshot.evaluate.report import Report
from lowshot.evaluate.statistics import mean_ci95
from lowshot.recognize.distances import unit
from lowshot.recognize.words import WordLearner


@dataclass(frozen=True, kw_only=True)
class NoncesResult(Report):
    """Where a word's own vector stands among all by their cosine with the learned one; 1 is the best rank.

    Attributes:
        mrr, ci95: the mean of 1 / rank, and the half width of its 95 % interval.
        median_rank: half of the words have it or a better one.
        words: how many were learned, each alone.
        vocabulary: among how many known words.
    """

    mrr: float
    ci95: float | None
    median_rank: float
    words: int
    vocabulary: int

    def __str__(self) -> str:
        interval = "" if self.ci95 is None else f" ± {self.ci95:.4f}"
        return (
            f"mean reciprocal rank {self.mrr:.4f}{interval}, median rank {self.median_rank:g} of {self.vocabulary}, "
            f"{self.words} words ({self.seconds:.1f} s)"
        )


@dataclass(frozen=True, kw_only=True)
class ChimerasResult(Report):
    """How alike a learned concept and people place words beside it: Spearman's correlation, a mean over the trials.

    Attributes:
        correlation, ci95: by number of sentences, with the half widths of their 95 % intervals.
        trials: of each number.
    """

    correlation: dict[int, float]
    ci95: dict[int, float | None]
    trials: dict[int, int]

    def __str__(self) -> str:
        shown = ", ".join(
            f"{sentences} sentences {found:.4f}" + ("" if (ci := self.ci95[sentences]) is None else f" ± {ci:.4f}")
            for sentences, found in self.correlation.items()
        )
        return f"Spearman's correlation: {shown} ({self.seconds:.1f} s)"


def nonces(learner: WordLearner, definitions: Sequence[Definition]) -> NoncesResult:
    """The definitional nonces of Herbelot & Baroni (2017), section 4.1: known words are learned anew from a definition.

    Raises DataError where there are none, or a word has no vector to be compared with.
    """
    started = perf_counter()
    vectors = learner.vectors
    unknown = [each.word for each in definitions if each.word not in vectors]
    if unknown or not definitions:
        raise DataError(
            f"{len(unknown)} of {len(definitions)} words have no vector ({', '.join(unknown[:5])}): leave them out"
        )
    learned_ND = [learner.tell([each.sentence], each.word) for each in definitions]
    ranks_N = _ranks(vectors, np.array(learned_ND), vectors.rows([each.word for each in definitions]))
    mrr, ci95 = mean_ci95(1 / ranks_N)
    return NoncesResult(
        mrr=mrr,
        ci95=ci95,
        median_rank=float(np.median(ranks_N)),
        words=len(ranks_N),
        vocabulary=len(vectors),
        seconds=perf_counter() - started,
    )


def chimeras(learner: WordLearner, trials: Mapping[int, Sequence[Chimera]]) -> ChimerasResult:
    """The Chimeras of Lazaridou et al. (2017), by number of sentences, as Herbelot & Baroni (2017), section 4.2, score them.

    A probe without a vector is left out; a trial whose similarities are all alike counts 0. Raises DataError where a
    trial has fewer than two probes with a vector.
    """
    started = perf_counter()
    found = {
        sentences: mean_ci95(np.array([_agreement(learner, trial) for trial in each]))
        for sentences, each in trials.items()
    }
    return ChimerasResult(
        correlation={sentences: mean for sentences, (mean, _) in found.items()},
        ci95={sentences: ci95 for sentences, (_, ci95) in found.items()},
        trials={sentences: len(each) for sentences, each in trials.items()},
        seconds=perf_counter() - started,
    )


def _agreement(learner: WordLearner, trial: Chimera) -> float:
    vectors = learner.vectors
    known = [(probe, rating) for probe, rating in zip(trial.probes, trial.ratings, strict=True) if probe in vectors]
    if len(known) < 2:
        raise DataError(f"of the probes {', '.join(trial.probes)} only {len(known)} have a vector: leave the trial out")
    learned_D = learner.tell(trial.sentences)
    similar = unit(vectors.vectors[vectors.rows([probe for probe, _ in known])]) @ learned_D
    ratings = [rating for _, rating in known]
    if np.ptp(similar) == 0 or np.ptp(ratings) == 0:
        return 0.0
    return float(spearmanr(similar, ratings).statistic)


def _ranks(vectors: WordVectors, learned_ND: NDArray[Any], own_N: NDArray[np.int64]) -> NDArray[np.float64]:
    """The place of each own vector by cosine, (N,); of tied ones the middle."""
    asked_DN, number = unit(learned_ND).T, np.arange(len(own_N))
    own = np.empty(len(own_N), np.result_type(vectors.vectors, asked_DN))
    better_N, tied_N = np.zeros((2, len(own_N)))
    for last in (False, True):  # all over again rather than kept: the same numbers, so that ties are seen
        start = 0
        for some_CD in chunks(vectors.vectors):
            similar_CN = unit(some_CD) @ asked_DN
            if last:
                better_N += (similar_CN > own).sum(axis=0)
                tied_N += (similar_CN == own).sum(axis=0)
            else:
                here = (own_N >= start) & (own_N < start + len(some_CD))
                own[here] = similar_CN[own_N[here] - start, number[here]]
            start += len(some_CD)
    ranks: NDArray[np.float64] = better_N + (tied_N + 1) / 2
    return ranks
