"""Linear classifiers of directions: what a new last layer on a frozen network learns.

Shape suffixes: N examples, C classes, Q queries, D features, S dimensions of the span.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from lowshot.errors import ConfigError
from lowshot.recognize.distances import Floats, unit
from lowshot.recognize.examples import ExampleKeeper

Doubles = NDArray[np.float64]


class LinearProbe(ExampleKeeper):
    """Multinomial logistic regression on features at unit length.

    scikit-learn's, in which every class has the same weight, however many examples it has. It keeps its examples and learns
    from all of them anew when one comes or goes. The distance to a class is its logit with the sign turned, and may be below
    0; :meth:`predict_proba` is then the regression's own.

    Args:
        C: how closely it follows the examples: the inverse of the weight of the squared coefficients.
        temperature: probabilities are the softmax of the logits / temperature.

    Attributes:
        classes_, counts_: the labels and how many examples each has, (C,).
        features_, codes_: the examples as they came, ``float32`` (N, features), and the position in ``classes_`` of each
            one's label, (N,).
        coef_, intercept_: weights (C, features) and biases (C,) of the logits.

    Example:
        >>> probe = LinearProbe().fit([[1, 0], [0, 1], [-1, 0]], ["right", "up", "left"])
        >>> probe.predict([[3, 1], [-2, 1]]).tolist()
        ['right', 'left']
    """

    coef_: Doubles
    intercept_: Doubles

    def __init__(self, C: float = 10.0, temperature: float = 1.0) -> None:
        super().__init__("cosine", temperature=temperature)
        self.C = C

    def _start(self) -> None:
        if not self.C > 0:
            raise ConfigError(f"C must be above 0, not {self.C}")
        super()._start()

    def _learn(self, features_ND: Floats, labels_N: NDArray[np.generic]) -> None:
        super()._learn(features_ND, labels_N)
        self._solve()

    def _keep(self, kept_C: NDArray[np.bool_]) -> None:
        super()._keep(kept_C)
        self._solve()

    def _solve(self) -> None:
        """Bring ``coef_`` and ``intercept_`` up to date."""
        from sklearn.linear_model import LogisticRegression  # late: whoever recognizes otherwise need not wait for it

        classes = len(self.classes_)
        self.coef_, self.intercept_ = np.zeros((classes, self.n_features_in_)), np.zeros(classes)
        if classes < 2:
            return
        # Of two classes scikit-learn learns only the difference, on which the same penalty weighs twice.
        C = 2 * self.C if classes == 2 else self.C
        model = LogisticRegression(C=C, class_weight="balanced", tol=1e-8, max_iter=10_000)
        examples_ND = unit(self.features_).astype(np.float64)
        # The weights are sums of examples. Where these are fewer than features, their span has room for every solution.
        span_DS = np.linalg.qr(examples_ND.T)[0] if len(examples_ND) < self.n_features_in_ else None
        with warnings.catch_warnings():  # few examples a class are what this is for, no regression that went astray
            warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
            model.fit(examples_ND if span_DS is None else examples_ND @ span_DS, self.codes_)
        shares = np.array([[-0.5], [0.5]]) if classes == 2 else np.eye(classes)
        weights = model.coef_ if span_DS is None else model.coef_ @ span_DS.T
        self.coef_, self.intercept_ = shares @ weights, shares @ model.intercept_

    def _distances(self, queries_QD: Floats) -> Floats:
        return np.asarray(-(unit(queries_QD) @ self.coef_.T + self.intercept_), np.float32)


class CosineClassifier(LinearProbe):
    """The last layer of Baseline++ (Chen et al. 2019, section 3.2): logits are ``scale`` times the cosine with a direction.

    Each class's direction starts at the mean of its examples and is trained by cross-entropy, every class having the same
    weight. Unlike :class:`LinearProbe` no class can be preferred by the length of its weights, nor by a bias.

    Args:
        scale: of the cosines: how confident the softmax can become.
        temperature: as in :class:`LinearProbe`.

    Attributes:
        classes_, counts_, features_, codes_: as in :class:`LinearProbe`.
        coef_, intercept_: the directions times ``scale``, (C, features), and 0, (C,).

    Example:
        >>> CosineClassifier().fit([[1, 0], [0, 1], [-1, 0]], ["right", "up", "left"]).predict([[3, 1]]).item()
        'right'
    """

    def __init__(self, scale: float = 10.0, temperature: float = 1.0) -> None:
        super().__init__(temperature=temperature)
        self.scale = scale

    def _start(self) -> None:
        if not self.scale > 0:
            raise ConfigError(f"scale must be above 0, not {self.scale}")
        super()._start()

    def _solve(self) -> None:
        from scipy.optimize import minimize  # late, as above

        classes = len(self.classes_)
        self.coef_, self.intercept_ = np.zeros((classes, self.n_features_in_)), np.zeros(classes)
        if not classes:
            return
        examples_ND = unit(self.features_).astype(np.float64)
        share_NC = np.eye(classes)[self.codes_] / self.counts_  # of each example in its class's mean
        start_CD = share_NC.T @ examples_ND
        options = {"maxiter": 1000, "ftol": 0.0, "gtol": 1e-8}
        found = minimize(
            _cosine_loss, start_CD.ravel(), (examples_ND, share_NC, self.scale), "L-BFGS-B", jac=True, options=options
        )
        self.coef_ = self.scale * _directions(found.x.reshape(start_CD.shape))[0]


def _cosine_loss(weights: Doubles, examples_ND: Doubles, share_NC: Doubles, scale: float) -> tuple[float, Doubles]:
    """Mean cross-entropy of each class, summed over the classes, and its gradient by the weights, both (C·D,)."""
    directions_CD, length_C1 = _directions(weights.reshape(share_NC.shape[1], -1))
    logits_NC = scale * examples_ND @ directions_CD.T
    top_N1 = logits_NC.max(axis=1, keepdims=True)
    log_sum_N1 = top_N1 + np.log(np.exp(logits_NC - top_N1).sum(axis=1, keepdims=True))
    weight_N1 = share_NC.sum(axis=1, keepdims=True)
    by_logits_NC = weight_N1 * np.exp(logits_NC - log_sum_N1) - share_NC
    by_directions_CD = scale * by_logits_NC.T @ examples_ND
    along_C1 = (by_directions_CD * directions_CD).sum(axis=1, keepdims=True)
    loss = float((weight_N1 * log_sum_N1).sum() - (share_NC * logits_NC).sum())
    return loss, ((by_directions_CD - along_C1 * directions_CD) / length_C1).ravel()


def _directions(weights_CD: Doubles) -> tuple[Doubles, Doubles]:
    """The weights at length 1, and their length (C, 1); zeros stay zeros, of length 1."""
    length_C1 = np.linalg.norm(weights_CD, axis=1, keepdims=True)
    length_C1[length_C1 == 0] = 1
    return weights_CD / length_C1, length_C1
