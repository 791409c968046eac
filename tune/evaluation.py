"""Evaluation of models on held-out rows: scores of each item, means with intervals, and what went wrong."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from curate import lm as models
from curate import rulebook
from curate.errors import INPUT, UserError
from curate.folders import make
from curate.lm import LanguageModel
from curate.rundir import RunDir, file_digest, write_frame, write_json
from curate.schema import prompt_and_response
from tune import answers, character, data, summary, worst
from tune.scoring import Progress, answered

# Of weights while they are judged, whatever they were tuned in: a score may not depend on what was faster today, and in
# bf16 two options less than 0.1 nats apart change places (measured: 0.37 nats between two ways of batching).
_DTYPE = "fp32"
SCORES, PREDICTIONS, EVALUATION = "scores.parquet", "predictions.parquet", "evaluation.json"
# What rows without a task family count as: those of instruction data.
INSTRUCTIONS = "instructions"
_NEEDED = ("record", "id", "source", "task", "template", "messages", "prompt", "response", "slots")


@dataclass(frozen=True)
class Data:
    """What models are evaluated on.

    Args:
        path: the run directory or file.
        rows: held-out rows.
        train: the run's train rows, None for a file.
        manifest: of the run, empty for a file.
    """

    path: Path
    rows: pl.DataFrame
    train: pl.DataFrame | None
    manifest: Mapping[str, Any]

    @property
    def seed(self) -> int:
        """Return the seed of the run."""
        return int(self.manifest.get("seed", 0))


def evaluate(
    model: str,
    *,
    on: str | Path,
    out: str | Path | None = None,
    limit: int | None = None,
    against: Sequence[str] = (),
    progress: Progress = lambda label, done, total: None,
) -> dict[str, Any]:
    """Evaluate a model, and others beside it, on the same held-out rows.

    Written to `out`: scores.parquet (id, record, source, task, template, metric, value), predictions.parquet (what was
    answered), evaluation.json (what is returned); those of the other models in a folder each.

    Args:
        model: `smollm2`, or a folder: a whole model or an adapter.
        on: a run directory, whose held-out rows are taken, or a file: rows of ours as Parquet, or instruction data of
            any format that `curate audit` reads.
        out: the folder; `<on>.<model>` when left out.
        limit: at most so many records of each source, those of the lowest hash.
        against: more models.
        progress: told a label, what is done and the total.

    Returns:
        JSON data: model, data, means, labels, corpora, calibration, outcomes, worst, character (bias and safety),
            against.

    Raises:
        UserError: status 4 without held-out rows, 5 for a missing model.
    """
    known = load(Path(on))
    folder = Path(out) if out is not None else known.path.with_name(f"{known.path.stem}.{_plain(model)}")
    items = asked(known, limit=limit)
    make(folder)
    found: dict[str, Any] = {}
    tables: dict[str, pl.DataFrame] = {}
    for place, name in enumerate(dict.fromkeys([model, *against])):
        into = folder if not place else folder / "against" / f"{place}-{_plain(name)}"
        report, tables[name] = _one(name, items, known=known, out=into, progress=progress)
        if not place:
            found = report
        else:
            found.setdefault("models", [_brief(found)]).append(_brief(report))
    found["against"] = list(summary.beside(tables, seed=known.seed))
    write_json(folder / EVALUATION, found)
    return {"out": str(folder), **found}


def load(path: Path) -> Data:
    """Return the held-out rows of a run, or the rows of a Parquet file.

    Raises:
        UserError: status 4 when there are none, or columns are missing.
    """
    if path.is_dir():
        run = RunDir.open(path)
        rows, train, manifest = run.heldout(), run.rows(), run.manifest
    else:
        rows, train, manifest = _file(path), None, dict[str, Any]()
    if not rows.height:
        fix = 'hold sources out (`split = "heldout"`) or clusters (`heldout = { clusters = […] }`) in the recipe'
        raise UserError(str(path), "has no held-out rows", fix, code=INPUT)
    return Data(path, rows.with_columns(pl.col("task").fill_null(INSTRUCTIONS)), train, manifest)


def _file(path: Path) -> pl.DataFrame:
    """Return rows as they are; conversations of any other file as rows of instruction data."""
    found = data.rows(path)
    if set(_NEEDED) <= set(found.columns):
        return found
    try:
        parts = [prompt_and_response(turns) for turns in found["messages"].to_list()]
    except ValueError as error:
        fix = "leave conversations without an answer out"
        raise UserError(str(path), str(error), fix, code=INPUT) from error
    told = pl.DataFrame(parts, schema={"prompt": pl.String, "response": pl.String}, orient="row")
    nothing = {name: pl.lit(None, dtype=pl.String) for name in ("task", "template", "lang", "slots")}
    content = pl.concat_str("prompt", "response", separator="\n")
    named = found.select("id", "messages").hstack(told)
    return named.with_columns(record=pl.col("id"), source=pl.lit(path.stem), content=content, **nothing)


def asked(known: Data, *, limit: int | None) -> list[answers.Asked]:
    """Return what the rows ask for, of at most `limit` records of each source."""
    recipe = known.manifest.get("recipe", {})
    own = (recipe.get("templates") or {}).get("path")
    places = [] if own is None else [Path(own), Path(known.manifest.get("recipe_file") or ".").parent / own]
    families = rulebook.families(next((place for place in places if place.is_dir()), None))
    found = answers.asked(known.rows, families=families, recipe=recipe)
    if limit is None:
        return found
    records = known.rows.select("source", "record").unique().sort("source", "record")
    kept = set(records.group_by("source", maintain_order=True).head(limit)["record"])
    return [item for item in found if item.row["record"] in kept]


def _one(
    name: str, items: Sequence[answers.Asked], *, known: Data, out: Path, progress: Progress
) -> tuple[dict[str, Any], pl.DataFrame]:
    """Evaluate one model and write what was found."""
    lm = models.load(name, dtype=_DTYPE)
    started = time.perf_counter()
    try:
        scores, predictions = answered(lm, items, progress=progress)
    except ValueError as error:
        raise UserError(f"model '{name}'", str(error), "take a model whose template fits the data") from error
    seconds = time.perf_counter() - started
    facts = _facts(items, known.manifest)
    labelled = predictions.filter(pl.col("task") != "multiple_choice")  # whose options are each row's own
    found = {
        "model": {"name": name, "sha": lm.sha, "dtype": lm.dtype, "parameters": _parameters(lm)},
        "data": _told(known, items),
        "seconds": round(seconds, 1),
        "means": summary.means(scores, facts, seed=known.seed),
        "labels": summary.labelled(labelled, seed=known.seed),
        "corpora": summary.corpora(predictions, scores),
        "calibration": summary.calibrated(predictions),
        "outcomes": predictions.group_by("task", "outcome").len("n").sort("task", "outcome").to_dicts(),
        "worst": worst.worst(predictions, known.rows, train=known.train, progress=progress),
        "character": character.character(lm, known.rows, predictions, progress=progress),
    }
    make(out)
    write_frame(out / SCORES, scores)
    write_frame(out / PREDICTIONS, predictions)
    write_json(out / EVALUATION, found)
    return found, scores


def _facts(items: Sequence[answers.Asked], manifest: Mapping[str, Any]) -> pl.DataFrame:
    """Return the slices of each row: those of its columns, its length, its label, its wording and its setting.

    The setting is zero-shot where the row's cluster of tasks was held out whole (FLAN, Wei et al. 2022).
    """
    clusters = manifest.get("clusters") or {}
    away = set(clusters.get("heldout") or ())
    lines = []
    for item in items:
        row, closed = item.row, item.choice
        words = len(str(row["prompt"]).split()) + len(str(row["response"]).split())
        zero = clusters.get("sources", {}).get(row["source"]) in away if manifest else None
        lines.append(
            {
                "id": row["id"], "task": row["task"], "source": row["source"], "template": row["template"],
                "lang": row.get("lang"), "length": summary.band(words),
                "label": f"{row['source']}: {closed.labels[closed.right]}"
                if closed and row["task"] != "multiple_choice" else None,
                "wording": None if item.unseen is None else "unseen" if item.unseen else "trained",
                "setting": None if zero is None else "zero-shot cluster" if zero else "held-out rows",
            }
        )  # fmt: skip
    schema = dict.fromkeys(("id", *summary.SLICES), pl.String())
    return pl.DataFrame(lines, schema=schema)


def _told(known: Data, items: Sequence[answers.Asked]) -> dict[str, Any]:
    """Return what the evaluation says of its data."""
    file = known.path / "heldout.parquet" if known.path.is_dir() else known.path
    records = {item.row["record"] for item in items}
    return {"path": str(known.path), "sha256": file_digest(file), "rows": len(items), "records": len(records)}


def _parameters(lm: LanguageModel) -> int:
    return sum(one.numel() for one in lm.model.parameters())


def _brief(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of a model beside others."""
    tasks = [one for one in report["means"] if one["by"] == "task"]
    return {"model": report["model"], "seconds": report["seconds"], "means": tasks}


def _plain(name: str) -> str:
    """Return a model's name as part of a file name."""
    last = Path(name).resolve().name if Path(name).exists() else name
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in last)[:60]
