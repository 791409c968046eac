"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""

from tune.evaluate import evaluate
from tune.harness import export_tasks

__all__ = ["evaluate", "export_tasks"]
