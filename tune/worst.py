"""The worst answers, the training rows that are nearest to them, and which rules touched those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl

from curate import embed, weights
from curate.errors import UserError

# Answers shown for each task, and training rows for each answer: what a person reads in a quarter of an hour.
SHOWN, NEAREST = 5, 3
# Rows that the words choose before the vectors: reading all of a run by vectors takes minutes.
_NEAR_BY_WORDS = 20
_TRACES = ("id", "source", "template", "prompt", "response", "kept", "dropped_at", "dropped_by", "flagged_by")


def worst(
    predictions: pl.DataFrame,
    rows: pl.DataFrame,
    *,
    train: pl.DataFrame | None,
    progress: Callable[[str, int, int], None] = lambda label, done, total: None,
) -> list[dict[str, Any]]:
    """Return the worst answers of each task, one rendering of a record each, with the nearest training rows.

    Worst is what has the lowest primary value: with options the probability of the right one, else the first measure of
    the family.

    Args:
        predictions: of `scoring`.
        rows: the rows that were answered.
        train: the run's train rows with verdicts; None without a run.
        progress: told a label, what is done and the total.

    Returns:
        task, id, source, template, prompt, wanted, answer, outcome, primary and `nearest`: rows of the run with their
        similarity, whether they are in the mix, and the rules that dropped or flagged them.
    """
    wrong = predictions.filter(pl.col("outcome") != "right").sort("task", "primary", "id")
    chosen = wrong.unique(["task", "record"], keep="first", maintain_order=True)
    chosen = chosen.group_by("task", maintain_order=True).head(SHOWN)
    chosen = chosen.join(rows.select("id", "prompt", "content"), on="id", maintain_order="left")
    near = _nearest(chosen["content"].to_list(), train, progress) if train is not None and train.height else []
    names = ("task", "id", "source", "template", "prompt", "wanted", "answer", "outcome", "primary")
    return [
        {name: row[name] for name in names} | {"nearest": near[place] if near else []}
        for place, row in enumerate(chosen.iter_rows(named=True))
    ]


def _nearest(
    texts: Sequence[str], train: pl.DataFrame, progress: Callable[[str, int, int], None]
) -> list[list[dict[str, Any]]]:
    """Return the nearest training records of each text: by words, then by vectors where an encoder is installed."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    known = train.unique("record", keep="first", maintain_order=True)
    contents = known["content"].fill_null("").to_list()
    if not texts or not any(text.strip() for text in contents):
        return [[] for _ in texts]
    weigh = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\w+")
    vectors = weigh.fit_transform(contents)
    close = (weigh.transform(texts) @ vectors.T).toarray()
    best = np.argsort(-close, axis=1, kind="stable")[:, :_NEAR_BY_WORDS]
    method, values = "words", np.take_along_axis(close, best, axis=1)
    try:
        encoder = embed.load()
    except UserError:  # the optional encoder is not installed; `method` says what was used instead
        encoder = None
    if encoder is not None:
        wanted = [*texts, *(contents[place] for place in np.unique(best))]
        found = encoder.encode(
            wanted,
            cache=weights.home().with_name("vectors"),
            progress=lambda done, total: progress("nearest rows", done, total),
        )
        at = {int(place): len(texts) + number for number, place in enumerate(np.unique(best))}
        places = np.array([[at[int(one)] for one in line] for line in best])
        method, values = "vectors", np.einsum("nd,nkd->nk", found[: len(texts)], found[places])
    order = np.argsort(-values, axis=1, kind="stable")[:, :NEAREST]
    traces = known.select(name for name in _TRACES if name in known.columns)
    return [
        [
            {**traces.row(int(best[row][one]), named=True), "similarity": float(values[row][one]), "method": method}
            for one in order[row]
        ]
        for row in range(len(texts))
    ]
