"""Alerts about what the mix holds: labels, balance, copies, personal data, lengths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import FEW, Facts, alert, explain, look, rerun

SKEWED = 0.5  # more than half of the mix in one task or source: the others are seasoning
WIPED = 0.8  # a label that loses four of five rows while its source keeps most is a bias of a rule
LARGE_CLUSTER = 10  # so many copies of one text point at a template, a footer or a crawl that ran twice
LONG = 2048  # a window that small models are commonly tuned with


def _labels(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the sources that hold or are left with a single label."""
    for source in facts["labels"]["sources"]:
        name, first = source["source"], source["labels"][0]
        if source["distinct"] == 1 and source["rows"] >= FEW:
            text = f"Source {name} has one label only, “{shown.clipped(first['label'], 40)}”: nothing to tell apart."
        elif source["kept_distinct"] == 1 and source["kept"] >= FEW:
            text = f"Source {name} is left with one of its {source['distinct']} labels."
        else:
            continue
        of = (source["rows"], source["rows"])
        yield alert("warning", text, explain(facts, first["example"]), of=of, section="labels")


def _wiped(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the labels that the rules take out of a source that otherwise stays."""
    for source in facts["labels"]["sources"]:
        stays = source["kept"] / source["rows"]
        for label in source["labels"]:
            lost = label["rows"] - label["kept"]
            if lost >= max(FEW, WIPED * label["rows"]) and stays >= SKEWED and source["kept_distinct"] > 1:
                share, usual = shown.share(lost / label["rows"]), shown.share(1 - stays)
                name = shown.clipped(label["label"], 40)
                text = f"Label “{name}” of {source['source']} loses {share} of its rows, its source {usual}."
                of = (lost, label["rows"])
                yield alert("warning", text, explain(facts, label["example"]), of=of, section="labels")


def _balance(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name a task or source that makes up most of the mix."""
    for table in facts["composition"]["tables"]:
        if table["column"] not in ("task", "source") or table["in_mix"] < 2:
            continue
        top = table["values"][0]
        if top["mix_share"] > SKEWED:
            text = f"The mix is mostly one {table['column']}: {top['value']} is {shown.share(top['mix_share'])} of it."
            command = explain(facts, None)
            if table["column"] == "source":
                command = rerun(facts, "--set", f"sources.{top['value']}.limit={max(1, top['kept'] // 2)}")
            of = (top["in_mix"], facts["headline"]["mix_rows"])
            yield alert("warning", text, command, of=of, section="composition")


def _licences(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell how many kept rows name no licence."""
    tables = [table for table in facts["composition"]["tables"] if table["column"] == "license"]
    unnamed = sum(value["kept"] for table in tables for value in table["values"] if value["value"] is None)
    if unnamed:
        text = f"{shown.plural(unnamed, 'kept row')} {shown.verb(unnamed, 'come', 'comes')} without a licence."
        of = (unnamed, facts["headline"]["kept"])
        yield alert("note", text, look(facts, "README.md"), of=of, section="composition")


def _duplicates(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of large clusters, and of copies that stayed."""
    head = facts["headline"]
    for step in facts["duplicates"]["steps"]:
        if not step["copies"]:
            continue
        largest = step["largest"][0]
        if step["largest_size"] >= LARGE_CLUSTER:
            text = f"The largest cluster of {step['name']} has {shown.count(step['largest_size'])} rows."
            command, of = explain(facts, largest["keeper"]["row"]), (step["largest_size"], head["rows"])
            yield alert("note", text, command, of=of, section="duplicates")
        if step["lost"]:
            clusters = shown.plural(step["lost"], "cluster")
            text = f"{clusters} of {step['name']} left nothing: a later stage dropped what was to stay."
            command, of = explain(facts, largest["keeper"]["row"]), (step["lost"], step["clusters"])
            yield alert("warning", text, command, of=of, section="duplicates")
        if step["kept_copies"]:
            noun = shown.verb(step["kept_copies"], "copies", "copy")
            text = f"{shown.count(step['kept_copies'])} {noun} found by {step['name']} stayed in the mix."
            command, of = explain(facts, largest["copies"][0]["row"]), (step["kept_copies"], head["kept"])
            yield alert("warning", text, command, of=of, section="duplicates")


def _conflicts(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of questions with several answers."""
    for conflict in facts["duplicates"]["conflicts"]:
        if conflict["rows"]:
            kept = conflict["kept"]
            fate = f"{shown.count(kept)} of them stayed" if kept else "none of them stayed"
            rows = shown.plural(conflict["rows"], "row")
            text = f"{rows} with a question that is answered otherwise elsewhere; {fate}."
            example = conflict["examples"][0]["list"][0]["row"] if conflict["examples"] else None
            of = (conflict["rows"], facts["headline"]["rows"])
            yield alert("warning" if kept else "note", text, explain(facts, example), of=of, section="duplicates")


def _safety(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of personal data, toxicity and unexpected language that stayed."""
    kept = facts["headline"]["kept"]
    personal, toxic, language = (facts["safety"][name] for name in ("personal", "toxicity", "language"))
    if rows := personal.get("kept"):
        kinds = ", ".join(f"{kind['kind']} {shown.count(kind['kept'])}" for kind in personal["kinds"] if kind["kept"])
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'hold', 'holds')} personal data: {kinds}."
        yield alert("warning", text, explain(facts, personal.get("row")), of=(rows, kept), section="safety")
    if rows := toxic.get("kept"):
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'score', 'scores')} as toxic."
        yield alert("warning", text, explain(facts, toxic.get("row")), of=(rows, kept), section="safety")
    if rows := language.get("kept"):
        text = (
            f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'look', 'looks')} like another language than declared."
        )
        example = language["examples"][0]["row"]
        yield alert("note", text, explain(facts, example), of=(rows, kept), section="safety")


def _lengths(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of empty responses, and of rows too long for a common window."""
    lengths, kept = facts["lengths"], facts["headline"]["kept"]
    if rows := lengths["blank"]["rows"]:
        text = f"{shown.plural(rows, 'kept row')} {shown.verb(rows, 'have', 'has')} an empty response."
        yield alert("warning", text, explain(facts, lengths["blank"].get("row")), of=(rows, kept), section="lengths")
    window = next(window for window in lengths["windows"] if window["tokens"] == LONG)
    if rows := kept - window["fits"]:
        are = shown.verb(rows, "are", "is")
        text = f"{shown.plural(rows, 'kept row')} {are} longer than about {shown.count(LONG)} tokens, and cut there."
        yield alert("note", text, explain(facts, lengths["longest"].get("row")), of=(rows, kept), section="lengths")


CHECKS = (_labels, _wiped, _balance, _licences, _duplicates, _conflicts, _safety, _lengths)
