"""What speaks for a rule, and that no bundled recipe drops rows by a rule for which too little does."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from curate import evidence
from curate.errors import UserError
from curate.evidence import Evidence
from curate.intervals import wilson
from curate.recipe import Keep, Recipe, Stage, load_recipe, parse
from curate.rulebook import RULES, load

RECIPES = sorted((RULES / "recipes").glob("*.toml"))
ENOUGH = 0.8


def bundled() -> list[object]:
    """Return every rule that drops, of every bundled recipe; the one for audits has no sources yet."""
    found = []
    for path in RECIPES:
        text = path.read_text(encoding="utf-8")
        recipe = load_recipe(path) if "[[sources]]" in text else audit(path)
        for stage in recipe.stages:
            found += [
                pytest.param(rule, stage, id=f"{path.stem}: {rule.rule_id(stage.name)}")
                for rule in stage.keep
                if not rule.flag
            ]
    return found


def audit(path: Path) -> Recipe:
    """Return a recipe that is used with the user's files, with a file put in."""
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    data["sources"] = [{"name": "data", "path": "data.jsonl", "format": "auto"}]
    return parse(data, file=str(path), base=path.parent)


@pytest.mark.parametrize(("rule", "stage"), bundled())
def test_a_bundled_rule_that_drops_is_right_by_construction_or_was_found_right(rule: Keep, stage: Stage) -> None:
    known = evidence.of(rule, stage)
    if known["kind"] != "construction":
        assert known["kind"] == "reviewed", "nobody judged it: let it flag"
        low, _ = wilson(known["right"], known["right"] + known["wrong"])
        assert low >= ENOUGH, f"right with 95 % confidence in {low:.0%} at least: let it flag"


def test_the_recipes_that_drop_are_among_those_looked_at() -> None:
    assert {path.stem for path in RECIPES} >= {"audit", "demo", "starter"}
    assert len(bundled()) >= 12


@pytest.mark.parametrize("review", evidence.evidence().reviewed, ids=lambda one: f"{one.signal} {one.form}")
def test_counts_of_a_review_are_those_of_a_sample_of_its_victims(review: evidence.Reviewed) -> None:
    assert review.right + review.wrong + review.unsure == min(50, review.victims)


def stage(*steps: dict[str, object], keep: dict[str, object]) -> tuple[Keep, Stage]:
    made = Stage.model_validate({"name": "one", "steps": steps, "keep": [{"why": "a test", **keep}]})
    return made.keep[0], made


KNOWN = Evidence.model_validate(
    {
        "why": "a test",
        "construction": (
            {"signal": "*.rank", "form": "max 0", "keepers": True, "arguments": ("*",), "why": "verified"},
            {"signal": "length.words", "form": "min 1", "why": "empty"},
            {"signal": "conflict.answers", "form": "max 1", "where": {"task": ("nli", "math")}, "why": "one is wrong"},
        ),
        "reviewed": (
            {
                "signal": "pii.count", "form": "max 0", "where": {"lang": "en"}, "arguments": {"column": "prompt"},
                "data": "some", "victims": 9, "right": 8, "wrong": 1, "unsure": 0, "who": "we", "date": "2026-11-24",
                "note": "a note",
            },
        ),
    },
    strict=False,
)  # fmt: skip
PII = {"signal": "pii.count", "max": 0, "where": {"lang": ["en"]}}
CONFLICT = {"signal": "conflict.answers", "max": 1}


@pytest.mark.parametrize(
    ("steps", "keep", "kind"),
    [
        ([{"step": "length"}], {"signal": "length.words", "min": 1}, "construction"),
        ([{"step": "length", "as": "own"}], {"signal": "own.words", "min": 1}, "construction"),
        ([{"step": "length"}], {"signal": "length.words", "min": 2}, "none"),
        ([{"step": "length", "column": "prompt"}], {"signal": "length.words", "min": 1}, "none"),
        ([{"step": "minhash", "threshold": 0.7}], {"signal": "minhash.rank", "max": 0}, "construction"),
        ([{"step": "semantic"}], {"signal": "semantic.rank", "max": 0}, "none"),
        ([{"step": "balance", "by": "task"}], {"signal": "balance.rank", "max": 0}, "none"),
        ([{"step": "conflict"}], {**CONFLICT, "where": {"task": "nli"}}, "construction"),
        ([{"step": "conflict"}], {**CONFLICT, "where": {"task": ["nli", "summarization"]}}, "none"),
        ([{"step": "conflict"}], CONFLICT, "none"),
        ([{"step": "pii", "column": "prompt"}], PII, "reviewed"),
        ([{"step": "pii", "column": "prompt"}], {**PII, "where": {"lang": "fr"}}, "none"),
        ([{"step": "pii"}], PII, "none"),
        ([{"step": "length"}], PII, "none"),
    ],
)
def test_evidence_holds_for_the_very_rule_that_was_looked_at(
    steps: list[dict[str, object]], keep: dict[str, object], kind: str
) -> None:
    assert evidence.of(*stage(*steps, keep=keep), known=KNOWN)["kind"] == kind


def test_a_review_goes_into_the_manifest_as_plain_data() -> None:
    found = evidence.of(*stage({"step": "pii", "column": "prompt"}, keep=PII), known=KNOWN)
    assert found == {
        "kind": "reviewed", "data": "some", "victims": 9, "right": 8, "wrong": 1, "unsure": 0, "who": "we",
        "date": "2026-11-24", "note": "a note",
    }  # fmt: skip


def test_a_slip_in_the_file_is_named_with_the_near_key(tmp_path: Path) -> None:
    path = tmp_path / "evidence.toml"
    path.write_text('why = "a"\n[[construction]]\nsignl = "a.b"\nsignal = "a.b"\nform = "min 1"\nwhy = "b"\n')
    with pytest.raises(UserError, match=r"construction\[0\]\.signl: unknown key; did you mean 'signal'"):
        load(path, Evidence)
