"""Gates: guess an attribute of a query by a classic classifier, and compare it only with what shares a likely value.

The classifier is multinomial logistic regression on directions, chosen on background alphabets against linear discriminant
analysis and a ridge classifier: it keeps the fewest values at the same recall. It may be wrong as often as it likes. How
many values are kept is decided by **conformal prediction**: a value is kept unless a query that has it would look so
strange with it in less than 1 - recall of the cases. So a gate that predicts poorly widens by itself, and one that has seen
too little to promise the recall keeps everything.

- Strange is a value with a low probability (least ambiguous sets: Sadinle, Lei & Wasserman 2019, section 2).
- Examples are held out in folds, and a query is compared with what each fold's classifier made of those it had not learned
  (cross-conformal prediction: Vovk 2015, section 2). Whole groups are held out, so no classifier has learned an example of
  the group that it judges.
- Examples of a group resemble each other, so each group counts as one, and one more that is infinitely strange stands for
  the query's (Lee, Barber & Willett 2023, "Distribution-free inference with hierarchical data", section 3): G groups can
  promise a recall below G / (G + 1), and no other.

What the groups are decides what is promised. With the classes, the recall holds for queries of classes that the gate has
never seen. With each example on its own, it holds for queries drawn as the examples were, of classes that the gate has
learned too; the gate is then much narrower.

Shape suffixes: N examples, H of them that were held out, Q queries, R rows, D features, V values, F folds, G groups.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import norm

from lowshot.errors import ConfigError, DataError, ShapeError
from lowshot.recognize.distances import Floats, unit
from lowshot.recognize.recognizer import Ints, encode

Mask = NDArray[np.bool_]
Doubles = NDArray[np.float64]

SILENT = -1  # the number of no value, or of one that a gate does not know
_FOLDS = 5
_MOST = 4_000  # examples to learn from
_PENALTY, _ITERATIONS = 10.0, 100  # of the regression: one that stops early is still a classifier
_NEVER = -1e4  # the logit of a value that a fold's classifier has not seen


class AttributeGate:
    """Which values of one attribute a query is likely to have.

    Everything it has learned is in its arrays, which :meth:`to_bytes` keeps; it can be asked from several threads.

    Attributes:
        values_: the values it tells apart, V texts, sorted: those that two groups or more have.
        coef_: weights of each fold's classifier, (F, V, D).
        intercept_: biases, (F, V).
        strangeness_: of each held-out example with the value it has, (H,), rising within a fold.
        mass_: share of the groups that are as strange as that or stranger, within the fold, (H,).
        start_: where each fold begins among the H, and H, (F + 1,).
        groups_: how many groups were held out, G.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> kind = np.arange(600) % 3
        >>> X = 4 * np.eye(8)[kind] + rng.normal(size=(600, 8))
        >>> gate = AttributeGate().fit(X, np.array(["hat", "shirt", "shoe"])[kind], np.arange(600))
        >>> gate.kept(4 * np.eye(8)[:1], recall=0.95).tolist()
        [[True, False, False]]
    """

    values_: tuple[str, ...]
    coef_: Floats
    intercept_: Floats
    strangeness_: Floats
    mass_: Doubles
    start_: Ints
    groups_: int

    def fit(self, X: Any, values: Any, groups: Any) -> Self:
        """Learn from examples that state the attribute; from some thousands of them where there are more.

        Args:
            X: features (N, D), of any length: their directions count.
            values: the value of each, N texts. Examples with an empty one or None are left out.
            groups: what is held out together, N labels: classes, or ``np.arange(N)``; see the top of this module.

        Raises:
            ShapeError: features that are no finite (N, D), or another number of values or groups.
            DataError: fewer than two values that two groups or more have.
        """
        learned = _cross_fit(_Stated.read(X, values, groups))
        order = np.lexsort((learned.strangeness, learned.fold))
        weights = np.split(learned.weight[order], np.flatnonzero(np.diff(learned.fold[order])) + 1)
        self.values_, self.groups_ = learned.values, learned.groups
        self.coef_, self.intercept_ = learned.coef, learned.intercept
        self.strangeness_ = learned.strangeness[order]
        self.mass_ = np.concatenate([_from_the_end(each) for each in weights])
        self.start_ = np.cumsum([0, *map(len, weights)])
        return self

    def kept(self, X: Any, recall: float = 0.99) -> Mask:
        """Which values each query may have, (Q, V); at least one.

        Of the queries that have one of the values, a share of ``recall`` keeps it, in the long run. Cross-conformal
        prediction is known to be so in practice; what is proven is that it loses at most twice as many (Vovk 2015).

        Raises:
            ConfigError: a recall that is not above 0, or above 1.
            ShapeError: features that are no finite (Q, D).
        """
        check_recall(recall)
        likely_QV = self._likely(unit(_features(X, self.coef_.shape[2])))
        return np.asarray((likely_QV > 1 - recall) | (likely_QV == likely_QV.max(axis=1, keepdims=True)))

    def codes(self, values: Any) -> Ints:
        """The position of each text among the values; :data:`SILENT` where it is empty, None or none of them."""
        place = {value: position for position, value in enumerate(self.values_)}
        return np.array([place.get(value, SILENT) for value in values], np.int64)

    def to_bytes(self) -> bytes:
        """All it knows, as the bytes of an ``.npz`` file without pickles."""
        file = io.BytesIO()
        arrays: dict[str, Any] = {name: getattr(self, name) for name in AttributeGate.__annotations__}
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, kept: bytes) -> Self:
        """The inverse of :meth:`to_bytes`. Raises DataError where the bytes are something else, or damaged."""
        gate = cls()
        try:
            with np.load(io.BytesIO(kept), allow_pickle=False) as file:
                for name in AttributeGate.__annotations__:
                    setattr(gate, name, file[name])
            gate.values_, gate.groups_ = tuple(map(str, gate.values_)), int(gate.groups_)
        except Exception as error:  # zip and NumPy each have their own
            raise DataError(f"the gate cannot be read ({error}): train it again") from None
        return gate

    def _likely(self, queries_QD: Floats) -> Doubles:
        """The share of groups that are as strange with their value as the query with each, (Q, V)."""
        strange_FQV = _strangeness(queries_QD, self.coef_, self.intercept_)
        likely_QV = np.full(strange_FQV.shape[1:], 1 / (self.groups_ + 1))
        for strange_QV, start, stop in zip(strange_FQV, self.start_, self.start_[1:], strict=False):
            likely_QV += _mass_above(self.strangeness_[start:stop], self.mass_[start:stop], strange_QV)
        return likely_QV


@dataclass(frozen=True)
class GateReport:
    """What a gate is worth, measured on held-out examples that neither its classifier nor its threshold has seen.

    Every group counts as one. Intervals are of 95 % (Wilson 1927), for as many independent queries as groups.

    Attributes:
        asked: the recall that was asked for.
        queries, groups, values: how many examples were held out, in how many groups, with how many values.
        accuracy: how often the classifier's first guess is right.
        recall, recall_low, recall_high: how often the true value is kept, with its interval.
        kept: values that are kept, on average.
        compared: the share of groups that a query is compared with, on average: those with a kept value, and those that
            do not state the attribute.
    """

    asked: float
    queries: int
    groups: int
    values: int
    accuracy: float
    recall: float
    recall_low: float
    recall_high: float
    kept: float
    compared: float

    @property
    def times_fewer(self) -> float:
        """How many times fewer comparisons there are than without the gate."""
        return 1 / self.compared

    def figures(self) -> dict[str, float | int]:
        """Every number by its name."""
        return {**asdict(self), "times_fewer": self.times_fewer}


def gate_report(X: Any, values: Any, groups: Any, recall: float = 0.99) -> GateReport:
    """What a gate fitted to these examples would be worth, by cross-validation.

    A fold's examples are judged by the classifier that has not learned them, against the strangeness of the others' folds.

    Args:
        X, values, groups: as in :meth:`AttributeGate.fit`; the groups are what is counted as compared, too.
        recall: asked for.

    Raises: as :meth:`AttributeGate.fit` and :meth:`AttributeGate.kept` do.
    """
    check_recall(recall)
    stated = _Stated.read(X, values, groups)
    learned = _cross_fit(stated)
    kept_HV = learned.kept(recall)
    right_H = learned.all_strangeness.argmin(axis=1) == learned.codes
    found_H = kept_HV[np.arange(len(kept_HV)), learned.codes]
    each_H = learned.weight / learned.weight.sum()
    low, high = _wilson(share := float(each_H @ found_H), learned.groups)
    return GateReport(
        asked=recall,
        queries=len(kept_HV),
        groups=learned.groups,
        values=len(learned.values),
        accuracy=float(each_H @ right_H),
        recall=share,
        recall_low=low,
        recall_high=high,
        kept=float(each_H @ kept_HV.sum(axis=1)),
        compared=float(each_H @ _share_compared(kept_HV, stated)),
    )


def keep_likely(gates: Mapping[str, AttributeGate], X: Any, recall: float = 0.99) -> dict[str, Mask]:
    """What each of several gates keeps, (Q, V), such that **all** true values are kept with the recall asked for.

    Each gate gets an equal part of the misses that are allowed (Bonferroni).
    """
    check_recall(recall)
    of_each = 1 - (1 - recall) / max(1, len(gates))
    return {attribute: gate.kept(X, of_each) for attribute, gate in gates.items()}


def allowed(kept_QV: Mask, codes_R: Ints) -> Mask:
    """Which rows each query is compared with, (Q, R), from the number of each row's value.

    Rows whose number is :data:`SILENT` always are.

    Example:
        >>> allowed(np.array([[True, False]]), np.array([0, 1, SILENT])).tolist()
        [[True, False, True]]
    """
    return np.asarray(np.pad(kept_QV, ((0, 0), (0, 1)), constant_values=True)[:, codes_R])


def check_recall(recall: float) -> None:
    """Raises ConfigError where a gate cannot be asked for this recall."""
    if not 0 < recall <= 1:
        raise ConfigError(f"the recall of a gate must be above 0 and at most 1, not {recall}")


@dataclass(frozen=True, eq=False)
class _Stated:
    """Examples as numbers: the value of each, or SILENT, and its group."""

    features: Floats
    values: tuple[str, ...]
    codes: Ints
    group: Ints

    @classmethod
    def read(cls, X: Any, values: Any, groups: Any) -> Self:
        features = _features(X)
        texts = np.array(["" if value is None else str(value) for value in values], np.str_)
        group = encode(groups)[1]
        if not len(features) == len(texts) == len(group):
            raise ShapeError(
                f"features of {len(features)} examples but {len(texts)} values and {len(group)} groups: give one of each "
                "an example"
            )
        known, codes = np.unique(texts, return_inverse=True)
        pairs = np.unique(np.stack([codes, group]), axis=1)
        groups_with_V = np.bincount(pairs[0], minlength=len(known))
        learnable = (groups_with_V > 1) & (known != "")
        if learnable.sum() < 2:
            raise DataError(
                f"{learnable.sum()} values of the attribute belong to two classes or more: a gate needs two such values"
            )
        number = np.where(learnable, np.cumsum(learnable) - 1, SILENT)
        return cls(features, tuple(known[learnable].tolist()), number[codes], group)

    def some(self) -> tuple[Ints, Ints]:
        """At most some thousands that state a value, the first of each group first; and the fold of each one's group.

        Groups of the same value are dealt out to the folds in turn, so that every classifier learns all values.
        """
        rng = np.random.default_rng(0)
        mixed = rng.permutation(np.flatnonzero(self.codes != SILENT))
        mixed = mixed[rng.permutation(self.group.max() + 1)[self.group[mixed]].argsort(kind="stable")]
        group = self.group[mixed]
        first = np.flatnonzero(np.diff(group, prepend=-1))
        place = np.arange(len(group)) - np.repeat(first, np.diff(first, append=len(group)))
        mixed = mixed[place.argsort(kind="stable")[:_MOST]]
        group, of_group, group_of = np.unique(self.group[mixed], return_index=True, return_inverse=True)
        fold = np.empty(len(group), np.int64)
        fold[self.codes[mixed[of_group]].argsort(kind="stable")] = np.arange(len(group)) % _FOLDS
        return mixed, fold[group_of]


@dataclass(frozen=True, eq=False)
class _CrossFitted:
    """A classifier for each fold, and what it makes of the examples it has not learned."""

    values: tuple[str, ...]
    coef: Floats
    intercept: Floats
    codes: Ints
    fold: Ints
    all_strangeness: Floats  # with each value, (H, V)
    weight: Doubles  # of each example: that of a group is 1 / (G + 1), shared by its examples
    groups: int

    @property
    def strangeness(self) -> Floats:
        """Of each example with its own value, (H,)."""
        own: Floats = self.all_strangeness[np.arange(len(self.codes)), self.codes]
        return own

    def kept(self, recall: float) -> Mask:
        """What a gate would keep of each held-out example that knew only the other folds, (H, V)."""
        kept_HV = np.empty(self.all_strangeness.shape, bool)
        for fold in range(len(self.coef)):
            held = self.fold == fold
            others = np.flatnonzero(~held)
            others = others[self.strangeness[others].argsort(kind="stable")]
            mass = _from_the_end(self.weight[others])
            unseen = 1 / (self.groups + 1)
            likely = _mass_above(self.strangeness[others], mass, self.all_strangeness[held])
            likely = (likely + unseen) / (self.weight[others].sum() + unseen)
            kept_HV[held] = (likely > 1 - recall) | (likely == likely.max(axis=1, keepdims=True))
        return kept_HV


def _cross_fit(stated: _Stated) -> _CrossFitted:
    """Learn on all folds but one, each in turn."""
    rows, fold = stated.some()
    features, codes = unit(stated.features[rows]), stated.codes[rows]
    values, folds = len(stated.values), int(fold.max()) + 1
    coef = np.empty((folds, values, features.shape[1]), np.float32)
    intercept = np.empty((folds, values), np.float32)
    strangeness = np.empty((len(rows), values), np.float32)
    for each in range(folds):
        held = fold == each
        coef[each], intercept[each] = _regression(features[~held], codes[~held], values)
        strangeness[held] = _strangeness(features[held], coef[None, each], intercept[None, each])[0]
    of_group, counts = np.unique(stated.group[rows], return_inverse=True, return_counts=True)[1:]
    weight = 1 / (len(counts) + 1) / counts[of_group]
    return _CrossFitted(stated.values, coef, intercept, codes, fold, strangeness, weight, len(counts))


def _regression(features_ND: Floats, codes_N: Ints, values: int) -> tuple[Floats, Floats]:
    """Weights (V, D) and biases (V,) of logits; a value that no example has is never likely."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression  # late: asking a gate need not wait for it

    coef, intercept = np.zeros((values, features_ND.shape[1]), np.float32), np.full(values, _NEVER, np.float32)
    seen = np.unique(codes_N)
    intercept[seen] = 0
    if len(seen) > 1:
        model = LogisticRegression(C=_PENALTY, max_iter=_ITERATIONS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features_ND, codes_N)
        shares = np.array([[-0.5], [0.5]]) if len(seen) == 2 else np.eye(len(seen))  # of two, it learns the difference
        coef[seen], intercept[seen] = shares @ model.coef_, shares @ model.intercept_
    return coef, intercept


def _strangeness(queries_QD: Floats, coef_FVD: Floats, intercept_FV: Floats) -> Floats:
    """-log P(value | query) by each fold's classifier, (F, Q, V)."""
    folds, values, features = coef_FVD.shape
    logits_QFV = (queries_QD @ coef_FVD.reshape(-1, features).T).reshape(-1, folds, values) + intercept_FV
    return np.asarray(-log_softmax(logits_QFV, axis=-1).swapaxes(0, 1))


def _mass_above(sorted_H: Floats, mass_H: Doubles, strange_QV: Floats) -> Doubles:
    """The mass of the examples that are at least as strange, (Q, V)."""
    return np.asarray(np.append(mass_H, 0.0)[np.searchsorted(sorted_H, strange_QV)])


def _from_the_end(weight_H: Doubles) -> Doubles:
    """The sum of each weight and those after it."""
    return np.asarray(weight_H[::-1].cumsum()[::-1])


def _share_compared(kept_HV: Mask, stated: _Stated) -> Doubles:
    """The share of all groups that has a kept value, or an example that does not state one, (H,)."""
    has_GV = np.zeros((stated.group.max() + 1, len(stated.values) + 1), bool)
    has_GV[stated.group, stated.codes] = True
    kinds, counts = np.unique(has_GV, axis=0, return_counts=True)  # few, where there are many groups
    shares_H = (
        np.pad(kept_HV, ((0, 0), (0, 1)), constant_values=True).astype(np.float32) @ kinds.T.astype(np.float32) > 0
    )
    return np.asarray(shares_H @ (counts / counts.sum()))


def _wilson(share: float, queries: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    z = norm.ppf(0.975)
    middle = (share + z**2 / (2 * queries)) / (1 + z**2 / queries)
    half = z * np.sqrt(share * (1 - share) / queries + z**2 / (4 * queries**2)) / (1 + z**2 / queries)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _features(X: Any, length: int | None = None) -> Floats:
    """Finite features, (N, D)."""
    features = np.asarray(X, np.float32)
    if features.ndim != 2 or features.shape[1] != (length or features.shape[-1]) or not np.isfinite(features).all():
        wanted = f"(items, {length or 'features'})"
        raise ShapeError(f"features of shape {features.shape} cannot pass a gate: they must be finite and {wanted}")
    return features
