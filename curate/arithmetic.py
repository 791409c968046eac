"""Arithmetic written in texts: worked out exactly, and never run as code."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

# Characters of an expression: gsm8k's longest has 56. The parser goes one call deeper for each bracket.
LONGEST = 100
_TOKEN = re.compile(r"\s*(?:((?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d+)?|\.\d+)(%?)|([-+*/()]))")
# What may stand in an expression before `=`, and the number after it.
_LEFT = "0123456789.,$€£%() \t+*/×÷·−–-"
_RIGHT = re.compile(
    r"\s*[$€£]?\s*(-?)[$€£]?((?:(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?+|\.\d++))(%?+)"
    r"(?![,.:]?\d|[ \t]*(?:[-+*/×÷·^=–−]|x\b)|[\w(])"
)
_NOTE = re.compile(r"<<([^<>=\n]{1,200})=([^<>=\n]{1,40})>>")
_SIGNS = str.maketrans({"×": "*", "÷": "/", "·": "*", "−": "-", "–": "-", "$": " ", "€": " ", "£": " "})
_TIMES = re.compile(r"(?<=[\d)%])\s?x\s?(?=[\d($])")
# Operators in words, which the expression behind them is only the end of.
_WORD = re.compile(
    r"(?i)(?:\b(?:x|times|plus|minus|of|by|over|less|divided|multiplied|negative|twice|thrice|doubled?|tripled?|half"
    r"|squared?|cubed?|sqrt|root|log|ln|exp|abs|sin|cos|tan|mal|fois|veces|doppelt|wurzel|racine|raíz)|[=^])$"
)
# What may stand at once before an expression; after any other sign, as in a root, a power or a time, it is a part.
_BESIDE = frozenset(" \t\"'“”‘’«„>[{|:;,`")
_CLOCK = re.compile(r"\d:$")
# Lines that do not count in tens: remainders, other bases.
_OTHERWISE = re.compile(
    r"(?i)\bmod(?:ulo|ulus)?\b|≡|\bbase[ -](?:\d|two|eight|sixteen)|\b(?:binary|octal|hex\w*)\b|\b0[xbo][\da-f]"
)
# Texts that mix a unit with its hundredths.
_HUNDREDTHS = re.compile(
    r"(?i)[%¢]|\b(?:per ?cent|cents?|centimes?|céntimos?|centavos?|pennies|penny|pence|dimes?|nickels?|quarters?"
    r"|prozent|pour cent|por ciento|cm|centimet(?:er|re)s?)\b"
)
# A number whose dots may part thousands; two numbers that may be a range; a percentage of what stands before it.
_DOTTED = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3})+(?![\d,])")
_RANGE = re.compile(r"\s*\d+\s*[-–−]\s*\d+\s*")
_SHARE = re.compile(r"\d\s*[-+−–]\s*[\d.]+%")
# A quotient of quotients: 500 / 2/5 is meant otherwise than it reads.
_UNCLEAR = re.compile(r"/[^-+*()/]*/")
# What ends a clause before an expression, and what marks a line.
_START = re.compile(r"^[\s,]*(?:\.\s+)?")
_MARKER = re.compile(r"^\s*(?:\d{1,2}[.)]\s+(?=[\d($])|[-*]\s+)")


@dataclass(frozen=True)
class Equation:
    """A claim in a text.

    Args:
        said: as the text has it.
        value: what it says the left side comes to.
        right: whether it does.
        exact: what it comes to.
    """

    said: str
    value: Fraction
    right: bool
    exact: Fraction


def equations(text: str) -> Iterator[Equation]:
    """Yield what a text works out, in order: calculator notes `<<48/2=24>>`, else equations such as `48 / 2 = 24`.

    Sides that hold anything but numbers and + - * / ( ) % are passed over, so are chains whose right side goes on, and
    whatever is right when read otherwise: with dots between thousands, as a range, a percentage of the number before.
    """
    notes = [(note[0], note[1], note[2]) for note in _NOTE.finditer(text)] if "<<" in text else []
    claims = notes or (list(_claims(text)) if "=" in text else [])
    mixed = hundredths(text) if claims else False
    for said, left, right in claims:
        exact, value = worked_out(left), number(right)
        if exact is None or value is None:
            continue
        agreed = agrees(exact, right, mixed=mixed)
        if agreed or not _doubtful(left, right, exact):
            yield Equation(said, value, agreed, exact)


def hundredths(text: str) -> bool:
    """Tell whether a text speaks of percentages, cents or centimetres, so that 0.5 and 50 may be the same."""
    return _HUNDREDTHS.search(text) is not None


def _doubtful(left: str, right: str, exact: Fraction) -> bool:
    """Tell whether an equation that looks wrong may be meant otherwise."""
    plain = [_DOTTED.sub(lambda found: found[0].replace(".", ""), side) for side in (left, right)]
    if plain != [left, right]:
        other = worked_out(plain[0])
        if other is not None and agrees(other, plain[1]):
            return True
    return (exact < 0 and _RANGE.fullmatch(left) is not None) or _SHARE.search(left) is not None


def without_notes(text: str) -> str:
    """Return a text without its calculator notes."""
    return _NOTE.sub("", text) if "<<" in text else text


def worked_out(expression: str) -> Fraction | None:
    """Return what an expression comes to, None when it is none, too long, or divides by zero."""
    if len(expression) > LONGEST or _UNCLEAR.search(expression):
        return None
    tokens = _tokens(expression.translate(_SIGNS))
    if tokens is None or not any(token in ("+", "-", "*", "/") for token in tokens[1:]):
        return None
    try:
        value, rest = _sum(tokens)
    except (ValueError, IndexError, ZeroDivisionError):
        return None
    return value if not rest else None


def number(text: str) -> Fraction | None:
    """Return the one number that a text is, without its currency and thousands; None when it is none."""
    match = re.fullmatch(r"\s*[$€£]?\s*(-?)\s*[$€£]?(\d[\d,]{0,30}(?:\.\d{1,20})?|\.\d{1,20})\s*(%?)[\s.]*", text)
    if match is None:
        return None
    value = Fraction(match[2].replace(",", "")) / (100 if match[3] else 1)
    return -value if match[1] else value


def agrees(exact: Fraction, said: str, *, mixed: bool = False) -> bool:
    """Tell whether a number as written is the exact value, or that value rounded or cut to the digits written.

    Args:
        exact: the value.
        said: the number.
        mixed: whether exactly a hundredth, or a hundred times as much, agrees too, as where cents, dollars and
            percentages are mixed. Not by default: 2 + 2 is not 400. A number in per cent says so by itself.
    """
    value = number(said)
    if value is None:
        return False
    digits = len(said.rstrip("% .").rpartition(".")[2]) if "." in said.rstrip("% .") else 0
    unit, percent = Fraction(1, 10**digits), "%" in said
    value = value * 100 if percent else value
    if exact == value or ((mixed or percent) and exact in (value * 100, value / 100)):
        return True
    return any(_rounded(one, value, unit) for one in (exact, exact * 100)[: 1 + percent])


def _rounded(exact: Fraction, value: Fraction, unit: Fraction) -> bool:
    """Tell whether a value is the exact one rounded or cut to a unit, where more digits than its own follow."""
    if (exact / unit).denominator == 1:
        return False
    return abs(exact - value) <= unit / 2 or (exact * value >= 0 and 0 < abs(exact) - abs(value) < unit)


def _claims(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the text, the left and the right side of each equation whose sides are whole."""
    for match in re.finditer("=", text):
        at = match.start()
        right = _RIGHT.match(text, at + 1)
        if right is None or text[at - 1 : at] in ("!", "<", ">", "=", "~"):
            continue
        line = text[max(text.rfind("\n", 0, at) + 1, at - LONGEST) : at]
        if _OTHERWISE.search(line + text[at : at + LONGEST].partition("\n")[0]):
            continue
        line = _TIMES.sub(" * ", line)
        before = line.rstrip(_LEFT)
        left = line[len(before) :]
        # A letter at once before makes it a part of a name or a term: f(3), 2x; an operator in words goes on before it.
        part = left[:1].strip() and before and (before[-1] not in _BESIDE or _CLOCK.search(before))
        if not left.strip() or len(left) >= LONGEST - 1 or part or _WORD.search(before):
            continue
        left = (_START if before else _MARKER).sub("", left)
        yield f"{left.strip()} ={right[0]}", left, right[1] + right[2] + right[3]


def _tokens(expression: str) -> list[str] | None:
    """Return numbers and signs, None when there is anything else."""
    found: list[str] = []
    place = 0
    expression = expression.rstrip()
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None:
            return None
        if match[1] and found and found[-1][-1:] not in ("+", "-", "*", "/", "("):
            return None  # two numbers side by side
        found.append(match[1].replace(",", "") + match[2] if match[1] else match[3])
        place = match.end()
    return found


def _sum(tokens: list[str]) -> tuple[Fraction, list[str]]:
    """Return the value of a sum at the start of the tokens, and the tokens after it."""
    value, rest = _product(tokens)
    while rest and rest[0] in ("+", "-"):
        term, after = _product(rest[1:])
        value, rest = (value + term if rest[0] == "+" else value - term), after
    return value, rest


def _product(tokens: list[str]) -> tuple[Fraction, list[str]]:
    value, rest = _factor(tokens)
    while rest and rest[0] in ("*", "/"):
        term, after = _factor(rest[1:])
        value, rest = (value * term if rest[0] == "*" else value / term), after
    return value, rest


def _factor(tokens: list[str]) -> tuple[Fraction, list[str]]:
    """Return a number or the value of a bracket; signs before a number are not understood: they may be bullets."""
    if tokens[0] == "(":
        value, rest = _sum(tokens[1:])
        if rest[0] != ")":
            raise ValueError("an open bracket")
        return value, rest[1:]
    if tokens[0] in "+-*/)":
        raise ValueError("a sign where a number belongs")
    return Fraction(tokens[0].rstrip("%")) / (100 if tokens[0].endswith("%") else 1), tokens[1:]
