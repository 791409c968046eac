"""What groups of people are told together with, and which pronouns go with which occupations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from curate import parity
from curate.intervals import wilson
from reports import npmi
from reports.groupings import mentioning
from reports.safety import TOXIC
from reports.view import View, rate

LISTED = 40
SKIPPED = "no step looks at what groups are told together with: add the step `association`"
METHOD = (
    "units are sentences; normalised pointwise mutual information (Bouma 2009) of a group and a word, 1 where they "
    "only occur together, 0 where they are independent, for pairs with at least "
    f"{npmi.TOGETHER} sentences; 95 % intervals by the delta method with rows as clusters; q keeps the false discovery "
    "rate over all pairs of a group and a word that occur (Benjamini and Hochberg 1995); those furthest from 0 come "
    "first; beside it the same in the mix"
)
# Rows with he or she below which a share of two is not tested: five expected of either, see `parity.EXPECTED`.
FEWEST = 10
# From which an occupation counts as told of one gender: four in five.
SKEWED = 0.8
BALANCE = (
    "rows with a sentence that holds the occupation and she or he (in any form), each row once; rows with both are "
    "apart; the share of she among rows with one of the two with its 95 % Wilson interval; the test is against one "
    f"half, where there are {FEWEST} rows; q over all occupations (Benjamini and Hochberg 1995)"
)
LIMITS = (
    "a sentence may hold a pronoun of somebody else than the one with the occupation, they may be many, and a denied "
    "word counts as any other: read rows before you conclude"
)


def associations(view: View) -> dict[str, Any]:
    """Return associations of groups with words and with toxicity, and the balance of pronouns by occupation."""
    toxicity = _toxicity(view)
    name = next((step["as"] for stage in view.manifest["stages"] for step in stage["steps"]
                 if step["step"] == "association"), None)  # fmt: skip
    table = view.run.table(f"{name}.sentences") if name else None
    if table is None:
        return {"skipped": SKIPPED, "toxicity": toxicity, "words": None, "balance": None}
    numbers = view.base.select("id", "kept").with_row_index("row")
    units = numbers.select("row", "kept").with_columns(view.columns([f"{name}.sentences"]).to_series().alias("n"))
    units = units.filter(pl.col("n") > 0)
    pairs = table.join(numbers, on="id").select("row", "kept", "groups", "words")
    return {
        "method": METHOD, "limits": LIMITS, "step": name, "sentences": int(units["n"].sum()),
        "words": _words(units, pairs), "balance": _balance(pairs), "toxicity": toxicity,
    }  # fmt: skip


def _words(units: pl.DataFrame, pairs: pl.DataFrame) -> dict[str, Any]:
    """Return the pairs of a group and a word that keep together or apart beyond chance."""
    told = pairs.with_columns(pl.col("words").list.eval(pl.element().filter(~pl.element().str.starts_with("pronoun:"))))
    found = npmi.associations(units.select("row", "n"), told.drop("kept"))
    kept = npmi.associations(units.filter("kept").select("row", "n"), told.filter("kept").drop("kept"))
    after = {(one.group, one.word): one.npmi for one in kept}
    possible = told["groups"].explode().drop_nulls().n_unique() * told["words"].explode().drop_nulls().n_unique()
    # Pairs that meet too seldom were looked at too: they count as tests that found nothing.
    values = [one.p for one in found] + [1.0] * (possible - len(found))
    lines = [
        {**_line(one), "q": q, "after": after.get((one.group, one.word))}
        for one, q in zip(found, parity.discoveries(values), strict=False)
    ]
    beyond = [line for line in lines if line["q"] < parity.FALSE_SHARE]
    beyond.sort(key=lambda line: (-_nearest(line), line["group"], line["word"]))
    return {
        "tested": len(found), "too_few": possible - len(found), "found": len(beyond), "list": beyond[:LISTED],
        "left_out": max(0, len(beyond) - LISTED),
    }  # fmt: skip


def _line(one: npmi.Association) -> dict[str, Any]:
    """Return an association as plain data."""
    kind, _, word = one.word.partition(":")
    return {
        "group": one.group, "kind": kind, "word": word, "together": one.together, "group_units": one.groups,
        "word_units": one.words, "expected": one.expected, "npmi": one.npmi, "low": one.low, "high": one.high,
    }  # fmt: skip


def _nearest(line: Mapping[str, Any]) -> float:
    """Return how far the nearer end of the interval is from 0."""
    return float(max(line["low"], -line["high"], 0.0))


def _toxicity(view: View) -> dict[str, Any]:
    """Return how toxicity keeps together with the groups that rows mention; rows are the units."""
    steps = mentioning(view)
    if not steps or "toxicity.score" not in view.signals:
        missing = " and ".join(
            f"`{step}`"
            for step, there in (("bias", steps), ("toxicity", "toxicity.score" in view.signals))
            if not there
        )
        return {"skipped": f"groups and toxicity were not both measured: add the step {missing}"}
    column = f"{steps[0]}.groups"
    frame = view.columns([column, "toxicity.score"]).with_row_index("row")
    known = frame.filter(pl.col(column).is_not_null(), pl.col("toxicity.score").is_not_null())
    toxic = pl.when(pl.col("toxicity.score") >= TOXIC).then(pl.lit(["toxic"])).otherwise(pl.lit([], pl.List(pl.String)))
    pairs = known.select("row", groups=column, words=toxic)
    found = npmi.associations(known.select("row", n=pl.lit(1)), pairs)
    # One test for each group that is mentioned, whether or not it meets toxicity often enough.
    groups = pairs["groups"].explode().drop_nulls().n_unique()
    values = parity.discoveries([one.p for one in found] + [1.0] * (groups - len(found)))
    high = int((known["toxicity.score"] >= TOXIC).sum())
    lines = [
        {**_line(one), "q": q, "share": one.together / one.groups}
        for one, q in zip(found, values, strict=False)
    ]  # fmt: skip
    lines.sort(key=lambda line: (-line["npmi"], line["group"]))
    return {
        "method": (
            f"units are rows, toxic those with toxicity.score at or above {TOXIC:g}; nPMI, interval and q as for "
            "words; the score may see words for a group where there is no abuse: see the swap below"
        ),
        "rows": known.height, "toxic": high, "overall": rate(high, known.height), "list": lines[:LISTED],
        "too_few": groups - len(found),
    }  # fmt: skip


def _balance(pairs: pl.DataFrame) -> dict[str, Any]:
    """Return how often each occupation stands with she, he and they, before and after."""
    word = pl.col("words").list
    spoken = pairs.with_columns(
        occupation=word.eval(pl.element().filter(pl.element().str.starts_with("occupation:"))),
        **{name: word.contains(f"pronoun:{name}") for name in ("she", "he", "they")},
    )
    told = spoken.filter(pl.col("occupation").list.len() > 0).explode("occupation").group_by("occupation", "row")
    rows = told.agg(pl.col("she", "he", "they").any(), pl.col("kept").first())
    lines = list(_occupations(rows))
    tested = [line for line in lines if line["p"] is not None]
    for line, q in zip(tested, parity.discoveries([line["p"] for line in tested]), strict=True):
        line["q"] = q
    found = [line for line in tested if line["q"] < parity.FALSE_SHARE]
    tested.sort(key=lambda line: (line["q"] >= parity.FALSE_SHARE, -abs(line["share"] - 0.5), line["occupation"]))
    totals = {name: sum(line[name] for line in lines) for name in ("she", "he", "both", "they")}
    return {
        "method": BALANCE, "occupations": len(lines), "tested": len(tested), "too_few": len(lines) - len(tested),
        "found": len(found), "skewed": sum(max(line["share"], 1 - line["share"]) >= SKEWED for line in found),
        "list": tested[:LISTED], "left_out": max(0, len(tested) - LISTED), **totals,
    }  # fmt: skip


def _occupations(rows: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the counts of each occupation that stands with a pronoun."""
    she, he = pl.col("she"), pl.col("he")
    one_of = {"she": she & ~he, "he": he & ~she, "both": she & he, "they": pl.col("they") & ~she & ~he}
    counts = [expression.sum().alias(name) for name, expression in one_of.items()]
    counts += [(one_of[name] & pl.col("kept")).sum().alias(f"{name}_kept") for name in ("she", "he", "they")]
    table = rows.group_by(pl.col("occupation").str.strip_prefix("occupation:")).agg(counts).sort("occupation")
    for row in table.iter_rows(named=True):
        women, one = row["she"], row["she"] + row["he"]
        if not one + row["both"] + row["they"]:
            continue
        low, high = wilson(women, one)
        p = math.erfc(abs(2 * women - one) / math.sqrt(2 * one)) if one >= FEWEST else None
        kept = row["she_kept"] + row["he_kept"]
        share = {"share": rate(women, one), "low": low, "high": high, "after": row["she_kept"] / kept if kept else None}
        yield {**row, **share, "p": p}
