"""What trials say of the rules of a run, and the page of one trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from curate.rundir import write_text
from reports.view import View

FOLDER, FILE, PAGE = "ablations", "ablation.json", "ablation.html"
METHOD = (
    "each arm is trained with the same seeds, as many examples and the same shares of sources; the thick line is the "
    "95 % interval over seeds that decides, the dashed one that over seeds and items; p is Holm's over the declared "
    "contrasts; inside the shaded margin no difference matters"
)


def ablation(view: View) -> dict[str, Any]:
    """Return all trials that lie in the run, each with whether it was made of this very mix."""
    trials = []
    for path in sorted((view.run.path / FOLDER).glob(f"*/{FILE}")):
        found = json.loads(path.read_text(encoding="utf-8"))
        same = found["recipe_sha256"] == view.manifest["recipe_sha256"]
        keys = (
            "name",
            "why",
            "tier",
            "metric",
            "margin",
            "items",
            "contrasts",
            "efficiency",
            "alerts",
            "arms",
            "pilot",
        )
        told = {key: found[key] for key in keys}
        trials.append(
            {**told, "seeds": len(found["seeds"]), "current": same, "page": f"{FOLDER}/{path.parent.name}/{PAGE}"}
        )
    if not trials:
        return {"skipped": "no rule of this run was put on trial"}
    return {"method": METHOD, "trials": trials}


def ablated(folder: Path) -> None:
    """Write the page of a trial.

    Args:
        folder: of the ablation; it holds ablation.json and analysis.json.
    """
    from reports import html

    found = json.loads((folder / FILE).read_text(encoding="utf-8"))
    analysis = json.loads((folder / "analysis.json").read_text(encoding="utf-8"))
    trial = {**found, "seeds": len(found["seeds"]), "current": True, "page": ""}
    facts = {"trial": trial, "analysis": analysis, "method": METHOD}
    write_text(folder / PAGE, html.ablation(facts))
