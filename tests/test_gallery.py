"""The committed reports are what the code makes of their samples today."""

from __future__ import annotations

import re
from pathlib import Path

import gallery
import pytest

from reports import html

AGAIN = "run `make fix` and look at what changed"
LARGEST = 1_500_000  # bytes; the two stay small enough to be read in a review and cloned by everyone


@pytest.mark.parametrize("sample", gallery.SAMPLES)
def test_the_page_is_what_the_facts_render_to(sample: str) -> None:
    page = (gallery.GALLERY / sample / "report.html").read_text(encoding="utf-8")
    assert html.render(gallery.committed(sample)) == page, AGAIN


@pytest.mark.parametrize("sample", gallery.SAMPLES)
def test_a_fresh_run_gives_the_same_facts(sample: str, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers", reason="the samples embed; install curatune[embed]")
    old, new = gallery.committed(sample), gallery.fresh(sample, tmp_path)
    vectors = gallery.distances(old) == gallery.distances(new)
    was, now = (gallery.comparable(facts, vectors=vectors) for facts in (old, new))
    assert was.keys() == now.keys(), AGAIN
    for part in was:
        assert was[part] == now[part], f"{part}: {AGAIN}"


@pytest.mark.parametrize("sample", gallery.SAMPLES)
@pytest.mark.parametrize("file", ["report.json", "report.html"])
def test_no_machine_and_no_moment_stands_in_it(sample: str, file: str) -> None:
    path = gallery.GALLERY / sample / file
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < LARGEST
    assert not re.search(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d", text)
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|work|Users|usr|var)/[\w-]+", text)


def test_faults_were_planted_in_the_audited_files() -> None:
    alerts = gallery.committed("audit")["alerts"]
    assert sum(alert["count"] > 0 for alert in alerts) >= 3
