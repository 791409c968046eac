"""An unproven file of rules may flag, never drop, and everybody is told."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from projects import lay_out
from typer.testing import CliRunner

import curate
import reports
from curate import catalog, plan, proof
from curate.cli.main import app
from curate.concepts import CATEGORIES
from curate.errors import UserError
from curate.recipe import Use, load_recipe
from curate.rulebook import RULES

HEADER = 'why = "fruit"\nlanguage = "en"\n'
PROVEN = """owner = "us"
version = "1"
[[measured]]
data = "twelve texts"
texts = 12
precision = 0.9
recall = 0.5
date = 2026-11-24
"""
ENTRY = """
[[entries]]
id = "insult"
category = "harassment"
terms = ["you plum"]
hits = ["Oh you plum!"]
misses = ["A ripe plum."]
"""
RECIPE = """
name = "small"
[[sources]]
name = "qa"
path = "qa*.jsonl"
format = "prompt_completion"
fields = { prompt = "question", completion = "answer" }
[[stages]]
name = "checks"
steps = [{ step = "toxicity", lexicon = "words.toml", concepts = false }, { step = "length" }]
keep = [
    { signal = "toxicity.score", max = 0.5, why = "no insults" },
    { signal = "length.words", min = 1, why = "empty" },
]
"""
RECORDS = [
    {"question": "Who am I?", "answer": "Oh you plum!"},
    {"question": "What is ripe?", "answer": "A plum."},
    {"question": "And now?", "answer": ""},
]
RULE = "checks/toxicity.score max 0.5"


def words(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "words.toml").write_text(text, encoding="utf-8")
    return folder / "words.toml"


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        (HEADER + PROVEN + ENTRY, ()),
        (HEADER + ENTRY, ("no owner", "no version", "no measured precision")),
        (HEADER + PROVEN.replace('owner = "us"\n', "") + ENTRY, ("no owner",)),
        (HEADER + PROVEN.split("[[")[0] + ENTRY, ("no measured precision",)),
        (HEADER + PROVEN + ENTRY.replace('hits = ["Oh you plum!"]\n', ""), ("no `hits` of insult",)),
        (HEADER + PROVEN + ENTRY.replace("Oh you plum!", "You!"), ("`hits` that do not hold ('You!') of insult",)),
        (
            HEADER + PROVEN + ENTRY.replace("A ripe plum.", "You plum."),
            ("`misses` that do not hold ('You plum.') of insult",),
        ),
        (
            HEADER + PROVEN + 2 * ENTRY.replace('misses = ["A ripe plum."]\n', "").replace('id = "insult"\n', ""),
            ("no `misses` of entry 1 (harassment) and 1 more", "`hits` that do not hold ('Oh you plum!') of entry 2"),
        ),
        (HEADER + PROVEN + '[[entries]]\nid = "a"\ncategory = "part"\nterms = ["b"]\n', ()),
    ],
)
def test_a_file_is_proven_by_owner_version_measurement_and_examples(
    tmp_path: Path, text: str, lacking: tuple[str, ...]
) -> None:
    found = proof.lacks("lexicons", words(tmp_path, text))
    assert len(found) == len(lacking)
    assert all(one.startswith(start) for one, start in zip(found, lacking, strict=True)), found


def test_a_file_is_looked_at_again_when_it_changes(tmp_path: Path) -> None:
    path = words(tmp_path, HEADER + ENTRY)
    assert proof.lacks("lexicons", path)
    assert proof.lacks("lexicons", words(tmp_path, HEADER + PROVEN + ENTRY)) == ()


def test_patterns_are_tried_with_their_validators(tmp_path: Path) -> None:
    pattern = '[[patterns]]\nid = "a"\nkind = "card"\nregex = "[0-9]{16}"\nvalidator = "card"\n'
    path = words(
        tmp_path, f'why = "cards"\n{PROVEN}{pattern}hits = ["4111111111111111"]\nmisses = ["4111111111111112"]'
    )
    assert proof.lacks("patterns", path) == ()


@pytest.mark.parametrize("path", sorted([*RULES.glob("lexicons/*.toml"), *RULES.glob("patterns/*.toml")]), ids=str)
def test_every_bundled_file_is_proven(path: Path) -> None:
    assert proof.lacks(path.parent.name, path) == ()


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (PROVEN.replace("0.9", "1.3"), r"words\.toml: measured\[0\]\.precision: .*less than or equal to 1"),
        (PROVEN.replace("recall = 0.5\n", ""), r"measured\[0\]: give `recall`, or say in `note` why"),
        (PROVEN.replace("owner", "ownr"), r"ownr: unknown key; did you mean 'owner'"),
        (PROVEN.replace("texts = 12\n", ""), r"measured\[0\]\.texts: missing"),
        (PROVEN.replace("2026-11-24", '"soon"'), r"measured\[0\]\.date"),
        (PROVEN.replace('"us"', '""'), "owner: "),
        (PROVEN.replace("0.9", "nan"), r"measured\[0\]\.precision"),
    ],
)
def test_a_bad_header_is_an_error_that_names_file_and_key(tmp_path: Path, header: str, said: str) -> None:
    words(tmp_path, HEADER + header + ENTRY)
    recipe = load_recipe(lay_out(tmp_path, RECORDS, recipe=RECIPE))
    with pytest.raises(UserError, match=said):
        curate.run(recipe, out=tmp_path / "runs" / "r")


def test_a_recall_that_cannot_be_known_is_left_out_with_its_reason(tmp_path: Path) -> None:
    known = PROVEN.replace("recall = 0.5", 'note = "only finds were read"')
    assert proof.lacks("lexicons", words(tmp_path, HEADER + known + ENTRY)) == ()


def run(folder: Path, lexicon: str, recipe: str = RECIPE) -> curate.Run:
    words(folder, lexicon)
    return curate.run(load_recipe(lay_out(folder, RECORDS, recipe=recipe)), out=folder / "runs" / "r")


def fates(done: curate.Run) -> dict[str, tuple[list[str], list[str]]]:
    return {
        answer: (dropped, flagged)
        for answer, dropped, flagged in done.rows.select("response", "dropped_by", "flagged_by").iter_rows()
    }


def entry(done: curate.Run) -> dict[str, Any]:
    found: dict[str, Any] = done.manifest["stages"][0]["rules"][0]
    return found


def test_a_rule_on_an_unproven_file_flags_and_never_drops(tmp_path: Path) -> None:
    done = run(tmp_path, HEADER + ENTRY)
    assert fates(done) == {"Oh you plum!": ([], [RULE]), "A plum.": ([], []), "": (["checks/length.words min 1"], [])}
    why = "words.toml is unproven: no owner, no version, no measured precision"
    assert (entry(done)["flag"], entry(done)["unproven"], entry(done)["first"]) == (True, why, 0)
    assert "unproven" not in done.manifest["stages"][0]["rules"][1]
    assert done.manifest["recipe"]["stages"][0]["keep"][0]["flag"] is False  # the recipe stays as it was written


def test_the_same_rule_drops_once_the_file_is_proven_and_cached_results_do_not_matter(tmp_path: Path) -> None:
    run(tmp_path, HEADER + ENTRY)
    done = run(tmp_path, HEADER + PROVEN + ENTRY)
    assert fates(done)["Oh you plum!"] == ([RULE], [])
    assert entry(done)["flag"] is False
    assert fates(run(tmp_path, HEADER + ENTRY))["Oh you plum!"] == ([], [RULE])


def test_the_manifest_tells_every_file_and_what_speaks_for_it(tmp_path: Path) -> None:
    recipe = RECIPE.replace('{ step = "length" }', '{ step = "length" }, { step = "pii" }')
    own, bundled = run(tmp_path, HEADER + PROVEN + ENTRY, recipe).manifest["rule_files"]
    assert own["file"] == "words.toml"
    assert (own["owner"], own["version"], own["lacks"], own["steps"]) == ("us", "1", [], ["toxicity"])
    assert own["measured"] == [
        {"data": "twelve texts", "texts": 12, "precision": 0.9, "recall": 0.5, "date": "2026-11-24", "note": ""}
    ]
    assert (bundled["file"], bundled["steps"]) == ("patterns/pii.toml", ["pii"])


@pytest.mark.parametrize(
    ("steps", "keep", "doubted"),
    [
        ('{ step = "toxicity", lexicon = "words.toml", as = "own" }', 'signal = "own.score", max = 0.5', True),
        ('{ step = "toxicity" }', 'signal = "toxicity.score", max = 0.5', False),
        ('{ step = "bias", lexicon = "words.toml" }', 'signal = "bias.mentions", max = 0', True),
        (
            '{ step = "toxicity", lexicon = "words.toml" }, { step = "length" }',
            'signal = "length.words", min = 1, where = { "toxicity.category" = "harassment" }',
            True,
        ),
        (
            '{ step = "toxicity", lexicon = "words.toml" }, { step = "length", column = "toxicity.category" }',
            'signal = "length.words", min = 1',
            True,
        ),
        (
            '{ step = "toxicity", lexicon = "words.toml" }, { step = "exact", prefer = "-toxicity.score" }',
            'signal = "exact.rank", max = 0',
            False,
        ),
        ('{ step = "toxicity", lexicon = "words.toml" }', 'signal = "toxicity.score", max = 0.5, flag = true', False),
    ],
)
def test_doubt_follows_the_signals(tmp_path: Path, steps: str, keep: str, doubted: bool) -> None:
    words(tmp_path, HEADER + ENTRY)
    recipe = load_recipe(
        lay_out(
            tmp_path,
            RECORDS,
            recipe=RECIPE.split("steps =")[0] + f'steps = [{steps}]\nkeep = [{{ {keep}, why = "a test" }}]\n',
        )
    )
    rule = recipe.stages[0].keep[0]
    assert (proof.reason(rule, proof.unproven(recipe)) is not None) is doubted
    assert proof.guarded(recipe.stages[0], proof.unproven(recipe)).keep[0].flag is (doubted or rule.flag)


def test_check_the_report_and_the_terminal_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(tmp_path, HEADER + ENTRY)
    why = "words.toml is unproven: no owner, no version, no measured precision"
    planned = plan.plan(load_recipe(tmp_path / "recipe.toml"), out=tmp_path / "runs" / "r")
    first, second = planned["stages"][0]["rules"]
    assert (first["flag"], first["unproven"], second["flag"], second["unproven"]) == (True, why, False, None)
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["check", "recipe.toml"])
    assert f"only flags: {why}; see rules/README.md" in shown.output
    facts = reports.load(done.path)
    assert [rule["unproven"] for rule in facts["rules"]["list"]] == [why, None]
    (alert,) = (one for one in facts["alerts"] if "unproven" in one["text"])
    assert alert["text"] == f"Rule {RULE} only flags: {why}; see rules/README.md."
    assert alert["command"].startswith("curate review ")
    page = (done.path / "report.html").read_text(encoding="utf-8")
    assert f"Only flags, though the recipe lets it drop: {why}" in page
    shown = CliRunner().invoke(app, ["run", "recipe.toml", "--out", "runs/r"], env={"COLUMNS": "200"})
    assert f"only flags: {RULE}: {why}; see rules/README.md" in shown.output
    told = json.loads(CliRunner().invoke(app, ["explain", "runs/r", done.rows["id"][0], "--json"]).output)
    assert told["stages"][0]["rules"][0]["flag"] is True


def test_a_review_prints_the_table_that_proves_the_file(tmp_path: Path) -> None:
    done = run(tmp_path, HEADER + ENTRY)
    hit = done.rows["id"][done.rows["response"].to_list().index("Oh you plum!")]
    shown = CliRunner().invoke(app, ["review", str(done.path), "--rule", RULE, "--mark", f"{hit}=right"])
    assert shown.exit_code == 0, shown.output
    table = shown.output[shown.output.index("[[measured]]") : shown.output.index("the report says so too")]
    assert "precision = 1\n" in table
    assert "texts = 1\n" in table
    proven = f'{HEADER}owner = "us"\nversion = "1"\n{table}\n{ENTRY}'
    assert proof.lacks("lexicons", words(tmp_path, proven)) == ()
    assert fates(run(tmp_path, proven))["Oh you plum!"] == ([RULE], [])


def read_by(step: str) -> set[str]:
    """Return the bundled rule files that the code of a step names."""
    found = set()
    for node in ast.walk(ast.parse((catalog.STEPS / f"{step}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            texts = [
                one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)
            ]
            folder = {"lexicon": "lexicons", "patterns": "patterns"}.get(node.func.attr)
            found |= {f"{folder}/{text}" for text in texts if folder}
            found |= {"patterns/pii"} if node.func.attr in ("find_all", "find_in") else set()
            found |= {f"concepts/{name}" for name in CATEGORIES} if node.func.attr == "screen" else set()
    return found


@pytest.mark.parametrize("step", catalog.names())
def test_a_step_declares_the_rule_files_that_it_reads(step: str) -> None:
    info = catalog.describe(step)
    named = [name for names in info.rules.values() for name in names]
    assert set(named) == read_by(step)
    assert all((RULES / f"{name}.toml").is_file() for name in named)


def test_an_argument_replaces_the_file_of_its_folder(tmp_path: Path) -> None:
    recipe = load_recipe(lay_out(tmp_path, RECORDS, recipe=RECIPE))
    assert proof.files(Use(step="bias"), recipe) == [("lexicons", RULES / "lexicons" / "identity.toml")]
    own = Use.model_validate({"step": "bias", "lexicon": "words.toml"})
    assert proof.files(own, recipe) == [("lexicons", tmp_path.resolve() / "words.toml")]
    two = Use.model_validate({"step": "association", "groups": "words.toml"})
    bundled = RULES / "lexicons" / "associations.toml"
    assert proof.files(two, recipe) == [("lexicons", bundled), ("lexicons", tmp_path.resolve() / "words.toml")]
    off = Use.model_validate({"step": "toxicity", "concepts": False})
    assert proof.files(off, recipe) == [("lexicons", RULES / "lexicons" / "toxicity.toml")]
