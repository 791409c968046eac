"""What an ablation is judged on, and a run again from records of which some are spoilt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import chance, engine, rulebook, rundir
from curate.api import sibling
from curate.errors import UserError
from curate.folders import make
from curate.order import recipe_of
from curate.rundir import RunDir
from curate.schema import ROW
from curate.source import Cleaning, Source

KEY = "planted.json"


def evaluation(run: RunDir, *, share: float, items: int, seed: int, heldout: bool = False) -> pl.DataFrame:
    """Return the rows that score all arms: one for each record, in an ordinary wording.

    Where a held-out source has the task of just one source that is trained on, its rows judge that source. Of the other
    sources some records are set aside: records with equal contents together, whatever the rules say of them, since
    rules that choose what they are judged on would always look good.

    Args:
        run: the run, before any defect is planted.
        share: of the contents of a source that is set aside.
        items: of a source at most.
        seed: decides which.
        heldout: whether all held-out rows judge instead, and no others, each source for itself.

    Returns:
        Columns of the row and `like`: the source that is trained on.

    Raises:
        UserError: when held-out rows are to judge and there are none.
    """
    inverted = {
        template.id
        for family in rulebook.families(None).values() for template in family.templates if template.kind == "inverted"
    }  # fmt: skip
    plain = ~pl.col("template").fill_null("").is_in(list(inverted))
    shown = pl.col("template").fill_null("").str.ends_with(":few_shot")
    rows = run.rows(list(ROW)).filter(plain).with_columns(like=pl.col("source"))
    held = run.heldout(list(ROW)).filter(plain)
    if heldout and not held.height:
        what = "has no held-out rows that could judge"
        raise UserError(str(run.path), what, 'give a source split = "heldout", or leave --heldout out')
    by_task = rows.filter(pl.col("task").is_not_null()).group_by("task").agg(pl.col("source").unique())
    alone = {task: found[0] for task, found in by_task.iter_rows() if len(found) == 1}
    held = held.with_columns(like=pl.col("task").replace_strict(alone, default=None, return_dtype=pl.String))
    held = held.with_columns(pl.coalesce("like", "source")) if heldout else held.filter(pl.col("like").is_not_null())
    rest = rows.clear() if heldout else rows.filter(~pl.col("source").is_in(held["like"].unique().implode()))
    words = rest["content"].fill_null("").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    aside = pl.Series(chance.uniforms(seed, words.to_list(), "evaluation")) < share
    found = pl.concat([held, rest.filter(aside)]).with_columns(shown.alias("_shown")).sort("record", "_shown", "id")
    found = found.unique("record", keep="first", maintain_order=True).drop("_shown")
    order = pl.Series("order", chance.uniforms(seed, found["record"].to_list(), "evaluation item"))
    first = found.with_columns(order).filter(pl.col("order").rank("ordinal").over("like") <= items)
    return first.drop("order").sort("id")


def planted(run: RunDir, judged: pl.DataFrame, *, defect: str, share: float, seed: int, out: Path) -> RunDir:
    """Return the run made again from its records without those that judge it, some of them spoilt.

    Args:
        run: a finished run.
        judged: of `evaluation`; none of its records is trained on.
        defect: see `tune.plan.Defect`.
        share: how much of it.
        seed: decides which records.
        out: folder of the ablation; `planted/run` becomes the run, `key/planted.json` the list of spoilt records.
    """
    records = _records(run.rows(["source", "task", "record", "slots"]))
    asked = _records(judged.select("like", "task", "record", "slots").rename({"like": "source"}))
    aside = set(judged["record"])
    recipe, sources, spoilt = recipe_of(run), [], {}
    plant = sibling("tune.plant").plant
    make(out / "planted")
    for number, source in enumerate(recipe.sources):
        if source.task is None or source.split == "heldout":
            sources.append(source)
            continue
        own = [one for one in records.get(source.name, []) if one["record"] not in aside]
        found, places = plant(own, asked.get(source.name, []), defect=defect, share=share, seed=seed)
        path = (out / "planted" / f"{number}.jsonl").resolve()
        lines = (orjson.dumps({**one["slots"], "_record": place}) for place, one in enumerate(found))
        path.write_bytes(b"".join(line + b"\n" for line in lines))
        spoilt[source.name] = [place + 1 for place in places]
        sources.append(_like(source, path))
    made = recipe.model_copy(update={"sources": tuple(sources), "rejects": 1.0})
    engine.execute(made, out=out / "planted" / "run", store=run.path.resolve().parent / engine.CACHE)
    done = RunDir.open(out / "planted" / "run")
    _write_key(out / "key", done, spoilt, defect)
    return done


def _like(source: Source, path: Path) -> Source:
    """Return a source of the same name and task whose columns are its slots."""
    told: dict[str, Any] = {"path": str(path), "fields": {}, "constants": {}, "labels": {}, "key": "_record"}
    told |= {"records": None, "header": None, "cut": None, "limit": None, "clean": Cleaning(repairs=())}
    return source.model_copy(update=told)


def _records(rows: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return the records of each source with their slots, in the order of their hashes."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows.unique("record", keep="first").sort("record").iter_rows(named=True):
        found.setdefault(row["source"], []).append({**row, "slots": json.loads(row["slots"])})
    return found


def _write_key(folder: Path, done: RunDir, spoilt: Mapping[str, list[int]], defect: str) -> None:
    """Write which records of the new run are spoilt."""
    origins = done.origins()
    parts = [origins.filter((pl.col("source") == name) & pl.col("line").is_in(lines)) for name, lines in spoilt.items()]
    records = pl.concat(parts)["record"].unique().sort().to_list()
    make(folder)
    rundir.write_json(folder / KEY, records)
    rundir.write_json(folder / "defect.json", {"defect": defect, "spoilt": len(records)})
