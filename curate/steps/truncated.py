"""Tell answers that break off in the middle."""

from __future__ import annotations

import json
import re
from types import MappingProxyType

import polars as pl

from curate import fences, languages, schema, text

# Tasks whose answer is a label, a span or a list: it ends where it ends.
EXEMPT = frozenset({"classification", "nli", "paraphrase", "multiple_choice", "extraction", "qa_closed"})
# Words after the last closed sentence from which on a missing mark is no habit, such as that of signatures; one is
# enough where two sentences before it in the same line are closed.
TAIL = 3
# Words from which on a sign or a joining word at the end is one of a sentence.
WORDS = 4
# Items of a list that all end with a mark before one without is odd.
ITEMS = 2
# Words that nothing but more words can follow, by language.
JOINING = MappingProxyType(
    {
        "en": "a an the of and or nor but with from by because than if while their my our your whose such very",
        "de": "ein eine einen einem einer eines der den dem des und oder aber mit von weil dass wenn als zum zur",
        "fr": "le la les un une des du et ou mais avec pour dans chez parce que qui sur sans leur",
        "es": "el la los las un una unos unas y o pero con por para de del porque que su sus",
    }
)
_JOINING = {lang: frozenset(words.split()) for lang, words in JOINING.items()}
_CLOSERS = "\"'”’»)]}*_~`」』）】 \t"
_MARKS = ".!?…。！？؟۔।॥"
# A mark, closing quotes, then a blank: a sentence that ended before the end of the text. Not after a single letter or a
# number, as in initials and lists.
_CLOSED = re.compile(rf"(?<=[^\W\d_]{{2}})[{_MARKS}][\"'”’»)\]*_]*(?=\s)|[。！？]")
_ITEM = re.compile(r"\s*(?:[-*•|>#+]|\(?\w{1,3}[.)]\s|\d+[.:)])")
# The sign of a list item with nothing behind it.
_BARE_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])")
_CODE = re.compile(r"[={}<>\\|$]|\w\(|::|//|[@#]\w")
_BULLET = re.compile(r"(?:^|\s)[—–-]{1,2}\s?[^.!?]{1,60}$")
# Ends that need no mark: the farewell of a letter, a signature after one, a line such as THE END, and a clause such as
# "the one I was thinking of".
_WHOLE = re.compile(
    r"^\s*(?:(?:With|Yours|Best|Kind|Warm|Sincerely|Love|Regards|Cheers|Thanks|Many thanks|Respectfully|Cordially)\b"
    r"[^.!?,\n]{0,30},|(?:\w+ ){0,3}\w+, ?[A-Z][\w'’-]*(?: [A-Z][\w'’-]*){0,2}|[A-Z]{2,}(?: [A-Z]{2,}){0,2})$"
    r"|(?i:\b(?:who|whom|which|what|that|where|ones?|all|\w*things?) (?:that )?(?:i|you|we|they|he|she) (?:\w+ ){1,4}"
    r"(?:of|with|from|by|for|to|about|on|in|at))$"
)
_SCHEMA = {"cut": pl.Boolean, "why": pl.String}


def truncated(rows: pl.DataFrame, *, column: str = "response") -> pl.DataFrame:
    """Tell answers that break off in the middle.

    What shows it: a list item without text, a fence, bracket or JSON that never closes, a comma or a joining word
    ("and", "the") at the end, or a last sentence without a mark in a text whose other sentences have one. Labels,
    spans, lists, verse, code and single sentences without a mark have no verdict: whether those are whole nobody can
    see. Scripts without sentence marks (Thai, Lao) have none either, and joining words are known of English, German,
    French and Spanish.

    Args:
        rows: instruction rows.
        column: the text to judge; the response by default.

    Signals:
        cut (bool): it breaks off; null where there is no verdict.
        why (str): fence, json, item, bracket, sign, word or sentence; null where it does not break off.
    """
    values = schema.column_text(rows, column)
    # Rows that declare no language: only texts that end as English may break off are asked about, short ones too, as a
    # wrong guess costs no more than a verdict.
    joined = values.str.extract(r"(\w+)\s*$").is_in(_JOINING["en"])
    foreign = languages.foreign(rows, values.set(~joined, None), letters=WORDS)
    langs = [lang or ("und" if other else "en") for lang, other in zip(rows["lang"], foreign, strict=True)]
    given = zip(values, rows["task"], langs, strict=True)
    return pl.DataFrame([_verdict(*one) for one in given], schema=_SCHEMA, orient="row")


def _verdict(value: str | None, task: str | None, lang: str) -> tuple[bool | None, str | None]:
    """Return both signals of one text."""
    whole = (value or "").rstrip()
    if not whole:
        return None, None
    if fences.blocks(whole)[1] is not None:
        return True, "fence"
    if whole.lstrip()[0] in "{[":
        return _json(whole)
    ended = whole.rstrip(_CLOSERS)
    if task in EXEMPT or whole.endswith(("```", "~~~")) or not ended:
        return None, None
    last = whole[whole.rfind("\n") + 1 :]
    if _BARE_ITEM.fullmatch(last) and any(_ITEM.match(line) for line in text.lines(whole)[-2:-1]):
        return True, "item"
    if ended[-1] in _MARKS:
        paused = ended.endswith(("...", "…"))
        return (None, None) if paused else (False, None)
    if _WHOLE.search(last[max((match.end() for match in _CLOSED.finditer(last)), default=0) :]):
        return None, None
    why = _open_end(whole, last, lang)
    if why is None and _in_a_sentence(whole, last):
        why = "sentence"
    return (True, why) if why else (None, None)


def _json(whole: str) -> tuple[bool | None, str | None]:
    """Tell whether JSON ends before its brackets close; other texts that begin with a bracket have no verdict."""
    try:
        json.loads(whole)
    except RecursionError:
        return None, None
    except ValueError as error:
        at_end = getattr(error, "pos", 0) >= len(whole) or "Unterminated string" in str(error)
        return (True, "json") if at_end and whole.count('"') > 1 else (None, None)
    return False, None


def _open_end(whole: str, last: str, lang: str) -> str | None:
    """Return what at the end of a text says that more must follow."""
    words = last.split()
    if len(words) < WORDS or _CODE.search(last):
        return None
    end = last.rstrip("*_")
    if end[-1:] in ",;([{、，；" or end.endswith((" -", " –", " —", "–", "—")):
        return "sign"
    if words[-1] in _JOINING.get(lang[:2].lower(), ()) and not _ITEM.match(last):
        return "word"
    opened = last.rfind(" (")
    return "bracket" if opened >= 0 and ")" not in last[opened:] and len(last[opened:].split()) >= TAIL else None


def _in_a_sentence(whole: str, last: str) -> bool:
    """Tell whether prose whose sentences end with marks, or a list whose items do, ends within one."""
    if _ITEM.match(last):
        items = [line.rstrip(_CLOSERS)[-1:] in (*_MARKS,) for line in text.lines(whole)[:-1] if _ITEM.match(line)]
        return len(items) >= ITEMS and all(items) and whole[-1].isalpha()
    if _CODE.search(last) or _BULLET.search(last) or not whole[-1].isalpha() or _verse(whole):
        return False
    inside = [match.end() for match in _CLOSED.finditer(last)]
    tail = last[inside[-1] :] if inside else last
    many = 2 * TAIL + 2  # a heading or a signature on a line of its own is shorter
    enough = 1 if len(inside) >= ITEMS else TAIL if inside else many
    return bool(inside or _CLOSED.search(whole)) and len(text.tokens(tail)) >= enough and ":" not in tail


def _verse(whole: str) -> bool:
    """Tell verse and lists, whose lines mostly end without a mark."""
    lines = text.lines(whole)
    unmarked = sum(line.rstrip(_CLOSERS)[-1:] not in (*_MARKS, ":") for line in lines)
    return len(lines) >= 3 and unmarked > len(lines) / 2
