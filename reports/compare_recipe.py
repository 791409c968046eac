"""What two runs were told to do, on which files, by which versions, and what each stage and rule did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reports import shown
from reports.effects import difference_of_shares
from reports.funnel import funnel
from reports.pair import SIDES, Pair, merged
from reports.view import TOKENS_METHOD, View

# Longest value of a setting that is shown.
VALUE = 100
BOUNDS = ("min", "max", "is", "any_of", "none_of")
# Parts of the recipe that are compared by their own means, or are no more than names.
_APART = ("name", "sources", "stages")


def totals(pair: Pair) -> dict[str, list[int]]:
    """Return the totals of both runs as pairs [old, new]: of the manifest, then tokens kept and rows of the mix."""
    found = {}
    names = merged(*(view.manifest["totals"] for view in pair.views))
    for name in names:
        found[name] = [int(view.manifest["totals"].get(name, 0)) for view in pair.views]
    found["kept_tokens"] = [int(view.base.filter("kept")["tokens"].sum()) for view in pair.views]
    found["mix_rows"] = list(pair.sizes())
    return found


def stages(pair: Pair) -> dict[str, Any]:
    """Return both funnels, stages matched by name; a stage that one run does not have is null there."""
    old, new = ({stage["name"]: stage for stage in funnel(view)["stages"]} for view in pair.views)
    names = merged(old, new)
    return {
        "method": f"stages are matched by name; {TOKENS_METHOD}",
        "stages": [{"name": name, "old": old.get(name), "new": new.get(name)} for name in names],
    }


def recipe(pair: Pair) -> dict[str, Any]:
    """Return what differs in recipe, inputs, signals and versions; every list is empty where nothing does."""
    old, new = (view.manifest for view in pair.views)
    return {
        "method": "recipes as resolved, so with what `--set`, `--seed` and `--limit` changed; files by their SHA-256",
        "equal": old["recipe"] == new["recipe"],
        "settings": _changed(_settings(old["recipe"]), _settings(new["recipe"])),
        "sources": _named(old["recipe"].get("sources", ()), new["recipe"].get("sources", ()), leave=("path",)),
        "steps": _steps(pair),
        "inputs": _inputs(old.get("inputs") or (), new.get("inputs") or ()),
        "versions": _changed(*(_versions(manifest) for manifest in (old, new))),
        "signals": _signals(pair),
    }


def rules(pair: Pair) -> dict[str, Any]:
    """Return every rule of both runs: its bounds, rows that fail and their share, before and after."""
    old, new = (rule_keys(view) for view in pair.views)
    listed = [_rule(key, old.get(key), new.get(key)) for key in merged(old, new)]
    return {
        "method": (
            "a rule is the same when stage, signal, kind of bound and `where` are, whatever the bound; shares are "
            "of the rows that reached the rule; the interval of the difference is Newcombe's hybrid score interval "
            "at 95 %, which takes the runs for independent samples: where both hold the same rows it is wider than "
            "needed"
        ),
        "list": listed,
        "changed": sum(rule["status"] != "same" for rule in listed),
    }


def rule_keys(view: View) -> dict[str, dict[str, Any]]:
    """Return the rules of a run by what makes them the same rule in another run."""
    found: dict[str, dict[str, Any]] = {}
    for rule in view.rules:
        kinds = [name for name in BOUNDS if rule.get(name) is not None]
        key = _json([rule["stage"], rule["signal"], kinds, rule.get("where") or {}])
        while key in found:  # two bounds of one kind on one signal, perhaps the second a flag
            key += "+"
        found[key] = rule
    return found


def _rule(key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return one rule of both runs."""
    either = new or old or {}
    facts: dict[str, Any] = {"stage": either["stage"], "signal": either["signal"], "why": either.get("why", "")}
    for side, rule in zip(SIDES, (old, new), strict=True):
        names = ("id", "form", "evaluated", "failed", "first", "unknown")
        facts[side] = None if rule is None else {**{name: rule[name] for name in names}, "flag": bool(rule.get("flag"))}
        if rule is not None:
            facts[side]["share"] = rule["failed"] / rule["evaluated"] if rule["evaluated"] else None
    if old is None or new is None:
        return {**facts, "status": "added" if old is None else "removed", "difference": None}
    status = "same" if old["form"] == new["form"] else "other bound"
    status = status if bool(old.get("flag")) == bool(new.get("flag")) else "now flags" if new["flag"] else "now drops"
    counts = [(int(rule["failed"]), int(rule["evaluated"])) for rule in (old, new)]
    return {**facts, "status": status, "difference": difference_of_shares(*counts)}


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _settings(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return dict(_flat({key: value for key, value in recipe.items() if key not in _APART}))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by dotted name."""
    if isinstance(value, Mapping) and value:
        for key in value:
            yield from _flat(value[key], f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the names whose values differ, null where a side has none."""
    names = [name for name in merged(old, new) if old.get(name) != new.get(name)]
    return [{"name": name, "old": _value(old, name), "new": _value(new, name)} for name in names]


def _value(values: Mapping[str, Any], name: str) -> str | None:
    value = values.get(name)
    if value is None:
        return None
    return shown.clipped(value if isinstance(value, str) else _json(value), VALUE)


def _named(
    old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]], *, name: str = "name", leave: tuple[str, ...]
) -> list[dict[str, Any]]:
    """Return the tables that only one side has, and those with other settings, matched by name."""
    before, after = ({str(one[name]): one for one in side} for side in (old, new))
    found: list[dict[str, Any]] = []
    for one in merged(before, after):
        if one not in before or one not in after:
            found.append({"name": one, "status": "added" if one in after else "removed", "settings": []})
            continue
        flat = (
            dict(_flat({key: value for key, value in side[one].items() if key not in leave}))
            for side in (before, after)
        )
        settings = _changed(*flat)
        found += [{"name": one, "status": "changed", "settings": settings}] if settings else []
    return found


def _steps(pair: Pair) -> list[dict[str, Any]]:
    """Return the steps that only one run has, and those with other arguments, named `stage/step`."""

    def steps(view: View) -> list[dict[str, Any]]:
        return [
            {**step, "name": f"{stage['name']}/{step.get('as') or step['step']}"}
            for stage in view.manifest["recipe"].get("stages", ())
            for step in stage.get("steps", ())
        ]

    return _named(*(steps(view) for view in pair.views), leave=("name", "as"))


def _inputs(old: Iterable[Mapping[str, Any]], new: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the input files that differ; one with the same bytes under another name is the same file."""
    before, after = ({(one["source"], one["path"]): one["sha256"] for one in side} for side in (old, new))
    known, found = [{(source, sha) for (source, _), sha in side.items()} for side in (before, after)], []
    for source, path in sorted({*before, *after}):
        shas = before.get((source, path)), after.get((source, path))
        if shas[0] == shas[1] or any(sha and (source, sha) in known[0] & known[1] for sha in shas):
            continue
        status = "added" if shas[0] is None else "removed" if shas[1] is None else "changed"
        found.append({"source": source, "path": path, "status": status, "old": shas[0], "new": shas[1]})
    return found


def _versions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may change a result beside the recipe."""
    embedding = manifest.get("embedding") or {}
    found = {"format of the run": manifest.get("format"), **(manifest.get("versions") or {})}
    return found | {f"embedding {name}": value for name, value in embedding.items()}


def _signals(pair: Pair) -> dict[str, list[Any]]:
    """Return the signals that only one run has, and those of another type."""
    old, new = (view.signals for view in pair.views)
    types = [[name, str(old[name]), str(new[name])] for name in old if name in new and old[name] != new[name]]
    return {
        "only_old": [name for name in old if name not in new],
        "only_new": [name for name in new if name not in old],
        "other_type": [{"name": name, "old": before, "new": after} for name, before, after in types],
    }
