"""What the facts say of a dataset, in sentences: the dataset card and `croissant.json` print the same ones.

Every number comes from the facts; no text of the data stands in a sentence, only names, labels and counts.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from reports import shown
from reports.alert import FEW
from reports.fairness import belonging

Facts = Mapping[str, Any]
# A rule that takes twice its usual share from a group shifts the mix; below that, small groups differ by chance.
UNEVEN = 2.0
# Groups of people named; the rest is in the report.
NAMED = 6
# Columns whose largest value is told, with the noun of a value.
_COLUMNS = {"source": "source", "task": "task family", "template": "template", "lang": "declared language",
            "language.lang": "detected language"}  # fmt: skip
_ABSOLUTE = re.compile(r"[/\\~]|[A-Za-z]:")
# Parts of the report whose absence a reader of the card should know of, and what they would have told.
_ASKED = {
    "personal": "personal data", "toxicity": "toxicity", "duplicates": "copies",
    "contamination": "overlap with evaluation data", "fairness": "whom the rules hit",
    "associations": "what groups are told together with", "diversity": "diversity",
    "text_quality": "text quality", "reviews": "whether the rules are right",
    "ablation": "what the rules do to a trained model",
}  # fmt: skip


def tables(facts: Facts) -> dict[str, dict[str, Any]]:
    """Return the tables of the composition by column, each with the values that are in the mix."""
    found = facts["composition"]["tables"]
    return {one["column"]: {**one, "values": [value for value in one["values"] if value["kept"]]} for one in found}


def summary(facts: Facts) -> str:
    """Tell in two sentences what the dataset is."""
    head = facts["headline"]
    text = (
        f"{shown.plural(head['kept'], 'row')} for instruction tuning, kept of {shown.count(head['rows'])} that were "
        f"rendered from {shown.plural(head['records_read'], 'record')} of {shown.plural(head['sources'], 'source')}. "
        f"About {shown.count(head['kept_tokens'])} tokens (UTF-8 bytes ÷ 4)."
    )
    if head["mix_rows"] != head["kept"]:
        text += f" With copies the mix has {shown.count(head['mix_rows'])} rows."
    made = facts["provenance"]
    if made["layout"] != "run":
        rows = next(file["rows"] for file in made["outputs"] if "rows" in file)
        text += f" Here as {made['layout']}: {shown.plural(rows, 'row')}, each as often as it counts"
        text += (
            f"; {shown.plural(made['left_out'], 'row')} left out that this form cannot hold."
            if made["left_out"]
            else "."
        )
    return text


def place(path: str) -> str:
    """Return a path as a card may show it: of an absolute one the name alone, as it tells whose machine it was."""
    return path.replace("\\", "/").rsplit("/", 1)[-1] if _ABSOLUTE.match(path) else path


def command(facts: Facts) -> str:
    """Return the command that makes the run, its absolute paths shortened."""
    return shlex.join(place(word) for word in shlex.split(facts["provenance"]["command"]))


def collection(facts: Facts) -> list[str]:
    """Tell what was read, and what became of records that could not be used."""
    head, sources = facts["headline"], facts["sources"]
    heldout = [source["name"] for source in sources if source["split"] == "heldout"]
    said = [
        f"{shown.plural(head['records_read'], 'record')} were read from {shown.plural(len(sources), 'source')} "
        f"and rendered as {shown.plural(head['rows'], 'row')}."
    ]
    if head["rejects"]:
        said.append(f"{shown.plural(head['rejects'], 'record')} could not be read or rendered: left out of the mix.")
    if left := sum(source["left_out"] for source in sources):
        said.append(f"Left out by a limit of the recipe, chosen by hash: {shown.plural(left, 'record')}.")
    if heldout:
        rows = shown.plural(head["heldout_rows"], "row")
        said.append(f"Held out for evaluation, and never in the mix: {', '.join(heldout)} ({rows}).")
    return said


def repairs(facts: Facts) -> list[str]:
    """Tell which texts were repaired while reading."""
    kinds: dict[str, int] = {}
    for source in facts["sources"]:
        for name, count in source["repairs"].items():
            kinds[name] = kinds.get(name, 0) + count
    named = ", ".join(f"{name} {shown.count(count)}" for name, count in sorted(kinds.items()))
    return [f"Texts repaired while reading: {named}."] if kinds else []


def manipulation(facts: Facts) -> list[str]:
    """Tell what each rule that drops does, why, and to how many rows."""
    said = [
        f"{rule['sentence']} Why: {rule['why'].rstrip('.')}. Stage {rule['stage']}, rows seen "
        f"{shown.count(rule['evaluated'])}, removed {shown.count(rule['failed'])}, by this rule alone "
        f"{shown.count(rule['unique'])}."
        for rule in facts["rules"]["list"]
        if not rule["flag"]
    ]
    return said or ["No row was removed."]


def personal(facts: Facts) -> list[str]:
    """Tell which personal data was looked for, found and left."""
    found = facts["safety"]["personal"]
    if "skipped" in found:
        return [f"Personal data was not looked for: {found['skipped']}."]
    kinds = ", ".join(f"{kind['kind']} {shown.count(kind['kept'])}" for kind in found["kinds"] if kind["kept"])
    return [
        f"Personal data and secrets were looked for by their form (addresses, numbers, keys; not names): found in "
        f"{shown.plural(found['rows'], 'row')}, {shown.count(found['rows'] - found['kept'])} of them not in the mix.",
        f"Rows of the mix where some was found: {kinds or 'none'}.",
    ]


def copies(facts: Facts) -> list[str]:
    """Tell which copies were looked for, found and left, and which questions have several answers."""
    found = facts["duplicates"]
    said = [f"Copies were not looked for: {found['skipped']}."] if "skipped" in found else []
    for step in found["steps"]:
        crossing = (step["crossing"] or {}).get("across", 0)
        across = f", {shown.count(crossing)} of a row of another source" if crossing else ""
        kept = shown.count(step["kept_copies"])
        said.append(f"{step['name']}: {shown.count(step['copies'])} copies found{across}; {kept} of them in the mix.")
    for conflict in found["conflicts"]:
        rows = shown.plural(conflict["rows"], "row")
        said.append(f"{rows} answer a question that is answered otherwise elsewhere, {conflict['kept']:,} in the mix.")
    return said


def leaks(facts: Facts) -> list[str]:
    """Tell whether the mix overlaps with evaluation sets."""
    found = facts["contamination"]
    if "skipped" in found:
        return [f"Overlap with evaluation data was not looked for: {found['skipped']}."]
    said = []
    for step in found["steps"]:
        given = [one for one in step["heldout"] if one["kept_hit"]]
        items = ", ".join(f"{one['source']} {one['kept_hit']:,} of {one['items']:,}" for one in given)
        much = f"with more than {shown.share(step['bound'])} of a held-out item"
        if step["measure"] == "similarity":
            much = f"whose cosine with a held-out item is above {step['bound']:g}"
        said.append(
            f"{step['name']}: {shown.plural(step['rows'], 'row')} {much}, {shown.count(step['kept'])} of them in the "
            f"mix. Items these give away: {items or 'none'}."
        )
    return said


def judged(facts: Facts) -> list[str]:
    """Tell how often people found the rules right, and of which rules nobody knows."""
    found = facts["reviews"]
    said = [
        f"Judged by people: {rule['rule']}, {shown.count(rule['judged'])} of the {shown.plural(rule['of'], 'row')} it "
        f"hits, right {rule['right']}, wrong {rule['wrong']}, unsure {rule['unsure']}; precision "
        f"{shown.share(rule['precision'])} (95 % interval {shown.share(rule['low'])} to {shown.share(rule['high'])})."
        for rule in found.get("list", ())
        if rule["precision"] is not None
    ]
    if unjudged := [rule["rule"] for rule in found.get("unjudged", ())]:
        said.append(f"Nobody has judged what these rules remove: {', '.join(unjudged)}.")
    return said


def biases(facts: Facts) -> list[str]:
    """Tell what outweighs what in the mix, whom it mentions, and which rules hit some groups more than others."""
    return [*_dominance(facts), *_labels(facts), *_mentions(facts), *_told(facts), *_uneven(facts)]


def limits(facts: Facts) -> list[str]:
    """Tell the open alerts, what no check had a verdict on, and what was not looked at."""
    # Causes of rejects may quote a record; how many there were is told under collection.
    said = [one["text"] for one in facts["alerts"] if one["severity"] != "note" and one["section"] != "intake"]
    unknown = [(rule["id"], rule["unknown"]) for rule in facts["rules"]["list"] if rule["unknown"]]
    if unknown:
        named = ", ".join(f"{rule} {shown.count(rows)}" for rule, rows in unknown)
        said.append(f"Rows without a verdict of a rule, which therefore did not remove them: {named}.")
    said += [f"Not looked at: {name} ({why})." for name, why in _skipped(facts)]
    return [*said, f"All token counts are estimates: {facts['funnel']['method']}."]


def _dominance(facts: Facts) -> Iterator[str]:
    """Name the largest value of each descriptive column."""
    for column, table in tables(facts).items():
        if column in _COLUMNS and any(value["value"] is not None for value in table["values"]):
            top = table["values"][0]
            varied = f", as varied as {shown.number(table['effective'])} of equal size" if table["in_mix"] > 1 else ""
            yield (
                f"Largest {_COLUMNS[column]}: {top['value'] or 'not given'}, {shown.share(top['mix_share'])} of the "
                f"mix, of {shown.count(table['in_mix'])} in all{varied}."
            )


def _labels(facts: Facts) -> Iterator[str]:
    """Name the sources with the most skewed labels in the mix."""
    found = [one for one in facts["labels"]["sources"] if one["kept"] and one["distinct"] > 1]
    found.sort(key=lambda one: (-one["largest_kept_share"] * one["kept_distinct"], one["source"]))
    for source in found[:NAMED]:
        even, largest = shown.share(1 / source["kept_distinct"]), shown.share(source["largest_kept_share"])
        labels = shown.plural(source["kept_distinct"], "label")
        yield f"Source {source['source']} keeps {labels}; the commonest is {largest} of its rows (even: {even})."
    if rest := len(found) - NAMED:
        yield from [f"The labels of {shown.plural(rest, 'other source')} are closer to even."] if rest > 0 else []


def _mentions(facts: Facts) -> Iterator[str]:
    """Tell which groups of people the mix mentions, and which rules hit rows that mention some of them more."""
    for measure in facts["measures"]["list"]:
        spread = measure["distribution"]
        if not measure["name"].endswith(".groups") or spread["kind"] != "values":
            continue
        kept = [(one["value"], one["rows"] - one["failed"]) for one in spread["values"] if one["value"] != "(none)"]
        named = ", ".join(f"{group} {shown.count(rows)}" for group, rows in kept[:NAMED] if rows)
        yield f"Rows of the mix by groups of people they mention ({measure['name']}, a word list): {named or 'none'}."
    fair = facts["fairness"]
    if "skipped" in fair:
        return
    bound = fair["bound"]
    lines = [one for one in fair["identity"] if one["notable"]]
    for line in lines[:NAMED]:
        does = "flags" if line["flag"] else "removes"
        yield (
            f"{line['rule']} {does} {shown.share(line['share'])} of rows {belonging(line, fair)}, "
            f"{shown.number(line['equal_length']['ratio'])} times as many as of all rows of their length."
        )
    if not fair["tested"]:
        yield "Too few rows mention a group of people to tell whether a rule hits it more than others."
    elif not lines:
        yield (
            f"No rule hits rows that mention a group of people {bound['ratio']:g} times as often as all rows of their "
            f"length and beyond chance ({shown.plural(fair['tested'], 'pair')} of a rule and a group tested)."
        )


def _told(facts: Facts) -> Iterator[str]:
    """Tell what groups stand together with, and whether a score turns with the group."""
    found = facts["associations"]
    if "skipped" not in found:
        tested, balance = found["words"]["tested"], found["balance"]
        named = ", ".join(f"{one['group']} with {one['word']}" for one in found["words"]["list"][:NAMED])
        yield (
            f"Of {shown.plural(tested, 'pair')} of a group and a word that share sentences, {found['words']['found']} "
            f"do so more or less than by chance{f': {named}' if named else ''}."
        )
        yield (
            f"{balance['found']} of {shown.plural(balance['tested'], 'occupation')} stand with she and he unevenly, "
            f"{balance['skewed']} of them with one in four of five rows or more."
        )
    for step in facts["swaps"].get("steps", ()):
        rows = shown.plural(step["rows"], "row")
        yield f"{step['step']}: of {rows} told of another group, {step['flipped']} cross the threshold of the score."


def _uneven(facts: Facts) -> Iterator[str]:
    """Name the rules that take far more from one task than from the others."""
    for rule in facts["rules"]["list"]:
        for group in rule["groups"]["task"]["list"][:1]:
            lopsided = group["share"] >= UNEVEN * rule["failed_share"] and group["failed"] >= FEW
            if lopsided and not rule["flag"]:
                name, share, usual = group["value"] or "none", shown.share(group["share"]), rule["failed_share"]
                yield f"{rule['id']} removes {share} of task {name}, {shown.share(usual)} of all rows it looks at."


def _skipped(facts: Facts) -> Iterator[tuple[str, str]]:
    """Return every part of the report that has no figures, with the reason."""
    for name, part in [*facts.items(), *facts["safety"].items()]:
        if name in _ASKED and isinstance(part, Mapping) and isinstance(part.get("skipped"), str):
            yield _ASKED[name], part["skipped"]
