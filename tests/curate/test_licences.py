from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from projects import lay_out, questions

import curate
from curate import licences
from curate.check import problems
from curate.errors import UserError
from curate.gates import refused

RECIPE = """
name = "tiny"
{gate}
[[sources]]
name = "free"
path = "qa0.jsonl"
task = "qa_open"
license = "cc-by-4.0"
[[sources]]
name = "bound"
path = "qa0.jsonl"
task = "qa_open"
license = "CC BY-NC 4.0"
[[sources]]
name = "silent"
path = "qa0.jsonl"
task = "qa_open"
"""


@pytest.mark.parametrize(
    ("name", "spdx", "terms"),
    [
        ("CC BY-NC 4.0", "CC-BY-NC-4.0", ("non-commercial", "attribution")),
        ("cc-by-nc-sa-3.0", "CC-BY-NC-SA-3.0", ("non-commercial", "share-alike", "attribution")),
        ("Creative Commons Attribution-ShareAlike 3.0", "CC-BY-SA-3.0", ("share-alike", "attribution")),
        ("CC BY ND", "CC-BY-ND-4.0", ("no-derivatives", "attribution")),
        ("cc0", "CC0-1.0", ("permissive",)),
        ("Apache License, Version 2.0", "Apache-2.0", ("attribution",)),
        ("MIT License", "MIT", ("attribution",)),
        ("GNU GPL v2 or later", "GPL-2.0-or-later", ("share-alike", "attribution")),
        ("ODbL", "ODbL-1.0", ("share-alike", "attribution")),
        ("GNU Affero General Public License v3.0 (AGPL-3.0)", "AGPL-3.0-only", ("share-alike", "attribution")),
        ("Creative Commons Attribution 4.0 International (CC BY 4.0)", "CC-BY-4.0", ("attribution",)),
        ("The MIT License (MIT)", "MIT", ("attribution",)),
        ("BSD 3-Clause", "BSD-3-Clause", ("attribution",)),
        ("MIT License (code), CC BY-NC 4.0 (data)", None, ("non-commercial", "attribution")),
        ("CC BY-SA 3.0 and GFDL", None, ("share-alike", "attribution")),
        ("Apache 2.0, non-commercial only", None, ("non-commercial", "attribution")),
        ("Apache 2.0 with Commons Clause", None, ("non-commercial", "attribution")),
        ("MIT. Not for commercial use", None, ("non-commercial", "attribution")),
        ("CC BY, research only", None, ("research-only", "attribution")),
        ("MIT, except by the army", None, ("unknown", "attribution")),
        ("https://creativecommons.org/licenses/by-sa/3.0/", "CC-BY-SA-3.0", ("share-alike", "attribution")),
        ("[CC BY](http://creativecommons.org/licenses/by/4.0)", "CC-BY-4.0", ("attribution",)),
        ("https://creativecommons.org/publicdomain/zero/1.0/deed.en", "CC0-1.0", ("permissive",)),
        ("https://creativecommons.org/licenses/by/4.0/ but not for war", None, ("unknown", "attribution")),
        ("https://creativecommons.org", None, ("unknown",)),
        ("https://www.gnu.org/licenses/old-licenses/gpl-2.0.en.html", "GPL-2.0-only", ("share-alike", "attribution")),
        ("https://opendatacommons.org/licenses/odbl/1-0/", "ODbL-1.0", ("share-alike", "attribution")),
        ("https://opensource.org/licenses/MIT", "MIT", ("attribution",)),
        ("https://spdx.org/licenses/BSD-3-Clause.html", "BSD-3-Clause", ("attribution",)),
        ("License :: OSI Approved :: MIT License", "MIT", ("attribution",)),
        ("GPLv2", "GPL-2.0-only", ("share-alike", "attribution")),
        ("ccby4.0", "CC-BY-4.0", ("attribution",)),
        ("ASL", None, ("unknown",)),  # a sign language too
        ("MIT 0.9", "MIT", ("attribution",)),
        ("research only", None, ("research-only",)),
        ("other", None, ("unknown",)),
        (None, None, ("unknown",)),
    ],
)
def test_names_and_terms_however_they_are_written(name: str | None, spdx: str | None, terms: tuple[str, ...]) -> None:
    assert (licences.spdx(name), licences.terms(name)) == (spdx, terms)


def test_the_strictest_term_is_that_of_the_strictest_licence() -> None:
    assert licences.strictest(["MIT", "CC-BY-SA-4.0", "CC-BY-NC-4.0"]) == "non-commercial"
    assert licences.strictest(["MIT", None]) == "unknown"
    assert licences.strictest([]) is None


@pytest.mark.parametrize(
    ("allow", "refuse", "names"),
    [
        ([], [], []),
        ([], ["non-commercial"], ["bound"]),
        ([], ["unknown"], ["silent"]),
        (["CC-BY-4.0"], [], ["bound", "silent"]),
        (["share-alike"], [], ["bound", "silent"]),
        (["non-commercial"], [], ["silent"]),
        (["unknown"], ["cc by nc 4.0"], ["bound"]),
    ],
)
def test_licences_are_allowed_and_refused_by_name_or_term(
    tmp_path: Path, allow: list[str], refuse: list[str], names: list[str]
) -> None:
    gate = f"licenses = {{ allow = {allow}, refuse = {refuse} }}"
    path = lay_out(tmp_path, questions(3), recipe=RECIPE.format(gate=gate))
    recipe = curate.load_recipe(path)
    assert list(problems(recipe)) == []
    assert sorted(refused(recipe)) == names


def test_a_licence_that_nobody_knows_is_a_mistake(tmp_path: Path) -> None:
    path = lay_out(tmp_path, questions(3), recipe=RECIPE.format(gate='licenses = { refuse = ["non-comercial"] }'))
    assert list(problems(curate.load_recipe(path))) == [
        "licenses, refuse: unknown licence or term 'non-comercial'; did you mean 'non-commercial'?"
    ]


def test_a_refused_licence_breaks_the_run_and_the_report_names_it(tmp_path: Path) -> None:
    path = lay_out(tmp_path, questions(3), recipe=RECIPE.format(gate='licenses = { refuse = ["non-commercial"] }'))
    with pytest.raises(UserError, match="max_rows_of_refused_licences 0, measured 3") as caught:
        curate.run(curate.load_recipe(path), out=tmp_path / "run")
    assert caught.value.code == 3
    facts = orjson.loads((tmp_path / "run" / "report.json").read_bytes())["licences"]
    assert facts["strictest"] == "unknown"
    assert facts["without"] == {"rows": 3, "kept": 3}
    assert {one["name"]: one["refused"] for one in facts["list"]} == {
        "cc-by-4.0": None,
        "CC BY-NC 4.0": "refused: non-commercial",
        None: None,
    }


@pytest.mark.parametrize(
    ("name", "refuse", "why"),
    [
        ("cc-by-nc-3.0", ["CC-BY-NC"], "refused: CC-BY-NC"),
        ("cc-by-nc-3.0", ["CC-BY-NC-4.0"], None),
        ("MIT License (code), CC BY-NC 4.0 (data)", ["non-commercial"], "refused: non-commercial"),
        ("MIT License (code), CC BY-NC 4.0 (data)", ["CC-BY-NC-4.0"], "refused: CC-BY-NC-4.0"),
    ],
)
def test_a_name_without_a_version_means_all_and_every_licence_of_a_text_counts(
    name: str, refuse: list[str], why: str | None
) -> None:
    assert licences.refusal(name, allow=[], refuse=refuse) == why


def test_a_licence_with_more_said_beside_it_is_not_allowed_by_its_name() -> None:
    allowed = [licences.refusal(name, allow=["MIT"], refuse=[]) for name in ("mit", "MIT, except by the army")]
    assert allowed == [None, "not among those allowed: unknown"]
