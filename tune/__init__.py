"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""

from tune.ablation import ablate
from tune.evaluation import evaluate
from tune.groups import Groups, worth
from tune.harness import export_tasks
from tune.influence import signals
from tune.settings import Settings
from tune.training import Tuned, train
from tune.trunk import Trunk

__all__ = ["Groups", "Settings", "Trunk", "Tuned", "ablate", "evaluate", "export_tasks", "signals", "train", "worth"]
