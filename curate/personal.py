"""Find personal data and secrets in texts: by pattern, then by what a pattern cannot see."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

import polars as pl

from curate import rulebook
from curate.rulebook import Pattern

# Kind, start, end, and the id of the pattern that found it.
Span = tuple[str, int, int, str]
# What a text must hold before the patterns of a kind are tried, in the dialect of polars: most texts hold nothing.
_NEEDS = MappingProxyType(
    {
        "secret": (
            r"AKIA|ASIA|gh[pousr]_|github_pat_|sk-|xox|AIza|eyJ|PRIVATE KEY|_live_|hf_|glpat-|npm_|SG\.|SK[0-9a-f]{32}"
            r"|:AA|hooks\.slack|://[^\s/@]*:[^\s/@]+@|(?i:key|secret|token|password|passwd|pwd)[\"']?\s?[:=]"
        ),
        "email": "@",
        "iban": r"[A-Z]{2}[0-9]{2}[ -]?[A-Z0-9]{4}",
        "card": r"[0-9]{4}[ -]?[0-9]{4}",
        "ssn": r"[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}",
        "ip": r"[0-9]\.[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]:[0-9A-Fa-f:]",
        "phone": r"[0-9](?:[ ()./-]{0,2}[0-9]){6}",
    }
)
KINDS = tuple(sorted(_NEEDS))
# The same for single patterns, tried only where their kind is: a text with a number need hold no phone number of each
# form. Patterns that are not named here are tried wherever their kind is.
_FINER = MappingProxyType(
    {
        "aws-key": "AKIA|ASIA", "github-token": "gh[pousr]_|github_pat_", "openai-key": "sk-", "slack-token": "xox",
        "google-key": "AIza", "jwt": "eyJ", "aws-secret": "(?i)aws", "azure-key": "Key=", "stripe-key": "_live_",
        "huggingface-token": "hf_", "gitlab-token": "glpat-", "npm-token": "npm_", "sendgrid-key": r"SG\.",
        "twilio-key": "SK[0-9a-f]", "telegram-token": ":AA", "connection-string": "://",
        "connection-password": "(?i)(?:password|pwd)=", "assigned-key": r"[:=]\s{0,3}[\"']",
        "ssn-dashes": "[0-9]{3}-[0-9]{2}-[0-9]{4}", "ssn-cue": "(?i)ssn|social security",
        "ipv4": r"[0-9]\.[0-9]{1,3}\.[0-9]", "ipv6": "[0-9A-Fa-f]?:[0-9A-Fa-f:]",
        "phone-cue": (
            "(?i)[pf]hone|fono?e?|tele|tel|tél|call|mobil|cell|fax|whatsapp|text|handy|celular|móvil|portable|тел|电话|電話"
            "|手机|전화"
        ),
        "phone-international": r"\+[1-9]", "phone-american": "[0-9]{3}[-. ][0-9]{4}", "phone-prefix": "00[1-9]",
        "phone-national": r"0[0-9]|\([1-9][0-9]\)",
    }
)  # fmt: skip
# Prefix and lengths of the cards in use (ISO/IEC 7812 ranges of the networks): a free 16-digit number passes Luhn in
# one of ten cases.
_CARDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}|3[47]\d{13}"
    r"|(?:6011|64[4-9]\d|65\d\d|352[89]|35[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}"
)
# Lengths in the IBAN registry (ISO 13616, release 99).
_IBAN_LENGTHS = MappingProxyType(
    {
        country: length
        for length, countries in {
            15: "NO", 16: "BE", 18: "DK FI FK FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU MN XK",
            21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ OM SO TL",
            24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
            27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA",
            30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
        }.items()
        for country in countries.split()
    }
)  # fmt: skip
# Set apart for manuals and networks of one's own, by RFC 2606, 6761 and 6762 and by ICANN (internal); what manuals
# write besides; names of images, as in `icon@2x.png`.
_RESERVED = re.compile(
    r"(?:^|[@.])(?:example\.(?:com|net|org|edu)|(?:example|test|invalid|localhost|local|internal))$"
    r"|@(?:[\w-]*your-?[\w-]*|domain|company|website|mysite)\.(?:com|org|net)$|\.(?:png|jpe?g|gif|svg|webp|css|js|html)$",
    re.IGNORECASE,
)
# Addresses of programs.
_NOBODY = re.compile(r"(?:git|no-?reply|do-?not-?reply|mailer-daemon|postmaster)@", re.IGNORECASE)
# Numbers that belong to nobody: 555-01xx in North America, those that manuals write, the ranges Ofcom keeps for drama.
_FICTION = re.compile(
    r"^(?:1?(?:[2-9]\d\d)?555(?:01\d\d|1234|5555)|1?1234567890|(?:(?:00)?440?|0)?(?:207946|7700900|1632960)\d{3,4})$"
)
# A decimal fraction, a date or years, which "call" or "text" may precede as well.
_NUMBER = re.compile(
    r"^(?:\d+\.\d+|(?:19|20)\d\d[-. ][01]?\d[-. ][0-3]?\d|\d\d?[-. /]\d\d?[-. /]\d{4}"
    r"|\d\d? (?:19|20)\d\d (?:19|20)\d\d)$"
)
# Numbers of parts and versions look like addresses; the word before tells.
_VERSION = re.compile(
    r"(?:version|ver|v|release|build|firmware|driver|section|chapter|clause|article|step|chrome|firefox|oracle"
    r"|windows|php|java|kernel)[ .:#/-]*$", re.I
)  # fmt: skip
# Name servers that everybody writes down.
_RESOLVERS = frozenset({"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "208.67.222.222", "208.67.220.220"})
_PLACEHOLDER = re.compile(
    r"x{4}|example|your|sample|dummy|placeholder|changeme|passw[o0]rd|\.\.\.|1234567|abcdefg", re.IGNORECASE
)
# A password that a manual writes for want of one.
_NO_PASSWORD = re.compile(
    r"(?:pass|pw|pwd|secret|mysecret|user|root|admin|postgres|guest|test|foo|bar|token|\*+)\d{0,3}", re.I
)
# Numbers printed in advertisements and on sample cards, which the Social Security Administration withdrew, and the one
# that manuals write.
_WITHDRAWN = frozenset({"078051120", "219099999", "123456789"})
# A random key of 16 signs has 10 different ones or more in 99.9 % of cases; runs of one sign are placeholders.
_DIFFERENT_SIGNS = 8
# Code points before a find that a validator may look at: the longest word of `_VERSION` and its punctuation.
_BEFORE = 12
# With its leading 0: 10 in most plans of Europe and Asia, up to 12 in Germany.
_NATIONAL_DIGITS = range(10, 13)
_PHONE_DIGITS = range(7, 16)  # a subscriber's number has at least 7 digits; E.164 allows 15


def find(value: str, patterns: Sequence[Pattern]) -> list[Span]:
    """Return the finds in order; of overlapping ones the pattern listed first has it."""
    spans: list[Span] = []
    taken = bytearray(len(value))
    for pattern in patterns:
        for match in pattern.regex.finditer(value):
            group = "value" if "value" in pattern.regex.groupindex else 0
            start, end = match.span(group)
            if pattern.validator:
                end = start + VALIDATORS[pattern.validator](match[group], value[max(0, start - _BEFORE) : start])
            if end > start and not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                spans.append((pattern.kind, start, end, pattern.id))
    return sorted(spans, key=lambda span: span[1])


def find_in(value: str) -> list[Span]:
    """Return the finds of the bundled patterns in a single text, in order."""
    return find(value, _patterns(kind for kind, need in _NEEDS.items() if re.search(need, value)))


def masked(value: str, kinds: Collection[str]) -> tuple[str, set[str]]:
    """Return a text with its personal data of some kinds replaced by `[EMAIL]`, `[PHONE]` and so on.

    Searched again until nothing is found: what stands beside a find may come to light only without it. No pattern
    takes square brackets, so each round leaves less to find, and masking twice is masking once.

    Args:
        value: the text.
        kinds: of `KINDS`.

    Returns:
        The text, and the kinds that were found.
    """
    found: set[str] = set()
    while spans := [span for span in find_in(value) if span[0] in kinds]:
        for kind, start, end, _ in reversed(spans):
            value = f"{value[:start]}[{kind.upper()}]{value[end:]}"
            found.add(kind)
    return value, found


def find_all(values: pl.Series) -> list[list[Span]]:
    """Return what `find_in` finds in each of many texts; the cheap tests are made for all texts at once."""
    texts = values.alias("text").to_frame().with_row_index("place")
    wanted = texts.with_columns(_held(_NEEDS)).filter(pl.any_horizontal(*_NEEDS)).with_columns(_held(_FINER))
    found: list[list[Span]] = [[] for _ in range(len(values))]
    chosen: dict[tuple[bool, ...], list[Pattern]] = {}
    for place, value, *flags in wanted.iter_rows():
        key = tuple(flags)
        if key not in chosen:
            held = dict(zip((*_NEEDS, *_FINER), flags, strict=True))
            chosen[key] = [p for p in _patterns(kind for kind in _NEEDS if held[kind]) if held.get(p.id, True)]
        found[place] = find(value, chosen[key]) if chosen[key] else []
    return found


def _held(needs: Mapping[str, str]) -> list[pl.Expr]:
    return [pl.col("text").str.contains(need).fill_null(False).alias(name) for name, need in needs.items()]


def _patterns(kinds: Iterable[str]) -> list[Pattern]:
    """Return the bundled patterns of some kinds, in the order of their file."""
    wanted = set(kinds)
    return [pattern for pattern in rulebook.patterns("pii") if pattern.kind in wanted] if wanted else []


def _whole(checks: Callable[[str], bool]) -> Callable[[str, str], int]:
    """Turn a yes or no about the whole find into its length, 0 for no."""
    return lambda value, before: len(value) if checks(value) else 0


def _email(value: str) -> bool:
    return ".." not in value and ".@" not in value and not _RESERVED.search(value) and not _NOBODY.match(value)


def _secret(value: str) -> bool:
    return len(set(value)) >= _DIFFERENT_SIGNS and any(c.isdigit() for c in value) and not _PLACEHOLDER.search(value)


def _letters(value: str) -> bool:
    """Accept a key of letters alone, if they are of both cases and many."""
    several = len(set(value)) >= 2 * _DIFFERENT_SIGNS and value != value.lower() != value.upper()
    return several and not _PLACEHOLDER.search(value)


def _password(value: str) -> bool:
    return len(set(value)) > 2 and not _PLACEHOLDER.search(value) and not _NO_PASSWORD.fullmatch(value)


def _digits(value: str) -> str:
    return "".join(character for character in value if character.isdigit())


def _card(value: str) -> bool:
    """Check prefix, length and check digit (Luhn, ISO/IEC 7812-1 annex B)."""
    digits = _digits(value)
    if not _CARDS.fullmatch(digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def _iban(value: str, before: str) -> int:
    """Return how much of a find is an IBAN: words in capitals after it may have been taken along."""
    size = _IBAN_LENGTHS.get(value[:2], 0)
    end, seen = 0, 0
    while seen < size and end < len(value):
        seen += value[end] not in " -"
        end += 1
    compact = value[:end].replace(" ", "").replace("-", "")
    if size == 0 or seen < size or value[end : end + 1].strip():
        return 0
    # ISO 7064: country and check digits to the end, letters to numbers from A = 10, remainder 1.
    return end if int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1 else 0


def _ip(value: str, before: str) -> int:
    """Accept public addresses; a word such as "version" before makes it a number of parts."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return 0
    # An address that ends in 0 is that of a network, or a version.
    someones = address.is_global and value not in _RESOLVERS and not value.endswith(".0")
    return len(value) if someones and not _VERSION.search(before) else 0


def _phone(value: str) -> bool:
    digits = _digits(value)
    someones = len(digits) in _PHONE_DIGITS and len(set(digits)) > 1 and not _FICTION.match(digits)
    return someones and not _NUMBER.match(value)


VALIDATORS: Mapping[str, Callable[[str, str], int]] = MappingProxyType(
    {
        "email": _whole(_email),
        "secret": _whole(_secret),
        "letters": _whole(_letters),
        "password": _whole(_password),
        "card": _whole(_card),
        "iban": _iban,
        "ip": _ip,
        "phone": _whole(_phone),
        "national": _whole(lambda value: len(_digits(value)) in _NATIONAL_DIGITS and _phone(value)),
        "ssn": _whole(lambda value: _digits(value) not in _WITHDRAWN),
    }
)
