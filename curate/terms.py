"""Find the terms of a lexicon in texts.

A term is written as words. Three signs are special:
    idiots?         the letter or blank before `?` may be missing
    <group>         any term of the entry with this id
    <filler>*       none to three of them, each followed by a blank
Entries of category `part` are only there to be named so; they are never found by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from curate import languages, schema
from curate.errors import UserError, suggest
from curate.rulebook import Entry, Lexicon

PART = "part"
# Words of a term may be apart by a line break and its indent, not by a paragraph; a bound keeps matching linear, and
# plain blanks keep it fast.
_GAP = r"[ \t\n]{1,3}"
# At most this many fillers: "you are such a stupid little …" has four words in three of them.
FILLERS = 3
_SIGNS = re.compile(r"<([\w-]+)>(\*?)|(\s+)(\??)|(.)(\??)")


@dataclass(frozen=True)
class Hit:
    """A term found in a text: its entry, the words found, and where (code points of the folded text)."""

    entry: Entry
    words: str
    start: int
    end: int


@dataclass(frozen=True)
class Matcher:
    """The entries of a lexicon as one regular expression with a group for each."""

    pattern: re.Pattern[str]
    entries: tuple[Entry, ...]

    def find(self, folded: str) -> Iterator[Hit]:
        """Yield the terms in a folded text from left to right, none overlapping."""
        for match in self.pattern.finditer(folded):
            entry = self.entries[int(str(match.lastgroup)[1:])]
            yield Hit(entry, match[0], match.start(), match.end())

    def hits(self, folded: pl.Series) -> list[list[Hit]]:
        """Return what `find` finds, text by text; null holds none.

        Looking for terms costs a millisecond per page in Python and a hundredth of that in polars, so that only the
        places are left to Python where both kinds of word boundary agree: in ASCII texts.
        """
        pattern = self.pattern.pattern
        found: list[list[Hit]] = [[] for _ in range(len(folded))]
        if not self.entries:
            return found
        # Without boundaries, which are slow beyond ASCII: never wrong about a text that holds no term.
        some = folded.str.contains(pattern.replace(r"\b", "")).fill_null(False).arg_true()
        texts = folded.gather(some)
        if pattern.isascii():
            # Signs that are no part of a word in Python either; what is no blank joins no words.
            texts = texts.str.replace_all(r"[^\w\p{N}\x00-\x7F]", "|")
        wide = texts.str.contains(r"[^\x00-\x7F]")
        quick = texts.set(wide, "").str.extract_all(pattern.replace(r"\b", r"(?-u:\b)"))
        for place, value, slow, words in zip(some, texts, wide, quick.to_list(), strict=True):
            found[place] = list(self.find(value) if slow else self._located(value, words))
        return found

    def _located(self, folded: str, words: Sequence[str]) -> Iterator[Hit]:
        """Yield the terms in a text whose words are known, in their order."""
        end = 0
        for one in words:
            while True:
                # The words may stand before inside of a longer word.
                start = folded.index(one, end)
                if (match := self.pattern.match(folded, start)) and match[0] == one:
                    break
                end = start + 1
            end = match.end()
            yield Hit(self.entries[int(str(match.lastgroup)[1:])], one, start, end)


def fold(values: pl.Series) -> pl.Series:
    """Return texts as terms are written: lower case, straight apostrophes."""
    return values.str.to_lowercase().str.replace_all("[’ʼ‘]", "'")


def judged(rows: pl.DataFrame, *, column: str, language: str) -> pl.Series:
    """Return the folded texts, null where the row declares another language or, declaring none, surely is in one.

    A regional variant is the same language. Surely: 40 letters and a score of 0.8, as short and misspelt texts are
    easily taken for another language: so none of 9,000 English texts of eight collections is left out, and 82 % of
    2,000 French captions are.
    """
    texts = schema.column_text(rows, column)
    return fold(texts.set(languages.foreign(rows, texts, known=language, letters=40, score=0.8), None))


# A step asks for the same ones again for each slice; no recipe has more lists and categories.
@lru_cache(maxsize=256)
def matcher(lexicon: Lexicon, *categories: str) -> Matcher:
    """Return the matcher of a lexicon, see `built`; the same one for equal lexicons."""
    return built(lexicon, *categories)


def built(lexicon: Lexicon, *categories: str) -> Matcher:
    """Build the matcher of a lexicon.

    Where two terms begin at the same place, the one of greater weight is found, of equals the one listed first.

    Args:
        lexicon: word list.
        categories: only these; all but `part` when none is named.

    Raises:
        UserError: when a term names an entry that is not there.
    """
    parts = {entry.id: entry for entry in lexicon.entries if entry.id}
    chosen = [
        entry for entry in lexicon.entries if (entry.category in categories if categories else entry.category != PART)
    ]
    if not chosen:  # a list of one's own need not know every category
        return Matcher(re.compile("(?!)"), ())
    chosen.sort(key=lambda entry: -entry.weight)
    groups = [f"(?P<e{i}>{_alternation(entry, parts, ())})" for i, entry in enumerate(chosen)]
    return Matcher(re.compile(rf"\b(?:{'|'.join(groups)})\b"), tuple(chosen))


def apart(lexicon: Lexicon, folded: pl.Series) -> list[list[Hit]]:
    """Return the terms of folded texts with categories found apart, so that one may hold another; null holds none."""
    found: list[list[Hit]] = [[] for _ in range(len(folded))]
    for category in sorted({entry.category for entry in lexicon.entries} - {PART}):
        for hits, more in zip(found, matcher(lexicon, category).hits(folded), strict=True):
            hits.extend(more)
    return found


def _alternation(entry: Entry, parts: dict[str, Entry], inside: tuple[str, ...]) -> str:
    """Return the terms of an entry as alternatives, the longest first so that it is the one found."""
    terms = sorted(entry.terms, key=lambda term: (-len(term), term))
    return "|".join(_term(term, parts, inside) for term in terms)


def _term(term: str, parts: dict[str, Entry], inside: tuple[str, ...]) -> str:
    """Return one term as a regular expression."""
    pieces = []
    for match in _SIGNS.finditer(term):
        name, star, blank, joined, letter, optional = match.groups()
        if name:
            if name not in parts or name in inside:
                raise UserError(f"term '{term}'", f"no entry '{name}' to insert", suggest(name, parts))
            body = _alternation(parts[name], parts, (*inside, name))
            pieces.append(rf"(?:(?:{body}){_GAP}){{0,{FILLERS}}}" if star else rf"(?:{body})")
        elif blank:
            # A repeated part brings its own blank.
            pieces.append("" if pieces and pieces[-1].endswith(f"{{0,{FILLERS}}}") else _GAP)
            if joined:
                pieces[-1] = f"(?:{pieces[-1]})?"
        else:
            pieces.append(re.escape(letter) + optional)
    return "".join(pieces)
