"""Licences under their SPDX names, and how much each of them restricts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest

# What terms ask of who uses data, the least first; the order is ours, from "do as you like" to "nobody has said".
PERMISSIVE, ATTRIBUTION, SHARE_ALIKE, NO_DERIVATIVES, NON_COMMERCIAL, RESEARCH, UNKNOWN = TERMS = (
    "permissive", "attribution", "share-alike", "no-derivatives", "non-commercial", "research-only", "unknown",
)  # fmt: skip
# How the names of licences are written once signs are blanks, with the SPDX name (https://spdx.org/licenses) up to its
# version, the version where none is written, and the terms.
_FAMILIES = (
    (r"cc0|cc zero|creative commons zero|public domain dedication", "CC0", "1.0", PERMISSIVE),
    (r"pddl", "PDDL", "1.0", PERMISSIVE),
    (r"the unlicense|unlicense", "Unlicense", "", PERMISSIVE),
    (r"wtfpl", "WTFPL", "", PERMISSIVE),
    (r"mit 0(?![\d.])", "MIT-0", "", PERMISSIVE),
    (r"^mit|mit$|mit licen[sc]e|the mit", "MIT", "", ATTRIBUTION),
    (r"isc", "ISC", "", ATTRIBUTION),
    (r"zlib", "Zlib", "", ATTRIBUTION),
    (r"boost software", "BSL", "1.0", ATTRIBUTION),
    (r"(?:the )?apache(?: software)?(?: license| licence)?|asl(?= \d)", "Apache", "2.0", ATTRIBUTION),
    (r"bsd 2|bsd 2 clause|simplified bsd", "BSD-2-Clause", "", ATTRIBUTION),
    (r"bsd(?: 3)?|bsd 3 clause|new bsd|modified bsd", "BSD-3-Clause", "", ATTRIBUTION),
    (r"odc by|open data commons attribution", "ODC-By", "1.0", ATTRIBUTION),
    (r"(?:cdla|community data license agreement) permissive", "CDLA-Permissive", "2.0", ATTRIBUTION),
    (r"open government licen[sc]e|ogl uk", "OGL-UK", "3.0", ATTRIBUTION),
    (r"etalab|licence ouverte", "etalab", "2.0", ATTRIBUTION),
    (r"(?:cdla|community data license agreement) sharing", "CDLA-Sharing", "1.0", SHARE_ALIKE),
    (r"odbl|odc odbl|open database", "ODbL", "1.0", SHARE_ALIKE),
    (r"(?:gnu )?(?:agpl|affero(?: general public)?)", "AGPL", "3.0", SHARE_ALIKE),
    (r"(?:gnu )?(?:lgpl|lesser(?: general public)?)", "LGPL", "3.0", SHARE_ALIKE),
    (r"(?:gnu )?gfdl|gnu free doc\w*", "GFDL", "1.3", SHARE_ALIKE),
    (r"(?:gnu )?(?:gpl|general public)", "GPL", "3.0", SHARE_ALIKE),
    (r"mpl|mozilla public", "MPL", "2.0", SHARE_ALIKE),
    (r"eupl|european union public", "EUPL", "1.2", SHARE_ALIKE),
)
# Addresses of licences, and names in which a version has grown together with the name, as they are written without:
# many cards name nothing but the address.
_SITE = r"(?:https?://)?(?:www\.)?"
_ADDRESSES = (
    (re.compile(_SITE + r"creativecommons\.org/licenses/(by[a-z-]*)/(\d\.\d)[\w/.-]*"), r"cc \1 \2"),
    (re.compile(_SITE + r"creativecommons\.org/publicdomain/zero/1\.0[\w/.-]*"), "cc0 1.0"),
    (re.compile(_SITE + r"opendatacommons\.org/licenses/(odbl|by|pddl)/1[.-]0/?"), r"odc \1 1.0"),
    (re.compile(_SITE + r"gnu\.org/licenses/(?:old-licenses/)?([a-z]+)-(\d\.\d)[\w.-]*"), r"gnu \1 \2"),
    (re.compile(_SITE + r"apache\.org/licenses/license-2\.0(?:\.\w+)?"), "apache 2.0"),
    (re.compile(_SITE + r"(?:opensource|spdx)\.org/licenses?/([\w.-]+?)(?:\.html)?/?(?![\w.-])"), r"\1"),
    (re.compile(_SITE + r"choosealicense\.com/licenses/([\w.-]+)/?"), r"\1"),
    (re.compile(r"\bccby(?![a-z])"), "cc by "),
    (re.compile(r"gplv(?=\d)"), "gpl "),
    (re.compile(r"\blicense :: osi approved ::"), " "),  # of Python packages
)
_VERSION = re.compile(r"(?:^|[ v])(\d)(?:\.(\d))?(?![\d.])")
# Signs of Creative Commons in the order of their names, with the words they stand for.
_PARTS = (
    ("NC", re.compile(r"\bnc\b|non ?commercial"), NON_COMMERCIAL),
    ("SA", re.compile(r"\bsa\b|share ?alike"), SHARE_ALIKE),
    ("ND", re.compile(r"\bnd\b|no ?deriv"), NO_DERIVATIVES),
)
# Words that restrict a licence, wherever they stand: the strictest of all that is written counts.
_OTHER = (
    (re.compile(r"\b(?:research|academic|education)\w*"), RESEARCH),
    (
        re.compile(
            r"\bnon ?commercial\w*|\bnc\b|\b(?:not?|without)(?: for| any)? commercial\b|\bcommercial uses? prohibited\b"
        ),
        NON_COMMERCIAL,
    ),
    (re.compile(r"\bcommons clause\b|\bpersonal use\b"), NON_COMMERCIAL),
    (re.compile(r"\bno ?deriv\w*|\bnd\b"), NO_DERIVATIVES),
    (re.compile(r"\bshare ?alike\b|\bsa\b|\bcopyleft\b"), SHARE_ALIKE),
    (re.compile(r"\bpublic domain\b"), PERMISSIVE),
)
_CC = re.compile(r"\bcc by\b|\bcreative commons attribution\b|^attribution\b")
_WORDS = tuple((re.compile(rf"\b(?:{start})(?![a-z])"), family) for start, family, _, _ in _FAMILIES)
# What restricts nothing: versions with the country of a Creative Commons licence, and the words around names.
_FILLING = re.compile(
    r"\b(?:v?\d[\d.]*(?: igo\b| [a-z]{2}$)?|v|version|licen[sc]ed?|licen[sc]es|the|a|an|of|and|or|with|for|under|by|in"
    r"|is|are|odc|public|general|gnu|foundation|international|universal|unported|generic|dedication|code|data"
    r"|datasets?|texts?|contents?|software|weights|models?|documentation|later|only|clause|new|revised|simplified"
    r"|modified|uses?|purposes?|released|this|work|deed)(?![\w.])"
)


def spdx(name: str | None) -> str | None:
    """Return the SPDX name of a licence however it is written, None for one that is not known or says more.

    A Creative Commons licence without a version is taken for 4.0, the one in use since 2013; Hugging Face writes small
    letters (`cc-by-nc-4.0`), people write `CC BY-NC 4.0`.
    """
    plain = _plain(name)
    found = {known: own for known, _, own in _licences(plain)}
    if len(found) != 1:
        return None
    (known, own), *_ = found.items()
    return known if set(terms(name)) == set(own) else None


def terms(name: str | None) -> tuple[str, ...]:
    """Return what a text asks, the most restrictive first: of all licences in it, and of words that restrict them.

    Unknown where there is no name, and beside the rest where something in it is not understood.
    """
    plain = _plain(name)
    found = {term for _, _, own in _licences(plain) for term in own}
    found |= {term for words, term in _OTHER if words.search(plain)} - ({PERMISSIVE} if found else set())
    rest = plain
    for words in (_CC, *(words for words, _ in _WORDS), *(words for words, _ in _OTHER), _FILLING):
        rest = words.sub(" ", rest)
    if not found or re.search(r"\w", rest):
        found.add(UNKNOWN)
    return tuple(sorted(found, key=TERMS.index, reverse=True))


def _licences(plain: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return the licences that a text names: each with its version, without it, and what it asks."""
    hits = [(match.start(), -match.end(), "CC-BY") for match in _CC.finditer(plain)]
    hits += [(match.start(), -match.end(), family) for words, family in _WORDS for match in words.finditer(plain)]
    kept: list[tuple[int, int, str]] = []
    for start, end, family in sorted(hits):
        if not kept or start >= -kept[-1][1]:
            kept.append((start, end, family))
    ends = [start for start, _, _ in kept[1:]]
    return [_named(family, plain[start:end]) for (start, _, family), end in zip_longest(kept, ends)]


def _named(family: str, plain: str) -> tuple[str, str, tuple[str, ...]]:
    """Return one licence by the text that names it, up to the next one."""
    found = _VERSION.search(plain)
    written = f"{found[1]}.{found[2] or 0}" if found else None
    if family == "CC-BY":
        signs = [(sign, term) for sign, words, term in _PARTS if words.search(plain)]
        bare = "-".join(["CC-BY", *(sign for sign, _ in signs)])
        return f"{bare}-{written or '4.0'}", bare, (*(term for _, term in signs), ATTRIBUTION)
    version, term = next((version, term) for _, name, version, term in _FAMILIES if name == family)
    own = (SHARE_ALIKE, ATTRIBUTION) if term == SHARE_ALIKE else (term,)
    if not version:
        return family, family, own
    ending = "" if family not in ("GPL", "LGPL", "AGPL", "GFDL") else _ending(plain)
    return f"{family}-{written or version}{ending}", family, own


def strictest(names: Iterable[str | None]) -> str | None:
    """Return the most restrictive term among licences, None without any."""
    return max((terms(name)[0] for name in names), key=TERMS.index, default=None)


def refusal(name: str | None, *, allow: Iterable[str], refuse: Iterable[str]) -> str | None:
    """Return why a licence may not be in a mix, None when it may.

    Args:
        name: as the source declares it.
        allow: licences and terms; when given, all else is refused. A term allows what asks no more than it, a licence
            without a version all versions of it.
        refuse: licences and terms; they go first.
    """
    held = _licences(_plain(name))
    own = {name, *terms(name), *(one for known, bare, _ in held for one in (known, bare))}
    wanted, unwanted = ([one if one in TERMS else _asked(one) for one in some] for some in (allow, refuse))
    hit = next((one for one in unwanted if one in own), None)
    if hit is not None:
        return f"refused: {hit}"
    whole = spdx(name) is not None and any(known in wanted or bare in wanted for known, bare, _ in held)
    if not wanted or name in wanted or whole:
        return None
    most = max((TERMS.index(one) for one in wanted if one in TERMS), default=-1)
    return None if TERMS.index(terms(name)[0]) <= most else f"not among those allowed: {terms(name)[0]}"


def _asked(one: str) -> str:
    """Return a licence of a recipe under its SPDX name, all versions of it where none is written."""
    if spdx(one) is None:
        return one
    known, bare, _ = _licences(_plain(one))[0]
    return known if _VERSION.search(_plain(one)) else bare


def _plain(name: str | None) -> str:
    """Return a name, or that of an address, in small letters with blanks for all signs but dots in numbers."""
    said = (name or "").casefold().removeprefix("licenseref-")
    for address, written in _ADDRESSES:
        said = address.sub(written, said)
    plain = " ".join(re.sub(r"[^a-z0-9.]+|(?<!\d)\.|\.(?!\d)", " ", said).split())
    return plain.replace("cc 0", "cc0")


def _ending(plain: str) -> str:
    return "-or-later" if "later" in plain else "-only"
