"""Alerts about what the mix holds: labels, balance, copies, personal data, lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import FEW, Facts, alert, explain, group, look, rerun

SKEWED = 0.5  # more than half of the mix in one task or source: the others are seasoning
WIPED = 0.8  # a label that loses four of five rows while its source keeps most is a bias of a rule
# Labels too rare to be listed are judged together, from so many rows on that chance does not take them twice as often
# as the rest: of 50 rows of a source that loses three in ten, more than six in ten once in 300,000 times (binomial).
TOGETHER = 50
LARGE_CLUSTER = 10  # so many copies of one text point at a template, a footer or a crawl that ran twice
LONG = 2048  # a window that small models are commonly tuned with
NAMED = 3  # names in one sentence


def _labels(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the sources that hold or are left with a single label."""
    single = [one for one in facts["labels"]["sources"] if one["distinct"] == 1 and one["rows"] >= FEW]
    if single:
        named = [f"{one['source']} (“{shown.clipped(one['labels'][0]['label'], 40)}”)" for one in single]
        listed = ", ".join(named[:NAMED]) + (f" and {len(named) - NAMED} more" if len(named) > NAMED else "")
        have = shown.verb(len(single), "sources have", "source has")
        text = f"{len(single)} {have} a single label, so there is nothing to tell apart: {listed}."
        rows = sum(one["rows"] for one in single)
        command = explain(facts, single[0]["labels"][0]["example"])
        yield alert("warning", text, command, of=(rows, facts["headline"]["rows"]), section="labels")
    for source in facts["labels"]["sources"]:
        if source["distinct"] > 1 and source["kept_distinct"] == 1 and source["kept"] >= FEW:
            text = f"Source {source['source']} had {source['distinct']} labels, and is left with one of them."
            command = explain(facts, source["labels"][0]["example"])
            yield alert("warning", text, command, of=(source["rows"], source["rows"]), section="labels")


def _wiped(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the labels that the rules take out of a source that otherwise stays."""
    for source in facts["labels"]["sources"]:
        stays = source["kept"] / source["rows"]
        for label in source["labels"]:
            lost = label["rows"] - label["kept"]
            if lost >= max(FEW, WIPED * label["rows"]) and stays >= SKEWED and source["kept_distinct"] > 1:
                share, usual = shown.share(lost / label["rows"]), shown.share(1 - stays)
                name = shown.clipped(label["label"], 40)
                text = (
                    f"Label “{name}” of source {source['source']} loses {share} of its rows, the whole source {usual}."
                )
                of = (lost, label["rows"])
                yield alert("warning", text, explain(facts, label["example"]), of=of, section="labels")


def _rare(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of the rarest labels, which no table lists, when together they lose most rows and twice what others do."""
    for source in facts["labels"]["sources"]:
        rare, stays = source["rarest"], source["kept"] / source["rows"]
        if rare is None or rare["rows"] < TOGETHER or stays < SKEWED:
            continue
        lost = 1 - rare["kept"] / rare["rows"]
        if lost > max(SKEWED, 2 * (1 - stays)):
            labels = "rarest label" if rare["labels"] == 1 else f"{shown.count(rare['labels'])} rarest labels"
            text = (
                f"The {labels} of source {source['source']} {shown.verb(rare['labels'], 'lose', 'loses')} "
                f"{shown.share(lost)} of {shown.count(rare['rows'])} rows, the whole source {shown.share(1 - stays)}."
            )
            of = (rare["rows"] - rare["kept"], rare["rows"])
            yield alert("warning", text, explain(facts, rare["example"]), of=of, section="labels")


def _balance(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name a task or source that makes up most of the mix."""
    for table in facts["composition"]["tables"]:
        if table["column"] not in ("task", "source") or table["in_mix"] < 2:
            continue
        top = table["values"][0]
        if top["mix_share"] > SKEWED:
            name, share = group(table["column"], top["value"]), shown.share(top["mix_share"])
            text = f"The mix is out of balance: {name} {shown.verb(top['value'] is None, 'is', 'are')} {share} of it."
            command = shown.command("curate", "steps", "balance")  # what would cap it
            if table["column"] == "source" and top["value"] is not None:
                command = rerun(facts, "--set", f"sources.{top['value']}.limit={max(1, top['kept'] // 2)}")
            of = (top["in_mix"], facts["headline"]["mix_rows"])
            yield alert("warning", text, command, of=of, section="composition")


def _licences(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell how many kept rows name no licence."""
    tables = [table for table in facts["composition"]["tables"] if table["column"] == "license"]
    unnamed = sum(value["kept"] for table in tables for value in table["values"] if value["value"] is None)
    if unnamed:
        kept = facts["headline"]["kept"]
        rows = "None of the kept rows names" if unnamed == kept else f"{shown.plural(unnamed, 'kept row')} name"
        rows += "s" if unnamed == 1 < kept else ""
        no = "a licence" if unnamed == kept else "no licence"
        text = f"{rows} {no}: say under which the data may be used before you share the mix."
        of = (unnamed, kept)
        yield alert("note", text, look(facts, "README.md"), of=of, section="composition")


def _duplicates(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of large clusters, and of copies that stayed."""
    head = facts["headline"]
    for step in facts["duplicates"]["steps"]:
        if not step["copies"]:
            continue
        largest, name = step["largest"][0], step["name"]
        if step["largest_size"] >= LARGE_CLUSTER and not step["alarms"]["large"]:  # which says more
            text = f"The largest group of copies that {name} found holds {shown.count(step['largest_size'])} rows."
            command, of = explain(facts, largest["keeper"]["row"]), (step["largest_size"], head["rows"])
            yield alert("note", text, command, of=of, section="duplicates")
        if step["lost"]:
            have = shown.verb(step["lost"], "groups of copies have", "group of copies has")
            text = f"{shown.count(step['lost'])} {have} no row left: what {name} kept, a later rule dropped."
            command, of = explain(facts, largest["keeper"]["row"]), (step["lost"], step["clusters"])
            yield alert("note", text, command, of=of, section="duplicates", unit="group")
        if step["kept_copies"]:
            rows = shown.verb(step["kept_copies"], "kept rows are copies", "kept row is a copy")
            text = f"{shown.count(step['kept_copies'])} {rows} of another row, found by {name}."
            command, of = explain(facts, largest["copies"][0]["row"]), (step["kept_copies"], head["kept"])
            yield alert("warning", text, command, of=of, section="duplicates")


def _conflicts(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of questions with several answers."""
    for conflict in facts["duplicates"]["conflicts"]:
        if conflict["rows"]:
            kept = conflict["kept"]
            stay = "all of them stay" if kept == conflict["rows"] else f"{shown.count(kept)} of them stay"
            rows = shown.verb(conflict["rows"], "rows answer", "row answers")
            fate = f"{stay} in the mix" if kept else "none of them stays in the mix"
            found = [f"{one['source']} {shown.count(one['rows'])}" for one in conflict["sources"]]
            where = f"most often in {', '.join(found[:NAMED])}" if len(found) > NAMED else f"in {', '.join(found)}"
            told = f"{rows} a question that another row answers differently, {where}; {fate}"
            text = f"{shown.count(conflict['rows'])} {told}."
            example = conflict["examples"][0]["list"][0]["row"] if conflict["examples"] else None
            of = (conflict["rows"], facts["headline"]["rows"])
            yield alert("warning" if kept else "note", text, explain(facts, example), of=of, section="duplicates")


def _safety(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of personal data, toxicity and unexpected language that stayed."""
    kept = facts["headline"]["kept"]
    personal, toxic = (facts["safety"][name] for name in ("personal", "toxicity"))
    language = facts["text_quality"]["language"]
    if rows := personal.get("kept"):
        kinds = ", ".join(f"{kind['kind']} {shown.count(kind['kept'])}" for kind in personal["kinds"] if kind["kept"])
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'hold', 'holds')} personal data: {kinds}."
        yield alert("warning", text, explain(facts, personal.get("row")), of=(rows, kept), section="safety")
    if rows := toxic.get("kept"):
        seem = shown.verb(rows, "look", "looks")
        text = f"{shown.plural(rows, 'kept row')} {seem} abusive: {toxic['signal']} 0.5 or more."
        yield alert("warning", text, explain(facts, toxic.get("row")), of=(rows, kept), section="safety")
    if rows := language.get("kept"):
        seem = shown.verb(rows, "seem", "seems")
        text = f"{shown.plural(rows, 'kept row')} {seem} to be in another language than declared."
        yield alert("note", text, explain(facts, language["row"]), of=(rows, kept), section="text-quality")


def _lengths(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of empty responses, and of rows too long for a common window."""
    lengths, kept = facts["lengths"], facts["headline"]["kept"]
    if rows := lengths["blank"]["rows"]:
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'have', 'has')} an empty response."
        yield alert("warning", text, explain(facts, lengths["blank"].get("row")), of=(rows, kept), section="lengths")
    window = next(window for window in lengths["windows"] if window["tokens"] == LONG)
    if rows := window["longer"]:
        are = shown.verb(rows, "are", "is")
        limit = f"about {shown.count(LONG)} tokens, where many trainers cut"
        text = f"{shown.plural(rows, 'kept row')} {are} longer than {limit}."
        yield alert("note", text, explain(facts, lengths["longest"].get("row")), of=(rows, kept), section="lengths")


CHECKS = (_labels, _wiped, _rare, _balance, _licences, _duplicates, _conflicts, _safety, _lengths)
