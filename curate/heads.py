"""Small classifiers on features: the same examples give the same classifier, the same text the same score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
# Weight of the vector beside n-grams, and inverse of the regularisation. Held out by template (5 folds over
# rules/concepts) AUROC of "any category" was 0.904 for vectors alone, 0.911 with n-grams; 3, 10 and 30 for the inverse
# differed by 0.001.
_VECTOR, _INVERSE = 2.0, 10.0
# Of two n-grams one that is ten times as frequent counts three times as much; the case is the caller's to fold.
_SHARED: Mapping[str, Any] = MappingProxyType({"sublinear_tf": True, "lowercase": False})
# More iterations than liblinear ever needed here (under 100).
_ITERATIONS = 500


@dataclass(frozen=True)
class Heads:
    """A logistic regression for each name over [vector ; n-grams of words ; n-grams of characters].

    Args:
        names: the classes, each on its own: a text may belong to none or several.
        counters: fitted counters of n-grams, each giving vectors of unit length.
        dense: (classes, dimensions) weights of the vector.
        sparse: (n-grams, classes) weights.
        intercepts: (classes,).
    """

    names: tuple[str, ...]
    counters: tuple[Any, ...]
    dense: Matrix
    sparse: Matrix
    intercepts: Matrix

    def scores(self, texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> Matrix:
        """Return the probability of each class, shape (n, classes), float64.

        A row is summed by itself in float64 and rounded to 4 decimals, so that it does not depend on its neighbours.
        """
        if not texts:
            return np.zeros((0, len(self.names)))
        dense = (vectors.astype(np.float64)[:, None, :] * self.dense).sum(axis=2)
        logits = dense + _grams(texts, self.counters) @ self.sparse + self.intercepts
        found: Matrix = np.round(1 / (1 + np.exp(-np.clip(logits, -30, 30))), 4)
        return found


def fit(
    texts: Sequence[str],
    vectors: npt.NDArray[np.float32],
    labels: Mapping[str, npt.NDArray[np.int8]],
    *,
    counters: Sequence[Any] | None = None,
) -> Heads:
    """Fit a head for each class, deterministically (liblinear's coordinate descent in a fixed order).

    Args:
        texts: examples, prepared as those to be judged will be.
        vectors: (n, dimensions) unit vectors of the examples.
        labels: (n,) by class: 1 for examples that belong to it, 0 for those that do not, -1 for those left out.
        counters: not fitted yet; by default of English words and of characters.

    Raises:
        ValueError: when the examples have not one n-gram in common that a counter could count.
    """
    import scipy.sparse

    fitted = tuple(counter.fit(texts) for counter in counters or (words(), letters()))
    dense = scipy.sparse.csr_matrix(vectors.astype(np.float64) * _VECTOR)
    features = scipy.sparse.hstack([dense, _grams(texts, fitted)]).tocsr()
    found = [linear(features[told >= 0], told[told >= 0] == 1) for told in labels.values()]
    weights = np.stack([weight for weight, _ in found])
    width = vectors.shape[1]
    intercepts = np.array([intercept for _, intercept in found])
    return Heads(tuple(labels), fitted, weights[:, :width] * _VECTOR, weights[:, width:].T.copy(), intercepts)


def words() -> Any:
    """Return a counter of 1 to 3 English words in lower case."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    # An n-gram of one example alone says more about the example than about the class.
    return TfidfVectorizer(token_pattern=r"[a-z']+|[?!\"]", ngram_range=(1, 3), min_df=2, **_SHARED)


def letters(*, most: int | None = None) -> Any:
    """Return a counter of 3 to 5 characters within words, against misspellings.

    Args:
        most: n-grams that are counted, the most frequent ones; all of them when left out.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3, max_features=most, **_SHARED)


def counted(terms: Sequence[str], rarities: Matrix) -> Any:
    """Return a fitted counter of characters, as `letters` would be after `fit`.

    Args:
        terms: its n-grams.
        rarities: (terms,) their inverse document frequencies.

    Raises:
        ValueError: when the two do not fit.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    counter = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), vocabulary=list(terms), **_SHARED)
    counter.idf_ = rarities
    return counter


def linear(features: Any, wanted: npt.NDArray[np.bool_], *, inverse: float = _INVERSE) -> tuple[Matrix, float]:
    """Return weights and intercept of a logistic regression (Fan et al. 2008, LIBLINEAR)."""
    from sklearn.linear_model import LogisticRegression

    # The seed orders the coordinates; any fixed one does.
    model = LogisticRegression(C=inverse, solver="liblinear", max_iter=_ITERATIONS, random_state=0)
    model.fit(features, wanted)
    return model.coef_[0].astype(np.float64), float(model.intercept_[0])


def _grams(texts: Sequence[str], counters: Sequence[Any]) -> Any:
    """Return the n-grams of texts as a sparse matrix, unit length for each counter."""
    import scipy.sparse

    return scipy.sparse.hstack([counter.transform(texts) for counter in counters]).tocsr()
