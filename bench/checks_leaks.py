"""Leaks planted in public data, and rows that merely look like one: `python bench/checks.py --topics leaks`.

Twelve sources, up to 60 items of each held out; every item is planted in ten ways. Precision is of the rule "overlap
above 0.5" where each item is planted once, in a way drawn by chance, among all other rows.

Beside it stand three rules of others on the same rows. More than half of an item in shared runs of 8 words is Tulu 3's
(Lambert et al. 2024), any shared run of 13 words that of GPT-3 (Brown et al. 2020). Neither sees short items. The first
is better in both: a share does not fall to a passage or a turn of phrase that two items share, as any run does,
and fewer words must stay unedited in a row. Neighbours by embedding, at a cosine of 0.9, are measured on pairs of
sentences that people told to be paraphrases or not. They find two paraphrases in five, hardly more than words do, and
with fewer mistakes; as every row has to be encoded for that, they are a step of their own, `rephrased`.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import plants
import polars as pl
from goals import share

from curate import chance, embed, text
from curate.errors import UserError
from curate.steps import leak

BOUND, RECALL, PRECISION = 0.5, ">= 0.95", ">= 0.9"
# Words of a run of GPT-3 (Brown et al. 2020), and the cosine from which texts are called neighbours.
RUN, COSINE = 13, 0.9
CACHE = Path.home() / ".cache" / "curatune" / "bench"
BANDS = ((1, 3), (4, 5), (6, 9), (10, 19), (20, 59), (60, 100_000))
EDITS = ("case", "substitute", "delete", "insert", "swap", "mixed", "template", "asked", "longer")
SHOWN = 40


def figures() -> dict[str, Any]:
    """Return recall by kind of edit and length, precision, and what was got wrong."""
    if not plants.DATA.is_dir():
        return {"figures": [], "failures": [], "notes": [f"skipped: no data at {plants.DATA}"]}
    held, rows = plants.build()
    found = rows.hstack(leak.leak(rows, heldout=held).signals)
    # Runs of eight words alone, as the step's other half would find hardly anything less than a whole copy.
    found = found.with_columns(runs=leak.leak(rows, heldout=held, edited=0.001).signals["overlap"] > BOUND)
    found = found.with_columns(hit=pl.col("overlap") > BOUND, any=_any(held, rows))
    asked = held.select(of="id", item="prompt", task="task", given="slots")
    sizes = [_size(*row) for row in asked.select("item", "task", "given").iter_rows()]
    planted = found.filter(pl.col("kind").is_in(plants.KINDS)).drop("task")
    planted = planted.join(asked.with_columns(size=pl.Series(sizes)), on="of", how="left")
    clean = found.filter(~pl.col("kind").is_in(plants.KINDS))
    lines = _recall(planted) + _precision(planted, clean) + _others(planted, clean) + paraphrases()
    wrong = [f"missed, {k} of {s}: {i[:70]!r}" for k, s, i in planted.filter(~pl.col("hit"), pl.col("size") > 3)
             .select("kind", "source", "item").sample(SHOWN // 2, seed=1).iter_rows()]  # fmt: skip
    wrong += [f"taken for a leak, {k} of {s}: {c[:70]!r}" for k, s, c in clean.filter("hit")
              .select("kind", "source", "prompt").sample(SHOWN // 2, seed=1).iter_rows()]  # fmt: skip
    notes = [
        "an item of up to 3 words can only be found as a whole row, by design",
        "same passage: many SciQ questions repeat a sentence of their passage, so that the passage holds the question",
        "near question: pairs of QQP and MRPC that are no paraphrases",
    ]
    return {"figures": lines, "failures": wrong, "notes": notes}


def _size(prompt: str, task: str | None, slots: str) -> int:
    """Return the words of what asks for an item's answer."""
    given = orjson.loads(slots)
    parts = [given[name] for name in ("question", "text", "source", "document", "text1", "text2") if name in given]
    return len(text.words("\n".join(parts) if parts else prompt))


def _recall(planted: pl.DataFrame) -> list[dict[str, Any]]:
    """Return recall by kind, by length and for both with runs of eight words alone."""
    lines = []
    long = planted.filter(pl.col("size") > BANDS[0][1])
    for kind in plants.KINDS:
        own = long.filter(pl.col("kind") == kind)
        lines.append(share(f"recall, {kind}", own["hit"].sum(), own.height, RECALL))
    for low, high in BANDS:
        own = planted.filter(pl.col("size").is_between(low, high))
        goal = None if high <= BANDS[0][1] else RECALL
        lines.append(share(f"recall, items of {low} to {high} words", own["hit"].sum(), own.height, goal))
        lines.append(share(f"… by runs of 8 words alone, {low} to {high}", own["runs"].sum(), own.height))
    right = planted.filter(pl.col("hit") & (pl.col("match") == pl.col("of"))).height
    lines.append(share("the item named is the one planted", right, planted["hit"].sum()))
    told = planted.filter(pl.col("hit"), pl.col("match") == pl.col("of"))
    bare = told.filter(pl.col("kind") == "asked")
    lines.append(share("answer told, of rows that bear it", told.filter(pl.col("kind") == "verbatim")["answer"].sum(),
                      told.filter(pl.col("kind") == "verbatim").height))  # fmt: skip
    return [*lines, share("answer not told, of rows without it", (~bare["answer"].fill_null(False)).sum(), bare.height)]


def _once(planted: pl.DataFrame) -> pl.DataFrame:
    """Return each item planted once, in a way drawn by chance."""
    drawn = chance.uniforms(plants.SEED, planted["of"].to_list(), "kind") * len(plants.KINDS)
    return planted.filter(pl.Series([plants.KINDS[int(number)] for number in drawn]) == planted["kind"])


def _precision(planted: pl.DataFrame, clean: pl.DataFrame) -> list[dict[str, Any]]:
    """Return precision where every item is planted once, and how often other rows are taken for leaks."""
    once = _once(planted)
    hits = int(once["hit"].sum())
    natural = clean.filter(pl.col("kind") == "other")
    lines = [share("precision among other rows of the sources", hits, hits + int(natural["hit"].sum()), PRECISION)]
    lines.append(share("precision with hard negatives too", hits, hits + int(clean["hit"].sum()), PRECISION))
    for (kind, source), own in sorted(clean.group_by("kind", "source")):
        if own["hit"].any():
            lines.append(share(f"taken for a leak: {kind}, {source}", own["hit"].sum(), own.height))
    return lines


def _any(held: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Tell of each row whether it shares any run of 13 words with an item."""
    known = {run for one in held["content"] for run in text.ngrams(text.words(one), RUN)}
    return pl.Series([any(run in known for run in text.ngrams(text.words(one), RUN)) for one in rows["content"]])


def _others(planted: pl.DataFrame, clean: pl.DataFrame) -> list[dict[str, Any]]:
    """Return recall and precision of the rules of others and of the step."""
    once, long = _once(planted), planted.filter(pl.col("size") > BANDS[0][1])
    lines = []
    for name, column in (("the step", "hit"), ("half in runs of 8", "runs"), ("any run of 13", "any")):
        right, wrong = int(once[column].sum()), int(clean[column].sum())
        lines.append(share(f"recall of all kinds, {name}", int(long[column].sum()), long.height))
        lines.append(share(f"precision with hard negatives, {name}", right, right + wrong))
    return lines


def paraphrases() -> list[dict[str, Any]]:
    """Return how well neighbours by embedding, and the step, tell paraphrases of an item from what only looks alike."""
    sources = [one for one in plants.SOURCES if one.task == "paraphrase"]
    pairs = [one.slots for source in sources for one in plants.records(source)]
    same = np.array([one["label"] in ("yes", "1") for one in pairs])
    first, second = ([one[name] for one in pairs] for name in ("text1", "text2"))
    rules = {"the step": np.array([_overlap(*pair) > BOUND for pair in zip(first, second, strict=True)])}
    with contextlib.suppress(UserError):  # without the extra the step's figures stand alone
        encode = embed.load().encode
        near = (encode(first, cache=CACHE) * encode(second, cache=CACHE)).sum(axis=1)
        rules["a cosine of 0.9"] = near >= COSINE
    lines = []
    for name, hit in rules.items():
        right, wrong = int((hit & same).sum()), int((hit & ~same).sum())
        lines.append(share(f"recall of paraphrases, {name}", right, int(same.sum())))
        lines.append(share(f"precision among pairs, {name}", right, right + wrong))
    return lines


def _overlap(item: str, row: str) -> float:
    """Return how much of a text the step finds in another."""
    frames = [
        pl.DataFrame({"id": [name], "content": [one], "prompt": [one], "response": [""]})
        for name, one in (("item", item), ("row", row))
    ]
    return float(leak.leak(frames[1], heldout=frames[0]).signals["overlap"][0])
