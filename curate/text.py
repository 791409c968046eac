"""Words, sentences, lines and n-grams, for any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate

# Scripts written without blanks between words: each character counts as a word (Unicode Annex 29 asks for a dictionary
# there). Han and kana, Thai, Lao, Myanmar, Khmer, and the Han extensions beyond the basic plane.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_UNSPACED = re.compile(f"[{UNSPACED}]")
_WORD = re.compile(rf"[{UNSPACED}][\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*|[^\W{UNSPACED}]+")
TOKEN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
# UTF-8 in, UTF-8 out: ASCII letters in lower case, digits and `_`; other ASCII becomes blank; the rest stays.
_ASCII = bytes(range(128))
_PLAIN = bytes(c if chr(c).isalnum() or c in b"_" else 32 for c in _ASCII.lower()) + bytes(range(128, 256))
# Latin, Greek, Cyrillic, punctuation and symbols: no combining mark is among them, so that normalising and folding them
# one by one gives what the whole text would.
_ALONE = re.compile("[\x80-\u02ff\u0370-\u0482\u2000-\u206f\u20a0-\u20bf\u2100-\u23ff]*")
# A character with the marks behind it that NFKC may join to it: accents, Hangul vowels and finals, voiced kana.
_JOINED = re.compile(".[\u0300-\u036f\u1160-\u11ff\u3099\u309a\uff9e\uff9f]*", re.DOTALL)
# A piece between blanks that is not ASCII.
_FOREIGN = re.compile(r"(?<!\S)[^\s\x80-\U0010ffff]*+[^\s\x00-\x7f]\S*")
# Different characters beyond ASCII up to which a pass over the text for each is fast: an alphabet with its signs.
_RARE = 100
# A sentence ends at a terminal mark of any script (with closing quotes or brackets) before a blank or the end;
# the marks of scripts without blanks end it at once.
_SENTENCE_END = re.compile(r"(?<=[.!?…؟۔।])[\"'”’»)\]]*\s+|(?<=[。！？｡])[」』”’）]*\s*|\n+")


# Control characters but tab and line feed; bidirectional overrides and isolates; zero-width and invisible marks.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")


def visible(text: str) -> str:
    """Return text that cannot play tricks on a terminal or a page: hidden characters as `[U+202E]`."""
    return _HIDDEN.sub(lambda match: f"[U+{ord(match[0]):04X}]", text)


def normalise(text: str) -> str:
    """Return the comparison key of a text: NFKC, casefold, blanks collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> list[str]:
    r"""Return the Unicode `\w+` words after NFKC and casefold; in scripts without blanks each character is one."""
    return spaced_words(text).decode().split()


def spaced_words(text: str) -> bytes:
    """Return the words of a text in UTF-8 with any number of blanks before, between and after them.

    A byte table, and one replacement for each kind of other character, take a third of the time of `_WORD`.
    """
    whole = text.encode(errors="surrogatepass")
    if text.isascii():
        return whole.translate(_PLAIN)
    rare = set(whole.translate(None, _ASCII).decode(errors="surrogatepass"))
    if len(rare) > _RARE or not _ALONE.fullmatch("".join(rare)):
        return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold())).encode()
    whole = whole.translate(_PLAIN)
    for sign in rare:
        folded = unicodedata.normalize("NFKC", sign).casefold()
        # What `\w` takes for part of a word.
        kept = "".join(one if one.isalnum() or one == "_" else " " for one in folded)
        whole = whole.replace(sign.encode(), kept.encode())
    return whole


def is_unspaced(character: str) -> bool:
    """Tell whether a character belongs to a script without blanks, where each one is a word."""
    return _UNSPACED.match(character) is not None


def places(text: str) -> list[tuple[int, int]]:
    """Return start and end in the text of each of its `words`.

    Where a stretch without blanks cannot be normalised character by character (marks out of their order), all words
    in it are placed at the whole of it.
    """
    found: list[tuple[int, int]] = []
    done = 0
    for piece in _FOREIGN.finditer(text):
        found += [match.span() for match in _WORD.finditer(text, done, piece.start())]
        found += _places(piece[0], piece.start())
        done = piece.end()
    return found + [match.span() for match in _WORD.finditer(text, done)]


def _places(piece: str, start: int) -> list[tuple[int, int]]:
    """Return start and end of each word in a piece without blanks that begins at `start`."""
    whole = unicodedata.normalize("NFKC", piece).casefold()
    parts = _JOINED.findall(piece)
    folded = [unicodedata.normalize("NFKC", part).casefold() for part in parts]
    if "".join(folded) != whole:
        parts, folded = [piece], [whole]
    # The part of each character of the whole, and where each part begins in the text.
    part_of = [number for number, form in enumerate(folded) for _ in form]
    edges = list(accumulate(map(len, parts), initial=start))
    return [(edges[part_of[m.start()]], edges[part_of[m.end() - 1] + 1]) for m in _WORD.finditer(whole)]


def tokens(text: str) -> list[str]:
    """Return the pieces between blanks, as written; in scripts without blanks each character is one."""
    return TOKEN.findall(text)


def sentences(text: str) -> list[str]:
    """Return the sentences, stripped, none empty."""
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def lines(text: str) -> list[str]:
    r"""Return the lines that are not blank; only `\n` separates."""
    return [line for line in text.split("\n") if line.strip()]


def paragraphs(text: str) -> list[str]:
    """Return the blocks between blank lines, stripped, none empty."""
    return [block.strip() for block in re.split(r"\n\s*\n", text) if block.strip()]


def ngrams(items: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """Return the overlapping n-grams in order; none when there are fewer than n items."""
    return list(zip(*(items[i:] for i in range(n)), strict=False)) if n > 1 else [(item,) for item in items]


def shingles(text: str, n: int) -> list[tuple[str, ...]]:
    """Return the word n-grams of a text; one with fewer words is one shingle of all of them, one without words none."""
    found = words(text)
    return [tuple(found)] if 0 < len(found) < n else ngrams(found, n)
