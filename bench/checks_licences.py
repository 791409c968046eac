"""Names of licences, measured: `python bench/checks.py --topics licences`.

The names of `bench/data/licences.jsonl` are written as people write them: SPDX names, sentences, addresses, notes that
say nothing. Each has its SPDX name, if it has one, and all that it asks. They come in two rounds, both written before
the reader was last changed: what the first got wrong it was then taught, of the second only what is of a kind with
that. Taking a licence for freer than it is lets rows in that must stay out; the other way round costs rows and a look.
"""

from __future__ import annotations

import json
from typing import Any

from goals import Figure, share
from reading import ROOT

from curate import licences

NAMED = ROOT / "bench" / "data" / "licences.jsonl"
# The gate that is tried: what asks more than to share alike is refused.
ALLOWED = (licences.SHARE_ALIKE,)


def figures() -> dict[str, Any]:
    """Return figures, failures and notes, JSON-able."""
    named = [json.loads(line) for line in NAMED.read_text(encoding="utf-8").splitlines()]
    found: list[Figure] = []
    failures: list[str] = []
    for number in (1, 2):
        some = [one for one in named if one["round"] == number]
        found += _read(some, f"round {number}", failures)
    found += _gate(named, failures)
    notes = ["the names were written by the authors of the reader: what others write may be read less often"]
    return {"figures": found, "failures": failures, "notes": notes}


def _read(named: list[dict[str, Any]], label: str, failures: list[str]) -> list[Figure]:
    """Return how often names are read right, and which way they are read wrong."""
    pairs = [(one, _most(one["terms"]), licences.terms(one["said"])[0]) for one in named]
    known = [one for one in named if one["spdx"]]
    right = [one for one in known if licences.spdx(one["said"]) == one["spdx"]]
    made_up = [one for one in named if not one["spdx"] and licences.spdx(one["said"])]
    freer = [one for one, wanted, got in pairs if licences.TERMS.index(got) < licences.TERMS.index(wanted)]
    silent = [(one, got) for one, wanted, got in pairs if wanted == licences.UNKNOWN]
    failures += [
        f"{one['said']!r} is {wanted}, read as {got}, {licences.spdx(one['said'])}"
        for one, wanted, got in pairs
        if wanted != got or licences.spdx(one["said"]) != one["spdx"]
    ]
    return [
        share(f"{label}: SPDX name right, of names that have one", len(right), len(known), ">= 0.9"),
        share(f"{label}: an SPDX name given to what has none", len(made_up), len(named) - len(known), "<= 0"),
        share(f"{label}: most restrictive term right", sum(a == b for _, a, b in pairs), len(pairs), ">= 0.9"),
        share(f"{label}: read as freer than it is", len(freer), len(pairs), "<= 0"),
        share(f"{label}: unknown names said unknown", sum(got == licences.UNKNOWN for _, got in silent), len(silent),
              ">= 1"),
    ]  # fmt: skip


def _gate(named: list[dict[str, Any]], failures: list[str]) -> list[Figure]:
    """Return what a gate that allows sharing alike lets in and keeps out wrongly."""
    most = licences.TERMS.index(ALLOWED[0])
    free = [one for one in named if licences.TERMS.index(_most(one["terms"])) <= most]
    bound = [one for one in named if one not in free]
    out = [one for one in free if licences.refusal(one["said"], allow=ALLOWED, refuse=())]
    let = [one for one in bound if not licences.refusal(one["said"], allow=ALLOWED, refuse=())]
    failures += [f"let in by {ALLOWED[0]}: {one['said']!r}" for one in let]
    return [
        share(f"gate that allows {ALLOWED[0]}: let in wrongly", len(let), len(bound), "<= 0"),
        share(f"gate that allows {ALLOWED[0]}: refused wrongly", len(out), len(free), "<= 0.1"),
    ]


def _most(terms: list[str]) -> str:
    return max(terms, key=licences.TERMS.index)
