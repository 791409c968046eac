"""Judge texts by concepts, in two stages: words alone for every text, the encoder where words leave a doubt.

Encoding is a hundred times dearer than looking words up. So each text is cut into windows; what the words of a window
mean by themselves (the encoder's own table of words, one weight for each) tells whether it could be about the concepts
at all, and the heads judge the windows that could.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from curate import concepts, embed, heads, vulgar
from curate.concepts import CATEGORIES, HARMLESS, Concepts
from curate.disguise import WORD, Speller, plain
from curate.heads import Heads, Matrix
from curate.schema import digest

Encode = Callable[[Sequence[str]], Any]
# Words of a window: as many as a few sentences have; the encoder reads 256 pieces, but one sentence in many is lost.
WINDOW = 40
# Characters of a sentence at most, for texts without words or ends.
_SENTENCE = 400
# Windows of one text that are encoded: its most doubtful ones. A bound on the work that a text can ask for.
_ENCODED = 4
# Share of abusive examples, of templates held out, that words alone may let go. Measured on held-out texts of
# `bench/toxicity`: see `bench/checks_toxicity.py` for what that costs.
_LOST = 0.03
# Folds of that measurement.
_FOLDS = 5
# A text that words let go scores under this, in the order of its words: never near a bound that a rule could set.
_CLEAR = 0.1
# Frequent words say nothing: weights grow with the root of the rank in the encoder's table, which is sorted by
# frequency, up to the 10,000th word (weights by frequency: Arora et al. 2017).
_FIRST, _RARE = 1996, 10_000
# Stands for vulgar words that no example has: the heads know it as an insult and as a sexual word.
_RUDE = "slut"
_ENDS = re.compile(rf"[^.!?\n]{{1,{_SENTENCE}}}[.!?\n]*|[.!?\n]+")


@dataclass(frozen=True)
class Verdict:
    """Scores of one text by category, and of the worst window its place in code points."""

    scores: tuple[float, ...]
    start: int
    end: int
    encoded: bool


@dataclass(frozen=True)
class Screen:
    """The fitted stages.

    Args:
        known: the concepts, for their masks.
        speller: corrects words before they are judged.
        weights: what a word adds to the doubt about a window.
        intercept: what is added to the sum over the root of the number of words.
        heads: judge what is doubtful.
        named: a word of each phrase with a mask: without one of these there is nothing to mask.
        rude: vulgar words that no example has.
        encode: texts to unit vectors.
    """

    known: Concepts
    speller: Speller
    weights: dict[str, float]
    intercept: float
    heads: Heads
    named: frozenset[str]
    rude: frozenset[str]
    encode: Encode

    def prepared(self, text: str) -> str:
        """Return a text as the heads read it."""
        spelt = self.speller.text(plain(text))
        return self.known.hide(WORD.sub(lambda match: _RUDE if match[0] in self.rude else match[0], spelt))

    def judge(self, texts: Sequence[str]) -> list[Verdict]:
        """Return the verdict on each text, whatever the others are."""
        cut = [[(self.doubt(text[start:end]), start, end) for start, end in windows(text)] for text in texts]
        # The most doubtful first; of equals the first in the text.
        chosen = [sorted(one for one in found if one[0] >= 0) for found in cut]
        chosen = [sorted(found, key=lambda one: (-one[0], one[1]))[:_ENCODED] for found in chosen]
        asked = [
            self.prepared(text[start:end]) for text, found in zip(texts, chosen, strict=True) for _, start, end in found
        ]
        scores = self.heads.scores(asked, np.asarray(self.encode(asked))) if asked else np.zeros((0, len(CATEGORIES)))
        verdicts, row = [], 0
        for text, found, every in zip(texts, chosen, cut, strict=True):
            verdicts.append(_verdict(scores[row : row + len(found)], found, every, len(text)))
            row += len(found)
        return verdicts

    def doubt(self, text: str) -> float:
        """Return how much the words of a window speak for a closer look; from 0 on it gets one."""
        spelt = plain(text)
        found = self._words(spelt)
        if not self.named.isdisjoint(found):
            found = self._words(self.known.hide(spelt))
        known = [self.weights[word] for word in sorted(found) if word in self.weights]
        return sum(known) / len(known) ** 0.5 + self.intercept if known else -np.inf

    def _words(self, spelt: str) -> set[str]:
        """Return the words of a text, corrected."""
        return {one for word in WORD.findall(spelt) for one in self.speller.fix(word).split()}


def _verdict(
    scores: Matrix, found: list[tuple[float, int, int]], every: list[tuple[float, int, int]], size: int
) -> Verdict:
    """Return the greatest score of each category, or for a text that words let go one that says so."""
    if found:
        _, start, end = found[int(scores.max(axis=1).argmax())]
        return Verdict(tuple(float(value) for value in scores.max(axis=0)), start, end, True)
    doubt = max((one[0] for one in every), default=-np.inf)
    low = round(float(_CLEAR / (1 + np.exp(-max(doubt, -30.0)))), 4) if doubt > -np.inf else 0.0
    return Verdict((low,) * len(CATEGORIES), 0, size, False)


def windows(text: str) -> list[tuple[int, int]]:
    """Cut a text into runs of whole sentences of about `WINDOW` words, as places in it."""
    found: list[tuple[int, int]] = []
    start, words = 0, 0
    for match in _ENDS.finditer(text):
        size = match[0].count(" ") + 1
        if words and words + size > WINDOW:
            found.append((start, match.start()))
            start, words = match.start(), 0
        words += size
    return [*found, (start, len(text))] if words else found


def screen(encode: Encode) -> Screen:
    """Return the screen of the bundled concepts; it is fitted once for an encoder and a state of the files.

    Raises:
        UserError: status 5 when the table of words is not installed.
    """
    return _screen(encode, tuple(sorted((path, path.stat().st_mtime_ns) for path in concepts.FOLDER.glob("*.toml"))))


# One for the prompt and one for the response of a run would be fitted with the same encoder; two runs seldom meet.
@lru_cache(maxsize=2)
def _screen(encode: Encode, stamp: object) -> Screen:
    known = concepts.read()
    examples = known.examples()
    written = [plain(example.text) for example in examples]
    names, table = embed.words()
    fillers = [phrase for phrases in known.shared.values() for phrase in phrases]
    speller = Speller([*written, *fillers], frozenset(names) | vulgar.words() | vulgar.HARMLESS)
    rude = vulgar.words() - speller.counts.keys() - frozenset(names)
    texts = [known.hide(text) for text in written]
    fitted = heads.fit(texts, np.asarray(encode(texts)), _labels([example.category for example in examples]))
    harmless = np.array([example.concept.startswith(f"{HARMLESS}/") for example in examples])
    wanted = np.array([example.category is not None for example in examples])
    chosen = np.flatnonzero(harmless | wanted)
    templates = [examples[number].template for number in chosen]
    weights, intercept = _words([texts[n] for n in chosen], wanted[chosen], templates, names=names, table=table)
    # A vulgar word that no example has weighs what a group does: enough for a closer look.
    masked = max(weights.get(word, 0.0) for mask in known.masks.values() for word in mask.split())
    weights |= dict.fromkeys(rude, masked)
    ranks = {name: rank for rank, name in enumerate(names)}
    rarest = (
        max(WORD.findall(phrase), key=lambda one: ranks.get(one, len(names))) for phrase in known.masked_phrases()
    )
    return Screen(known, speller, weights, intercept, fitted, frozenset(rarest), rude, encode)


def _labels(categories: Sequence[str | None]) -> dict[str, npt.NDArray[np.int8]]:
    """Return what each head learns: abuse of another category is neither an example nor a contrast.

    Taken for contrast, it made each head doubt what two categories share ("they should be shot"): on held-out texts the
    share of abuse found fell from 0.86 to 0.81, and AUROC on prompts from 0.990 to 0.982.
    """
    return {
        name: np.array([0 if one is None else 1 if one == name else -1 for one in categories], dtype=np.int8)
        for name in CATEGORIES
    }


def _words(
    texts: Sequence[str],
    wanted: npt.NDArray[np.bool_],
    templates: Sequence[str],
    *,
    names: Sequence[str],
    table: npt.NDArray[np.float32],
) -> tuple[dict[str, float], float]:
    """Fit a linear model on the mean of words and return it as one weight for each word, bound at 0.

    The bound is the score that all but `_LOST` of the abusive examples reach while their templates are held out.
    """
    import scipy.sparse

    rare = np.sqrt(np.clip(np.arange(len(names)) - _FIRST, 0, _RARE) / _RARE)
    points = (table.astype(np.float64) - table[_FIRST:].mean(axis=0, dtype=np.float64)) * rare[:, None]
    place = {name: number for number, name in enumerate(names)}
    found = [sorted({word for word in WORD.findall(text) if word in place}) for text in texts]
    shared = sorted(word for word, count in Counter(word for one in found for word in one).items() if count > 1)
    column = {word: number for number, word in enumerate(shared)}
    # Each row: the sum of its words' points and the words themselves, over the root of their number.
    dense = np.zeros((len(texts), table.shape[1]))
    counts = scipy.sparse.lil_matrix((len(texts), len(shared)))
    for row, one in enumerate(found):
        dense[row] = points[[place[word] for word in one]].sum(axis=0) / max(len(one), 1) ** 0.5
        counts[row, [column[word] for word in one if word in column]] = 1 / max(len(one), 1) ** 0.5
    features = scipy.sparse.hstack([scipy.sparse.csr_matrix(dense), counts]).tocsr()
    fold = np.array([int(digest(template)[:8], 16) % _FOLDS for template in templates])
    held = np.zeros(len(texts))
    for number in range(_FOLDS):
        away = fold == number
        weight, intercept = heads.linear(features[~away], wanted[~away], inverse=3.0)
        held[away] = features[away] @ weight + intercept
    bound = float(np.quantile(held[wanted], _LOST))
    weight, intercept = heads.linear(features, wanted, inverse=3.0)
    width = table.shape[1]
    weights = dict(zip(names, (points * weight[:width]).sum(axis=1).tolist(), strict=True))
    for word, more in zip(shared, weight[width:].tolist(), strict=True):
        weights[word] += more
    return weights, intercept - bound
