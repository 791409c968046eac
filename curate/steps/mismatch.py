"""Tell answers in another language than their prompt."""

from __future__ import annotations

import re
from collections.abc import Sequence

import polars as pl

from curate import fences, languages, text
from curate.errors import UserError

# Beside translations, tasks whose answer is copied or is a label, whatever language the prompt explains them in.
EXEMPT = frozenset({"translation", "classification", "nli", "paraphrase", "multiple_choice", "extraction"})
# Wanted in a response: twice what the model needs, as both sides must be right.
LETTERS = 2 * languages.LETTERS
# The model's certainty about either side. Of 1,400 English prompts with French answers and 1,400 French ones with
# English answers (captions of Multi30k) 0.7 has a verdict on 61 %, all of them right; it is wrong on none of 8,000 rows
# of Alpaca, P3, XSum and GSM8K in one language.
SCORE = 0.7
# A prompt that names a language or speaks of translating may well want another one; also in the languages themselves.
_NAMED = re.compile(
    r"translat|traduc|traduis|tradu[zç]|übersetz|vertaal|перевед|翻译|翻譯|翻訳|번역|ترجم|अनुवाद"
    r"|\b(?:english|french|german|spanish|italian|portuguese|dutch|russian|chinese|mandarin|cantonese|japanese|korean"
    r"|arabic|hindi|bengali|turkish|polish|swedish|danish|norwegian|finnish|czech|greek|hebrew|latin|thai|vietnamese"
    r"|indonesian|ukrainian|romanian|hungarian|persian|farsi|urdu|tamil|catalan|languages?|anglais|français|allemand"
    r"|espagnol|englisch|französisch|deutsch|spanisch|inglés|francés|alemán|español|inglese|francese|tedesco|spagnolo"
    r"|inglês|francês|alemão|espanhol)\b|英语|英文|中文|日本語|英語|한국어|영어",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"[{};][ \t]*$|^[ \t]*(?:def|class|import|from|return|for|if|#include|SELECT)\b|\w\(\w*\)|</?\w+>", re.MULTILINE
)
_SCHEMA = {"prompt_lang": pl.String, "response_lang": pl.String, "other": pl.Boolean}


def mismatch(rows: pl.DataFrame, *, score: float = SCORE) -> pl.DataFrame:
    """Tell answers in another language than their prompt.

    It looks at prompt and response, so it has no `column`. No verdict where another language may be wanted or cannot be
    told: translation and tasks with labels, prompts that name a language or speak of translating, code, short texts,
    and answers in the language of any paragraph of the prompt (instructions in English over a text in French).

    Args:
        rows: instruction rows.
        score: how sure the model must be of both languages; 0.7 by default, wrong in none of 2,800 pairs.

    Signals:
        prompt_lang (str): language of the prompt; null where there is no verdict.
        response_lang (str): language of the response; null where there is no verdict.
        other (bool): the two differ, and no paragraph of the prompt is in the language of the response; null where one
            of them is unknown or another language may be wanted.
    """
    if not 0 <= score <= 1:
        raise UserError("step 'mismatch'", f"score = {score} is no certainty", "a number from 0 to 1")
    judged = [_comparable(*row) for row in rows.select("task", "prompt", "response").iter_rows()]
    wanted = pl.Series(judged, dtype=pl.Boolean)
    sides = [
        [lang for lang, _ in languages.named(rows[name].set(~wanted, None), letters=letters, score=score)]
        for name, letters in (("prompt", languages.LETTERS), ("response", LETTERS))
    ]
    found = [_verdict(prompt, *langs) for prompt, *langs in zip(rows["prompt"], *sides, strict=True)]
    return pl.DataFrame(found, schema=_SCHEMA, orient="row")


def _comparable(task: str | None, prompt: str | None, response: str | None) -> bool:
    """Tell whether prompt and response should be in one language."""
    if prompt is None or response is None or task in EXEMPT or _NAMED.search(prompt):
        return False
    return not (fences.blocks(response)[0] or _CODE.search(response))


def _verdict(prompt: str | None, asked: str | None, answered: str | None) -> tuple[str | None, str | None, bool | None]:
    """Return the three signals of one row."""
    if prompt is None or asked is None or answered is None:
        return None, None, None
    if asked == answered:
        return asked, answered, False
    return asked, answered, answered not in _spoken(text.paragraphs(prompt) + text.lines(prompt))


def _spoken(parts: Sequence[str]) -> set[str | None]:
    """Return the languages of the parts of a prompt, short ones and doubtful guesses too."""
    return {lang for lang, _ in languages.named(pl.Series(parts, dtype=pl.String), letters=1, score=0.0)}
