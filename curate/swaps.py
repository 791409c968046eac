"""Tell the same text of another group: terms and pronouns replaced, with the grammar that they ask for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from curate import terms
from curate.errors import UserError
from curate.rulebook import Entry, Lexicon

# Subject, object, before a noun, alone, reflexive.
PRONOUNS = {
    "gender:women": ("she", "her", "her", "hers", "herself"),
    "gender:men": ("he", "him", "his", "his", "himself"),
    "gender:they": ("they", "them", "their", "theirs", "themself"),
}
_FORMS = frozenset(form for forms in PRONOUNS.values() for form in forms)
_OBJECT, _NOUN, _ALONE = 1, 2, 3
# Verbs that differ after they; `'s` may be is or has, `'re` is what comes of either.
_VERBS = {
    "is": "are", "was": "were", "has": "have", "does": "do", "isn't": "aren't", "wasn't": "weren't",
    "hasn't": "haven't", "doesn't": "don't", "'s": "'re",
}  # fmt: skip
_SINGULAR = {plural: one for one, plural in _VERBS.items()}
_VERB = "|".join(sorted((*_VERBS, *_SINGULAR), key=len, reverse=True)).replace("'s|", "").replace("'re|", "")
# Words that begin no noun phrase, so that her before them is an object and his stands alone. From the closed classes
# of English, and the adverbs that most often follow an object.
_NO_NOUN_TEXT = """
about above across after again against ago all along also although always am an and another any anyway are around as
at away back be because been before behind below beside between but by can could did do does down during each either
else even ever every everything few for forever from had has have having he her here herself him himself his home how
however i if in inside instead into is it its just later like may me might more most much must my near neither never
no nor not nothing now of off on once one only onto or our out outside over please rather she should since so some
something sometimes soon still such than that the their them then there these they this those though through till to
today together tomorrow tonight too toward towards under until up upon us very was we well were what whatever when
where whether which while who whom whose why will with within without would yesterday yet you your
"""
_NO_NOUN = frozenset(_NO_NOUN_TEXT.split())
# After these her is who does the next thing: let her go.
_LETTING = frozenset(("let", "lets", "letting"))
_BEFORE = re.compile(r"([\w'’]+)[ \t]+$")
_AFTER = re.compile(r"[ \t\n]+([\w'’-]+)")
# Letters before which the article is an, by ear: all terms of ours that begin with a vowel sound it but these.
_VOWELS, _CONSONANT = "aeiou", ("euro", "uni", "one")


@dataclass(frozen=True)
class Pair:
    """Two groups of one axis, made to change places."""

    first: str
    second: str
    pattern: re.Pattern[str]
    counterparts: Mapping[str, str]

    def swap(self, text: str) -> str | None:
        """Return the text with the two groups changed, or None where nothing leads back.

        A text whose second swap is not the text itself has an article, a case or a pronoun that the first one could
        not keep: what is scored must differ in the group alone.
        """
        changed = self._once(text)
        return changed if self._once(changed) == text else None

    def _once(self, text: str) -> str:
        return self.pattern.sub(self._replaced, text)

    def _replaced(self, match: re.Match[str]) -> str:
        if match["pronoun"]:
            return self._pronoun(match)
        kind = str(match.lastgroup)
        word = _cased(match[kind], self.counterparts[kind])
        return _article(match["article"] or "", word) + (match["gap"] or "") + word

    def _pronoun(self, match: re.Match[str]) -> str:
        """Return a pronoun of the other group, and the verb beside it where they takes another."""
        word = match["pronoun"].lower()
        source, target = self.first, self.second
        if word not in PRONOUNS[source]:
            source, target = target, source
        place = PRONOUNS[source].index(word)
        if PRONOUNS[source].count(word) > 1:
            before_noun = _before_noun(match.string, match.start("pronoun"), match.end("pronoun"))
            other = _OBJECT if place == _OBJECT else _ALONE
            place = _NOUN if before_noun else other
        found = _cased(match["pronoun"], PRONOUNS[target][place])
        verbs = _VERBS if target == "gender:they" else _SINGULAR if source == "gender:they" else {}
        sides = [match[name] or "" for name in ("verb_before", "verb_after")]
        if place == 0:
            sides = [_agreeing(side, verbs) for side in sides]
        return sides[0] + found + sides[1]


def pairs(lexicon: Lexicon) -> dict[str, list[Pair]]:
    """Return the pairs of groups of each axis.

    Raises:
        UserError: when two groups of an axis have terms that do not stand side by side.
    """
    axes: dict[str, list[Entry]] = {}
    for entry in lexicon.entries:
        if entry.category != terms.PART:
            axes.setdefault(entry.category, []).append(entry)
    parts = {str(entry.id): entry for entry in lexicon.entries}
    return {
        axis: [_pair(one, other, parts) for place, one in enumerate(groups) for other in groups[place + 1 :]]
        for axis, groups in axes.items()
    }


def nouns(entry: Entry) -> list[str]:
    """Return the terms of a group that are no pronouns."""
    return [term for term in entry.terms if term not in _FORMS]


def _pair(first: Entry, second: Entry, parts: dict[str, Entry]) -> Pair:
    one, other = nouns(first), nouns(second)
    if one and other and len(one) != len(other):
        what = f"has {len(other)} terms, '{first.id}' has {len(one)}"
        raise UserError(f"entry '{second.id}'", what, "terms of one axis stand in the same order: one for each")
    counterparts, alternatives = {}, []
    for here, there, sign in ((one, other, "a"), (other, one, "b")):
        for number, (term, counterpart) in enumerate(zip(here, there, strict=False)):
            counterparts[f"{sign}{number}"] = _head(counterpart)[0]
            alternatives.append((len(term), rf"(?P<{sign}{number}>{_expression(term, parts)}"))
    alternatives.sort(key=lambda pair: -pair[0])
    names = {str(first.id), str(second.id)} & PRONOUNS.keys()
    forms = sorted({form for name in names for form in PRONOUNS[name]} if len(names) == 2 else ["$^"], reverse=True)
    pronoun = rf"(?P<verb_before>\b(?:{_VERB})[ \t]+)?\b(?P<pronoun>{'|'.join(forms)})\b"
    pronoun += rf"(?P<verb_after>'s\b|'re\b|[ \t]+(?:{_VERB})\b)?"
    words = "|".join(text for _, text in alternatives) or "$^"
    pattern = rf"{pronoun}|(?:\b(?P<article>an?)(?P<gap>[ \t]+))?\b(?:{words})"
    return Pair(str(first.id), str(second.id), re.compile(pattern, re.IGNORECASE), counterparts)


def _head(term: str) -> tuple[str, str]:
    """Return what of a term is replaced, and the part after it."""
    head, _, part = term.partition(" <")
    return head, part.rstrip(">")


def _expression(term: str, parts: dict[str, Entry]) -> str:
    """Return what follows the name of the group of one term, its end included."""
    head, part = _head(term)
    if part and part not in parts:
        raise UserError(f"term '{term}'", f"no entry '{part}' to insert", "name an entry of category part")
    around = rf"(?=[ \t]+(?:{'|'.join(sorted(parts[part].terms, reverse=True))})\b)" if part else r"\b"
    return re.escape(head).replace(r"\ ", r"[ \t]+") + ")" + around


def _before_noun(text: str, start: int, end: int) -> bool:
    """Tell whether a pronoun stands before a noun: her book, not told her that."""
    after = _AFTER.match(text, end)
    if after is None or after[1].lower() in _NO_NOUN:
        return False
    before = _BEFORE.search(text, max(0, start - 40), start)
    return before is None or before[1].lower() not in _LETTING


def _agreeing(side: str, verbs: Mapping[str, str]) -> str:
    """Return the blanks and the verb beside a pronoun, the verb in its other form."""
    verb = side.strip()
    return side.replace(verb, _cased(verb, verbs[verb.lower()])) if verb.lower() in verbs else side


@lru_cache(maxsize=4096)
def _cased(model: str, word: str) -> str:
    """Return a word in the case of another: lower, UPPER, Capital or Each-Part."""
    if model.isupper() and sum(letter.isalpha() for letter in model) > 1:
        return word.upper()
    if all(part[:1].isupper() for part in re.split(r"[\s-]+", model)):
        several = len(re.split(r"[\s-]+", model)) > 1
        return re.sub(r"(?:^|(?<=[\s-]))\w", lambda match: match[0].upper(), word) if several else _capital(word)
    return _capital(word) if model[:1].isupper() else word


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _article(article: str, word: str) -> str:
    """Return the article that a word asks for, in the case of the one that stood there."""
    if not article:
        return ""
    lower = word.lower()
    form = "an" if lower[:1] in _VOWELS and not lower.startswith(_CONSONANT) else "a"
    return form.capitalize() if article[0].isupper() else form
