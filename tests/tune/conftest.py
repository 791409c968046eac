"""The causal model of a few hundred weights, for all tests of training that leave it as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_model import write_model

from curate import lm


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give tests the folder of the model."""
    return write_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def model(base: Path) -> lm.LanguageModel:
    """Give tests the model, loaded."""
    return lm.load(str(base), dtype="fp32")
