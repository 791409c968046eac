"""The two reports of `reports/gallery/`. `make fix` writes them, a test compares them with fresh runs.

    gallery/demo    rules/recipes/demo.toml
    gallery/audit   `curate audit` of two files of the bundled sample, faults planted in both

Each holds `report.json` and `report.html`. Three kinds of values are left out or compared with care:

- Bound to the moment or the machine: `timing`, `provenance.workers`, the versions of other packages, and the folder
  that the project lies in. `settled` puts neutral values in their place (0 seconds, no date, paths from the project's
  root), so that they are not in the files at all.
- Bound to the versions of libraries: size and hash of mix.parquet, which names the writer. And the hash of a recipe
  that holds the path of the audited file. They are in the files, as they are in any report, and `comparable` takes
  them out on both sides.
- Bound to embeddings, whose last bits differ between kinds of processors, and with them which rows are drawn, named
  or flagged. Where the distances came out otherwise than in the committed file, `comparable` is asked to leave out the
  parts in `VECTORS`; where they agree everything must.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from curate import api
from curate.audit import audit_recipe
from curate.recipe import load_recipe
from curate.rundir import write_json, write_text
from reports import html, quality

ROOT = Path(__file__).resolve().parent.parent.parent
GALLERY = ROOT / "reports" / "gallery"
SAMPLES = ("demo", "audit")
AUDITED = ("rules/samples/requests_alpaca.json", "rules/samples/garden_messages.jsonl")
# Parts of the facts where a rank by distance, or a row chosen by one, may show.
VECTORS = ("headline", "rules", "measures", "worth", "alerts", "next", "rows", "diversity", "embedding_map", "fairness",
           "sample", "reviews", "safety", "duplicates", "labels")  # fmt: skip
PICTURE = "1280,900"


def fresh(sample: str, folder: Path) -> dict[str, Any]:
    """Run a sample from the root of the project, as a reader would, and return its settled facts."""
    with chdir(ROOT):
        if sample == "demo":
            recipe, name = load_recipe("rules/recipes/demo.toml"), "runs/demo"
        else:
            recipe = audit_recipe([Path(file) for file in AUDITED], seed=0)
            name = f"runs/{recipe.name}"
        api.attempt(recipe, out=folder / sample, workers=1, fresh=False, progress=lambda label, done, total: None)
        return settled(quality.facts(folder / sample, name=name))


def settled(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts as JSON reads them back, with neutral values for what is bound to a moment or a machine."""
    found: dict[str, Any] = json.loads(json.dumps(facts, ensure_ascii=False).replace(f"{ROOT}{os.sep}", ""))
    found["timing"] = _still(found["timing"])
    found["provenance"]["workers"] = None
    versions = found["provenance"]["versions"]
    found["provenance"]["versions"] = {name: versions[name] for name in versions if name == "curatune"}
    return found


def _still(part: Any) -> Any:
    """Return timing in which no time has passed; names and kinds of stages and steps stay."""
    if isinstance(part, dict):
        return {key: _still(value) for key, value in part.items()} | ({"started": None} if "started" in part else {})
    if isinstance(part, list):
        return [_still(item) for item in part]
    return part if isinstance(part, str) else False if isinstance(part, bool) else None if part is None else 0.0


def comparable(facts: dict[str, Any], *, vectors: bool) -> dict[str, Any]:
    """Return what must be equal in two runs of a sample, with or without the parts that embeddings show in."""
    found = copy.deepcopy(facts)
    del found["provenance"]["recipe_sha256"]
    for file in found["provenance"]["outputs"]:
        for key in ("bytes", "row_bytes", "sha256"):
            del file[key]
    return {key: value for key, value in found.items() if vectors or key not in VECTORS}


def distances(facts: dict[str, Any]) -> Any:
    """Return the figures that tell whether the embeddings of two runs agree."""
    spread = [one for one in facts["measures"]["list"] if one["name"].endswith(".distance")]
    return spread, facts["diversity"], facts["embedding_map"]


def committed(sample: str) -> dict[str, Any]:
    """Return the facts in the gallery."""
    found: dict[str, Any] = json.loads((GALLERY / sample / "report.json").read_text(encoding="utf-8"))
    return found


def write(sample: str) -> None:
    """Write a sample of the gallery anew."""
    with tempfile.TemporaryDirectory() as folder:
        facts = fresh(sample, Path(folder))
    (GALLERY / sample).mkdir(parents=True, exist_ok=True)
    write_json(GALLERY / sample / "report.json", facts)
    write_text(GALLERY / sample / "report.html", html.render(facts))


def picture() -> None:
    """Take the README's picture of the demo's first page with Chromium; its bytes differ between machines."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit("the picture needs chromium: apt-get install chromium")
    flags = ["--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={PICTURE}"]
    page, target = GALLERY / "demo" / "report.html", GALLERY / "demo.png"
    subprocess.run([browser, *flags, f"--screenshot={target}", page.as_uri()], check=True, capture_output=True)


if __name__ == "__main__":
    os.environ["HF_HUB_OFFLINE"] = "1"
    if "--picture" in sys.argv:
        picture()
    else:
        for one in SAMPLES:
            write(one)
