"""`croissant.json` as the validator and loader of MLCommons read it, without network."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sample_run import RECIPE

import reports
from curate import export
from curate.rundir import RunDir
from reports import quality
from reports.croissant import croissant

NEEDS = pytest.mark.skipif(
    importlib.util.find_spec("mlcroissant") is None, reason="validates with mlcroissant; install curatune[dev]"
)
# In a process of its own, as the import takes seconds and warns; any connection would fail the test.
READ = """
import json, os, socket, sys

def refuse(*a, **k):
    raise OSError("no network in this test")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
import mlcroissant

def plain(value):
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {key.rsplit("/", 1)[-1]: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else getattr(value, "item", lambda: value)()

data = mlcroissant.Dataset(jsonld=sys.argv[1])
issues = data.metadata.ctx.issues
records = [plain(record) for record in data.records("rows")]
print(json.dumps({"errors": sorted(issues.errors), "warnings": sorted(issues.warnings), "records": records}))
sys.stdout.flush()
os._exit(0)  # now and then a thread of the libraries aborts while the interpreter goes
"""
STATED = {"creators": ["Ada"], "url": "https://example.org/mix", "published": "2026-01-31", "cite": "Ada 2026",
          "uses": "tuning", "version": "2.0.1"}  # fmt: skip


@pytest.fixture
def facts(run: Path) -> dict[str, Any]:
    return quality.facts(run, name="runs/demo")


def read(folder: Path) -> tuple[dict[str, Any], str]:
    """Return what mlcroissant makes of a folder: issues and records; and what it logs."""
    command = [sys.executable, "-W", "ignore", "-c", READ, str(folder / "croissant.json")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@NEEDS
def test_a_run_is_valid_and_loads_its_rows(run: Path) -> None:
    reports.build(run)
    found, log = read(run)
    assert found["errors"] == []
    # Nobody stated a date or a citation, and neither is made up.
    assert [text.split('"')[1].rsplit("/", 1)[-1] for text in found["warnings"]] == ["citeAs", "datePublished"]
    assert "context" not in log
    assert found["records"] == pl.read_parquet(run / "mix.parquet").to_dicts()


@NEEDS
def test_nothing_is_left_to_remark_when_the_maker_states_the_rest(make_run: Callable[..., Path]) -> None:
    run = make_run(recipe=RECIPE | {"card": STATED})
    reports.build(run)
    found, _ = read(run)
    assert (found["errors"], found["warnings"]) == ([], [])


@NEEDS
@pytest.mark.parametrize("form", sorted(export.FORMS))
def test_every_export_is_valid_and_loads(run: Path, tmp_path: Path, form: str) -> None:
    told = export.export(RunDir.open(run), form=form, out=tmp_path / "x")
    reports.describe(run, tmp_path / "x", told)
    found, _ = read(tmp_path / "x")
    assert found["errors"] == []
    assert found["records"] == pl.read_parquet(tmp_path / "x" / told["files"][1]).to_dicts()


def test_names_files_and_origins(run: Path, facts: dict[str, Any]) -> None:
    found = croissant(facts)
    assert found["conformsTo"][0] == "http://mlcommons.org/croissant/1.1"
    # 8 kept rows declare no licence: the two that are declared are listed
    assert found["license"] == ["https://spdx.org/licenses/MIT", "https://spdx.org/licenses/CC-BY-4.0"]
    file = found["distribution"][0]
    assert file["contentUrl"] == "mix.parquet" and len(file["sha256"]) == 64
    assert file["contentSize"] == f"{(run / 'mix.parquet').stat().st_size} B"
    assert found["version"] == f"1.0.0+{file['sha256'][:12]}"
    assert found["prov:wasDerivedFrom"] == [
        {"@id": "urn:sha256:" + "cd" * 32, "@type": "prov:Entity", "prov:label": "data/news.jsonl",
         "sha256": "cd" * 32, "contentSize": "1234 B"}
    ]  # fmt: skip
    activity = found["prov:wasGeneratedBy"]
    assert activity["prov:used"] == [{"@id": "urn:sha256:" + "cd" * 32}]
    assert activity["prov:wasAssociatedWith"]["prov:label"] == "curatune 0.1.0"


def test_responsible_ai_properties_are_filled_from_the_figures(facts: dict[str, Any]) -> None:
    found = croissant(facts)
    assert "rows seen 60, removed 5, by this rule alone 4." in found["rai:dataManipulationProtocol"]
    assert found["rai:dataCollection"].startswith("How the sources were collected is not stated by the maker.")
    assert any("classification, 79 % of the mix" in text for text in found["rai:dataBiases"])
    assert any("5 copies found" in text for text in found["rai:dataLimitations"])
    assert found["rai:personalSensitiveInformation"][1] == "Rows of the mix where some was found: email 1."
    assert found["rai:dataPreprocessingProtocol"] == ["Texts repaired while reading: mojibake 3."]
    assert "rai:dataUseCases" not in found


def test_stated_values_are_taken_over(make_run: Callable[..., Path]) -> None:
    found = croissant(quality.facts(make_run(recipe=RECIPE | {"card": STATED})))
    assert (found["url"], found["datePublished"], found["version"]) == (STATED["url"], "2026-01-31", "2.0.1")
    assert found["creator"] == [{"@type": "sc:Organization", "name": "Ada"}]
    assert found["rai:dataUseCases"] == ["tuning"]


def test_no_text_of_the_data_and_no_moment_stands_in_it(facts: dict[str, Any]) -> None:
    text = json.dumps(croissant(facts), ensure_ascii=False)
    assert not [row["prompt"] for row in facts["rows"].values() if row["prompt"].strip() in text]
    assert "2024-05-01" not in text and facts["timing"]["started"].startswith("2024-05-01")
