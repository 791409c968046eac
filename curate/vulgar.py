"""Vulgar English words, from a maintained package instead of a list of our own."""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path

import orjson

from curate.errors import MISSING, UserError

PACKAGE = "glin_profanity"
# Shorter entries are parts of ordinary words and names.
_SHORTEST = 4
# Listed there, and yet words of medicine, of love and of daily life.
HARMLESS = frozenset({
    "anal", "anus", "bareback", "barenaked", "bastardized", "bondage", "boner", "butt", "clitoris", "cock", "cocks",
    "coon", "coons", "dick", "domination", "ejaculation", "erotic", "escort", "eunuch", "fecal", "genitals",
    "grope", "hardcore", "hooker", "humping", "incest", "intercourse", "kinky", "lolita", "masturbate", "negro",
    "nipple", "nipples", "nude", "nudity", "octopussy", "orgasm", "paki", "panties", "panty", "pegging", "penis",
    "pissed", "playboy", "pornography", "rape", "raping", "rapist", "rectum", "retard", "retarded", "sadism",
    "santorum", "scat", "semen", "shrimping", "skeet", "snatch", "snowballing", "spunk", "suck", "sucks",
    "swastika", "swinger", "tits", "topless", "twinkie", "undressing", "vagina", "vibrator", "voyeur", "vulva",
})  # fmt: skip


@lru_cache(maxsize=1)
def words() -> frozenset[str]:
    """Return the single words of the package's English list but the harmless ones, in lower case.

    Its data file is read, its code is not run.

    Raises:
        UserError: status 5 when the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    path = Path(spec.origin).parent / "data" / "dictionaries" / "english.json" if spec and spec.origin else Path()
    if not path.is_file():
        raise UserError(
            "word list of vulgar words", f"{PACKAGE} is not installed", "pip install curatune", code=MISSING
        )
    listed = orjson.loads(path.read_bytes())["words"]
    found = frozenset(word for word in map(str.lower, listed) if word.isalpha() and len(word) >= _SHORTEST)
    return found - HARMLESS
