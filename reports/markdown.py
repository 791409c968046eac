"""The facts as a dataset card: front matter that the Hugging Face hub reads, then what was done to the data.

No text of the data stands in it, only names, labels and counts: a card is read by programs and models too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reports import shown

# Upper ends of the hub's size categories.
_SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"),
    (100_000_000, "10M<n<100M"), (1_000_000_000, "100M<n<1B"), (10_000_000_000, "1B<n<10B"),
    (100_000_000_000, "10B<n<100B"), (1_000_000_000_000, "100B<n<1T"),
)  # fmt: skip
# The hub's task category of each task family; all are text generation too, as every row is a prompt and an answer.
_TASKS = {
    "classification": "text-classification", "nli": "text-classification", "paraphrase": "text-classification",
    "qa_closed": "question-answering", "qa_open": "question-answering", "multiple_choice": "multiple-choice",
    "summarization": "summarization", "translation": "translation", "extraction": "token-classification",
}  # fmt: skip
# Licence ids that the hub knows; it refuses others unless they are given as `other` with a name.
_LICENCES = frozenset(
    (
        "apache-2.0", "mit", "openrail", "bigscience-openrail-m", "creativeml-openrail-m",
        "bigscience-bloom-rail-1.0", "afl-3.0", "artistic-2.0", "bsl-1.0", "bsd", "bsd-2-clause",
        "bsd-3-clause", "bsd-3-clause-clear", "c-uda", "cc", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0",
        "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
        "cc-by-nd-4.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0",
        "cc-by-nc-sa-4.0", "cdla-sharing-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "wtfpl", "ecl-2.0",
        "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "agpl-3.0", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "lgpl",
        "lgpl-2.1", "lgpl-3.0", "isc", "lppl-1.3c", "ms-pl", "mpl-2.0", "odc-by", "odbl", "osl-3.0",
        "postgresql", "ofl-1.1", "ncsa", "unlicense", "zlib", "pddl",
    )
)  # fmt: skip
_LANGUAGE = re.compile(r"^[a-z]{2,3}$")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~!&$])")


def card(facts: Mapping[str, Any]) -> str:
    """Return the card.

    Args:
        facts: of `reports.quality`.
    """
    parts = [_front(facts), _summary(facts), _content(facts), _manipulation(facts), _limits(facts), _again(facts)]
    return "\n".join(parts)


def _tables(facts: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the values that are in the mix, by column."""
    tables = facts["composition"]["tables"]
    return {table["column"]: [value for value in table["values"] if value["kept"]] for table in tables}


def _front(facts: Mapping[str, Any]) -> str:
    """Return the YAML front matter; every string is quoted as JSON, which YAML reads alike."""
    head, tables = facts["headline"], _tables(facts)
    languages = sorted({value["value"] for value in tables["lang"] if _LANGUAGE.match(value["value"] or "")})
    categories = sorted({"text-generation", *(_TASKS[v["value"]] for v in tables["task"] if v["value"] in _TASKS)})
    lines = ["---", f"pretty_name: {_quoted(head['name'])}"]
    lines += _listed("language", languages)
    lines += _licence([value["value"] for value in tables["license"]])
    lines += _listed("size_categories", [next((name for top, name in _SIZES if head["kept"] < top), "n>1T")])
    lines += _listed("task_categories", categories)
    lines += _listed("tags", ["instruction-tuning", "curatune"])
    lines += ["configs:", '  - config_name: "default"', "    data_files:", '      - split: "train"']
    lines += ['        path: "mix.parquet"', "---", ""]
    return "\n".join(lines)


def _licence(found: Sequence[str | None]) -> list[str]:
    """Return the single licence of the mix, or `other` with a name."""
    if not found or found == [None]:
        return ['license: "unknown"']
    if len(found) > 1:
        return ['license: "other"', 'license_name: "mixed"']
    name = str(found[0]).lower()
    if name in _LICENCES:
        return [f"license: {_quoted(name)}"]
    slug = re.sub(r"[^a-z0-9.]+", "-", name).strip("-") or "unnamed"
    return ['license: "other"', f"license_name: {_quoted(slug)}"]


def _listed(key: str, values: Iterable[str]) -> list[str]:
    lines = [f"  - {_quoted(value)}" for value in values]
    return [f"{key}:", *lines] if lines else []


def _quoted(text: str) -> str:
    return json.dumps(shown.line(text), ensure_ascii=False)


def _summary(facts: Mapping[str, Any]) -> str:
    """Return title and first paragraph."""
    head = facts["headline"]
    text = (
        f"{shown.plural(head['kept'], 'row')} for instruction tuning, kept of {shown.count(head['rows'])} that were "
        f"rendered from {shown.plural(head['records_read'], 'record')} of {shown.plural(head['sources'], 'source')}. "
        f"About {shown.count(head['kept_tokens'])} tokens (UTF-8 bytes ÷ 4)."
    )
    repeated = (
        f" With copies the mix has {shown.count(head['mix_rows'])} rows." if head["mix_rows"] != head["kept"] else ""
    )
    return f"# {_plain(head['name'])}\n\n{text}{repeated} Every dropped row and its reasons are in `rows.parquet`.\n"


def _content(facts: Mapping[str, Any]) -> str:
    """Return what the mix is made of, the licences among it."""
    tables = _tables(facts)
    lines = ["## Composition", ""]
    for column, title in (("source", "Source"), ("task", "Task family"), ("lang", "Language"), ("license", "Licence")):
        rows = [
            (_plain(value["value"] or "not given"), shown.count(value["kept"]), shown.share(value["mix_share"]),
             shown.share(value["token_share"]))
            for value in tables[column]
        ]  # fmt: skip
        lines += [*_table((title, "Rows", "Share of the mix", "Share of tokens"), rows), ""]
    if len(tables["license"]) > 1:
        lines += ["The sources come under different licences: the terms of each apply to its rows.", ""]
    lines += [
        "Each row holds `messages` (role, content, and whether the turn is trained on), the same as `prompt` and",
        "`response`, its `source`, `task`, `template`, `license` and `lang`, and `copies`, how often it counts.",
        "",
    ]
    return "\n".join(lines)


def _manipulation(facts: Mapping[str, Any]) -> str:
    """Return what was removed and why, from the rules."""
    lines = ["## Data manipulation", ""]
    dropping = [rule for rule in facts["rules"]["list"] if not rule["flag"]]
    if dropping:
        lines += [
            "Rows were never edited by a rule, only left out. A row that breaks several rules counts for each.",
            "",
        ]
        rows = [
            (_plain(rule["stage"]), _plain(rule["sentence"]), _plain(rule["why"]), shown.count(rule["failed"]))
            for rule in dropping
        ]
        lines += _table(("Stage", "Rule", "Why", "Rows removed"), rows)
    else:
        lines.append("No row was removed.")
    repairs: dict[str, int] = {}
    for source in facts["sources"]:
        for name, count in source["repairs"].items():
            repairs[name] = repairs.get(name, 0) + count
    if repairs:
        named = ", ".join(f"{_plain(name)} {shown.count(count)}" for name, count in sorted(repairs.items()))
        lines += ["", f"Texts repaired while reading: {named}."]
    if facts["headline"]["rejects"]:
        lines += ["", f"{shown.plural(facts['headline']['rejects'], 'record')} could not be read or rendered."]
    return "\n".join([*lines, ""])


def _limits(facts: Mapping[str, Any]) -> str:
    """Return personal data and the open alerts."""
    personal = facts["safety"]["personal"]
    lines = ["## Personal data", ""]
    if "skipped" in personal:
        lines.append("Not looked for.")
    else:
        kinds = ", ".join(
            f"{_plain(kind['kind'])} {shown.count(kind['kept'])}" for kind in personal["kinds"] if kind["kept"]
        )
        lines.append(f"Looked for by pattern. Rows of the mix where some was found: {kinds or 'none'}.")
    lines += ["", "## Known limits", ""]
    # Causes of rejects may quote a record; how many there were stands above.
    open_alerts = [one for one in facts["alerts"] if one["severity"] != "note" and one["section"] != "intake"]
    lines += [f"- {_plain(alert['text'])}" for alert in open_alerts] or ["No alert is open."]
    return "\n".join([*lines, ""])


def _again(facts: Mapping[str, Any]) -> str:
    """Return how to make the mix again."""
    made = facts["provenance"]
    versions = ", ".join(f"{_plain(name)} {_plain(version)}" for name, version in made["versions"].items())
    lines = ["## Make it again", "", f"    {shown.line(made['command'])}", "", f"Seed {made['seed']}; {versions}.", ""]
    rows = [(_plain(file["source"]), _plain(file["path"]), f"`{_plain(file['sha256'])}`") for file in made["inputs"]]
    lines += _table(("Source", "File", "SHA-256"), rows) if rows else []
    return "\n".join([*lines, "", "The quality report is `report.html`; its figures as data are `report.json`.", ""])


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
