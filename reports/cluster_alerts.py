"""Alerts about clusters of copies that look like a template or a text that was read too often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import Facts, alert, explain, look
from reports.masking import masked

# Characters of a span in a sentence.
SPAN = 80


def _large(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of clusters that hold more than a hundredth of a source."""
    for step, clusters, first in _alarming(facts, "large"):
        share = shown.share(first["rows"] / first["source_rows"])
        count = f"{shown.count(clusters)} groups of copies hold" if clusters > 1 else "A group of copies holds"
        text = f"{count} over 1 % of a source, found by {step['name']}: {_rows(first, clusters)}, {share} of it. "
        text += _shared(first)
        of = (first["rows"], first["source_rows"])
        yield alert("warning", text, explain(facts, first["keeper"]["row"]), of=of, section="duplicates")


def _only_frequent(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell of clusters whose rows may be no copies: what they share stands in many other rows."""
    for step, clusters, first in _alarming(facts, "only_frequent"):
        count = f"{shown.count(clusters)} groups" if clusters > 1 else "A group"
        text = f"{count} of copies that {step['name']} found {shown.verb(clusters, 'share', 'shares')} only text that "
        text += f"many other rows have: {_rows(first, clusters)}. {_shared(first)}"
        of = (first["rows"], first["source_rows"])
        yield alert("warning", text, explain(facts, first["keeper"]["row"]), of=of, section="duplicates")


def _template(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell what was taken for template text: rows that differ in it alone are copies of each other."""
    for source in facts["sources"]:
        found = source.get("inferred_template")
        if found and found["rows"]:
            text = (
                f"In source {source['name']} {shown.share(found['words_share'])} of the words are taken for a template "
                f"and not compared, most often “{shown.clipped(masked(found['most'][0]['text'])[0], SPAN)}”: rows that "
                f"differ in them alone count as copies. If they tell tasks apart, set infer_template = false."
            )
            of = (found["rows"], max(found["rows"], source["rows"]))
            severity = "warning" if facts["duplicates"]["steps"] else "note"
            yield alert(severity, text, look(facts, "manifest.json"), of=of, section="intake")


def _alarming(facts: Facts, kind: str) -> Iterator[tuple[Facts, int, Facts]]:
    """Yield each step with alarms of a kind, how many, and the first of them."""
    for step in facts["duplicates"]["steps"]:
        listed = [one for one in step["alarms"]["list"] if one[kind]] if step["copies"] else []
        if listed:
            yield step, step["alarms"][kind], listed[0]


def _rows(cluster: Facts, clusters: int) -> str:
    largest = "the largest " if clusters > 1 else ""
    return f"{largest}{shown.plural(cluster['rows'], 'row')} of source {cluster['source']}"


def _shared(cluster: Facts) -> str:
    span = shown.clipped(cluster["span"], SPAN)
    return f"All that were read share “{span}”." if span else "Those that were read share no run of words."


CHECKS = (_large, _only_frequent, _template)
