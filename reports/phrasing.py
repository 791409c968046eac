"""How the rows are worded: templates, kinds, how much one of them rules, and prompts that hold their answer."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports import shown
from reports.masking import masked
from reports.view import View, draw, rate

# Templates listed, and how many of the most used ones are shown with a row.
LISTED, RENDERED = 40, 12
# A shorter response stands in many prompts by right: as an option, a label, a name.
LEAK_CHARACTERS = 20
# Records with more different templates than this are counted together.
MOST = 6
# How the template of a row ends in which other records speak.
ENDINGS = {":few_shot": "few-shot", ":multi_turn": "multi-turn"}
AS_GIVEN, UNKNOWN = "as written", "unknown"
# Task families whose answer stands in the prompt by design: among the options, or as a span of the text.
BY_DESIGN = frozenset({"classification", "extraction", "multiple_choice", "nli", "paraphrase", "qa_closed"})
_METHOD = (
    "the kind of a template is the one its file names; a few-shot row has solved examples before its question, a "
    "multi-turn one is the last exchange of a dialogue about several records; rows of instruction files have no "
    "template and stay as they were written; a prompt holds its answer where the whole "
    f"response of at least {LEAK_CHARACTERS} characters stands in it letter by letter, which is right for extraction "
    "and choices among options, and a leak where the answer is to be worked out"
)


def phrasing(view: View) -> dict[str, Any]:
    """Return kinds, the top template of each task, wordings per record, and each template with labels and leaks."""
    if not view.base.height or view.base["template"].null_count() == view.base.height:
        return {"skipped": "the rows name no template"}
    frame = view.base.select("id", "record", "task", "template", "label", "kept").hstack(_leaks(view))
    frame = frame.with_columns(kind=kind(view))
    templates = _templates(frame)
    for one in templates["list"][:RENDERED]:
        chosen = (frame["template"] == one["template"]).fill_null(False)
        drawn = draw(view, chosen & frame["kept"], "template", size=1) or draw(view, chosen, "template", size=1)
        one["row"] = drawn[0]
    return {
        "method": _METHOD,
        "kinds": _kinds(frame),
        "tasks": _tasks(frame),
        "per_record": _per_record(frame),
        **templates,
        "leaks": _leaking(view, frame),
    }


def _leaks(view: View) -> pl.DataFrame:
    """Return for each row whether its prompt holds its response, null where that is too short to tell, (n,) bool."""
    response = pl.col("response").str.strip_chars()
    held = pl.col("prompt").str.contains(response, literal=True)
    long = response.str.len_chars() >= LEAK_CHARACTERS
    return view.run.scan().select(leak=pl.when(long).then(held)).collect()


def kind(view: View) -> pl.Expr:
    """Return the kind of each row's template: of its file by the manifest, where other records speak by the id."""
    kinds: dict[str, str] = {}
    for source in view.manifest["sources"]:
        kinds |= dict.fromkeys([source["format"]], AS_GIVEN) if source.get("format") else {}
        kinds |= {name: kind.replace("_", "-") for name, kind in (source.get("templates") or {}).items()}
    known = pl.col("template").replace_strict(kinds, default=UNKNOWN, return_dtype=pl.String)
    for ending, name in ENDINGS.items():
        known = pl.when(pl.col("template").str.ends_with(ending)).then(pl.lit(name)).otherwise(known)
    return known


def _kinds(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Count the rows of each kind, the largest first."""
    counted = frame.group_by("kind").agg(pl.len().alias("rows"), pl.col("kept").sum()).sort("rows", "kind")
    rows, kept = frame.height, int(frame["kept"].sum())
    return [
        {**one, "share": rate(one["rows"], rows), "kept_share": rate(one["kept"], kept)}
        for one in reversed(counted.to_dicts())
    ]


def _tasks(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Return for each task how many templates it has and the share of the one used most, before and after."""
    found: dict[str | None, dict[str, Any]] = {}
    for side, rows in (("", frame), ("kept_", frame.filter("kept"))):
        counted = rows.group_by("task", "template").len("rows")
        counted = counted.sort("rows", "template", descending=[True, False])
        tops = counted.group_by("task", maintain_order=True).agg(
            pl.col("rows").sum().alias("all"), pl.len().alias("templates"), pl.first("template"), pl.first("rows")
        )
        for task, total, templates, top, count in tops.iter_rows():
            facts = {"rows": total, "templates": templates, "top": top, "top_share": rate(count, total)}
            found.setdefault(task, {"task": task}).update({f"{side}{key}": value for key, value in facts.items()})
    nothing = {"kept_rows": 0, "kept_templates": 0, "kept_top": None, "kept_top_share": 0.0}
    return sorted(({**nothing, **one} for one in found.values()), key=lambda one: (-one["rows"], str(one["task"])))


def _per_record(frame: pl.DataFrame) -> dict[str, Any]:
    """Return in how many different wordings a record comes, before and after."""
    sides: dict[str, pl.DataFrame] = {}
    for side, rows in (("records", frame), ("kept", frame.filter("kept"))):
        sides[side] = rows.group_by("record").agg(pl.n_unique("template").alias("templates"))
    counts = []
    for number in range(1, MOST + 1):
        hit = pl.col("templates") == number if number < MOST else pl.col("templates") >= number
        counted = {side: table.filter(hit).height for side, table in sides.items()}
        counts += [{"templates": f"{number}" if number < MOST else f"{number} and more", **counted}]
    mean = {side: rate(float(table["templates"].sum()), table.height) for side, table in sides.items()}
    return {
        "records": sides["records"].height,
        "kept": sides["kept"].height,
        "mean": round(mean["records"], 3),
        "kept_mean": round(mean["kept"], 3),
        "counts": [one for one in counts if one["records"]],
    }


def _templates(frame: pl.DataFrame) -> dict[str, Any]:
    """Return the templates used most, each with its largest label and the rows whose prompt holds the answer."""
    counted = frame.group_by("template", "task", "kind").agg(
        pl.len().alias("rows"),
        pl.col("kept").sum(),
        pl.col("leak").is_not_null().sum().alias("leak_of"),
        pl.col("leak").sum().alias("leaks"),
        (pl.col("leak") & pl.col("kept")).sum().alias("kept_leaks"),
    )
    counted = counted.sort("rows", "template", "task", descending=[True, False, False], nulls_last=True)
    listed = counted.head(LISTED).to_dicts()
    labels = _labels(frame)
    for one in listed:
        one |= {"share": rate(one["rows"], frame.height), "leak_share": rate(one["leaks"], one["leak_of"])}
        one["labels"] = labels.get((one["template"], one["task"]))
    return {"list": listed, "distinct": counted.height, "left_out": counted.height - len(listed)}


def _labels(frame: pl.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the largest label of each template among the kept rows and its share, where rows have a label."""
    labelled = frame.filter(pl.col("label").is_not_null() & pl.col("kept"))
    counted = labelled.group_by("template", "task", "label").len("rows")
    counted = counted.sort("rows", "label", descending=[True, False])
    tops = counted.group_by("template", "task", maintain_order=True).agg(
        pl.first("label"), pl.first("rows"), pl.len().alias("distinct"), pl.col("rows").sum().alias("all")
    )
    return {
        (template, task): {
            "label": shown.clipped(masked(label)[0], 60), "rows": rows, "share": rate(rows, total), "distinct": distinct
        }
        for template, task, label, rows, distinct, total in tops.iter_rows()
    }  # fmt: skip


def _leaking(view: View, frame: pl.DataFrame) -> dict[str, Any]:
    """Count the prompts that hold their answer, those of tasks where it must be worked out apart, with examples."""
    leak = frame["leak"].fill_null(False)
    design = frame["task"].is_in(pl.Series(sorted(BY_DESIGN)).implode()).fill_null(False)
    doubtful = leak & ~design
    kept = doubtful & frame["kept"]
    drawn = draw(view, kept if kept.any() else doubtful, "answer in the prompt", size=3)
    return {
        "checked": frame.height - frame["leak"].null_count(),
        "rows": int(leak.sum()),
        "kept": int((leak & frame["kept"]).sum()),
        "doubtful": int(doubtful.sum()),
        "kept_doubtful": int(kept.sum()),
        "by_design": sorted(BY_DESIGN),
        "examples": [{"row": row} for row in drawn],
    }
