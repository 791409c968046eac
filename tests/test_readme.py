"""What the README shows is what happens."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import readme

ROOT = readme.README.parent
TEXT = readme.README.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
EMBED = pytest.importorskip("sentence_transformers", reason="the demo embeds; install curatune[embed]")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return [body for found, body in BLOCK.findall(TEXT) if found == language]


def sessions() -> list[tuple[str, str]]:
    """Return each command of the console blocks with the output shown below it."""
    found: list[tuple[str, str]] = []
    for body in blocks("console"):
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.strip("\n")))
    return found


def stable(line: str) -> str:
    """Return a line without row ids: which row comes first may hang on the last bits of an embedding."""
    return re.sub(r"\b[0-9a-f]{32}\b", "ID", line.rstrip())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that looks like a checkout, with the README's recipe in it."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "rules").symlink_to(ROOT / "rules")
    (folder / "quiz.toml").write_text(blocks("toml")[0], encoding="utf-8")
    return folder


def test_the_table_of_steps_is_up_to_date() -> None:
    assert readme.with_table(TEXT) == TEXT, "run `make fix`"


def test_the_commands_print_what_the_readme_shows(project: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("COLUMNS", None)
    shown = [(command, output) for command, output in sessions() if command.startswith("curate ")]
    assert len(shown) >= 3
    for command, output in shown:
        done = subprocess.run(shlex.split(command), cwd=project, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        lines = [stable(line) for line in done.stdout.split("\n")]
        missing = [line for line in output.split("\n") if line != "…" and stable(line) not in lines]
        assert not missing, f"{command} no longer prints {missing[0]!r}; it prints\n{done.stdout}"


def test_make_runs_the_command_whose_output_is_shown() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "curate run rules/recipes/demo.toml --out runs/demo" in makefile
    assert any(command == "curate run rules/recipes/demo.toml --out runs/demo" for command, _ in sessions())


def test_the_python_example_runs(project: Path) -> None:
    command = [sys.executable, "-c", blocks("python")[0]]
    done = subprocess.run(command, cwd=project, check=True, capture_output=True, text=True)
    rows = pl.read_parquet(project / "runs" / "quiz-7" / "rows.parquet")
    kept, dropped = int(rows["kept"].sum()), int((~rows["kept"]).sum())
    assert done.stdout.startswith(f"{kept} kept, {dropped} dropped\n")
    assert (project / "runs" / "quiz-7" / "report.html").is_file()


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target
