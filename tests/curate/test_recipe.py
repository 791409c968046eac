"""Recipes: every mistake is named with its place and the near match."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.check import problems
from curate.errors import UserError
from curate.recipe import Keep, load_recipe, parse

MINIMAL = """
name = "tiny"
[[sources]]
name = "a"
path = "a.jsonl"
task = "qa_open"
"""


def write(folder: Path, text: str) -> Path:
    """Write a recipe and the data file it names."""
    (folder / "a.jsonl").write_text('{"question": "q", "answer": "a"}\n')
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def test_a_minimal_recipe_has_the_documented_defaults(tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, MINIMAL))
    source = recipe.sources[0]
    assert (recipe.rejects, recipe.templates.per_record, recipe.templates.kinds) == (
        0.01,
        1,
        ("zero_shot", "chain_of_thought"),
    )
    assert (source.split, source.license, source.lang, source.limit) == ("train", None, None, None)
    assert list(problems(recipe)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MINIMAL + "sed = 3", "unknown key 'sed'"),
        (MINIMAL.replace("path", "paht"), "did you mean 'path'?"),
        (MINIMAL.replace('task = "qa_open"', ""), "name either `task`"),
        (MINIMAL + '[[stages]]\nname = "s"\nkeep = [{ signal = "length.words", min = 1 }]', "`why` is required"),
        (MINIMAL + '[[stages]]\nname = "s"\nkeep = [{ signal = "a.b", why = "x" }]', "exactly one of"),
        (
            MINIMAL + '[[stages]]\nname = "s"\nkeep = [{ signal = "a.b", min = 3, max = 1, why = "x" }]',
            "nothing can pass",
        ),
        ("name = ", "cannot be read as TOML"),
        ('name = "x"\nsources = []', "sources"),
        (MINIMAL + "base = 'x'", "unknown key 'base'"),
    ],
)
def test_mistakes_of_form_are_named(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(UserError) as caught:
        load_recipe(write(tmp_path, text))
    assert expected in str(caught.value)
    assert caught.value.code == 2


def test_all_mistakes_of_form_come_at_once(tmp_path: Path) -> None:
    text = MINIMAL.replace("path", "paht") + 'licence = "MIT"\n[gates]\nmax_dropped = 1'
    with pytest.raises(UserError) as caught:
        load_recipe(write(tmp_path, text))
    for expected in (
        "'paht'",
        "'licence'; did you mean 'license'?",
        "'max_dropped'; did you mean 'max_dropped_share'?",
    ):
        assert expected in caught.value.what


STAGE = '[[stages]]\nname = "s"\nsteps = [{STEPS}]\nkeep = [{KEEP}]\n'


def stage(steps: str, keep: str = "") -> str:
    """Return a recipe with one stage."""
    return MINIMAL + STAGE.replace("{STEPS}", steps).replace("{KEEP}", keep)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (stage('{ step = "lenght" }'), "unknown step 'lenght'; did you mean 'length'?"),
        (stage('{ step = "length", colunm = "prompt" }'), "unknown argument 'colunm'; did you mean 'column'?"),
        (stage('{ step = "length", column = "promt" }'), "unknown column 'promt'; did you mean 'prompt'?"),
        (stage('{ step = "length", column = 3 }'), "does not fit"),
        (
            stage('{ step = "length" }', '{ signal = "length.wrds", min = 1, why = "x" }'),
            "did you mean 'length.words'?",
        ),
        (stage('{ step = "length" }', '{ signal = "length.words", any_of = ["x"], why = "x" }'), "'x' is not"),
        (stage('{ step = "length" }, { step = "length" }'), "name one with `as`"),
        (stage('{ step = "exact" }, { step = "length" }'), "needs a stage of its own"),
        (stage('{ step = "exact" }', '{ signal = "exact.rank", min = 1, why = "x" }'), "could drop keepers"),
        (
            stage('{ step = "length" }', '{ signal = "length.words", min = 1, why = "x", where = { tsk = "a" } }'),
            "did you mean 'task'?",
        ),
        (MINIMAL.replace("a.jsonl", "b.jsonl"), "b.jsonl"),
        (MINIMAL.replace("qa_open", "qa_opne"), "did you mean 'qa_open'?"),
        (MINIMAL + 'fields = { quesion = "q" }', "did you mean 'question'?"),
        (MINIMAL + 'split = "heldout"', "nothing can enter the mix"),
    ],
)
def test_mistakes_of_meaning_are_found_before_data_is_read(tmp_path: Path, text: str, expected: str) -> None:
    found = [str(problem) for problem in problems(load_recipe(write(tmp_path, text)))]
    assert len(found) == 1, found
    assert expected in found[0]


@pytest.mark.parametrize(
    ("override", "check"),
    [
        ("seed=7", lambda r: r.seed == 7),
        ("sources.a.limit=3", lambda r: r.sources[0].limit == 3),
        ("stages.s.keep.0.min=5", lambda r: r.stages[0].keep[0].min == 5),
        ("stages.s.keep.length.words.min=5", lambda r: r.stages[0].keep[0].min == 5),
        ("stages.s.steps.length.column=prompt", lambda r: r.stages[0].steps[0].arguments == {"column": "prompt"}),
        ("gates.min_kept=2", lambda r: r.gates.min_kept == 2),
        ("nonsense", None),
        ("seed.x=1", None),
        ("stages.t.keep.0.min=5", None),
        ("sede=7", None),
    ],
)
def test_overrides_reach_into_lists_by_name(tmp_path: Path, override: str, check: object) -> None:
    path = write(tmp_path, stage('{ step = "length" }', '{ signal = "length.words", min = 1, why = "x" }'))
    if check is None:
        with pytest.raises(UserError):
            load_recipe(path, overrides=[override])
    else:
        assert callable(check)
        assert check(load_recipe(path, overrides=[override]))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"min": 1}, "s/length.words min 1"),
        ({"min": 1, "max": 2.5}, "s/length.words min 1 max 2.5"),
        ({"is": True}, "s/length.words is true"),
        ({"any_of": ["en", "fr"]}, "s/length.words any_of en,fr"),
        (
            {"max": 3, "where": {"task": ["qa", "nli"], "lang": "en"}},
            "s/length.words max 3 where task=qa,nli and lang=en",
        ),
    ],
)
def test_rule_ids_name_signal_form_and_where(rule: dict[str, object], expected: str) -> None:
    assert Keep.model_validate({"signal": "length.words", "why": "x", **rule}).rule_id("s") == expected


def test_a_recipe_survives_the_manifest(tmp_path: Path) -> None:
    keep = '{ signal = "length.words", min = 1, why = "x", where = { task = ["qa_open"] } }'
    recipe = load_recipe(write(tmp_path, stage('{ step = "length", as = "l2" }, { step = "length" }', keep)))
    assert parse(recipe.plain(), file=recipe.file, base=recipe.base) == recipe


def test_the_maker_states_in_the_recipe_what_nobody_can_compute(tmp_path: Path) -> None:
    stated = '[card]\ncreators = ["Ada"]\npublished = 2026-01-31\nuses = "tuning"\n'
    card = load_recipe(write(tmp_path, MINIMAL + stated)).plain()["card"]
    assert card == {"creators": ["Ada"], "published": "2026-01-31", "uses": "tuning", "annotations_creators": [],
                    "source_datasets": []}  # fmt: skip
    assert "card" not in load_recipe(write(tmp_path, MINIMAL)).plain()


def test_a_slip_in_the_card_is_named_with_the_near_match(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"card, creator: unknown key 'creator'.*'creators'"):
        load_recipe(write(tmp_path, MINIMAL + '[card]\ncreator = "Ada"\n'))


def test_clean_is_a_list_of_repairs_or_a_table_with_masks(tmp_path: Path) -> None:
    listed = load_recipe(write(tmp_path, MINIMAL + 'clean = ["trim"]\n'))
    assert listed.sources[0].clean.repairs == ("trim",)
    assert listed.plain()["sources"][0]["clean"] == ["trim"]
    masking = load_recipe(write(tmp_path, MINIMAL + 'clean = { mask = ["email"] }\n'))
    assert masking.sources[0].clean.mask == ("email",)
    assert masking.plain()["sources"][0]["clean"] == {
        "repairs": ["mojibake", "unicode", "line_endings"],
        "mask": ["email"],
    }
    with pytest.raises(UserError, match=r"unknown kind 'emial'; did you mean 'email'\?"):
        load_recipe(write(tmp_path, MINIMAL + 'clean = { mask = ["emial"] }\n'))
