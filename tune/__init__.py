"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""

from tune.ablation import ablate
from tune.evaluation import evaluate
from tune.harness import export_tasks
from tune.settings import Settings
from tune.training import Tuned, train
from tune.trunk import Trunk
from tune.worth import signals

__all__ = ["Settings", "Trunk", "Tuned", "ablate", "evaluate", "export_tasks", "signals", "train"]
