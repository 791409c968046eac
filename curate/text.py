"""Words, sentences, lines and n-grams, for any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

# Scripts written without blanks between words: each character counts as a word (Unicode Annex 29 asks for a dictionary
# there). Han and kana, Thai, Lao, Myanmar, Khmer, and the Han extensions beyond the basic plane.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{UNSPACED}][\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*|[^\W{UNSPACED}]+")
TOKEN = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
# Bytes of UTF-8 text to be split at blanks: ASCII letters, digits and `_` in lower case, other ASCII blank, the rest kept.
_PLAIN = bytes(ord(chr(i).lower()) if chr(i).isalnum() or i in b"_" else 32 for i in range(128)) + bytes(
    range(128, 256)
)
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
    # Splitting is twice as fast as searching: only the pieces that are not ASCII are searched, the others are words.
    if text.isascii():
        return text.encode().translate(_PLAIN).decode().split()
    folded = unicodedata.normalize("NFKC", text).casefold().encode(errors="surrogatepass")
    pieces = folded.translate(_PLAIN).decode(errors="surrogatepass").split()
    return [word for piece in pieces for word in ((piece,) if piece.isascii() else _WORD.findall(piece))]


def joined_words(text: str) -> str:
    """Return the words of a text with one blank before, between and after them, so that a run of words is a substring."""
    if not text.isascii():
        return f" {' '.join(words(text))} "
    plain = b" %b " % text.encode().translate(_PLAIN)
    while b"  " in plain:
        plain = plain.replace(b"  ", b" ")
    return plain.decode()


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
