"""The shape of the code: who may import whom, sizes, and what start-up may load."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
KERNEL = {"errors", "schema", "rundir", "folders", "text", "chance", "stars", "shingles", "again", "licences",
          "parity", "intervals", "roles"}  # fmt: skip
HELPERS = {
    "apart", "arithmetic", "backends", "banded", "cache", "calls", "chat", "choices", "classifier", "clean", "concepts",
    "copies", "covers", "cutoffs", "disguise", "doubts", "embed", "endpoint", "facility", "fences", "folds",
    "heads", "heldout", "joining", "joins", "judging", "kernels", "kinship", "languages", "lexical", "lm",
    "losses", "mend", "mistakes", "neighbours", "options", "overlap", "personal", "picks", "pieces", "pool",
    "parts", "precision", "presidio", "rarity", "records", "recurrence", "remote", "rulebook", "rulefile", "runs",
    "screen", "seals", "shuffle", "similar", "sketches", "stored", "suffixes", "swaps", "templates", "terms",
    "threads", "tokenizer", "trained", "vulgar", "weights", "wordsets",
}  # fmt: skip
SOURCES = sorted([*ROOT.glob("curate/**/*.py"), *ROOT.glob("reports/**/*.py"), *ROOT.glob("tune/**/*.py")])
HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "sklearn",
    "sentence_transformers",
    "scipy.stats",
    "numba",
    "faiss",
    "openvino",
)


def imports(path: Path) -> set[str]:
    """Return the modules of ours that a file imports, at any depth of its code."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    known = {".".join(source.relative_to(ROOT).with_suffix("").parts) for source in SOURCES}
    return {name for name in found if name in known}


def module(path: Path) -> str:
    """Return a file's module name."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def allowed(name: str) -> set[str] | None:
    """Return what a module may import of ours; None for no limit."""
    kernel = {f"curate.{one}" for one in KERNEL}
    helpers = {f"curate.{one}" for one in HELPERS}
    parts = name.split(".")
    if parts[0] == "reports":
        # The finder of personal data, because no text may be shown unmasked.
        ours = {module(source) for source in SOURCES if module(source).startswith("reports")}
        return kernel | {"curate.personal"} | ours
    if parts[0] == "tune":
        # Paths of finished runs come from the command line; what is measured of a model's words, public steps measure.
        ours = {module(source) for source in SOURCES if module(source).startswith("tune")}
        steps = {module(source) for source in SOURCES if module(source).startswith("curate.steps")}
        return kernel | helpers | steps | ours | {"curate.read", "curate.formats"}  # files as everywhere else
    if parts[:2] == ["curate", "steps"]:
        return kernel | helpers
    if parts[0] == "curate" and parts[-1] in KERNEL:
        return kernel
    if parts[0] == "curate" and parts[-1] in HELPERS:
        return kernel | helpers
    return None


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_imports_keep_their_direction(path: Path) -> None:
    name, found = module(path), imports(path)
    limit = allowed(name)
    assert limit is None or found <= limit, f"{name} imports {sorted(found - limit)}"
    if not name.startswith("curate.cli") and name != "curate.__main__":
        assert not any(one.startswith("curate.cli") for one in found), f"{name} imports the command line"
    if name.startswith("curate.") and not name.startswith("curate.cli") and name != "curate.api":
        assert not any(one.split(".")[0] in ("reports", "tune") for one in found)


@pytest.mark.parametrize("path", SOURCES, ids=module)
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 300, f"{path.name} has {text.count(chr(10))} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            lines = text.split("\n")[node.body[0].lineno - 1 : node.end_lineno]
            docstring = ast.get_docstring(node, clean=False)
            code = [line for line in lines if line.strip() and not line.strip().startswith("#")]
            length = len(code) - (len([line for line in docstring.split("\n") if line.strip()]) if docstring else 0)
            assert length <= 40, f"{path.name}: {node.name} has {length} lines of code"


@pytest.mark.parametrize(
    "statement",
    [
        "import curate",
        "import curate.cli.main",
        "import sys; sys.argv = ['curate', '-h']\nimport curate.cli.main as m\ntry: m.main()\nexcept SystemExit: pass",
        "import reports",
        "from curate import catalog; [catalog.describe(name) for name in catalog.names()]",
    ],
)
def test_start_up_loads_nothing_heavy(statement: str) -> None:
    code = f"{statement}\nimport sys; print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stderr.strip().split("\n")[-1] == "[]"


def test_rules_hold_no_code() -> None:
    assert not list((ROOT / "rules").glob("**/*.py"))
