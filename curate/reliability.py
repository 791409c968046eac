"""How far a judge can be relied on: asked again, about answers with filler, and with request and answer swapped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curate import chance, rundir
from curate.endpoint import Endpoint, Refused
from curate.errors import INPUT, UserError
from curate.intervals import RESAMPLES, clustered
from curate.judging import READ, ROWS, Judge

Scores = npt.NDArray[np.float64]
# Words that add nothing to an answer but length; those of an English speaker, as the prompt is.
FILLER = (
    "\n\nThis is the answer to what was asked above. It has been written down here so that it can be read by whoever "
    "asked for it. It begins where the answer begins and ends where the answer ends. Everything that belongs to the "
    "answer has been said in it, and nothing else is added by these last sentences, which only repeat that this is so."
)
# Seed of what is drawn here: figures of one run and one judge are the same each time.
_SEED = 13


def measure(judge: Judge, ask: Endpoint, rows: pl.DataFrame, *, size: int) -> dict[str, Any]:
    """Ask a judge four times about each of some rows.

    Args:
        judge: the judge.
        ask: its endpoint.
        rows: id, record, prompt, response; one row is drawn of each record, as others would be no new cases.
        size: rows asked about.

    Returns:
        judge (its identity), rows, parsed (share of replies that are scores), scores (mean and standard deviation of
        the first), same (share of rows scored alike twice), and as value and 95 % bounds, None where the scores do not
        differ: agreement (of two scores of a row, Lin 1989), position and length (shift of the score by swapping
        request and answer, and by filler, in standard deviations), with_length (rank correlation of score and length).

    Raises:
        UserError: when fewer rows than a figure needs are there, or were scored.
    """
    cases = sample(rows, size)
    if cases.height < ROWS:
        what = f"has {cases.height} records with prompt and response"
        raise UserError("rows to ask about", what, f"take a run with {ROWS} or more", code=INPUT)
    pairs = list(cases.select("prompt", "response").iter_rows())
    plain = [judge.question(*pair) for pair in pairs]
    variants = {
        "first": ask.answers(plain),
        "again": ask.answers(plain, repeat=1),
        "swapped": ask.answers([judge.question(*pair, swapped=True) for pair in pairs]),
        # Filler behind what is not read would change nothing.
        "filled": ask.answers([judge.question(one, other[: READ - len(FILLER)] + FILLER) for one, other in pairs]),
    }
    scores = {name: _numbers(judge, replies) for name, replies in variants.items()}
    known = np.isfinite(np.vstack(list(scores.values())))
    facts: dict[str, Any] = {"judge": judge.identity(), "rows": len(pairs), "parsed": round(float(known.mean()), 4)}
    whole = known.all(axis=0)
    if not whole.any():
        return {**facts, "scores": None, "same": None} | dict.fromkeys(
            ("agreement", "position", "length", "with_length")
        )
    lengths = np.array([len(answer) for _, answer in pairs])[whole]
    return facts | _figures({name: values[whole] for name, values in scores.items()}, lengths)


def sample(rows: pl.DataFrame, size: int) -> pl.DataFrame:
    """Return rows drawn by chance, one of each record, those without prompt or response left out."""
    known = rows.drop_nulls(["prompt", "response"]).sort("id")
    drawn = pl.Series("draw", chance.uniforms(_SEED, known["id"].to_list(), "reliability"), dtype=pl.Float64)
    return known.with_columns(drawn).sort("draw", "id").unique("record", keep="first", maintain_order=True).head(size)


def _numbers(judge: Judge, replies: Sequence[str | Refused]) -> Scores:
    """Return the scores, NaN for what is none; a question that the server does not take has no score either."""
    found = [None if isinstance(reply, Refused) else judge.parsed(reply) for reply in replies]
    return np.array([np.nan if score is None else score for score in found], dtype=np.float64)


def _figures(scores: dict[str, Scores], lengths: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Return what the scores of the same rows, asked about in several ways, say of the judge."""
    first, again = scores["first"], scores["again"]
    spread = float(first.std())
    facts: dict[str, Any] = {"scores": [round(float(first.mean()), 4), round(spread, 4)]}
    facts["same"] = round(float((first == again).mean()), 4)
    if spread == 0 or again.std() == 0:
        return facts | dict.fromkeys(("agreement", "position", "length", "with_length"))
    facts["agreement"] = _agreement(first, again)
    for name, other in (("position", "swapped"), ("length", "filled")):
        moved = (scores[other] - first) / spread
        low, high = clustered(moved, np.arange(len(moved)), generator=chance.generator(_SEED, name))
        facts[name] = [round(one, 4) for one in (float(moved.mean()), low, high)]
    ranks = [pl.Series(values).rank().to_numpy() for values in (first, lengths)]
    facts["with_length"] = round(float(np.corrcoef(ranks[0], ranks[1])[0, 1]), 4) if ranks[1].std() > 0 else None
    return facts


def _agreement(first: Scores, again: Scores) -> list[float]:
    """Return Lin's concordance of two scores of each row, with 95 % bounds from a bootstrap over rows.

    1 where all are equal, less for noise and for a shift: 2·cov ÷ (var + var + (difference of means)²). Source: Lin,
    "A concordance correlation coefficient to evaluate reproducibility" (1989). A resample in which nothing differs
    agrees wholly.
    """
    generator = chance.generator(_SEED, "agreement")
    draws = np.vstack([np.arange(len(first)), generator.integers(0, len(first), size=(RESAMPLES, len(first)))])
    one, two = first[draws], again[draws]
    means = one.mean(axis=1), two.mean(axis=1)
    together = (one * two).mean(axis=1) - means[0] * means[1]
    apart = one.var(axis=1) + two.var(axis=1) + (means[0] - means[1]) ** 2
    found = np.where(apart > 1e-12, 2 * together / np.maximum(apart, 1e-12), 1.0)
    low, high = np.quantile(found[1:], [0.025, 0.975])
    return [round(float(value), 4) for value in (found[0], low, high)]


def judges(folder: rundir.RunDir, *, step: str | None) -> tuple[str, dict[str, Any]]:
    """Return name and arguments of the judge of a run.

    Args:
        folder: the run.
        step: the name of its signals, where there are several.

    Raises:
        UserError: when the run has none, or several and none is named.
    """
    stages = folder.manifest["recipe"].get("stages", [])
    uses = [use for stage in stages for use in stage.get("steps", []) if use["step"] == "judge"]
    named: dict[str, dict[str, Any]] = {use.get("as") or use["step"]: use for use in uses}
    wanted = step or (next(iter(named)) if len(named) == 1 else "")
    if wanted not in named:
        what = f"has {'no judge' if not named else 'the judges ' + ', '.join(named)}"
        fix = "add a step `judge` to the recipe and run it" if not named else "name one: --step"
        raise UserError(str(folder.path), what, fix)
    return wanted, {key: value for key, value in named[wanted].items() if key not in ("step", "as")}
