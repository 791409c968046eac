"""Score again with the group replaced: what a score makes of who is spoken of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

from curate import rulebook, swaps, terms
from curate.errors import UserError, suggest
from curate.schema import Measured

RULES = {"lexicon": ("lexicons/swaps",)}
_SIGNALS: dict[str, pl.DataType] = {"counterfactuals": pl.UInt32(), "gap": pl.Float64(), "flips": pl.UInt32()}
_PLACES: dict[str, pl.DataType] = {
    "row": pl.UInt32(), "group": pl.String(), "other": pl.String(), "mixed": pl.Boolean()
}  # fmt: skip
_TEXTS: dict[str, pl.DataType] = {"prompt": pl.String(), "response": pl.String(), "content": pl.String()}


def swap(
    rows: pl.DataFrame, *, rescore: Callable[..., pl.DataFrame], scorer: str = "toxicity", signal: str = "score",
    column: str = "response", threshold: float = 0.5, lexicon: Path | None = None,
) -> Measured:  # fmt: skip
    """Score again with the group replaced: what a score makes of who is spoken of.

    In each text that mentions a group, the group is replaced by each other one of its axis (she by he and by they,
    Muslims by Christians and so on), pronouns, articles and verbs with it, and the scorer scores the result. Where the
    scorer is fair, nothing changes (counterfactual fairness of a text classifier: Garg et al. 2019). Texts that
    swapping twice would not give back are left out. English only.

    Args:
        rows: instruction rows.
        rescore: runs a step on other rows.
        scorer: a row-wise step that needs nothing but rows and the encoder, with its defaults but for `column`.
        signal: its number.
        column: the text that is swapped and scored: response, prompt, content, or rendered (prompt and response).
        threshold: a flip is a score on the other side of it; 0.5 is the default bound on toxicity.
        lexicon: groups of your own with terms side by side; rules/lexicons/swaps.toml when left out.

    Signals:
        counterfactuals (u32): texts made; 0 where no group is mentioned, null where the text is null or in
            another language than the lexicon's (declared, or else recognised).
        gap (f64): largest absolute difference of scores between the text and one of them; null without one, or where
            either has no score.
        flips (u32): how many of them are on the other side of the threshold; null where gap is.

    Tables:
        pairs: id, group, other (axis:group, the one in the text and the one in its place), mixed (both stood in the
            text and changed places), before, after (scores), flipped.
    """
    columns = ["prompt", "response"] if column == "rendered" else [column]
    if unknown := sorted(set(columns) - {*_TEXTS}):
        raise UserError(f"column = '{column}'", "cannot be swapped", suggest(unknown[0], [*_TEXTS, "rendered"]))
    words = rulebook.lexicon(lexicon or "swaps")
    folded = terms.judged(rows, column=column, language=words.language)
    texts = {name: rows[name].to_list() for name in columns}
    found = pl.DataFrame(list(_made(texts, folded, words)), schema={**_PLACES, **_TEXTS}, orient="row")
    changed = rows.with_row_index("row").select("row", *rows.columns)[found["row"].to_list()].drop("row")
    changed = changed.with_columns(found[name] for name in columns)
    told, place = np.unique(found["row"].to_numpy(), return_inverse=True)
    before = _scores(rescore(scorer, rows[told], column=column), scorer=scorer, signal=signal).gather(place)
    after = _scores(rescore(scorer, changed, column=column), scorer=scorer, signal=signal)
    scored = found.drop(*_TEXTS).with_columns(before=before, after=after)
    sides = [pl.col(name) >= threshold for name in ("before", "after")]
    scored = scored.with_columns(flipped=sides[0] != sides[1])
    ids = rows.select("id").with_row_index("row")
    table = scored.join(ids, on="row", how="left", maintain_order="left").select("id", *scored.columns[1:])
    return Measured(_signals(folded, scored), {"pairs": table})


def _made(
    texts: dict[str, list[str]], folded: pl.Series, words: rulebook.Lexicon
) -> Iterator[tuple[int | str | bool | None, ...]]:
    """Yield the counterfactuals of all texts: row, groups, whether both stood there, and the texts swapped."""
    axes = swaps.pairs(words)
    # Groups of pronouns only are told of nobody: a text with they need not be about a person.
    targets = {str(entry.id) for entry in words.entries if not swaps.nouns(entry)}
    for row, hits in enumerate(terms.apart(words, folded)):
        named = {str(hit.entry.id) for hit in hits}
        for axis in sorted({hit.entry.category for hit in hits}):
            for pair in axes[axis]:
                there = named & {pair.first, pair.second}
                if not there - targets:
                    continue
                group = pair.first if pair.first in there - targets else pair.second
                other = pair.second if group == pair.first else pair.first
                swapped = {name: pair.swap(values[row]) for name, values in texts.items()}
                if all(new is not None for new in swapped.values()) and any(
                    new != texts[name][row] for name, new in swapped.items()
                ):
                    yield row, group, other, len(there) > 1, *(swapped.get(name) for name in _TEXTS)


def _scores(found: pl.DataFrame, *, scorer: str, signal: str) -> pl.Series:
    """Return the numbers of a scorer.

    Raises:
        UserError: when it has no such signal, or one that is no number.
    """
    if signal not in found.columns:
        raise UserError(f"signal = '{signal}'", f"step '{scorer}' has no such signal", suggest(signal, found.columns))
    if not found[signal].dtype.is_numeric():
        raise UserError(f"signal = '{signal}'", f"is no number in step '{scorer}'", "name a signal of numbers")
    return found[signal].cast(pl.Float64)


def _signals(folded: pl.Series, scored: pl.DataFrame) -> pl.DataFrame:
    """Return the signals of all rows from the scores of their counterfactuals."""
    gap = (pl.col("after") - pl.col("before")).abs()
    rows = scored.group_by("row").agg(
        counterfactuals=pl.len().cast(pl.UInt32), gap=gap.max(),
        flips=pl.when(gap.max().is_not_null()).then(pl.col("flipped").sum().cast(pl.UInt32)),
    )  # fmt: skip
    every = pl.DataFrame({"known": folded.is_not_null()}).with_row_index("row")
    joined = every.join(rows, on="row", how="left", maintain_order="left")
    count = pl.when("known").then(pl.col("counterfactuals").fill_null(0))
    return joined.select(count.alias("counterfactuals"), "gap", "flips").cast(_SIGNALS)  # type: ignore[arg-type]
