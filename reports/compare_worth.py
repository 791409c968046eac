"""What to look at first in a comparison: the biggest changes, ten rows, the next commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from reports import shown
from reports.pair import Pair
from reports.view import rate

CHANGES, ROWS = 5, 10
Facts = Mapping[str, Any]


def verdict(facts: Facts) -> dict[str, str]:
    """Return `same`, `steady`, `drift` or `empty`, and what it means."""
    told, moved = facts["matching"]["rows"], facts["drift"]
    unmoved = not (told["verdict"] + told["text"] + told["added"] + told["removed"])
    recipe = facts["recipe"]
    still = not any(one["moved"] for kind in ("numeric", "categorical") for one in moved.get(kind, ()))
    if unmoved and still and recipe["equal"] and not recipe["inputs"]:
        text = "Nothing changed: the same rows with the same texts and the same verdicts."
        if recipe["versions"]:
            text += " Only code or library versions differ."
        return {"verdict": "same", "meaning": text}
    rows = "Every row is as before" if unmoved else _rows(facts)
    if "skipped" in moved:
        return {"verdict": "empty", "meaning": f"{rows}. The distributions cannot be compared: {moved['skipped']}."}
    if not moved["lines"]:
        return {
            "verdict": "steady",
            "meaning": f"{rows}. No measure of the mix moved by more than a negligible amount.",
        }
    first = moved["lines"][0]["text"]
    said = f"{moved['moved']} of {moved['measures']} measures of the mix moved, furthest: {first}"
    return {"verdict": "drift", "meaning": f"{rows}. {said}."}


def _rows(facts: Facts) -> str:
    """Return what became of the rows in half a sentence."""
    told, overlap = facts["matching"]["rows"], facts["matching"]["overlap"]
    known = f"{shown.share(overlap['share'])} of the new rows have a content that the old run had already"
    if not told["both"]:
        return f"No row is common by id; {known}"
    parts = [f"{shown.count(told['verdict'])} of {shown.plural(told['both'], 'common row')} changed their verdict"]
    parts += [f"{shown.count(told[name])} {word}" for name, word in _KINDS.items() if told[name]]
    return ", ".join(parts)


_KINDS = {"text": "changed their text", "added": "came", "removed": "went"}


def changes(facts: Facts) -> list[dict[str, Any]]:
    """Return the biggest changes by the share of rows that they move, each with the section that tells more."""
    found = [
        {"text": f"{_sentence_case(one['text'])}.", "moved": one["moved"], "size": one["size"],
         "section": "numbers" if one["kind"] == "numeric" else "values"}
        for one in facts["drift"].get("lines", ())
    ]  # fmt: skip
    found += [
        {"text": text, "moved": round(moved, 6), "size": None, "section": section}
        for text, moved, section in _of_rows(facts)
        if moved
    ]
    return sorted(found, key=lambda one: (-one["moved"], one["text"]))[:CHANGES]


def _sentence_case(text: str) -> str:
    """Return a sentence with a capital, unless it begins with the name of a signal."""
    return text if "." in text.split()[0] else text[0].upper() + text[1:]


def _of_rows(facts: Facts) -> Iterator[tuple[str, float, str]]:
    """Yield what became of rows: a sentence, the share of rows, the section."""
    matching, clouds = facts["matching"], facts["clouds"]
    told, moves, overlap = matching["rows"], matching["moves"], matching["overlap"]
    ways = [
        ("kept_to_dropped", "kept → dropped"),
        ("dropped_to_kept", "dropped → kept"),
        ("other_rule", "another rule"),
    ]
    said = ", ".join(f"{shown.count(moves[way])} {name}" for way, name in ways if moves[way])
    yield f"Rows changed their verdict: {said}.", rate(told["verdict"], told["both"]), "verdicts"
    yield f"{shown.plural(told['text'], 'row')} changed their text.", rate(told["text"], told["both"]), "rows"
    if not told["both"]:
        unknown = matching["added"]["unknown"]
        text = (
            f"{shown.plural(unknown, 'new row')} have a content that the old run does not have; no row is common by id."
        )
        yield text, rate(unknown, told["added"]), "rows"
    for name, verb, side in (("added", "came", "new"), ("removed", "went", "old")) if told["both"] else ():
        unknown = shown.count(matching[name]["unknown"])
        text = f"{shown.plural(told[name], 'row')} {verb}, {unknown} with a content that the other run does not have."
        yield text, rate(told[name], facts["totals"]["train_rows"][side == "new"]), "rows"
    leaks = overlap["mix_in_heldout"]
    text = f"{shown.plural(leaks, 'row')} of the new mix have a content that the old run holds out for evaluation."
    yield text, rate(leaks, overlap["mix_of"]), "rows"
    if "skipped" not in clouds and clouds["low"] > clouds["expected"]:
        said = f"{shown.share(clouds['share'])} of the new rows lie far from the old data"
        yield f"{said}, {shown.share(clouds['expected'])} would by chance.", clouds["share"], "clouds"


def worth(pair: Pair, facts: Facts) -> dict[str, Any]:
    """Return ten rows, each with the reason to read it and the runs it stands in."""
    matching = facts["matching"]
    lists = [
        list(_flows(matching, lambda flow: flow["old"] is None)),
        list(_flows(matching, lambda flow: flow["old"] is not None)),
        list(_listed(matching["texts"]["examples"], "its text changed")),
        list(_extremes(pair, facts["drift"])),
        list(_listed(facts["clouds"].get("farthest", ()), "far from every old row")),
        list(_listed(matching["added"]["examples"], "only in the new run")),
        list(_listed(matching["removed"]["examples"], "only in the old run")),
    ]
    found: dict[str, dict[str, Any]] = {}
    for turn in range(max(map(len, lists))):
        for candidates in lists:
            if turn < len(candidates) and len(found) < ROWS:
                found.setdefault(candidates[turn]["row"], candidates[turn])
    return {
        "method": (
            "in turn: changes of verdict, the most frequent first; changed texts; values beyond all of the old mix "
            "in the measures that moved most; rows far from the old data; rows that came and that went"
        ),
        "list": list(found.values()),
    }


def _listed(examples: Any, reason: str) -> Iterator[dict[str, Any]]:
    """Yield examples with a reason."""
    for example in examples:
        yield {"row": example["row"], "sides": example["sides"], "reason": reason}


def _flows(matching: Facts, wanted: Any) -> Iterator[dict[str, Any]]:
    """Yield an example of each change of verdict, then the second of each."""
    flows = [flow for flow in matching["flows"] if wanted(flow)]
    for turn in range(max((len(flow["examples"]) for flow in flows), default=0)):
        for flow in flows:
            yield from _listed(flow["examples"][turn : turn + 1], f"{fate(flow['old'])} → {fate(flow['new'])}")


def fate(rule: str | None) -> str:
    """Return what became of a row: kept, or dropped by which rule."""
    return "kept" if rule is None else f"dropped by {rule}"


def _extremes(pair: Pair, drift: Facts) -> Iterator[dict[str, Any]]:
    """Yield rows of the new mix whose value lies beyond all of the old mix."""
    named = {one["name"]: one for one in drift.get("numeric", ())}
    for line in drift.get("lines", ()):
        one = named.get(line["name"])
        if one is None:
            continue
        place, word = (-1, "above") if one["delta"] > 0 else (0, "below")
        value, limit = (one[side]["quantiles"][place]["value"] for side in ("new", "old"))
        if value > limit if one["delta"] > 0 else value < limit:
            mix = pair.new.base.select("id", "kept").hstack(_column(pair, one["name"])).filter("kept")
            row = mix.filter(pl.col(one["name"]).cast(pl.Float64) == value)["id"].min()
            reason = f"{one['title']} {shown.number(value)}: {word} all of the old mix ({shown.number(limit)})"
            yield {"row": row, "sides": ["new"], "reason": reason}


def _column(pair: Pair, name: str) -> pl.DataFrame:
    view = pair.new
    return view.base.select(name) if name in view.base.columns else view.columns([name])


def following(facts: Facts) -> list[dict[str, str]]:
    """Return what to do next, each with its command."""
    runs = {"old": facts["headline"]["against"], "new": facts["headline"]["run"]}
    steps = []
    for item in facts["worth"]["list"][:1]:
        for side in reversed(item["sides"]):
            text = f"read the life of a changed row in the {side} run"
            steps.append((text, shown.command("curate", "explain", runs[side], item["row"])))
    steps.append(("see the new run by itself", shown.command("curate", "report", runs["new"])))
    steps.append(("all figures as data", shown.command("less", f"{runs['new']}/compare.json")))
    return [{"text": text, "command": command} for text, command in steps]
