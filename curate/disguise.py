"""See through disguised words: look-alike signs, leet, spaced, stretched, glued and misspelt ones."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_QUOTES = str.maketrans("’‘ʼ“”„", "'''\"\"\"")
_LEET = str.maketrans("431057@$!|", "aeiostasil")
_SIGN = re.compile(r"[0-9@$!|]")
_MIXED = re.compile(r"(?<![a-z0-9@$!|])(?:[a-z]+[0-9@$!|]|[0-9@$!|]+[a-z])[a-z0-9@$!|]*")
# Quantities and names of models are no disguise: 3rd, 10km, b2.
_QUANTITY = re.compile(r"[0-9]+[a-z]{1,3}|[a-z]+[0-9]+")
_SPACED = re.compile(r"(?<![a-z'])[a-z][ .\-_*](?:[a-z][ .\-_*])+[a-z](?![a-z'])")
_STRETCHED = re.compile(r"([a-z])\1{2,}")
# Longer words are no spoken words, nor sentences without blanks; the time to correct one grows with the square of its
# length.
_LONGEST, _LONGEST_GLUED = 24, 60
# A word of fewer letters has too many neighbours to tell which was meant.
_SHORTEST = 4
# Glued words: from so many letters on, into three words or more, so that compounds and names stay whole.
_GLUED, _PARTS = 9, 3
_ENDINGS = ("s", "ed", "ing", "er", "ly", "d", "es", "y", "ers", "able", "ness")
_REMEMBERED = 1 << 18


def plain(text: str) -> str:
    """Return a text in lower case: compatible forms joined, leet read as letters, spaced and stretched words closed."""
    if not text.isascii():
        text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text)).translate(_QUOTES)
    text = _SPACED.sub(lambda match: re.sub(r"[ .\-_*]", "", match[0]), text.lower())
    if _SIGN.search(text):
        text = _MIXED.sub(lambda match: _letters(match[0]), text)
    return _STRETCHED.sub(r"\1", text)


def _letters(word: str) -> str:
    """Read the signs inside a word as letters."""
    stem = word.rstrip("!|")
    return word if stem.isalpha() or _QUANTITY.fullmatch(stem) else stem.translate(_LEET) + word[len(stem) :]


class Speller:
    """Corrects words that no dictionary has to a word of a vocabulary that is one slip away.

    Slips are those of Damerau (1964): a letter swapped with its neighbour, left out, added or replaced (but the first).
    Looking for them through words with a letter deleted is the idea of Garbe's SymSpell (2012).

    Args:
        texts: whose words are the vocabulary, counted.
        dictionary: further words that are right as they are.
    """

    def __init__(self, texts: Iterable[str], dictionary: frozenset[str]) -> None:
        """Count the words of the vocabulary and index them by their words with a letter deleted."""
        self.counts = Counter(word for text in texts for word in WORD.findall(text))
        self.total = sum(self.counts.values())
        self.known = dictionary | self.counts.keys()
        self.shortened: dict[str, list[str]] = {}
        for word in sorted(self.counts):
            if len(word) >= _SHORTEST:
                for short in {word[:place] + word[place + 1 :] for place in range(1, len(word))}:
                    self.shortened.setdefault(short, []).append(word)
        self.fix = lru_cache(_REMEMBERED)(self._fix)

    def text(self, plain: str) -> str:
        """Return a text with its words corrected."""
        return WORD.sub(lambda match: self.fix(match[0]), plain)

    def _fix(self, word: str) -> str:
        if word in self.known or not _SHORTEST <= len(word) <= _LONGEST_GLUED or "'" in word:
            return word
        stems = [word[: -len(ending)] for ending in _ENDINGS if word.endswith(ending)]
        if any(stem in self.known or stem + "e" in self.known for stem in stems):
            return word
        # Whoever spaces letters spaces "I" as well.
        if word[0] == "i" and len(word) > _SHORTEST and word[1:] in self.counts:
            return f"i {word[1:]}"
        if len(word) <= _LONGEST and (near := set(self._near(word))):
            return max(near, key=lambda one: (self.counts[one], one))
        return self._parted(word) if len(word) >= _GLUED else word

    def _near(self, word: str) -> Iterator[str]:
        """Yield the words of the vocabulary that are one slip away."""
        yield from self.shortened.get(word, ())
        for place in range(len(word)):
            swapped = word[:place] + word[place + 1 : place + 2] + word[place] + word[place + 2 :]
            if swapped in self.counts:
                yield swapped
            short = word[:place] + word[place + 1 :]
            if len(short) > _SHORTEST and short in self.counts:
                yield short
            for other in self.shortened.get(short, ()) if place else ():
                if len(other) == len(word) and other[:place] + other[place + 1 :] == short:
                    yield other

    def _parted(self, word: str) -> str:
        """Return glued words apart: the likeliest words by their counts (Viterbi), if they are three or more."""
        best: list[tuple[float, tuple[str, ...]] | None] = [(0.0, ())]
        for end in range(1, len(word) + 1):
            ways = []
            for start in range(max(0, end - _LONGEST), end):
                part, before = word[start:end], best[start]
                if before is not None and part in self.counts and (len(part) > 1 or part in "ai"):
                    # Two nats for each cut: fewer and longer words.
                    ways.append((before[0] + 2 - math.log(self.counts[part] / self.total), (*before[1], part)))
            best.append(min(ways) if ways else None)
        found = best[-1]
        return " ".join(found[1]) if found and len(found[1]) >= _PARTS else word
