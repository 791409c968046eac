"""Prove it: fine-tune on a mix, evaluate, and put every rule on trial."""
