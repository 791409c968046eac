"""The guarantees of duplicates over random and adversarial cases: thousands here, a million by `make test-slow`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    spec = importlib.util.spec_from_file_location("campaign", BENCH / "campaign.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "campaign", module)
    spec.loader.exec_module(module)
    return module


def test_no_guarantee_breaks_in_some_thousand_cases(campaign: ModuleType) -> None:
    met = campaign.part(3000, (campaign.SEED, 0))
    # What is asserted in each case is worth something where these occur.
    assert met["cases"] == 3000
    assert met["removed"] > 3000
    assert met["at_the_threshold"] > 1000
    assert met["cases_with_a_chain"] > 300


@pytest.mark.slow
def test_no_guarantee_breaks_in_a_million_cases(campaign: ModuleType) -> None:
    assert campaign.campaign(1_000_000, campaign.SEED)["cases"] == 1_000_000
