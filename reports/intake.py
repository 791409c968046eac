"""What was read, what was refused and what was repaired."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from reports import shown
from reports.masking import masked
from reports.view import View, rate

# Rejected records shown, and characters of each.
SHOWN, EXCERPT = 12, 160
CAUSES = 30
# The reader keeps the first 200 characters or bytes of a rejected record, of which the last may be half a character.
KEPT = 200
# What a cut may have halved, and with it made an address or a key too short to be found.
_LAST_WORD = re.compile(r"[^\s\"',;:]*$")


def sources(view: View) -> list[dict[str, Any]]:
    """Return each source as it was read."""
    keys = ("name", "task", "format", "detected", "split", "license", "lang", "records_read", "rejects", "left_out")
    found = []
    for source in view.manifest["sources"]:
        facts = {key: source.get(key) for key in (*keys, "rows")}
        facts["reject_share"] = rate(source["rejects"], source["records_read"])
        facts["repairs"] = dict(sorted((source.get("repairs") or {}).items()))
        facts["inferred_template"] = source.get("inferred_template")
        found.append(facts)
    return found


def rejects(view: View) -> dict[str, Any]:
    """Return the causes of rejected records and the first of each cause; and the rows on which steps raised, if any."""
    listed, failed = view.run.rejects(), view.run.failures()
    failures = {"failures": _failures(failed)} if failed else {}
    if not listed:
        return {"total": 0, "causes": [], "examples": [], **failures}
    causes: Counter[tuple[str, str]] = Counter()
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for reject in listed:
        key = (str(reject.get("source")), str(reject.get("cause")))
        causes[key] += 1
        first.setdefault(key, reject)
    ordered = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    return {
        "method": (
            "every record that could not be read or that no template fits; the first of each cause is shown, "
            "personal data masked"
        ),
        "total": len(listed),
        "causes": [{"source": key[0], "cause": _line(key[1]), "rows": rows} for key, rows in ordered[:CAUSES]],
        "left_out": max(0, len(ordered) - CAUSES),
        "examples": [_example(first[key]) for key, _ in ordered[:SHOWN]],
        **failures,
    }


def _failures(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return how many rows each step raised on, and its first error."""
    steps = Counter(str(one["step"]) for one in listed)
    first = {str(one["step"]): one for one in reversed(listed)}
    return {
        "rows": len({one["id"] for one in listed}),
        "steps": [
            {"step": step, "rows": rows, "row": first[step]["id"], "error": _line(first[step]["error"])}
            for step, rows in sorted(steps.items())
        ],
    }


def _example(reject: dict[str, Any]) -> dict[str, Any]:
    """Return one rejected record; its excerpt loses the word that the reader may have cut."""
    excerpt = str(reject.get("excerpt") or "")
    if len(excerpt.encode("utf-8", "replace")) >= KEPT - len("\ufffd".encode()):
        excerpt = f"{_LAST_WORD.sub('', excerpt)}…"
    return {
        "place": shown.line(f"{reject.get('file')}:{reject.get('line')}"),
        "source": str(reject.get("source")),
        "cause": _line(str(reject.get("cause"))),
        "excerpt": _line(excerpt),
    }


def _line(text: str) -> str:
    """Return the beginning of a text without personal data."""
    return shown.clipped(masked(text)[0], EXCERPT)
