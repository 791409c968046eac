"""The command line as its users type it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def curate(*arguments: object, cwd: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Run `curate` in a folder, with nothing typed into it; return its status and what it wrote."""
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    command = [sys.executable, "-m", "curate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, **options)  # type: ignore[call-overload,no-any-return]
