"""What each keep rule does: to how many rows, to which groups, close to its bound, and with which others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from reports import shown
from reports.distribution import distribution
from reports.masking import masked
from reports.rule_use import order, overlap, used
from reports.view import View, draw, rate

# Examples per rule: four victims by chance show what it typically hits, the closest on both sides show where it cuts.
DRAWN, CLOSEST = 4, 3
# How far the bound is moved for "what if".
MOVE = 0.1
# Groups listed per rule.
LISTED = 12
# More rows than this at the same distance from a bound are not close to it, they are the bulk: a fair draw says more.
TIED = 20


def rules(view: View) -> dict[str, Any]:
    """Return the facts of every rule and how often two rules hit the same row."""
    found = view.rules
    if not found:
        return {"skipped": "the recipe has no keep rules", "list": [], "files": view.manifest.get("rule_files", [])}
    hits, use = _hits(view), used(view)
    return {
        "method": (
            "counts are over the rows alive at the rule's stage; a row's first cause is the first rule of the recipe "
            "that it fails; unique rows fail no other rule of that stage; hit and alone count over all "
            "stages; unknown rows have no value and stay"
        ),
        "list": [{**_rule(view, rule, hits), **use[rule["id"]]} for rule in found],
        "files": view.manifest.get("rule_files", []),
        "overlap": overlap(view),
        "order": order(view),
    }


def sentence(rule: Mapping[str, Any]) -> str:
    """Return the rule in words."""
    bounds = [f"at {'least' if key == 'min' else 'most'} {rule[key]:g}" for key in ("min", "max") if key in rule]
    if bounds:
        test = f"{rule['signal']} is {' and '.join(bounds)}"
    elif "is" in rule:
        test = f"{rule['signal']} is {_value(rule['is'])}"
    elif "any_of" in rule:
        test = f"{rule['signal']} is or holds any of {_values(rule['any_of'])}"
    else:
        test = f"{rule['signal']} is and holds none of {_values(rule.get('none_of', ()))}"
    limits = " and ".join(f"{key} is {' or '.join(values)}" for key, values in where(rule).items())
    text = f"Flags rows unless {test}; drops nothing" if rule.get("flag") else f"Keeps rows whose {test}"
    return text + (f"; looks only at rows where {limits}." if limits else ".")


def where(rule: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the values that a rule is limited to, by column."""
    return {key: _listed(value) for key, value in (rule.get("where") or {}).items()}


def covered(view: View, rule: Mapping[str, Any]) -> pl.Series:
    """Return which rows a rule looks at: alive at its stage and within its `where`, (n,) bool."""
    inside = view.alive(rule["index"])
    for column, values in where(rule).items():
        known = view.base[column] if column in view.base.columns else view.columns([column])[column]
        if known.dtype.is_numeric():
            wanted = pl.Series([float(value) for value in values])
            inside = inside & known.cast(pl.Float64).is_in(wanted.implode()).fill_null(False)
        else:
            inside = inside & known.cast(pl.String).is_in(pl.Series(values).implode()).fill_null(False)
    return inside


def failed(view: View, rule_id: str) -> pl.Series:
    """Return which rows the engine recorded as failing a rule, (n,) bool."""
    by = (pl.col(name).list.contains(rule_id) for name in ("dropped_by", "flagged_by"))
    return view.base.select(pl.any_horizontal(*by)).to_series()


def _listed(value: Any) -> list[str]:
    return [_value(item) for item in (value if isinstance(value, list | tuple) else [value])]


def _value(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _values(values: Sequence[Any]) -> str:
    return ", ".join(map(_value, values))


def _hits(view: View) -> pl.DataFrame:
    """Return rule, source, task and the number of rows for every rule that failed anywhere."""
    by = pl.concat_list(pl.col("dropped_by", "flagged_by").fill_null([])).alias("rule")
    hits = view.base.lazy().select(by, "source", "task").filter(pl.col("rule").list.len() > 0).explode("rule")
    return hits.group_by("rule", "source", "task").len("hit").collect()


def _rule(view: View, rule: Mapping[str, Any], hits: pl.DataFrame) -> dict[str, Any]:
    """Return the facts of one rule."""
    keys = ("id", "stage", "signal", "form", "why", "evaluated", "failed", "first", "unique", "unknown")
    facts: dict[str, Any] = {key: rule[key] for key in keys}
    facts |= {key: rule[key] for key in ("min", "max", "is", "any_of", "none_of") if key in rule}
    facts |= {"flag": bool(rule.get("flag")), "unproven": rule.get("unproven"), "where": where(rule)}
    facts["sentence"] = sentence(rule)
    facts["failed_share"] = rate(rule["failed"], rule["evaluated"])
    facts["unknown_share"] = rate(rule["unknown"], rule["evaluated"])
    facts["step"] = _step(view, str(rule["signal"]).split(".")[0])
    inside = covered(view, rule)
    facts["groups"] = {name: _groups(view, inside, hits.filter(pl.col("rule") == rule["id"]), name) for name in
                       ("source", "task")}  # fmt: skip
    if rule["signal"] not in view.signals:
        return facts | {"distribution": {"skipped": f"the run has no column {rule['signal']}"}, "examples": {}}
    frame = pl.DataFrame(
        {
            "id": view.base["id"],
            "value": view.columns([rule["signal"]])[rule["signal"]],
            "failed": failed(view, rule["id"]),
            "inside": inside,
        }
    )
    bounds = [float(rule[key]) for key in ("min", "max") if key in rule]
    seen = frame.filter("inside")
    closed = "right" if "max" in rule and "min" not in rule else "left"
    facts["distribution"] = distribution(seen["value"], seen["failed"], bounds=bounds, closed=closed)
    facts["what_if"] = _what_if(seen["value"], rule)
    facts["examples"] = _examples(view, rule, frame, bounds)
    return facts


def _step(view: View, name: str) -> str:
    """Return the step behind the name of its signals."""
    uses = (step for stage in view.manifest["stages"] for step in stage["steps"])
    return next((str(step["step"]) for step in uses if step["as"] == name), name)


def _groups(view: View, inside: pl.Series, hits: pl.DataFrame, column: str) -> dict[str, Any]:
    """Return the share that fails in each source or task, the highest first, and how many groups are spared."""
    rows = view.base.lazy().select(column).filter(inside).group_by(column).len("rows").collect()
    hit = hits.group_by(column).agg(pl.col("hit").sum())
    table = rows.join(hit, on=column, how="left", nulls_equal=True).with_columns(pl.col("hit").fill_null(0))
    table = table.with_columns((pl.col("hit") / pl.col("rows")).alias("share"))
    failing = table.filter(pl.col("hit") > 0).sort("share", "rows", column, descending=[True, True, False])
    listed = [
        {"value": value, "rows": rows, "failed": hit, "share": share}
        for value, rows, hit, share in failing.head(LISTED).iter_rows()
    ]
    spared = table.height - failing.height
    return {"list": listed, "left_out": failing.height - len(listed), "spared": spared}


def _what_if(values: pl.Series, rule: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return how many rows of the stage would fail with each bound moved a little both ways."""
    if not values.dtype.is_numeric():
        return []
    moved = []
    for key in ("min", "max"):
        bound = rule.get(key)
        if bound is None or (bound == 0 and not values.dtype.is_integer()):
            continue  # a tenth of nothing is nothing
        step = abs(bound) * MOVE
        if values.dtype.is_integer():
            step = max(1.0, round(step))
        for direction in (-1, 1):
            at = round(bound + direction * step, 9)
            if at < 0 and values.dtype.is_unsigned_integer():
                continue
            fails = _fails(values, {**rule, key: at})
            looser = (direction < 0) == (key == "min")
            change = fails - rule["failed"]
            moved.append({"bound": key, "at": at, "looser": looser, "failed": fails, "change": change})
    return moved


def _fails(values: pl.Series, rule: Mapping[str, Any]) -> int:
    """Count the values outside the bounds."""
    outside = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    if "min" in rule:
        outside = outside | (values < rule["min"]).fill_null(False)
    if "max" in rule:
        outside = outside | (values > rule["max"]).fill_null(False)
    return int(outside.sum())


def _examples(view: View, rule: Mapping[str, Any], frame: pl.DataFrame, bounds: Sequence[float]) -> dict[str, Any]:
    """Return rows on both sides of the rule: some victims by chance, and the closest to its bound."""
    on_failed = frame["failed"] & frame["inside"]
    on_passed = ~frame["failed"] & frame["inside"] & frame["value"].is_not_null()
    facts: dict[str, Any] = {"failed_of": int(on_failed.sum()), "passed_of": int(on_passed.sum())}
    facts["drawn"] = _valued(frame, draw(view, on_failed, f"victims of {rule['id']}", size=DRAWN))
    keeper = f"{rule['signal'].split('.')[0]}.keeper"
    facts["closest_failed"], facts["closest_passed"] = [], []
    if bounds and frame["value"].dtype.is_numeric() and keeper not in view.signals:
        drawn = [example["row"] for example in facts["drawn"]]
        rest = on_failed & ~frame["id"].is_in(pl.Series(drawn, dtype=pl.String).implode())
        facts["closest_failed"] = _valued(frame, _closest(frame.filter(rest), bounds))
        facts["closest_passed"] = _valued(frame, _closest(frame.filter(on_passed), bounds))
    size = 0 if facts["closest_passed"] else CLOSEST
    facts["drawn_passed"] = _valued(frame, draw(view, on_passed, f"kept by {rule['id']}", size=size))
    return facts


def _closest(frame: pl.DataFrame, bounds: Sequence[float]) -> list[str]:
    """Return the ids of the rows nearest to a bound, none when many are equally near."""
    distances = [(pl.col("value").cast(pl.Float64) - bound).abs() for bound in bounds]
    near = frame.select("id", distance=pl.min_horizontal(*distances))
    near = near.filter(pl.col("distance") <= pl.col("distance").bottom_k(CLOSEST).max())
    if near.height > TIED:
        return []
    return near.sort("distance", "id").head(CLOSEST)["id"].to_list()


def _valued(frame: pl.DataFrame, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return each row with its value of the signal, in the order given."""
    if not ids:
        return []
    wanted = pl.DataFrame({"id": list(ids)})
    found = wanted.join(frame.filter(pl.col("id").is_in(wanted["id"].implode())), on="id", maintain_order="left")
    return [{"row": row, "value": _shown_value(value)} for row, value in found.select("id", "value").iter_rows()]


def _shown_value(value: Any) -> str:
    if isinstance(value, int | float) or value is None:
        return shown.number(value)
    text = ", ".join(map(str, value)) or "(none)" if isinstance(value, list) else str(value)
    return shown.clipped(masked(text)[0], 80)
