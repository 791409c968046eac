"""Why a rule may be trusted to drop rows: right by construction, or judged by people on real data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from pydantic import BaseModel, Field

from curate import catalog
from curate.recipe import Keep, Scalar, Stage, Use, as_tuple
from curate.rulefile import RULES, STRICT, load

FILE = RULES / "evidence.toml"


class Construction(BaseModel):
    """A rule that cannot be wrong about a row: what it says of it is what was measured.

    `signal` is `<step>.<signal>` by the step's own name, `form` the bound in words; in both `*` stands for anything.
    `where` names columns by which the rule must be limited, and the values it may be limited to.
    `keepers` limits it to steps that name the row that stays and compare words, as an encoder may take two meanings for
    one; `arguments` names the arguments that may differ from the step's defaults without harm, `*` any.
    """

    model_config = STRICT
    signal: str
    form: str
    keepers: bool = False
    where: dict[str, tuple[Scalar, ...]] = {}
    arguments: tuple[str, ...] = ()
    why: str = Field(min_length=1)


class Reviewed(BaseModel):
    """A rule of which people judged victims drawn by chance.

    It holds for exactly this bound, this `where` and these arguments of the step, others being the defaults.
    """

    model_config = STRICT
    signal: str
    form: str
    where: dict[str, Scalar | tuple[Scalar, ...]] = {}
    arguments: dict[str, Scalar] = {}
    data: str = Field(min_length=1)
    victims: int = Field(ge=0)
    right: int = Field(ge=0)
    wrong: int = Field(ge=0)
    unsure: int = Field(ge=0)
    who: str = Field(min_length=1)
    date: date
    note: str = Field(min_length=1)


class Evidence(BaseModel):
    """All that is known of the bundled rules."""

    model_config = STRICT
    why: str = Field(min_length=1)
    construction: tuple[Construction, ...]
    reviewed: tuple[Reviewed, ...] = ()


def evidence() -> Evidence:
    """Return what `rules/evidence.toml` says.

    Raises:
        UserError: for a file that breaks the format.
    """
    return load(FILE, Evidence)


def of(rule: Keep, stage: Stage, *, known: Evidence | None = None) -> dict[str, Any]:
    """Return what speaks for a rule of a stage, JSON-able.

    Args:
        rule: the rule.
        stage: where it stands; its steps are looked at first, a signal of an earlier stage has no evidence.
        known: what is known, by default the bundled file.

    Returns:
        `kind`: `construction` (with `why`), `reviewed` (with data, victims, right, wrong, unsure, who, date, note) or
        `none`.
    """
    found = known or evidence()
    name, _, signal = rule.signal.partition(".")
    use = next((use for use in stage.steps if use.name == name), None)
    if use is None:
        return {"kind": "none"}
    info = catalog.describe(use.step)
    changed = dict(_changed(use, info))
    own = f"{use.step}.{signal}"
    for case in found.construction:
        fits = fnmatchcase(own, case.signal) and fnmatchcase(rule.form, case.form) and _within(rule, case)
        verified = info.names_keepers and "vectors" not in info.needs
        if fits and _harmless(changed, case) and (verified or not case.keepers):
            return {"kind": "construction", "why": case.why}
    for review in found.reviewed:
        same = (review.signal, review.form, dict(review.arguments)) == (own, rule.form, changed)
        if same and _plain(review.where) == _plain(rule.where):
            facts = review.model_dump(mode="json", exclude={"signal", "form", "where", "arguments"})
            return {"kind": "reviewed", **facts}
    return {"kind": "none"}


def _changed(use: Use, info: catalog.StepInfo) -> Iterator[tuple[str, Any]]:
    """Yield the arguments that differ from the defaults."""
    for key, value in use.arguments.items():
        if key not in info.parameters or info.parameters[key].default != value:
            yield key, value


def _harmless(changed: Mapping[str, Any], case: Construction) -> bool:
    """Tell whether arguments other than the defaults leave a rule right by construction."""
    return "*" in case.arguments or changed.keys() <= set(case.arguments)


def _within(rule: Keep, case: Construction) -> bool:
    """Tell whether a rule looks only at the rows for which it is right by construction."""
    limits = _plain(rule.where)
    return all(column in limits and set(limits[column]) <= set(values) for column, values in case.where.items())


def _plain(where: Mapping[str, Any]) -> dict[str, tuple[Scalar, ...]]:
    """Return a `where` in one form: one value is a list of it."""
    return {key: as_tuple(value) for key, value in where.items()}
