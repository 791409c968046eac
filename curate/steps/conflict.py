"""Find records that ask the same and answer differently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import polars as pl

from curate import rulebook, schema, text
from curate.schema import Measured


def state(rows: pl.DataFrame, *, across: bool = False) -> pl.DataFrame:
    """Hash what each record asks and what it answers, normalised.

    A rendered row asks with the slots of its task family and answers with the family's target, without the optional
    parts of it: two ways to the same result are no conflict. Where that does not part the record (instruction data,
    families of the user's own, a dialogue that is one slot) prompt and response do.

    Args:
        rows: instruction rows.
        across: whether rendered rows of different sources are compared. Not by default: what to answer often lies in
            the source, as its label set or language pair. Prompts say all, and are always compared.

    Returns:
        question, answer: BLAKE2b-128 hex; null where there is no text, question also where it is blank.
    """
    families = rulebook.families()
    columns = ("task", "source", "slots", "prompt", "response")
    found = [_keys(row, families.get(row["task"] or ""), across) for row in rows.select(columns).iter_rows(named=True)]
    return pl.DataFrame(found, schema={"question": pl.String, "answer": pl.String}, orient="row")


def _keys(row: Mapping[str, Any], family: rulebook.Family | None, across: bool) -> tuple[str | None, str | None]:
    """Return the hashes of question and answer."""
    slots = _filled(orjson.loads(row["slots"])) if family and row["slots"] else {}
    target = family.target if family else ()
    required = [name for name in target if family and name in family.slots]
    answer = {name: slots[name] for name in required or target if name in slots}
    question = {name: value for name, value in slots.items() if name not in target}
    if answer and question:
        place = "" if across else row["source"]
        return schema.digest("slots", row["task"], place, schema.canonical(question)), schema.digest(
            schema.canonical(answer)
        )
    prompt, response = row["prompt"], row["response"]
    asked = text.normalise(prompt) if prompt is not None else ""
    return (
        schema.digest("text", asked) if asked else None,
        None if response is None else schema.digest(text.normalise(response)),
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


def decide(state: pl.DataFrame) -> Measured:
    """Count the answers that the living records give to each question.

    Several answers are no fault where many are right (summaries, free generation); where one is, as with labels, they
    are.

    Signals:
        answers (u32): different answers to this row's question among the living records; 1 = no conflict; null where
            question or answer is null.
        share (f64): share of the records with this question that answer as this row does, in (0, 1]; null likewise.

    Tables:
        groups: question, answer, id: each record (its lowest id) of a question with several answers, by hashes.
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
    return Measured(signals.drop("place"), {"groups": groups})
