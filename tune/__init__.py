"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""

from tune.settings import Settings
from tune.training import Tuned, train
from tune.trunk import Trunk

__all__ = ["Settings", "Trunk", "Tuned", "train"]
