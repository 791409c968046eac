"""Two runs side by side as plain data: what changed, and whether newly collected data looks like the old."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curate.rundir import write_json, write_text
from reports.compare_recipe import recipe, rules, stages, totals
from reports.compare_rows import matching
from reports.compare_vectors import clouds
from reports.compare_words import characteristic_words
from reports.compare_worth import changes, following, verdict, worth
from reports.drift import drift
from reports.examples import difference, texts
from reports.pair import SIDES, Pair, open_pair

SCHEMA = 1


def compare(run: Path, against: Path) -> dict[str, Any]:
    """Write compare.json and compare.html into a run directory and return the facts.

    Args:
        run: the run in question, told as the new one.
        against: the run it is held against, told as the old one.

    Raises:
        UserError: when one is no finished run.
    """
    from reports import html  # a template engine and chart libraries, of no use to `facts`

    found = facts(run, against)
    page = html.comparison(found)
    write_json(run / "compare.json", found)
    write_text(run / "compare.html", page)
    return found


def facts(run: Path, against: Path) -> dict[str, Any]:
    """Return what differs between two runs, JSON-able; equal runs give equal facts.

    Args:
        run: the run in question, told as the new one.
        against: the run it is held against, told as the old one.

    Raises:
        UserError: when one is no finished run.
    """
    pair = open_pair(run, against)
    names = [str(view.manifest["name"]) for view in pair.views]
    if names[0] == names[1]:  # one recipe run twice: the folders tell them apart
        names = [path.resolve().name for path in (against, run)]
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "headline": {"run": str(run), "against": str(against), "names": dict(zip(SIDES, names, strict=True))},
        "totals": totals(pair),
        "funnel": stages(pair),
        "recipe": recipe(pair),
        "matching": matching(pair),
        "rules": rules(pair),
        "drift": drift(pair),
        "words": characteristic_words(pair),
        "clouds": clouds(pair),
    }
    found["headline"] |= verdict(found)
    found["changes"] = changes(found)
    found["worth"] = worth(pair, found)
    found["next"] = following(found)
    found["rows"] = _texts(pair, found)
    return found


def _texts(pair: Pair, found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows shown as each run has them, by side and id; those whose text changed with the difference."""
    wanted = list(_examples(found))
    rows: dict[str, dict[str, Any]] = {}
    for side, view in zip(SIDES, pair.views, strict=True):
        rows[side] = texts(view, [example["row"] for example in wanted if side in example["sides"]])
    for row, new in rows["new"].items():
        old = rows["old"].get(row)
        if old is not None:
            parts = [part for part in ("prompt", "response") if old[part] != new[part]]
            new["difference"] = {part: difference(old[part], new[part]) for part in parts}
    return rows


def _examples(found: Any) -> Any:
    """Yield everything at any depth that names a row and the runs it stands in."""
    if isinstance(found, dict):
        if "row" in found and "sides" in found:
            yield found
        for value in found.values():
            yield from _examples(value)
    elif isinstance(found, list):
        for value in found:
            yield from _examples(value)
