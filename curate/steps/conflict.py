"""Find records that ask the same and answer differently."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import polars as pl

from curate import rulebook, schema, similar, text, wordsets
from curate.errors import UserError
from curate.schema import Measured

# Words in a shingle, as of near copies.
_SHINGLE = 3
# Words of a prompt from which on it is not compared nearly: in a long one the question is the least part. Twelve pairs
# at 0.9 in published data were all two questions on one passage.
_LONG = 60
# What turns a question into another one though nearly all words are the same: numbers, and English negations.
_TURNS = re.compile(r"\d+(?:[.,]\d+)*|\b(?:not|no|never|none|without|except|least|most|first|last)\b|n't\b")


_PAIR = pl.Schema({"id": pl.String(), "other": pl.String(), "similarity": pl.Float64()})
_BOTH = ("question", "question_2")


def state(rows: pl.DataFrame, *, across: bool = False, near: float = 0.0) -> pl.DataFrame:
    """Hash what each record asks and what it answers, normalised.

    A rendered row asks with the slots of its task family and answers with the family's target, without the optional
    parts of it: two ways to the same result are no conflict. Where that does not part the record (instruction data,
    families of the user's own, a dialogue that is one slot) prompt and response do.

    Args:
        rows: instruction rows.
        across: whether rendered rows of different sources are compared. Not by default: what to answer often lies in
            the source, as its label set or language pair. Prompts say all, and are always compared.
        near: least Jaccard similarity of the 3-word shingles of two questions that count as nearly the same, in [0, 1];
            0 (the default, as it takes as long as finding near copies) looks for the same question alone. 0.9 allows
            one changed word in 60, or one more at the end of 12. All slots but the longest, numbers and negations must
            be the same; prompts of 60 words and more are left out. For reading, not for dropping: of three pairs at 0.9
            in 12,000 rows of a published mix one asked the same, of six read at 0.8 none.

    Returns:
        question, answer: BLAKE2b-128 hex; null where there is no text, question also where it is blank; hashes
        (list[u64]) and turns (str) of the question, null without `near`.
    """
    if not 0 <= near <= 1:
        fix = "a share of shingles from 0 (off) to 1; 0.9 allows one changed word in 60"
        raise UserError("step 'conflict'", f"near = {near} is no similarity", fix)
    families = rulebook.families()
    columns = ("task", "source", "slots", "prompt", "response")
    found = [_keys(row, families.get(row["task"] or ""), across) for row in rows.select(columns).iter_rows(named=True)]
    schema_ = {"question": pl.String, "answer": pl.String, "asked": pl.String, "scope": pl.String}
    keys = pl.DataFrame(found, schema=schema_, orient="row")
    if near:
        asked = keys["asked"].to_list()
        turns = [None if one is None else " ".join(sorted(_TURNS.findall(one))) for one in asked]
        hashes = wordsets.word_sets(keys["asked"], width=_SHINGLE)[0]
        found_turns = keys["scope"] + pl.Series(turns, dtype=pl.String)
    else:
        hashes = pl.Series([None] * keys.height, dtype=pl.List(pl.UInt64))
        found_turns = pl.Series([None] * keys.height, dtype=pl.String)
    return keys.select("question", "answer").with_columns(hashes=hashes, turns=found_turns)


def _keys(
    row: Mapping[str, Any], family: rulebook.Family | None, across: bool
) -> tuple[str | None, str | None, str | None, str]:
    """Return the hashes of question and answer, the text of the question, and among whom it is compared."""
    slots = _filled(orjson.loads(row["slots"])) if family and row["slots"] else {}
    target = family.target if family else ()
    required = [name for name in target if family and name in family.slots]
    answer = {name: slots[name] for name in required or target if name in slots}
    question = {name: value for name, value in slots.items() if name not in target}
    if answer and question:
        place = "" if across else row["source"]
        longest = max(question, key=lambda name: (len(str(question[name])), name))
        rest = {name: value for name, value in question.items() if name != longest}
        key = schema.digest("slots", row["task"], place, schema.canonical(question))
        scope = schema.digest("slots", row["task"], place, longest, schema.canonical(rest))
        return key, schema.digest(schema.canonical(answer)), str(question[longest]), scope
    prompt, response = row["prompt"], row["response"]
    asked = text.normalise(prompt) if prompt is not None else ""
    return (
        schema.digest("text", asked) if asked else None,
        None if response is None else schema.digest(text.normalise(response)),
        asked if asked and asked.count(" ") < _LONG else None,
        "text",
    )


def _filled(slots: Mapping[str, Any]) -> dict[str, Any]:
    """Return the slots that say something, normalised."""
    normal = {name: _normal(value) for name, value in slots.items()}
    return {name: value for name, value in normal.items() if value not in (None, "", [], {})}


def _normal(value: Any) -> Any:
    """Return a value with all its texts normalised."""
    if isinstance(value, str):
        return text.normalise(value)
    if isinstance(value, list):
        return [_normal(item) for item in value]
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items()}
    return value


def decide(state: pl.DataFrame, *, near: float = 0.0) -> Measured:
    """Count the answers that the living records give to each question.

    Several answers are no fault where many are right (summaries, free generation); where one is, as with labels, they
    are.

    Signals:
        answers (u32): different answers to this row's question among the living records; 1 = no conflict; null where
            question or answer is null.
        share (f64): share of the records with this question that answer as this row does, in (0, 1]; null likewise.
        near (u32): living records with nearly, not exactly, this question and another answer; null likewise, and
            without `near`.

    Tables:
        groups: question, answer, id: each record (its lowest id) of a question with several answers, by hashes.
        near: id, other, similarity: each two different answers to nearly the same question, by the lowest ids of the
            records that give them.
    """
    known = state.with_row_index("place").filter(pl.all_horizontal(pl.col("question", "answer").is_not_null()))
    keys = ["question", "answer"]
    counted = known.select(
        "place",
        answers=pl.col("answer").n_unique().over("question").cast(pl.UInt32),
        share=pl.col("record").n_unique().over(keys) / pl.col("record").n_unique().over("question"),
    )
    signals = state.with_row_index("place").select("place").join(counted, on="place", how="left").sort("place")
    several = known.filter(pl.col("answer").n_unique().over("question") > 1)
    groups = several.group_by(*keys, "record").agg(pl.col("id").min()).select(*keys, "id").sort(*keys, "id")
    both = _near(known, near) if near else None
    table = pl.DataFrame(schema=_PAIR)
    counts = known.select("place", near=pl.lit(None, pl.UInt32))
    if both is not None:
        low, high = pl.min_horizontal("id", "id_2"), pl.max_horizontal("id", "id_2")
        table = both.select(id=low, other=high, similarity="similarity").cast(_PAIR).sort("id", "other")
        others = [both.select(id=end, near=f"count{of}") for end, of in (("id", "_2"), ("id_2", ""))]
        ends = pl.concat(others).group_by("id").agg(pl.col("near").sum())
        lowest = known.select("place", id=pl.col("id").min().over(keys))
        counts = lowest.join(ends, on="id", how="left").select("place", pl.col("near").fill_null(0))
    signals = signals.join(counts, on="place", how="left").sort("place")
    return Measured(signals.drop("place"), {"groups": groups, "near": table})


def _near(known: pl.DataFrame, near: float) -> pl.DataFrame:
    """Return each two different answers to nearly the same question: lowest id and records of either.

    Returns:
        id, answer, count and id_2, answer_2, count_2 of the two, and the similarity of their questions.
    """
    from curate import rarity  # compiled

    units = known.sort("id").unique("record", keep="first", maintain_order=True)
    places = np.arange(units.height, dtype=np.int64)
    sets = similar.units([wordsets.ragged(units["hashes"])], places=places)
    grouped = similar.groups(sets, order=places)
    found, pairs = similar.walked(sets.take(grouped.walked), elements=rarity.rarest(near), threshold=near, every=True)
    if pairs is None:  # too many to name: each with the one that stands for it
        later = np.flatnonzero(found.keeper != np.arange(len(found.keeper)))
        pairs = similar.Pairs(later.astype(np.int32), found.keeper[later].astype(np.int32), found.similarity[later])
    groups = np.arange(len(grouped.walked), dtype=np.int32)
    columns = {"one": np.concatenate([pairs.later, groups]), "two": np.concatenate([pairs.earlier, groups])}
    table = pl.DataFrame({**columns, "similarity": np.concatenate([pairs.similarity, np.ones(len(groups))])})
    # Pairs of questions first, then of their answers: a question asked a thousand times is no million pairs.
    members = units.select("question", "turns", group=pl.Series(grouped.of).cast(pl.Int32)).unique()
    both = table.join(members, left_on="one", right_on="group")
    both = both.join(members, left_on=["two", "turns"], right_on=["group", "turns"], suffix="_2")
    both = both.filter(pl.col("question") != pl.col("question_2"))
    both = both.select(one=pl.min_horizontal(*_BOTH), two=pl.max_horizontal(*_BOTH), similarity="similarity").unique()
    said = units.group_by("question", "answer").agg(pl.col("id").min(), count=pl.len().cast(pl.UInt32))
    both = both.join(said, left_on="one", right_on="question").join(
        said, left_on="two", right_on="question", suffix="_2"
    )
    return both.filter(pl.col("answer") != pl.col("answer_2"))
