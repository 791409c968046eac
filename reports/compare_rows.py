"""Which rows came, went, or met another verdict: matched by id, then by record, then by content."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports.compare_recipe import rule_keys
from reports.pair import Pair, drawn
from reports.view import View, rate

# Changes of verdict listed, and rows shown of each kind of change.
FLOWS, SHOWN = 12, 3
KEPT = "kept"
METHOD = (
    "rows are matched by id, which a record, its template and the number of the rendering make; rows with other ids by "
    "record, then by content (NFKC, lower case, blanks collapsed). A dropped row counts for the first rule it failed; "
    "a rule with another bound is the same rule. Examples are drawn by chance"
)


def matching(pair: Pair) -> dict[str, Any]:
    """Return counts and examples of rows that are the same, changed, added and removed.

    Returns:
        `rows` counts by id; `flows` one entry for each change of verdict (`old` and `new` are the id of a rule, null
        for kept); `texts` rows whose text changed; `added` and `removed` with what the other run knows of them;
        `overlap` how much of the new run's content the old run had already.
    """
    frames = [_keys(view) for view in pair.views]
    together = frames[0].join(frames[1], on="id", how="inner", suffix="_new")
    moved = together.filter(pl.col("fate") != pl.col("fate_new"))
    edited = together.filter(pl.col("text") != pl.col("text_new"))
    same = together.filter(pl.col("fate") == pl.col("fate_new"), pl.col("text") == pl.col("text_new")).height
    added, removed = _only(pair.new, frames[1], frames[0], "new"), _only(pair.old, frames[0], frames[1], "old")
    rows = {"both": together.height, "same": same, "verdict": moved.height, "text": edited.height}
    return {
        "method": METHOD,
        "rows": rows | {"added": added["rows"], "removed": removed["rows"]},
        "moves": _moves(moved),
        "flows": _flows(pair, moved),
        "flows_left_out": max(0, moved.select("fate", "fate_new").n_unique() - FLOWS),
        "texts": {"rows": edited.height, "examples": _examples(edited, pair.new, "edited", ["old", "new"])},
        "added": added,
        "removed": removed,
        "overlap": _overlap(pair, frames),
    }


def _keys(view: View) -> pl.DataFrame:
    """Return id, record, kept, fate (kept or what rule), the rule's id, and hashes of text and content."""
    keys = {rule["id"]: key for key, rule in rule_keys(view).items()}
    first = pl.col("dropped_by").list.first()
    frame = view.run.scan().select(
        "id",
        "record",
        "kept",
        pl.when("kept").then(pl.lit(KEPT)).otherwise(first.replace(keys)).fill_null("?").alias("fate"),
        pl.when("kept").then(None).otherwise(first).alias("rule"),
        pl.concat_str("prompt", "response", separator="\x1f").hash().alias("text"),
        _content().alias("content"),
    )
    return frame.collect()


def _content() -> pl.Expr:
    """Return a hash of the normalised content, null without one; it is compared in this process and never stored."""
    # Only blanks that are not one plain space already are replaced: a quarter of the time of `\s+`.
    blanks = r"\s{2,}|[^\S ]"
    plain = pl.col("content").str.normalize("NFKC").str.to_lowercase().str.replace_all(blanks, " ").str.strip_chars()
    return pl.when(plain.str.len_bytes() > 0).then(plain.hash())


def _moves(moved: pl.DataFrame) -> dict[str, int]:
    """Return how many rows changed their verdict which way."""
    old, new = pl.col("fate") == KEPT, pl.col("fate_new") == KEPT
    counted = moved.select(
        kept_to_dropped=(old & ~new).sum(), dropped_to_kept=(~old & new).sum(), other_rule=(~old & ~new).sum()
    )
    return {name: int(value) for name, value in counted.row(0, named=True).items()}


def _flows(pair: Pair, moved: pl.DataFrame) -> list[dict[str, Any]]:
    """Return the changes of verdict, the most frequent first."""
    counted = moved.group_by("fate", "fate_new").agg(pl.len().alias("rows"), pl.col("rule", "rule_new").first())
    counted = counted.sort("rows", "fate", "fate_new", descending=[True, False, False]).head(FLOWS)
    found = []
    for fate, fate_new, rows, rule, rule_new in counted.iter_rows():
        these = moved.filter(pl.col("fate") == fate, pl.col("fate_new") == fate_new)
        examples = _examples(these, pair.new, f"flow {fate} {fate_new}", ["old", "new"])
        found.append(
            {"old": rule, "new": rule_new, "rows": rows, "share": rate(rows, moved.height), "examples": examples}
        )
    return found


def _examples(rows: pl.DataFrame, view: View, purpose: str, sides: list[str]) -> list[dict[str, Any]]:
    """Return a few rows drawn by chance, and in which runs they stand."""
    ids = drawn(rows.select("id"), view, purpose)["id"].head(SHOWN)
    return [{"row": row, "sides": sides} for row in ids]


def _only(view: View, one: pl.DataFrame, other: pl.DataFrame, side: str) -> dict[str, Any]:
    """Return the rows of one run whose id the other does not have, and what the other knows of them."""
    only = one.join(other, on="id", how="anti").with_columns(
        by_record=pl.col("record").is_in(other["record"].unique().implode()),
        by_content=pl.col("content").is_in(other["content"].drop_nulls().unique().implode()).fill_null(False),
    )
    record, content = only["by_record"], only["by_content"] & ~only["by_record"]
    unknown = only.filter(~record & ~content)
    return {
        "rows": only.height,
        "kept": int(only["kept"].sum()),
        "same_record": int(record.sum()),
        "same_content": int(content.sum()),
        "unknown": unknown.height,
        "examples": _examples(unknown if unknown.height else only, view, "only here", [side]),
    }


def _overlap(pair: Pair, frames: list[pl.DataFrame]) -> dict[str, Any]:
    """Return how many rows of the new run have a content that stands in the old one: anywhere, in its mix, held out."""
    old, new = frames
    known = new.select("content", "kept").filter(pl.col("content").is_not_null())
    heldout = pair.old.run.scan("heldout").select(_content().alias("content")).collect()["content"]
    places = {"rows": old["content"], "mix": old.filter("kept")["content"], "heldout": heldout}
    facts: dict[str, Any] = {"of": new.height, "mix_of": int(new["kept"].sum())}
    for place, contents in places.items():
        inside = known["content"].is_in(contents.drop_nulls().unique().implode())
        facts[place] = int(inside.sum())
        facts[f"mix_in_{place}"] = int((inside & known["kept"]).sum())
    return {**facts, "share": rate(facts["rows"], new.height)}
