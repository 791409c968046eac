"""A whole ablation in one call, as `curate ablate` does it."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from curate.errors import UserError
from curate.rundir import RunDir
from tune.plan import Plan, load_plan


def ablate(
    plan: str | Path | Plan,
    *,
    run: str | Path | None = None,
    out: str | Path | None = None,
    workers: int = 1,
    fresh: bool = False,
    progress: Callable[[str, int, int], None] = lambda label, done, total: None,
) -> dict[str, Any]:
    """Try the arms of a plan and return what ablation.json holds; broken off, the same call goes on.

    Args:
        plan: a plan, or its file.
        run: the run directory that it is about; the plan's own `run`, beside its file, when left out.
        out: folder; `RUN/ablations/<name>` when left out.
        workers: processes.
        fresh: begin again, forgetting an earlier trial there.
        progress: told a label, what is done and the total.

    Raises:
        UserError: for mistakes in the plan, no run, or rules and tasks that the run has not.
    """
    trials = import_module("curate.trials")  # the engine is below the command line, and above this package
    loaded = plan if isinstance(plan, Plan) else load_plan(plan)
    about = RunDir.open(Path(run) if run is not None else own_run(loaded, plan))
    trial = trials.prepare(
        loaded, run=about, out=None if out is None else Path(out), workers=workers, fresh=fresh, progress=progress
    )
    trials.pilot(trial, workers=workers, progress=progress)
    found: dict[str, Any] = trials.finish(trial, workers=workers, progress=progress)
    return found


def own_run(loaded: Plan, plan: str | Path | Plan) -> Path:
    """Return the run that a plan names; its path is relative to the plan's file.

    Raises:
        UserError: when it names none.
    """
    if loaded.run is None:
        raise UserError(f"plan '{loaded.name}'", "names no run", 'add run = "…" to the plan, or --run RUN')
    base = Path() if isinstance(plan, Plan) else Path(plan).parent
    return Path(os.path.relpath((base / loaded.run).resolve()))
