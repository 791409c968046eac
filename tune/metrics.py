"""What an answer is worth beside the one that was wanted: each measure by the formula of its source."""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import arithmetic, text

# Bins of equal mass of the calibration error: the usual number (Guo et al. 2017 take 15 of equal width; with a few
# hundred items ten leave each bin some dozens).
BINS = 10
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = re.compile(f"[{re.escape(string.punctuation)}]")
# Where a worked answer says its result; the marks of GSM8K and of our own templates.
_FINAL = re.compile(r"(?:####|(?i:\banswer(?:\s+is:?|\s*[:=])))\s*([-$€£]*\d[\d,]*(?:\.\d+)?)")
_NUMBER = re.compile(r"-?[$€£]?\d[\d,]*(?:\.\d+)?")


def normalised(answer: str) -> str:
    """Return an answer in lower case without punctuation, articles, doubled blanks (Rajpurkar et al. 2016, SQuAD)."""
    folded = unicodedata.normalize("NFKC", answer).casefold()
    return " ".join(_ARTICLES.sub(" ", _PUNCTUATION.sub("", folded)).split())


def exact_match(said: str, wanted: str) -> float:
    """Return 1 when both answers are the same once normalised, else 0."""
    return float(normalised(said) == normalised(wanted))


def token_f1(said: str, wanted: str) -> float:
    """Return the F1 of the words that two answers share, counted with repetition (SQuAD, Rajpurkar et al. 2016).

    In scripts without blanks a character is a word. Two empty answers agree (SQuAD 2.0).
    """
    found, sought = text.tokens(normalised(said)), text.tokens(normalised(wanted))
    if not found or not sought:
        return float(found == sought)
    shared = (Counter(found) & Counter(sought)).total()
    return 2 * shared / (len(found) + len(sought))


def numeric_match(said: str, wanted: str) -> float:
    """Return 1 when the final number of both answers is the same, else 0.

    The final number is the one after `####` or "the answer is", else the last one, as the field reads GSM8K (Cobbe et
    al. 2021): thousands and currencies do not count, 7.0 is 7.
    """
    one, other = _final(said), _final(wanted)
    return float(one is not None and one == other)


def _final(answer: str) -> Fraction | None:
    marked = _FINAL.findall(answer) or _NUMBER.findall(answer)
    return arithmetic.number(marked[-1].rstrip(",")) if marked else None


def chrf(said: str, wanted: str) -> float:
    """Return chrF2 of one answer in [0, 1] (Popović 2015), by sacrebleu."""
    from sacrebleu import sentence_chrf

    return float(sentence_chrf(said, [wanted]).score) / 100


def bleu(said: str, wanted: str) -> float:
    """Return BLEU of one answer in [0, 1] (Papineni et al. 2002), smoothed exponentially by sacrebleu.

    Only n-grams that the answers are long enough for count; BLEU of a whole corpus is another number: see `corpus`.
    """
    from sacrebleu import sentence_bleu

    return float(sentence_bleu(said, [wanted]).score) / 100


def rouge(kind: str) -> Callable[[str, str], float]:
    """Return ROUGE of one kind (`rouge1`, `rougeL`; Lin 2004): the F measure in [0, 1], without stemming."""

    def scored(said: str, wanted: str) -> float:
        return float(_scorer(kind).score(wanted, said)[kind].fmeasure)

    return scored


class _Words:
    """Words in any script; the library's own tokenizer drops all letters but a to z."""

    def tokenize(self, answer: str) -> list[str]:
        """Return the words of an answer."""
        return text.words(answer)


@lru_cache(maxsize=4)
def _scorer(kind: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([kind], tokenizer=_Words())


# By name, of an answer that was written: (said, wanted) to a value in [0, 1].
WRITTEN: dict[str, Callable[[str, str], float]] = {
    "exact_match": exact_match,
    "token_f1": token_f1,
    "numeric_match": numeric_match,
    "chrf": chrf,
    "bleu": bleu,
    "rouge1": rouge("rouge1"),
    "rougeL": rouge("rougeL"),
}
# Of these a value is 0 or 1: their means are shares.
SHARES = frozenset(
    {"exact_match", "numeric_match", "accuracy", "accuracy_per_token", "accuracy_per_character", "accuracy_pmi"}
)


def corpus(said: Sequence[str], wanted: Sequence[str]) -> dict[str, Any]:
    """Return BLEU and chrF2 of a whole corpus in [0, 1], each with sacrebleu's signature."""
    from sacrebleu.metrics import BLEU, CHRF

    found = {}
    for name, measure in (("bleu", BLEU()), ("chrf", CHRF())):
        score = measure.corpus_score(list(said), [list(wanted)]).score / 100
        found[name] = {"value": float(score), "signature": str(measure.get_signature())}
    return found


def macro_f1(wanted: Sequence[str], said: Sequence[str]) -> float:
    """Return the mean F1 of all labels that were wanted; one that was never said has 0 (Sebastiani 2002)."""
    right = Counter(one for one, other in zip(wanted, said, strict=True) if one == other)
    sought, found = Counter(wanted), Counter(said)
    return sum(2 * right[label] / (sought[label] + found[label]) for label in sought) / len(sought)


def brier(shares: Sequence[float], right: int) -> float:
    """Return the squared distance between the probabilities of all options and the truth, in [0, 2] (Brier 1950)."""
    return sum((share - (place == right)) ** 2 for place, share in enumerate(shares))


def calibration(confidence: npt.ArrayLike, correct: npt.ArrayLike, *, bins: int = BINS) -> dict[str, Any]:
    """Return the expected calibration error over bins of equal mass, and the bins.

    The error is Σ n_b / n · |mean confidence − share right| (Naeini et al. 2015), the bins hold equally many items
    (Nguyen and O'Connor 2015): with bins of equal width most of a confident model's items fall into one.

    Args:
        confidence: (n,) probability of the answer given, in [0, 1].
        correct: (n,) whether it is right.
        bins: at most so many, and no more than there are items.

    Returns:
        `ece` and `bins`, each with n, confidence and accuracy; of no items an error of None.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if not len(sure):
        return {"ece": None, "bins": []}
    order = np.argsort(sure, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    found = [
        {"n": len(part), "confidence": float(sure[part].mean()), "accuracy": float(right[part].mean())}
        for part in parts
    ]
    error = sum(one["n"] * abs(one["confidence"] - one["accuracy"]) for one in found) / len(order)
    return {"ece": error, "bins": found}
