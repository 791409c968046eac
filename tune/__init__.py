"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""

from tune.evaluate import evaluate as evaluate
from tune.train import train as train

__all__ = ["evaluate", "train"]
