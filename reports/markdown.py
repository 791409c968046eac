"""The facts as a dataset card: front matter that the Hugging Face hub reads, then the questions of a datasheet.

The order is that of Datasheets for Datasets (Gebru et al., 2021): motivation, composition, collection, preprocessing,
uses, distribution, maintenance. No text of the data stands in it, only names, labels and counts: a card is read by
programs and models too. What nobody can compute is the maker's to state, in the table `card` of the recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports import ledger, shown, statements
from reports.hub import front
from reports.outputs import MEANINGS

Facts = Mapping[str, Any]
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!&$])")
_UNSTATED = "*Not stated by the maker.*"
# Values listed of one column; the report has more.
LISTED = 20


def card(facts: Facts) -> str:
    """Return the card.

    Args:
        facts: of `reports.quality`; the files described are `provenance.outputs`.
    """
    sections = (
        _motivation, _composition, _columns, _personal, _collection, _manipulation, _limits, _uses, _distribution,
        _again,
    )  # fmt: skip
    title = f"# {_plain(facts['headline']['name'])}\n"
    parts = [line for section in sections for line in (*section(facts), "")]
    return "\n".join([front(facts), title, _plain(statements.summary(facts)), "", *parts])


def _stated(facts: Facts, key: str) -> str:
    text = facts["provenance"]["stated"].get(key)
    return _plain(text) if text else _UNSTATED


def _motivation(facts: Facts) -> list[str]:
    """Return who made it and why."""
    creators = ", ".join(_plain(name) for name in facts["provenance"]["stated"].get("creators", ())) or _UNSTATED
    described = facts["provenance"]["stated"].get("description")
    lines = ["## Motivation", "", *([_plain(described), ""] if described else [])]
    return [*lines, f"Purpose: {_stated(facts, 'motivation')}", "", f"Made by: {creators}"]


def _composition(facts: Facts) -> list[str]:
    """Return what the mix is made of."""
    tables = statements.tables(facts)
    lines = ["## Composition", ""]
    for column, title in (("source", "Source"), ("task", "Task family"), ("lang", "Language"), ("license", "Licence")):
        rows = [
            (_plain(value["value"] or "not given"), shown.count(value["kept"]), shown.share(value["mix_share"]),
             shown.share(value["token_share"]))
            for value in tables[column]["values"][:LISTED]
        ]  # fmt: skip
        lines += [*_table((title, "Rows", "Share of the mix", "Share of tokens"), rows), ""]
        more = tables[column]["in_mix"] - len(rows)
        lines += [f"{shown.count(more)} more in `report.html`.", ""] if more > 0 else []
    lines += _ledger(facts)
    lengths = facts["lengths"]
    fits = ", ".join(f"{one['tokens']:,}: {shown.share(one['share'])}" for one in lengths["windows"])
    lines += [f"Rows that fit a window of so many estimated tokens: {fits}.", "", "### Copies", ""]
    lines += [*_list(statements.copies(facts)), "", "### Overlap with evaluation data", ""]
    return [*lines, *_list(statements.leaks(facts))]


def _ledger(facts: Facts) -> list[str]:
    """Return how the shares of the mix came about, by what it was mixed by, else by source."""
    if "skipped" in facts["ledger"]:
        return []
    table = ledger.leading(facts)
    aimed = any("target_share" in one for one in table["groups"])
    rows = [
        (_plain(str(one["value"] or "not given")), shown.share(one["shares"][0]),
         *([shown.share(one.get("target_share"))] if aimed else []), shown.share(one["mix_share"]),
         shown.count(one["in_mix"]), shown.number(one["epochs"]),
         _plain(one["moved"]["by"]) if one["moved"] else "–")
        for one in table["groups"]
    ]  # fmt: skip
    heads = (table["title"], "At ingest", *(["Target"] if aimed else []), "In the mix", "Rows with repeats", "Epochs",
             "Moved most by")  # fmt: skip
    more = [f"{shown.count(table['left_out'])} more in `report.html`.", ""] if table["left_out"] else []
    said = _plain(f"{ledger.summed_up(facts)}.")
    return ["### How the shares came about", "", said, "", *_table(heads, rows), "", *more]


def _columns(facts: Facts) -> list[str]:
    """Return the columns of the file that holds the rows."""
    file = next(file for file in facts["provenance"]["outputs"] if "columns" in file)
    rows = [(f"`{one['name']}`", _kind(one["type"]), MEANINGS.get(one["name"], "")) for one in file["columns"]]
    return ["### Columns", "", *_table(("Column", "Type", "Meaning"), rows)]


def _kind(kind: Any) -> str:
    """Return a type in words."""
    if isinstance(kind, str):
        return kind
    if "list" in kind:
        return f"list of {_kind(kind['list'])}"
    return "(" + ", ".join(f"{part['name']}: {_kind(part['type'])}" for part in kind["struct"]) + ")"


def _personal(facts: Facts) -> list[str]:
    return ["## Personal data", "", *_list(statements.personal(facts))]


def _collection(facts: Facts) -> list[str]:
    """Return how the records came together."""
    made = f"How the sources were collected: {_stated(facts, 'collection')}"
    labelled = f"Who annotated them: {_stated(facts, 'annotation')}"
    return ["## Collection", "", made, "", labelled, "", *_list(statements.collection(facts))]


def _manipulation(facts: Facts) -> list[str]:
    """Return what was removed, on which grounds, and how much each rule removes alone."""
    lines = ["## Data manipulation", ""]
    dropping = [rule for rule in facts["rules"]["list"] if not rule["flag"]]
    if dropping:
        lines += [
            "Rows were never edited by a rule, only left out. A row that breaks several rules counts for each; “alone”",
            "are the rows that no other rule of the stage removes, “no verdict” those the check could not judge: they",
            "stayed.",
            "",
        ]
        rows = [
            (_plain(rule["stage"]), _plain(rule["sentence"]), _plain(rule["why"]),
             *(shown.count(rule[key]) for key in ("evaluated", "failed", "unique", "unknown")))
            for rule in dropping
        ]  # fmt: skip
        lines += _table(("Stage", "Rule", "Why", "Rows seen", "Removed", "Alone", "No verdict"), rows)
    else:
        lines.append("No row was removed.")
    flagging = [rule for rule in facts["rules"]["list"] if rule["flag"] and rule["failed"]]
    if flagging:
        lines += ["", "Flagged only, and still in the mix unless another rule removed them:", ""]
        found = [(_plain(rule["id"]), _plain(rule["why"]), shown.count(rule["failed"])) for rule in flagging]
        lines += _table(("Rule", "Why", "Rows"), found)
    told = [*statements.judged(facts), *statements.repairs(facts)]
    return [*lines, *(["", *_list(told)] if told else [])]


def _limits(facts: Facts) -> list[str]:
    """Return biases and limits, from the figures of the report."""
    lines = ["## Known biases", "", *_list(statements.biases(facts)), "", "## Known limits", ""]
    return [*lines, *_list(statements.limits(facts))]


def _uses(facts: Facts) -> list[str]:
    fit, unfit = _stated(facts, "uses"), _stated(facts, "unfit_for")
    return ["## Uses", "", f"Meant for: {fit}", "", f"Not fit for: {unfit}"]


def _distribution(facts: Facts) -> list[str]:
    """Return the files, the terms they come under, and who looks after them."""
    made, tables = facts["provenance"], statements.tables(facts)
    lines = ["## Distribution and maintenance", ""]
    rows = [(f"`{file['path']}`", shown.count(file["bytes"]), f"`{file['sha256']}`") for file in made["outputs"]]
    lines += [*_table(("File", "Bytes", "SHA-256"), rows), ""]
    licences = tables["license"]["values"]
    if len(licences) > 1:
        lines += ["The sources come under different licences: the terms of each apply to its rows (see above).", ""]
    elif not licences or licences[0]["value"] is None:
        lines += ["No source declares a licence.", ""]
    terms, without = facts["licences"]["strictest"], facts["licences"]["without"]["kept"]
    if terms is not None:
        unnamed = f"; rows without a licence: {shown.count(without)}" if without else ""
        lines += [f"Most restrictive term in the mix: {terms}{unnamed}.", ""]
    published = _plain(made["stated"].get("published") or "") or _UNSTATED
    lines += [f"Published: {published}", "", f"Maintained by: {_stated(facts, 'maintenance')}"]
    return [*lines, *(["", f"Cite as: {_stated(facts, 'cite')}"] if "cite" in made["stated"] else [])]


def _again(facts: Facts) -> list[str]:
    """Return how to make the mix again."""
    made = facts["provenance"]
    versions = ", ".join(f"{_plain(name)} {_plain(version)}" for name, version in made["versions"].items())
    lines = ["## Make it again", "", f"    {shown.line(statements.command(facts))}", ""]
    lines += [f"Seed {made['seed']}; {versions}.", ""]
    rows = [
        (_plain(file["source"]), _plain(statements.place(file["path"])), f"`{file['sha256']}`")
        for file in made["inputs"]
    ]
    lines += _table(("Source", "File", "SHA-256"), rows) if rows else []
    here = "this folder" if made["layout"] == "run" else f"the run {_plain(statements.place(facts['headline']['run']))}"
    return [
        *lines,
        "",
        f"In {here}, `rows.parquet` holds every row, the dropped ones with their reasons, `report.html` the quality",
        "report, and `report.json` its figures as data.",
    ]


def _list(texts: Iterable[str]) -> list[str]:
    return [f"- {_plain(text)}" for text in texts] or ["- None."]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return a Markdown table; numbers stand to the right."""
    found = list(rows)
    rule = ["---:" if found and _numeric(column) else "---" for column in zip(*found, strict=True)] or ["---"] * len(
        heads
    )
    return ["| " + " | ".join(row) + " |" for row in (heads, rule, *found)]


def _numeric(cells: Iterable[str]) -> bool:
    return all(re.fullmatch(r"[<>]? ?[\d,.]+( %)?", cell) for cell in cells)


def _plain(text: str) -> str:
    """Return text of unknown origin as Markdown that says just this text, on one line."""
    return _SPECIAL.sub(r"\\\1", shown.line(text))
