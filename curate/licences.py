"""Licences under their SPDX names, and how much each of them restricts."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What terms ask of who uses data, the least first; the order is ours, from "do as you like" to "nobody has said".
PERMISSIVE, ATTRIBUTION, SHARE_ALIKE, NO_DERIVATIVES, NON_COMMERCIAL, RESEARCH, UNKNOWN = TERMS = (
    "permissive", "attribution", "share-alike", "no-derivatives", "non-commercial", "research-only", "unknown",
)  # fmt: skip
# How the names of licences begin once signs are blanks, with the SPDX name (https://spdx.org/licenses) up to its
# version, the version where none is written, and the terms.
_FAMILIES = (
    (r"cc ?0|cc zero|creative commons zero|public domain dedication", "CC0", "1.0", PERMISSIVE),
    (r"pddl", "PDDL", "1.0", PERMISSIVE),
    (r"the unlicense|unlicense", "Unlicense", "", PERMISSIVE),
    (r"mit(?: license)?$|mit licen[sc]e|the mit", "MIT", "", ATTRIBUTION),
    (r"isc", "ISC", "", ATTRIBUTION),
    (r"(?:the )?apache(?: software)?(?: license| licence)?", "Apache", "2.0", ATTRIBUTION),
    (r"bsd 2|bsd 2 clause|simplified bsd", "BSD-2-Clause", "", ATTRIBUTION),
    (r"bsd(?: 3)?|bsd 3 clause|new bsd|modified bsd", "BSD-3-Clause", "", ATTRIBUTION),
    (r"odc by|open data commons attribution", "ODC-By", "1.0", ATTRIBUTION),
    (r"cdla permissive", "CDLA-Permissive", "2.0", ATTRIBUTION),
    (r"etalab", "etalab", "2.0", ATTRIBUTION),
    (r"cdla sharing", "CDLA-Sharing", "1.0", SHARE_ALIKE),
    (r"odbl|odc odbl|open database", "ODbL", "1.0", SHARE_ALIKE),
    (r"(?:gnu )?(?:agpl|affero)", "AGPL", "3.0", SHARE_ALIKE),
    (r"(?:gnu )?(?:lgpl|lesser)", "LGPL", "3.0", SHARE_ALIKE),
    (r"(?:gnu )?gfdl|gnu free doc", "GFDL", "1.3", SHARE_ALIKE),
    (r"(?:gnu )?(?:gpl|general public)", "GPL", "3.0", SHARE_ALIKE),
    (r"mpl|mozilla public", "MPL", "2.0", SHARE_ALIKE),
)
_VERSION = re.compile(r"(?:^|[ v])(\d)(?:\.(\d))?(?![\d.])")
# Signs of Creative Commons in the order of their names, with the words they stand for.
_PARTS = (
    ("NC", re.compile(r"\bnc\b|non ?commercial"), NON_COMMERCIAL),
    ("SA", re.compile(r"\bsa\b|share ?alike"), SHARE_ALIKE),
    ("ND", re.compile(r"\bnd\b|no ?deriv"), NO_DERIVATIVES),
)
_OTHER = (
    (re.compile(r"research|academic|education"), RESEARCH),
    (re.compile(r"non ?commercial|\bnc\b"), NON_COMMERCIAL),
    (re.compile(r"no ?deriv|\bnd\b"), NO_DERIVATIVES),
    (re.compile(r"share ?alike|copyleft"), SHARE_ALIKE),
    (re.compile(r"public domain"), PERMISSIVE),
)


def spdx(name: str | None) -> str | None:
    """Return the SPDX name of a licence however it is written, None for one that is not known.

    A Creative Commons licence without a version is taken for 4.0, the one in use since 2013; Hugging Face writes small
    letters (`cc-by-nc-4.0`), people write `CC BY-NC 4.0`.
    """
    plain = _plain(name)
    found = _VERSION.search(plain)
    written = f"{found[1]}.{found[2] or 0}" if found else None
    if plain.startswith(("cc by", "creative commons attribution", "attribution")):
        parts = [sign for sign, words, _ in _PARTS if words.search(plain)]
        return "-".join(["CC", "BY", *parts, written or "4.0"])
    for start, family, version, _ in _FAMILIES:
        if re.match(rf"(?:{start})(?![a-z])", plain):
            number = (written or version) if version else ""
            ending = "" if family not in ("GPL", "LGPL", "AGPL", "GFDL") else _ending(plain)
            return f"{family}-{number}{ending}" if number else family
    return None


def terms(name: str | None) -> tuple[str, ...]:
    """Return what a licence asks, the most restrictive first; unknown without a name, or with one that says nothing."""
    plain, known = _plain(name), spdx(name)
    if known is None:
        found = [term for words, term in _OTHER if words.search(plain)]
        return tuple(sorted(found, key=TERMS.index, reverse=True)) or (UNKNOWN,)
    if known.startswith("CC-BY"):
        found = [term for sign, _, term in _PARTS if f"-{sign}-" in known]
        return tuple(sorted([*found, ATTRIBUTION], key=TERMS.index, reverse=True))
    family = next(term for _, start, _, term in _FAMILIES if known.startswith(start))
    return (SHARE_ALIKE, ATTRIBUTION) if family == SHARE_ALIKE else (family,)


def strictest(names: Iterable[str | None]) -> str | None:
    """Return the most restrictive term among licences, None without any."""
    return max((terms(name)[0] for name in names), key=TERMS.index, default=None)


def refusal(name: str | None, *, allow: Iterable[str], refuse: Iterable[str]) -> str | None:
    """Return why a licence may not be in a mix, None when it may.

    Args:
        name: as the source declares it.
        allow: licences and terms; when given, all else is refused. A term allows what asks no more than it.
        refuse: licences and terms; they go first.
    """
    own = {spdx(name) or name, *terms(name)}
    wanted, unwanted = ([one if one in TERMS else spdx(one) or one for one in some] for some in (allow, refuse))
    hit = next((one for one in unwanted if one in own), None)
    if hit is not None:
        return f"refused: {hit}"
    if not wanted or (spdx(name) or name) in wanted:
        return None
    most = max((TERMS.index(one) for one in wanted if one in TERMS), default=-1)
    return None if TERMS.index(terms(name)[0]) <= most else f"not among those allowed: {terms(name)[0]}"


def _plain(name: str | None) -> str:
    """Return a name in small letters with single blanks for all signs but the dot."""
    return " ".join(re.sub(r"[^a-z0-9.]+", " ", (name or "").casefold().removeprefix("licenseref-")).split())


def _ending(plain: str) -> str:
    return "-or-later" if "later" in plain else "-only"
