"""What a finished run must satisfy: its gates, measured and judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate import licences, parity, rulebook, terms, verdict
from curate.bounds import Disparity
from curate.errors import UserError, suggest
from curate.recipe import Keep, Recipe, Stage
from curate.schema import GROUPS
from curate.verdict import Verdicts

DISPARITY = "max_disparity_ratio"


def judged(
    recipe: Recipe, *, totals: Mapping[str, int], verdicts: Verdicts, groups: pl.DataFrame, signals: pl.DataFrame,
    rows: Path,
) -> list[dict[str, Any]]:  # fmt: skip
    """Compare a run with the recipe's gates.

    Args:
        recipe: its gates and rules.
        totals: counts of the run.
        verdicts: what became of each of the n rows.
        groups: (n,) columns of the row, `source` among them.
        signals: (n,) all signals.
        rows: Parquet file of the n rows, read for the lengths of responses where a gate needs them.

    Returns:
        An entry for each gate: name, bound, value (null where it was not judged), passed, and `text` where there is
        more to say.
    """
    share = totals["dropped"] / totals["train_rows"] if totals["train_rows"] else 0.0
    by_source = groups.with_columns(pl.Series("alive", verdicts.alive))
    worst = by_source.group_by("source").agg(dropped=1 - pl.col("alive").mean())["dropped"].max() or 0.0
    gates = recipe.gates
    most: list[tuple[str, float | None, float]] = [
        ("max_dropped_share", gates.max_dropped_share, share),
        ("max_source_dropped_share", gates.max_source_dropped_share, float(str(worst))),
    ]
    found: list[dict[str, Any]] = [
        {"name": name, "bound": bound, "value": value, "passed": value <= bound}
        for name, bound, value in most
        if bound is not None
    ]
    if gates.min_kept is not None:
        passed = totals["kept"] >= gates.min_kept
        found.append({"name": "min_kept", "bound": gates.min_kept, "value": totals["kept"], "passed": passed})
    if any(recipe.licenses.model_dump().values()):
        count = by_source.filter("alive", pl.col("source").is_in(list(refused(recipe)))).height
        found.append({"name": "max_rows_of_refused_licences", "bound": 0, "value": count, "passed": count == 0})
    if gates.max_disparity_ratio:
        lengths = pl.scan_parquet(rows, glob=False).select(pl.col("response").str.len_chars()).collect()
        classes = parity.octaves(lengths["response"].to_numpy())
        frame = groups.hstack(signals)
        found += [
            _disparity(one, recipe=recipe, verdicts=verdicts, frame=frame, classes=classes)
            for one in gates.max_disparity_ratio
        ]
    return found


def _disparity(
    gate: Disparity, *, recipe: Recipe, verdicts: Verdicts, frame: pl.DataFrame, classes: parity.Counts
) -> dict[str, Any]:
    """Judge how much harder a rule hits a group than all rows of their length."""
    stage, rule = next(pair for pair in _rules(recipe) if pair[1].rule_id(pair[0].name) == gate.rule)
    names = [one.name for one in recipe.stages]
    alive = ~verdicts.dropped_at().is_in(names[: names.index(stage.name)]).fill_null(False).to_numpy()
    failed, _, covered = verdict.broken(rule, frame)
    values = frame[gate.by]
    inside = values.list.contains(gate.group) if isinstance(values.dtype, pl.List) else values == gate.group
    looked = alive & covered & values.is_not_null().to_numpy()
    mine, hit = looked & inside.fill_null(False).to_numpy(), looked & failed
    size = int(classes.max(initial=0)) + 1
    part, whole = (
        (parity.by_class(mask & hit, classes, size=size), parity.by_class(mask, classes, size=size))
        for mask in (mine, looked)
    )
    entry: dict[str, Any] = {"name": f"{DISPARITY} of {gate.rule} by {gate.by} = {gate.group}", "bound": gate.max}
    if not inside.fill_null(False).any():
        return {**entry, "value": None, "passed": False, "text": f"no row has {gate.by} = '{gate.group}': misspelt?"}
    found, basis = parity.compare(part, whole), "expected at equal length"
    if found.p is None and not (part[1] * (whole[1] - part[1])).any():
        found = parity.compare(parity.pooled(part), parity.pooled(whole))
        basis = "expected of all lengths, as no other row is of a length of the group's"
    if found.p is None:
        return {**entry, "value": None, "passed": True, "text": f"not judged: {_unjudged(found, int(whole[1].sum()))}"}
    text = (
        f"{found.failed} of {found.rows} rows fail, {found.expected:.1f} {basis}; 95 % interval "
        f"{found.low:.2f} to {found.high:.2f}, p {found.p:.2g}; broken when above the bound and beyond chance"
    )
    return {**entry, "value": found.ratio, "passed": not found.exceeds(gate.max), "text": text}


def _unjudged(found: parity.Parity, rows: int) -> str:
    """Say why a group cannot be judged."""
    if found.rows == rows:
        return f"all {rows} rows that the rule looks at are of the group"
    enough = found.rows >= parity.ROWS and parity.EXPECTED <= found.expected <= found.rows - parity.EXPECTED
    return (
        f"{found.rows} rows of the group, {found.expected:.1f} failures expected; "
        f"at least {parity.ROWS} rows, and {parity.EXPECTED:g} expected to fail and to pass, are needed"
        + (", and lengths in which some rows fail and some pass" if enough else "")
    )


def _rules(recipe: Recipe) -> Iterator[tuple[Stage, Keep]]:
    """Yield every rule with its stage."""
    return ((stage, rule) for stage in recipe.stages for rule in stage.keep)


def problems(recipe: Recipe, signals: Mapping[str, str]) -> Iterator[str]:
    """Yield which gates name a rule, a column or a source that is not there.

    Args:
        recipe: the recipe.
        signals: types of all signals of the recipe by name.
    """
    yield from _licenses(recipe)
    rules = [rule.rule_id(stage.name) for stage, rule in _rules(recipe)]
    for number, gate in enumerate(recipe.gates.max_disparity_ratio or (), 1):
        place = f"gates, {DISPARITY} {number}"
        if gate.rule not in rules:
            yield f"{place}: no rule '{gate.rule}'; {suggest(gate.rule, rules)}"
        columns = {**dict.fromkeys(GROUPS, "str"), **signals}
        if gate.by not in columns and f"{gate.by.split('.')[0]}.*" not in signals:
            listed = [name for name, kind in columns.items() if kind in ("str", "list[str]")]
            yield f"{place}: no column '{gate.by}'; {suggest(gate.by, listed)}"
        elif columns.get(gate.by, "any") not in ("str", "list[str]", "any"):
            yield f"{place}: '{gate.by}' is {columns[gate.by]}: groups are texts or lists of texts"
        yield from (f"{place}: {text}" for text in _strangers(recipe, gate))


def _strangers(recipe: Recipe, gate: Disparity) -> Sequence[str]:
    """Return that a group is none, where the recipe itself says which there are."""
    known = {"source": [one.name for one in recipe.sources], "split": ["train", "heldout"]}.get(gate.by)
    if known is None and gate.by == "task" and all(one.task for one in recipe.sources):
        known = [str(one.task) for one in recipe.sources]
    if known is None:
        known = _mentioned(recipe, gate.by)
    if known is None or gate.group in known:
        return ()
    return [f"no {gate.by} '{gate.group}'; {suggest(gate.group, known)}"]


def _mentioned(recipe: Recipe, column: str) -> list[str] | None:
    """Return what a step `bias` of the recipe may write in a column, None for a column of other steps."""
    name, _, signal = column.partition(".")
    uses = (use for stage in recipe.stages for use in stage.steps if (use.name, use.step) == (name, "bias"))
    if signal not in ("groups", "axes") or (use := next(uses, None)) is None:
        return None
    own = use.arguments.get("lexicon")
    try:
        entries = rulebook.lexicon(recipe.resolve(str(own)) if own else "identity").entries
    except UserError:  # told where the step is checked
        return None
    groups = {str(entry.id) for entry in entries if entry.category != terms.PART}
    return sorted(groups if signal == "groups" else {group.split(":")[0] for group in groups})


def _licenses(recipe: Recipe) -> Iterator[str]:
    """Check that every name in `licenses` is a term, a licence that is known, or one that a source declares."""
    declared = {source.license for source in recipe.sources}
    for key, names in (("allow", recipe.licenses.allow), ("refuse", recipe.licenses.refuse)):
        for name in names:
            if name not in licences.TERMS and name not in declared and licences.spdx(name) is None:
                yield f"licenses, {key}: unknown licence or term '{name}'; {suggest(name, licences.TERMS)}"


def refused(recipe: Recipe) -> dict[str, str]:
    """Return why the licence of each source that feeds the mix may not be in it, by name of the source."""
    allow, refuse = recipe.licenses.allow, recipe.licenses.refuse
    why = {
        source.name: licences.refusal(source.license, allow=allow, refuse=refuse)
        for source in recipe.sources
        if source.split == "train"
    }
    return {name: text for name, text in why.items() if text is not None}
