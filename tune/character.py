"""Bias and safety of a model: which of two sentences it finds likelier, and whether what it writes is abusive."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import BaseModel, Field

from curate import embed, rulebook, rulefile, swaps, text, weights
from curate.errors import UserError
from curate.intervals import wilson
from curate.lm import LanguageModel
from curate.rulefile import STRICT, Header
from curate.steps.toxicity import TOXIC, toxicity
from tune import generation, ranking, trees

# Sentences of the data for each pair of groups: with 30 a share is known within 0.18, and all pairs take SmolLM2 half a
# minute. Longer ones cost more and say no more; fewer than ten say nothing.
_SENTENCES, _WORDS, _LEAST = 30, 30, 10
# Tokens that are written after a stem: a sentence.
_CONTINUED = 24


class Pair(BaseModel):
    """Two sentences that differ in who is spoken of; the first one says what a prejudice says."""

    model_config = STRICT
    axis: str
    prejudice: str
    other: str


class Stem(BaseModel):
    """A harmless beginning about a group."""

    model_config = STRICT
    axis: str
    text: str


class Pairs(Header):
    """A file of `rules/pairs`."""

    language: str
    pairs: tuple[Pair, ...] = Field(min_length=1)
    stems: tuple[Stem, ...] = ()


def pairs(name: str | Path = "prejudice") -> Pairs:
    """Return the pairs `rules/pairs/<name>.toml`, or those of a file of the user's own."""
    return rulefile.load(rulefile.rule_file("pairs", name), Pairs)


def character(
    lm: LanguageModel,
    rows: pl.DataFrame,
    predictions: pl.DataFrame,
    *,
    progress: Callable[[str, int, int], None] = lambda label, done, total: None,
) -> dict[str, Any]:
    """Return what a model prefers of minimal pairs, and how abusive its words are.

    Args:
        lm: the model.
        rows: the rows it was asked, whose sentences are told again of other groups.
        predictions: its answers.
        progress: told a label, what is done and the total.

    Returns:
        `pairs` (ours, by axis), `swaps` (sentences of the data, by pair of groups), `toxicity` (of answers that it
        wrote, and of continuations of our stems).
    """
    file = pairs()
    ours = [(one.axis, one.prejudice, one.other) for one in file.pairs]
    told = _preferred(lm, ours, lambda done, of: progress("minimal pairs", done, of))
    swapped = _preferred(lm, list(_swapped(rows)), lambda done, of: progress("swapped groups", done, of))
    written = predictions.filter(pl.col("options").is_null())["answer"].drop_nulls().to_list()
    prompts = [list(ranking.alone(lm, one.text).ids) for one in file.stems]
    limits = [_CONTINUED] * len(prompts)
    after = generation.write(lm, prompts, limits, progress=lambda done, of: progress("continuations", done, of))
    continued = [f"{stem.text} {one.text}" for stem, one in zip(file.stems, after, strict=True)]
    return {
        "pairs": told,
        "swaps": [one for one in swapped if one["n"] >= _LEAST and one["axis"] != "all"],
        "toxicity": [_abuse("answers", written), _abuse("continuations", continued)],
    }


def _preferred(
    lm: LanguageModel, told: Sequence[tuple[str, str, str]], progress: ranking.Progress
) -> list[dict[str, Any]]:
    """Return, by axis and over all, how often the first of two sentences is likelier.

    `share` compares whole sentences, as CrowS-Pairs does for causal models; `share_after` what both have in common
    after the words that differ, given these, which is nearer to its pseudo-likelihood of unmodified tokens (Nangia et
    al. 2020): how frequent a group's name is counts in the first only. Ties count half.
    """
    groups = []
    for _, *both in told:
        one, other = (ranking.alone(lm, sentence) for sentence in both)
        same = _shared_end(one.ids, other.ids)
        groups += [[whole] for whole in (one, other)]
        # What comes before the shared end: with it, the end's likelihood is the difference.
        groups += [[trees.Text(whole.ids[: len(whole.ids) - same], 1)] for whole in (one, other)]
    values = np.array([one[0] for one in ranking.likelihoods(lm, groups, progress=progress)]).reshape(-1, 4)
    values[:, 2:] = values[:, :2] - values[:, 2:]
    axes = [axis for axis, *_ in told]
    return [
        _share(axis, values[[place for place, one in enumerate(axes) if axis in ("all", one)]])
        for axis in (["all", *dict.fromkeys(axes)] if told else [])
    ]


def _share(axis: str, values: Any) -> dict[str, Any]:
    """Return counts of one axis from likelihoods (n, 4): both sentences, then both ends."""
    n = len(values)
    found: dict[str, Any] = {"axis": axis, "n": n}
    for name, first, second in (("share", 0, 1), ("share_after", 2, 3)):
        wins = float((np.sign(values[:, first] - values[:, second]) + 1).sum() / 2)
        low, high = wilson(wins, n)
        found |= {name: wins / n, f"{name}_low": low, f"{name}_high": high}
    return found | {"mean_difference_nats": float((values[:, 0] - values[:, 1]).mean())}


def _shared_end(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two texts have in common at their ends, at most all but the first of each."""
    most = min(len(one), len(other)) - 1
    return next((n for n in range(most) if one[len(one) - 1 - n] != other[len(other) - 1 - n]), most)


def _swapped(rows: pl.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield, for each pair of groups, sentences of the data about the first and the same about the second."""
    english = rows.filter(pl.col("lang").fill_null("en").str.starts_with("en")) if "lang" in rows.columns else rows
    contents = english.unique("record", keep="first").sort("record")["content"].drop_nulls().to_list()
    sentences = [one for content in contents for one in text.sentences(content) if len(one.split()) <= _WORDS]
    for every in swaps.pairs(rulebook.lexicon("swaps")).values():
        for pair in every:
            found = 0
            for sentence in sentences:
                changed = pair.swap(sentence) if found < _SENTENCES else None
                if changed is None or changed == sentence:
                    continue
                sides = {_is_first(pair, match) for match in pair.pattern.finditer(sentence)}
                if len(sides) == 1:  # of both groups at once nothing can be said
                    both = (sentence, changed) if sides == {True} else (changed, sentence)
                    yield (f"{pair.first} over {pair.second}", *both)
                    found += 1


def _is_first(pair: swaps.Pair, match: Any) -> bool:
    if match["pronoun"]:
        return match["pronoun"].lower() in swaps.PRONOUNS[pair.first]
    return str(match.lastgroup).startswith("a")


def _abuse(kind: str, texts: Sequence[str]) -> dict[str, Any]:
    """Return how abusive texts are, by the step `toxicity`; without an encoder by its lexicon alone."""
    try:
        vectors: Any = partial(embed.load().encode, cache=weights.home().with_name("vectors")) if texts else None
    except UserError:  # the optional encoder is missing: `judged_by` says that only the lexicon looked
        vectors = None
    rows = pl.DataFrame(
        {"response": texts, "lang": ["en"] * len(texts)}, schema={"response": pl.String, "lang": pl.String}
    )
    scored = toxicity(rows, vectors=vectors, concepts=vectors is not None)["score"].drop_nulls()
    toxic, n = int((scored >= TOXIC).sum()), len(scored)
    low, high = wilson(toxic, n)
    found = {"of": kind, "n": n, "toxic": toxic, "share": toxic / n if n else None, "low": low, "high": high}
    by = "concepts and lexicon" if vectors is not None else "lexicon alone"
    mean, most = (float(scored.to_numpy().mean()), float(scored.to_numpy().max())) if n else (None, None)
    return found | {"mean": mean, "max": most, "judged_by": by}
