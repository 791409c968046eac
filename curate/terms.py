"""Find the terms of a lexicon in texts.

A term is written as words. Three signs are special:
    idiots?         the letter or blank before `?` may be missing
    <group>         any term of the entry with this id
    <filler>*       none to three of them, each followed by a blank
Entries of category `part` are only there to be named so; they are never found by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from curate import schema
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

    def among(self, folded: pl.Series) -> pl.Series:
        """Tell which folded texts may hold a term (bool, null for null): never wrong about a text that holds none.

        Without word boundaries, which polars looks up per character in texts beyond ASCII, this is a hundred times as
        fast as looking for the terms.
        """
        return folded.str.contains(self.pattern.pattern.replace(r"\b", ""))

    def listed(self, folded: pl.Series) -> list[list[Entry]]:
        """Return the entry of each term that `find` finds, text by text; null holds none.

        In ASCII texts polars finds the same words ten times as fast, since there both kinds of word boundary agree.
        """
        wide = folded.str.contains(r"[^\x00-\x7F]").fill_null(False)
        quick = folded.set(wide, None).str.extract_all(self.pattern.pattern.replace(r"\b", r"(?-u:\b)"))
        known = {words: next(self.find(words)).entry for words in quick.explode().drop_nulls().unique()}
        entries = [[known[one] for one in words or ()] for words in quick.to_list()]
        for place in (wide & self.among(folded).fill_null(False)).arg_true():
            entries[place] = [hit.entry for hit in self.find(folded[place])]
        return entries


def fold(values: pl.Series) -> pl.Series:
    """Return texts as terms are written: lower case, straight apostrophes."""
    return values.str.to_lowercase().str.replace_all("[’ʼ‘]", "'")


def judged(rows: pl.DataFrame, *, column: str, language: str) -> pl.Series:
    """Return the folded texts, null where the row declares another language (a regional variant is the same one)."""
    spoken = pl.col("lang").str.to_lowercase().str.split("-").list.first().is_in([language, "und"])
    ours = rows.select((spoken | pl.col("lang").is_null()).alias("ours")).to_series()
    texts = schema.column_text(rows, column)
    return fold(texts.set(~ours, None))


def matcher(lexicon: Lexicon, *categories: str) -> Matcher:
    """Return the matcher of a lexicon.

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
    chosen.sort(key=lambda entry: -entry.weight)
    groups = [f"(?P<e{i}>{_alternation(entry, parts, ())})" for i, entry in enumerate(chosen)]
    return Matcher(re.compile(rf"\b(?:{'|'.join(groups)})\b"), tuple(chosen))


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
