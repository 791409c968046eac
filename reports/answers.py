"""The questions that a reader brings, each answered in a sentence and led on to where the figures are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports import shown
from reports.alert import Facts, group

NAMED = 3  # rules or groups named in one sentence


def answers(facts: Facts) -> list[dict[str, str]]:
    """Return question, answer and section of the page for each of four questions.

    Args:
        facts: the other sections and the alerts.
    """
    asked = (
        ("What was removed?", _removed(facts), "funnel"),
        ("Was it right?", _right(facts), "reviews" if _judged(facts) else "rules"),
        ("Which rule did harm?", _harm(facts), "rules"),
        ("Is the mix balanced?", _balance(facts), "composition"),
    )
    return [{"question": question, "answer": answer, "section": section} for question, answer, section in asked]


def _removed(facts: Facts) -> str:
    """Name the rules that removed most."""
    head = facts["headline"]
    if not head["dropped"]:
        flagged = f" {shown.plural(head['flagged'], 'row')} {shown.verb(head['flagged'], 'are', 'is')} flagged."
        return "Nothing: no rule dropped a row." + (flagged if head["flagged"] else "")
    rules = sorted(facts["rules"]["list"], key=lambda rule: (-rule["first"], rule["id"]))
    named = [f"{rule['id']} ({shown.count(rule['first'])})" for rule in rules if rule["first"]]
    share = shown.share(head["dropped"] / head["rows"])
    rest = len(named) - NAMED
    others = f" and {shown.plural(rest, 'rule')} more" if rest > 0 else ""
    return f"{shown.plural(head['dropped'], 'row')} ({share}), by {', '.join(named[:NAMED])}{others}."


def _judged(facts: Facts) -> list[Mapping[str, Any]]:
    return [rule for rule in facts["reviews"].get("list", []) if rule["precision"] is not None]


def _right(facts: Facts) -> str:
    """Tell what people said of the victims, or that nobody has looked."""
    judged = _judged(facts)
    if judged:
        said = [
            f"{rule['rule']}: {shown.share(rule['precision'])} right (at least {shown.share(rule['low'])})"
            for rule in judged[:NAMED]
        ]
        rest = f", and {len(judged) - NAMED} more" if len(judged) > NAMED else ""
        return f"By those who judged a sample: {'; '.join(said)}{rest}."
    drawn = sum(len(rule["examples"].get("drawn", ())) for rule in facts["rules"]["list"])
    if not drawn:
        return "No rule hit a row, so there is nothing to judge."
    rows = f"{shown.plural(drawn, 'row')} drawn by chance from what each rule hit stand with the rule: read them."
    if not facts["headline"]["dropped"]:
        return f"Nobody has judged the flags yet. {rows}"
    return f"Nobody has judged it on this data yet. {_grounds(facts)}. {rows}"


def _grounds(facts: Facts) -> str:
    """Tell on which grounds the dropped rows went, as nobody judged their rules here; they add up to all dropped."""
    first = {rule["id"]: int(rule["first"]) for rule in facts["rules"]["list"]}
    sure = {rule["rule"] for rule in facts["reviews"].get("construction", ())}
    elsewhere = {rule["rule"] for rule in facts["reviews"].get("unjudged", ()) if rule["elsewhere"]}
    counted = (
        (sum(first[rule] for rule in sure), "by rules that are right by construction"),
        (sum(first[rule] for rule in elsewhere), "by rules that people judged on other data"),
        (sum(rows for rule, rows in first.items() if rule not in sure | elsewhere), "by rules that nobody judged"),
    )
    return ", ".join(f"{shown.plural(rows, 'row')} went {how}" for rows, how in counted if rows)


def _harm(facts: Facts) -> str:
    """Name the rules that take much of a group or know little; a harm to a trained model is for trials to show."""
    if not facts["headline"]["dropped"]:
        return "None: no rule dropped a row."
    about = [one for one in facts["alerts"] if one["section"] == "rules" and one["text"].startswith("Rule ")]
    told = [one["text"] for one in about if one["severity"] != "note"]
    caps = [one["text"] for one in about if one["severity"] == "note"]
    trial = "" if "skipped" not in facts["ablation"] else " No rule was put on trial against a trained model."
    if not told and caps:
        return f"None that the figures show, but for what caps a group on purpose: {caps[0]}{trial}"
    if not told:
        return f"None that the figures show: no rule takes more than a fifth of a source or task.{trial}"
    more = f" And {len(told) - 1} more." if len(told) > 1 else ""
    return f"Suspect: {told[0]}{more}{trial}"


def _balance(facts: Facts) -> str:
    """Tell how even sources and tasks are in the mix."""
    said = []
    for table in facts["composition"]["tables"]:
        top = next(iter(table["values"]), None)
        if table["column"] in ("source", "task") and top is not None and top["in_mix"]:
            said.append(_even(table, top))
    return f"{'. '.join(said)}." if said else "The mix is empty."


def _even(table: Mapping[str, Any], top: Mapping[str, Any]) -> str:
    """Tell how many groups the mix has, and how large the largest is."""
    one, several = ("task family", "task families") if table["column"] == "task" else ("source", "sources")
    nameless = any(value["value"] is None and value["in_mix"] for value in table["values"])
    if table["in_mix"] == 1:
        return f"No {one} is given" if nameless else f"One {one}"
    groups = table["in_mix"] - nameless
    number = f"{shown.count(groups)} {several if groups > 1 else one}" + (
        f" and rows without a {one}" if nameless else ""
    )
    largest = f"the largest, {group(table['column'], top['value'])}, has {shown.share(top['mix_share'])}"
    return f"{number}, as varied as {shown.number(round(table['effective'], 1))} equal groups; {largest}"
