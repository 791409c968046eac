"""Labels that look wrong, by source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reports import shown
from reports.alert import Facts, alert, explain
from reports.view import View

# Estimated share of wrong labels from which a source is named. The estimate adds what the classifier itself gets wrong:
# for four sources as published it was 0.03 to 0.12, with one label in ten flipped 0.14 to 0.25.
NOISY = 0.13
_TABLE = "sources"


def label_noise(view: View) -> dict[str, Any]:
    """Return for each step that looks at labels its sources, the noisiest first, with a suspect of each."""
    names = [name.removesuffix(".suspect") for name in view.signals if name.endswith(".suspect")]
    tables = {name: view.run.table(f"{name}.{_TABLE}") for name in names}
    steps = []
    for name, table in tables.items():
        if table is None or "noise" not in table.columns:
            continue
        ranked = table.sort("noise", "source", descending=[True, False], nulls_last=True)
        signals = view.columns([f"{name}.suspect", f"{name}.score"]).rename(lambda one: one.split(".")[-1])
        found = view.base.select("id", "source").hstack(signals).filter("suspect")
        worst = dict(found.sort("score", "id", descending=[False, True]).select("source", "id").iter_rows())
        lines = [one | ({"row": worst[one["source"]]} if one["source"] in worst else {}) for one in ranked.to_dicts()]
        steps.append({"name": name, "sources": lines})
    if not steps:
        return {"skipped": "no step of the recipe looks for labels that are wrong: add the step `label_noise`"}
    method = (
        "labels are compared with what a small classifier, fitted to the other records of the source, expects; the "
        "estimate counts what the classifier gets wrong too, so it is an upper bound more than a measurement"
    )
    return {"method": method, "bound": NOISY, "steps": steps}


def _noisy(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the sources whose labels are wrong too often."""
    for step in facts["label_noise"].get("steps", ()):
        for source in step["sources"]:
            if "row" in source and (source["noise"] or 0) > facts["label_noise"]["bound"]:
                share, count = shown.share(source["noise"]), shown.plural(source["suspects"], "record")
                text = f"About {share} of the labels of {source['source']} look wrong (estimate): {count} suspected."
                of = (source["suspects"], source["records"])
                yield alert("warning", text, explain(facts, source["row"]), of=of, section="labels", unit="record")


CHECKS = (_noisy,)
