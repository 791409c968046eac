"""How many copies a duplicate step finds of those that there are, as the step itself measured it."""

from __future__ import annotations

from typing import Any

from reports import shown
from reports.view import View


def completeness(view: View, name: str, step: str) -> dict[str, Any]:
    """Return what is known of the copies that a step may have missed.

    Returns:
        text: a sentence; sampled, true and found: texts of the sample, their copies, and those that the step came to
        look at, null where nothing can be missed.
    """
    none = {"sampled": None, "true": None, "found": None}
    join, recall = view.run.table(f"{name}.join"), view.run.table(f"{name}.recall")
    if join is not None and "sampled_pairs" in join.columns:
        facts = join.row(0, named=True)
        true, found = facts["sampled_pairs"], facts["sampled_found"]
        text = (
            f"a pair at {facts['threshold']:g} is found with probability {facts['expected_recall']:.4f}, closer ones "
            f"more surely; of the {shown.plural(true, 'true pair')} of {shown.count(facts['sampled'])} texts drawn by "
            f"chance {shown.count(found)} {shown.verb(found, 'were', 'was')} found"
        )
        return {"text": text, "sampled": facts["sampled"], "true": true, "found": found}
    if join is not None:
        low = f"{join['threshold'].item():g}"
        return {"text": f"every pair at {low} or above was found: the join leaves none out", **none}
    if recall is not None and recall.height:
        facts = recall.row(0, named=True)
        text = (
            f"neighbours were looked for in an index; of {shown.count(facts['similar'])} copies among "
            f"{shown.count(facts['sampled'])} texts {shown.count(facts['found'])} were found"
        )
        return {"text": text, "sampled": facts["sampled"], "true": facts["similar"], "found": facts["found"]}
    if recall is not None:
        return {"text": "every text was compared with all keepers before it: none was missed", **none}
    if step == "exact":
        return {"text": "equal texts have equal hashes: none was missed", **none}
    return {"text": "how many copies were missed was not measured", **none}
