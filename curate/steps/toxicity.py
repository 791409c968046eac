"""Score abuse: hate, harassment, violence, sexual content, encouraged self-harm."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curate import classifier as own
from curate import rulebook, schema, screen, terms, vulgar
from curate.concepts import CATEGORIES
from curate.errors import MISSING, UserError
from curate.rulebook import Lexicon
from curate.screen import Verdict
from curate.terms import Hit, Matcher

RULES = {
    "lexicon": ("lexicons/toxicity",),
    "concepts": tuple(f"concepts/{category}" for category in CATEGORIES),
}
# The default threshold.
TOXIC = 0.5
# The entry of the lexicon that holds vulgar words without a target.
_SWEARING = "swearing"
# A hit in a sentence that speaks against it is a report of abuse: under every bound that a rule could sensibly set.
COUNTERED = 0.2
# Quoted words may still be the point of the text; halved, no weight (at most 1) exceeds the default bound of 0.5.
QUOTED = 0.5
# Characters in which the sentence of a hit is looked for: enough for any spoken sentence, and matching stays linear.
SENTENCE = 300
_END = re.compile(r"[.!?\n]")
# A word by itself names something and says nothing of it: the concepts, which know sentences, took the label "no" for
# hate. Such a text is left to the lexicon.
_ALONE = re.compile(r"\W*(?:(?:(?:a|an|the|no)\s+)?\w+(?:['’-]\w+)*\W*)?", re.IGNORECASE)
_SCHEMA: dict[str, pl.DataType] = {
    "score": pl.Float64(),
    "category": pl.String(),
    "matched": pl.List(pl.String),
    "start": pl.Int64(),
    "end": pl.Int64(),
}
# From here on an entry of the lexicon is taken for abuse whatever the heads say.
_PLAIN_ABUSE = 0.5
_Found = tuple[float, str | None, list[str], int, int]


def toxicity(
    rows: pl.DataFrame,
    *,
    vectors: Callable[[Sequence[str]], Any] | None,
    column: str = "response",
    lexicon: Path | None = None,
    concepts: bool = True,
    classifier: Path | None = None,
) -> pl.DataFrame:
    """Score abuse: hate, harassment, violence, sexual content, self-harm.

    Two layers. A classifier fitted on the examples of rules/concepts (their sentence vectors and n-grams) judges what a
    text means; groups are masked first, so that none is judged otherwise than another. A lexicon joins words with
    their targets; where it finds outright abuse, the score is at least halfway up to its weight. Requests count as
    well as statements. One word by itself, a label, is abuse only where the lexicon knows it. English only.

    Args:
        rows: instruction rows.
        vectors: texts to unit vectors.
        column: the text to judge; the response by default: a toxic prompt with a safe answer teaches the safe answer.
        lexicon: a word list of your own with the same categories; rules/lexicons/toxicity.toml when left out.
        concepts: false for the lexicon alone: needs no encoder, and finds little but outright insults and threats.
        classifier: folder of a local sequence classifier (transformers, safetensors) that takes the place of the
            concepts; its labels are read as those of Detoxify and of moderation sets.

    Signals:
        score (f64): greatest score of the five categories, in [0, 1], from 0.5 on abusive; null where the text is null
            or in another language than the lexicon's (declared, or else recognised).
        category (str): category of that score (hate, harassment, violence, sexual, self-harm); null under 0.2 where
            the lexicon found nothing.
        matched (list[str]): ids of the lexicon entries found, and `concept.<category>` for what the classifier scores
            0.5 or more, sorted, each once; null where the score is.
        start (i64): where the worst passage begins, in code points; null where the category is.
        end (i64): where it ends.
    """
    words = _with_vulgar(rulebook.lexicon(lexicon or "toxicity"))
    folded = terms.judged(rows, column=column, language=words.language)
    found = _listed(folded, words)
    if classifier or concepts:
        texts = schema.column_text(rows, column).to_list()
        chosen = [listed is not None and (bool(classifier) or bool(listed[2]) or not _ALONE.fullmatch(text))
                  for listed, text in zip(found, texts, strict=True)]  # fmt: skip
        asked = [text for text, wanted in zip(texts, chosen, strict=True) if wanted]
        judged = iter(_classified(classifier, asked) if classifier else _screened(vectors, asked))
        found = [
            _joined(listed, next(judged)) if listed is not None and wanted else listed
            for listed, wanted in zip(found, chosen, strict=True)
        ]
    return pl.DataFrame([one or (None,) * len(_SCHEMA) for one in found], schema=_SCHEMA, orient="row").with_columns(
        pl.when(pl.col("category").is_not_null()).then(pl.col("start", "end"))
    )


def spares(arguments: Mapping[str, Any]) -> frozenset[str]:
    """Tell the engine that the encoder is not needed."""
    return frozenset({"vectors"}) if arguments.get("classifier") or not arguments.get("concepts", True) else frozenset()


def reads(path: Path) -> list[Path]:
    """Return the files that an argument of the step stands for."""
    return own.files(path) if path.is_dir() else [path]


def _screened(vectors: Callable[[Sequence[str]], Any] | None, texts: Sequence[str]) -> list[Verdict]:
    """Return the verdicts of the concepts."""
    if vectors is None:
        fix = "pip install 'curatune[embed]', or set concepts = false for the lexicon alone"
        raise UserError("step 'toxicity'", "concepts need an encoder", fix, code=MISSING)
    return screen.screen(vectors).judge(texts) if texts else []


def _classified(folder: Path, texts: Sequence[str]) -> list[Verdict]:
    """Return the verdicts of the user's own classifier on whole texts."""
    scores = own.load(folder).scores(texts).tolist() if texts else []
    return [Verdict(tuple(row), 0, len(text), True) for row, text in zip(scores, texts, strict=True)]


def _joined(listed: _Found, verdict: Verdict) -> _Found:
    """Join what the lexicon and the classifier say of a text.

    Held-out texts say that the classifier alone ranks best (bench/checks_toxicity.py). Outright abuse in the lexicon
    moves the score halfway up to its weight, so that a word list of the user's own is heard, with some support.
    """
    weight, category, entries, start, end = listed
    best = max(verdict.scores)
    matched = [f"concept.{name}" for name, score in zip(CATEGORIES, verdict.scores, strict=True) if score >= TOXIC]
    raised = round((weight + best) / 2, 4) if weight > _PLAIN_ABUSE else 0.0
    matched = sorted({*entries, *matched})
    if raised > best:
        return raised, category, matched, start, end
    # Under the score of abuse that is only spoken of there is nothing to name.
    named = CATEGORIES[verdict.scores.index(best)] if best >= COUNTERED else category
    return best, named, matched, verdict.start, verdict.end


def _with_vulgar(words: Lexicon) -> Lexicon:
    """Return the lexicon with the package's vulgar words among those that count little without a target."""
    listed = {term for entry in words.entries for term in entry.terms}
    more = tuple(sorted(vulgar.words() - listed))
    entries = [
        entry.model_copy(update={"terms": entry.terms + more}) if entry.id == _SWEARING else entry
        for entry in words.entries
    ]
    return words.model_copy(update={"entries": tuple(entries)})


def _listed(folded: pl.Series, words: Lexicon) -> list[_Found | None]:
    """Return what the lexicon says of each text, None of a null."""
    matchers = [terms.matcher(words, category) for category in CATEGORIES]
    exempt, counter = terms.matcher(words, "exempt"), terms.matcher(words, "counter")
    found: list[list[Hit]] = [[] for _ in range(len(folded))]
    for matcher in matchers:
        for place, hits in enumerate(matcher.hits(folded)):
            found[place].extend(hits)
    return [
        None if value is None else _worst(value, hits, exempt=exempt, counter=counter)
        for value, hits in zip(folded, found, strict=True)
    ]


def _worst(value: str, hits: list[Hit], *, exempt: Matcher, counter: Matcher) -> _Found:
    """Return score, category, entries and place of the worst hit of one text."""
    if not hits:
        return 0.0, None, [], 0, 0
    spared = list(exempt.find(value))
    scored = [
        (round(hit.entry.weight * _context(value, hit, counter=counter), 4), hit)
        for hit in hits
        if not any(hit.start < other.end and other.start < hit.end for other in spared)
    ]
    if not scored:
        return 0.0, None, [], 0, 0
    # Of equal scores the category that comes first in the alphabet, so that order in the file does not matter.
    score, worst = min(scored, key=lambda pair: (-pair[0], pair[1].entry.category, pair[1].start))
    entries = sorted({str(hit.entry.id) for _, hit in scored})
    return score, worst.entry.category, entries, worst.start, worst.end


def _context(value: str, hit: Hit, *, counter: Matcher) -> float:
    """Return what the surroundings leave of a hit: 1 said outright, less where quoted or countered."""
    before, after = value[max(0, hit.start - SENTENCE) : hit.start], value[hit.end : hit.end + SENTENCE]
    opened = max((match.end() for match in _END.finditer(before)), default=0)
    closed = _END.search(after)
    around = before[opened:] + " | " + after[: closed.start() if closed else None]
    if counter.pattern.search(around):
        return COUNTERED
    return QUOTED if _is_quoted(before, after) else 1.0


def _is_quoted(before: str, after: str) -> bool:
    """Tell whether a hit stands between quotation marks of its paragraph."""
    line, rest = before.rsplit("\n", 1)[-1], after.split("\n", 1)[0]
    if line.rfind("“") > line.rfind("”"):
        return True
    return line.count('"') % 2 == 1 and '"' in rest
