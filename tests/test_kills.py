"""Fifty kills of the demo and of a run of 200,000 rows: the same bytes as undisturbed, by `make test-slow`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from forks import ROOT

KILLS = int(os.environ.get("KILLS", "50"))
ROWS = os.environ.get("KILLED_ROWS", "200000")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo", "large"])
def test_a_run_killed_at_fifty_moments_gives_the_same_bytes(tmp_path: Path, name: str) -> None:
    out = tmp_path / "kills.json"
    command = [sys.executable, str(ROOT / "bench" / "kills.py"), "--runs", name, "--kills", str(KILLS), "--rows", ROWS]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run([*command, "--out", str(out)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["results"][0]
    assert found["kills"] == KILLS
    assert found["runs_compared"] > 0
