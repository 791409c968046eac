"""What a person must see of a row to say whether a rule was right: its texts, its figures, what it was held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate.schema import column_text
from reports.duplicates import compared
from reports.examples import difference, texts
from reports.reviews import entry
from reports.rules import sentence
from reports.verdicts import MISS, VICTIM, said, sample
from reports.view import View, open_view

# Characters of a text: a judge needs more than a reader of examples, and a screen holds no more.
LIMIT = 2000
# Other rows shown beside one: one other answer tells a conflict.
OTHERS = 1


def judging(run: Path, rule_id: str) -> dict[str, Any]:
    """Return the sample of a rule with all that is needed to judge it, JSON-able.

    Args:
        run: a finished run directory.
        rule_id: the id of one of its rules.

    Returns:
        `rule` (id, sentence, why, flag, unproven, signal), `items` in the order of asking (row, side, value, measured,
        others, heldout, verdict), `rows` (masked texts by id) and `facts` (the rule's, as in the report).

    Raises:
        UserError: when there is no finished run.
    """
    view = open_view(run)
    rule = next(rule for rule in view.rules if rule["id"] == rule_id)
    drawn = sample(view, rule)
    facts = entry(view, rule, said(view.run)[0].get(rule_id, {}), drawn)
    step, _, name = str(rule["signal"]).partition(".")
    asked = [*drawn.victims, *drawn.near]
    measured = _measured(view, step, asked)
    others = _keepers(measured) | _conflicts(view, step, asked)
    wanted = {*asked, *(row for _, rows in others.values() for row in rows)}
    shown = texts(view, wanted, contents=wanted, limit=LIMIT)
    on = compared(view, step)
    matched = _heldout(view, {row: values.get("match") for row, values in measured.items()})
    sides = [(row, VICTIM) for row in drawn.victims] + [(row, MISS) for row in drawn.near]
    items = [
        {
            "row": row,
            "side": side,
            "value": measured[row].get(name),
            "measured": {key: value for key, value in measured[row].items() if key != name},
            "others": _others(shown, row, others.get(row, ("", ())), on),
            "heldout": _shared(matched.get(str(measured[row].get("match"))), shown[row]["content"]),
            "verdict": facts["verdicts"].get(row),
        }
        for row, side in sides
    ]
    head = {"id": rule_id, "signal": rule["signal"], "sentence": sentence(rule), "why": rule["why"]}
    head |= {"flag": bool(rule.get("flag")), "unproven": rule.get("unproven")}
    return {"rule": head, "items": items, "rows": shown, "facts": facts}


def _measured(view: View, step: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return all that the rule's step says of these rows, by the names of its signals."""
    names = [name for name in view.signals if name.startswith(f"{step}.")]
    rows = view.run.scan().filter(pl.col("id").is_in(pl.Series(ids, dtype=pl.String).implode())).select("id", *names)
    renamed = rows.rename({name: name.partition(".")[2] for name in names}).collect()
    return {row.pop("id"): row for row in renamed.to_dicts()}


def _keepers(measured: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, list[str]]]:
    """Return the keeper of each copy."""
    return {row: ("keeper", [values["keeper"]]) for row, values in measured.items() if values.get("keeper")}


def _conflicts(view: View, step: str, ids: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """Return for each row some that ask the same and answer otherwise, where the step wrote such groups."""
    table = view.run.table(f"{step}.groups")
    if table is None or not {"question", "answer", "id"} <= set(table.columns):
        return {}
    records = view.base.select("id", "record")
    groups = table.join(records, on="id")  # one row stands for all of its record
    asked = records.filter(pl.col("id").is_in(pl.Series(ids, dtype=pl.String).implode())).rename({"id": "row"})
    pairs = asked.join(groups.select("record", "question", "answer"), on="record").join(groups, on="question")
    pairs = pairs.filter(pl.col("answer") != pl.col("answer_right")).sort("row", "id")
    found = pairs.group_by("row", maintain_order=True).agg(pl.col("id").head(OTHERS))
    return {row: ("asks the same, answers otherwise", others) for row, others in found.iter_rows()}


def _others(
    shown: Mapping[str, Mapping[str, Any]], row: str, others: tuple[str, Sequence[str]], on: str
) -> list[dict[str, Any]]:
    """Return the rows that a row was held against, each with the words in which this one differs."""
    what, ids = others
    found = []
    for other in ids:
        one, two = (
            f"{text['prompt']}\n{text['response']}" if on == "rendered" else str(text[on])
            for text in (shown[other], shown[row])
        )
        found.append({"row": other, "what": what, "compared": on, "difference": difference(one, two)})
    return found


def _heldout(view: View, matches: Mapping[str, Any]) -> dict[str, str]:
    """Return the content of the held-out items that rows match, by id."""
    wanted = pl.Series(sorted({str(match) for match in matches.values() if match}), dtype=pl.String)
    items = view.run.scan("heldout").filter(pl.col("id").is_in(wanted.implode())).collect()
    return dict(zip(items["id"].to_list(), column_text(items, "content").to_list(), strict=True))


def _shared(item: str | None, content: str) -> list[list[str]] | None:
    """Return a held-out item with only the words that also stand in the row; the others are not shown.

    The row's text is masked, so a personal detail of the item is never among the words in common.
    """
    if item is None:
        return None
    pieces = difference(item[:LIMIT], content)
    return [[kind, text if kind == "same" else "[…]"] for kind, text in pieces if kind != "new"]
