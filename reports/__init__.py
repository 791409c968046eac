"""A run directory told as facts, and the facts told as a page, a dataset card and a terminal summary."""

from reports.ablation import ablated as ablated
from reports.compare import compare as compare
from reports.judging import judging as judging
from reports.quality import build as build
from reports.quality import describe as describe
from reports.quality import load as load
from reports.terminal import summary as summary
from reports.terminal_compare import comparison as comparison
from reports.terminal_rules import rule_table as rule_table

__all__ = ["ablated", "build", "compare", "comparison", "describe", "judging", "load", "rule_table", "summary"]
