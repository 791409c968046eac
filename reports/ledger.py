"""How the shares of the mix came about: at ingest, after every stage, aimed at and realised, and what moved them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from reports import shown
from reports.alert import Facts, alert, group, rerun
from reports.masking import masked
from reports.phrasing import kind
from reports.view import View, rate

# Values listed of one column; the others stand in one line, so that every table adds up.
LISTED = 20
COLUMNS = {
    "source": "Source",
    "task": "Task family",
    "cluster": "Cluster of tasks",
    "template": "Template",
    "kind": "Kind of template",
    "lang": "Language, declared",
    "turns": "Turns",
}
COPIES = "copies"
# Passes over the same rows after which more of them teach next to nothing (Muennighoff et al. 2023).
EPOCHS = 4
# Half of the sum of the differences to all target shares from which a mix is another one than was asked for. Rounding
# to whole rows stays under it from 50 rows a group.
ASTRAY = 0.02
# Difference of two shares that is worth a word: a smaller one does not show in whole per cent.
NOTABLE = 0.01
_METHOD = (
    "share of all rows at ingest and of those left after each stage; in the mix a row counts as often as its copies; "
    "each dropped row is counted to its first cause, so what all rules and the copies move adds up to the difference "
    "between ingest and mix; epochs are copies ÷ different rows; a target is set for the groups that a step mixes, and "
    "follows for other columns from what each of these groups holds where the step sees it"
)
_Counts = npt.NDArray[np.int64]


def ledger(view: View) -> dict[str, Any]:
    """Return rows and shares of each value of the descriptive columns along the run, and the targets of mixes."""
    if not view.base.height:
        return {"skipped": "the run has no rows"}
    rules = [rule for rule in view.rules if not rule.get("flag")]
    mixes = [_mix(view, *found) for found in _mixing(view)]
    base = view.base.with_columns(kind=kind(view), cluster=_cluster(view), cause=_causes(view, rules))
    stages = [stage["name"] for stage in view.manifest["stages"]]
    columns = [
        {"column": column, "title": title, **_column(base, column, rules, len(stages), _targets(mixes, column, base))}
        for column, title in COLUMNS.items()
        if base[column].null_count() < base.height
    ]
    return {"method": _METHOD, "stages": stages, "columns": columns, "mixes": mixes}


def _cluster(view: View) -> pl.Expr:
    """Return the cluster of each row's source, as the manifest has it."""
    known = {name: one for name, one in view.manifest.get("clusters", {}).get("sources", {}).items() if one is not None}
    return pl.col("source").replace_strict(known, default=None, return_dtype=pl.String)


def _causes(view: View, rules: list[dict[str, Any]]) -> pl.Series:
    """Return the place of the rule that each row was dropped by first, the number of rules for kept rows; (n,) i64."""
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    first = view.base["dropped_by"].list.first()
    known = first.replace_strict(places, return_dtype=pl.Int64) if places else pl.Series([None] * len(first))
    return known.cast(pl.Int64).fill_null(len(rules))


def moves(counts: _Counts, in_mix: _Counts) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return shares and what moved them.

    Args:
        counts: (groups, rules + 1) rows by first cause, those kept last.
        in_mix: (groups,) rows in the mix, copies counted.

    Returns:
        (groups, rules + 2) shares: at ingest, after each rule, in the mix; and their differences, one column less. The
        shares of nothing are 0.
    """
    left = counts.sum(axis=1, keepdims=True) - np.cumsum(np.hstack([0 * counts[:, :1], counts[:, :-1]]), axis=1)
    stands = np.hstack([left, in_mix[:, None]]).astype(np.float64)
    shares = stands / np.maximum(stands.sum(axis=0), 1)
    return shares, np.diff(shares, axis=1)


def _column(
    base: pl.DataFrame, column: str, rules: list[dict[str, Any]], stages: int, targets: Mapping[str | None, Any]
) -> dict[str, Any]:
    """Return the lines of one column, those with most rows in the mix first."""
    weight = pl.col("copies")
    groups = base.group_by(column).agg(
        pl.len().alias("rows"), pl.col("kept").sum(), weight.sum().alias("in_mix"),
        (pl.col("tokens") * weight).sum().alias("mix_tokens"), pl.col("cause"),
    ).sort("in_mix", "rows", column, descending=[True, True, False], nulls_last=True)  # fmt: skip
    counts = np.array([np.bincount(causes, minlength=len(rules) + 1) for causes in groups["cause"]], dtype=np.int64)
    plain = groups.drop("cause").with_columns(pl.col(column).cast(pl.String))
    if len(counts) > LISTED:
        counts = np.vstack([counts[:LISTED], counts[LISTED:].sum(axis=0)])
        rest = plain[LISTED:].select(pl.lit(None, dtype=pl.String).alias(column), pl.exclude(column).sum())
        plain = pl.concat([plain[:LISTED], rest])
    shares, moved = moves(counts, plain["in_mix"].to_numpy().astype(np.int64))
    ends = [sum(rule["index"] < stage for rule in rules) for stage in range(stages + 1)]
    names = [*(rule["id"] for rule in rules), COPIES]
    tokens = int(plain["mix_tokens"].sum())
    lines = []
    for place, (value, rows, kept, in_mix, mix_tokens) in enumerate(plain.iter_rows()):
        lost = np.concatenate([[0], np.cumsum(counts[place, :-1])])
        told: dict[str, Any] = {
            "value": None if value is None else masked(value)[0],
            "rows": [rows - int(lost[end]) for end in ends],
        }
        told |= {"shares": [round(float(shares[place, end]), 6) for end in ends], "in_mix": in_mix}
        told |= {"mix_share": round(float(shares[place, -1]), 6), "token_share": round(rate(mix_tokens, tokens), 6)}
        told |= {"epochs": round(rate(in_mix, kept), 3), "moved": _moved(moved[place], names)}
        lines.append(told | (targets.get(value, {}) if place < LISTED else _sum(targets, plain[column][:LISTED])))
    return {"groups": lines[:LISTED], "rest": lines[LISTED] if len(lines) > LISTED else None,
            "left_out": max(0, groups.height - LISTED)}  # fmt: skip


def _sum(targets: Mapping[str | None, Any], listed: pl.Series) -> dict[str, Any]:
    """Return the targets of all values that are not listed as one."""
    rest = [one for value, one in targets.items() if value not in set(listed)]
    if not rest:
        return {}
    return {**rest[0], **{key: sum(one[key] for one in rest) for key in ("target_share", "target")}}


def _moved(moved: npt.NDArray[np.float64], names: list[str]) -> dict[str, Any] | None:
    """Return the rule, or the copies, that moved a share most, and by how much; the first of equal ones."""
    place = int(np.argmax(np.round(np.abs(moved), 9)))
    return {"by": names[place], "share": round(float(moved[place]), 6)} if abs(moved[place]) >= 5e-7 else None


def _mixing(view: View) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Yield name, stage and arguments of the steps that mix."""
    for index, stage in enumerate(view.manifest["recipe"].get("stages", [])):
        for use in stage.get("steps", []):
            if use.get("step") == "mix":
                yield str(use.get("as", "mix")), index, use


def _mix(view: View, name: str, index: int, use: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step aimed at, group by group, and how far the mix is from it."""
    table = view.run.table(f"{name}.groups")
    assert table is not None
    unit = "token" if use.get("rate") == "tokens" else "row"
    groups = table.sort("copies", "group", descending=[True, False], nulls_last=True).to_dicts()
    told = {"step": name, "stage": view.manifest["stages"][index]["name"], "index": index, "unit": unit}
    told |= {"by": use.get("by", "source")}
    told |= {"rate": use.get("rate", "proportional"), "budget": use.get("budget")}
    for one in groups:
        one["group"] = None if one["group"] is None else masked(one["group"])[0]
    sets = [one["group"] for one in groups if one["sets_size"] and one["copies"] < table["pool"].sum()]
    return {**told, "sets_size": sets, "groups": groups}


def _targets(mixes: list[dict[str, Any]], column: str, base: pl.DataFrame) -> dict[str | None, Any]:
    """Return the targets of the values of a column: as a mix sets them, or as they follow from those of its groups."""
    found: dict[str | None, Any] = {}
    for mix in mixes:
        total = sum(one["target"] for one in mix["groups"])
        shares = {one["group"]: one["target_share"] for one in mix["groups"] if one["rows"]}
        if mix["by"] == column:
            told = {one["group"]: one["target"] for one in mix["groups"] if one["rows"]}
            found |= {
                name: {"target_share": round(share, 6), "target": told[name], "unit": mix["unit"], "follows": False}
                for name, share in shares.items()
            }
        elif mix["by"] in base.columns:
            found |= {
                value: {"target_share": round(share, 6), "target": round(share * total), "unit": mix["unit"],
                        "follows": True}
                for value, share in _following(mix, column, base, shares)
            }  # fmt: skip
    return found


def _following(
    mix: Mapping[str, Any], column: str, base: pl.DataFrame, shares: Mapping[str | None, float]
) -> list[tuple[str | None, float]]:
    """Return the share of each value of a column, were every group of a mix drawn by chance to its target."""
    weight = pl.col("tokens").sum() if mix["unit"] == "token" else pl.len()
    seen = base.filter(pl.col("stage") >= mix["index"])
    counted = seen.group_by(group=pl.col(mix["by"]).cast(pl.String), value=pl.col(column).cast(pl.String)).agg(n=weight)
    part = pl.col("n") / pl.col("n").sum().over("group")
    share = pl.col("group").replace_strict(shares, default=0.0, return_dtype=pl.Float64)
    return (
        counted.with_columns(share=part * share)
        .sort("value", "group")
        .group_by("value", maintain_order=True)
        .agg(pl.col("share").sum())
        .rows()
    )


def leading(facts: Facts) -> Mapping[str, Any]:
    """Return the table of the column that a step mixes by, else that of the sources."""
    tables = facts["ledger"]["columns"]
    return next((one for one in tables if any(not group.get("follows", True) for group in one["groups"])), tables[0])


def summed_up(facts: Facts) -> str:
    """Return in a line what is repeated, how far the mix is from its targets, and which share moved most by what."""
    head, table = facts["headline"], leading(facts)
    groups = table["groups"]
    again = head["mix_rows"] - head["kept"]
    most = max(groups, key=lambda one: one["epochs"])
    said = f"{shown.plural(head['mix_rows'], 'row')}, none repeated"
    if again:
        said = f"{shown.plural(head['mix_rows'], 'row')}, {shown.count(again)} of them repeats, up to "
        said += f"{shown.number(most['epochs'])} epochs of {group(table['column'], most['value'])}"
    if aimed := [one for one in groups if not one.get("follows", True)]:
        said += f"; {shown.share(_apart(aimed))} off the targets"
    moved = max(groups, key=lambda one: abs(one["mix_share"] - one["shares"][0]))
    if moved["moved"] is None or abs(moved["mix_share"] - moved["shares"][0]) < NOTABLE:
        return f"{said}; every {table['column']} keeps its share of the rows at ingest to within {shown.share(NOTABLE)}"
    before, after = shown.share(moved["shares"][0]), shown.share(moved["mix_share"])
    return f"{said}; {group(table['column'], moved['value'])} {before} → {after}, most by {moved['moved']['by']}"


def _apart(aimed: list[dict[str, Any]]) -> float:
    """Return the share of the mix that stands in another group than the targets ask."""
    real = [one["token_share" if one["unit"] == "token" else "mix_share"] for one in aimed]
    return float(sum(abs(one["target_share"] - share) for one, share in zip(aimed, real, strict=True)) / 2)


def _repeats(facts: Facts) -> Iterator[dict[str, Any]]:
    """Name the sources and tasks whose rows stand in the mix more than `EPOCHS` times."""
    for table in facts["ledger"].get("columns", ()):
        for one in table["groups"] if table["column"] in ("source", "task") else ():
            if one["epochs"] > EPOCHS:
                name = group(table["column"], one["value"])
                text = (
                    f"Each row of {name} stands in the mix {shown.number(one['epochs'])} times on average; more than "
                    f"{EPOCHS} epochs over the same rows teach next to nothing."
                )
                of = (one["in_mix"], facts["headline"]["mix_rows"])
                yield alert("warning", text, rerun(facts), of=of, section="ledger")


def _astray(facts: Facts) -> Iterator[dict[str, Any]]:
    """Tell what set the size of a mix, which weights had no rows, and whether later rules moved the mix."""
    rows = facts["headline"]["mix_rows"]
    for mix in facts["ledger"].get("mixes", ()):
        place = f"stages.{mix['stage']}.steps.{mix['step']}.budget"
        if mix["sets_size"]:
            named = shown.clipped(", ".join(str(one) for one in mix["sets_size"]), 80)
            have = shown.verb(
                len(mix["sets_size"]), "set the size of the mix: they have", "sets the size of the mix: it has"
            )
            text = f"No row is repeated, so {mix['by']} {named} {have} no more rows for the share."
            command = rerun(facts, "--set", f"{place}={2 * sum(one['copies'] for one in mix['groups'])}")
            yield alert("note", text, command, of=(rows, facts["headline"]["rows"]), section="ledger")
        empty = [str(one["group"]) for one in mix["groups"] if not one["rows"]]
        if empty:
            text = f"Weights of {mix['step']} name what has no row at its stage: {shown.clipped(', '.join(empty), 80)}."
            yield alert("warning", text, rerun(facts), of=(0, max(1, rows)), section="ledger")
    for table in facts["ledger"].get("columns", ()):
        apart = _apart([one for one in table["groups"] if not one.get("follows", True)])
        if apart > ASTRAY:
            text = f"By {table['column']}, {shown.share(apart)} of the mix stands elsewhere than its target asks."
            yield alert("warning", text, rerun(facts), of=(round(apart * rows), max(1, rows)), section="ledger")


CHECKS = (_repeats, _astray)
