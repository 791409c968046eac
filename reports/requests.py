"""What prompts ask for: their first imperative verb or question word, and its object. A heuristic, no parser."""

from __future__ import annotations

from typing import Any

import polars as pl

from reports import shown
from reports.view import View, rate

# Verbs that instructions begin with, in the base form that an imperative has. Written for this report from the tasks of
# the bundled templates and what instruction sets commonly ask; a verb that is missing leaves its prompts unclassified,
# which the share beside the picture tells. No parser is bundled, as the small ones are larger than all the rest.
_VERBS = """
add advise allocate analyse analyze answer apply argue arrange ask assess assign brainstorm break build calculate
categorise categorize change check choose cite clarify classify collect combine come comment compare compile complete
compose compute condense conduct construct continue convert convince copy correct count craft create criticise
criticize debate debug decide decode deduce define delete demonstrate derive describe design detect determine develop
devise diagnose differentiate discuss distinguish divide draft draw edit elaborate eliminate encode enumerate estimate
evaluate examine expand explain explore express extract fill find finish fix follow form format formulate generate get
give group guess hypothesise hypothesize identify illustrate imagine implement improve include indicate infer inform
insert interpret introduce invent judge justify label learn list locate look make mark match measure mention merge
modify name note offer order organise organize outline paraphrase parse pick plan point predict prepare present pretend
print produce program proofread propose prove provide punctuate quote rank rate read rearrange recall recite recommend
record reduce refactor reformulate remove rename reorder rephrase replace reply report represent research respond
restate retrieve return review revise rewrite rhyme round save say search select separate shorten show simplify sketch
solve sort specify spell split state suggest summarise summarize support synthesise synthesize tag take tell think
transcribe transform translate try turn type unscramble update use validate verify visualise visualize weigh write
"""
QUESTIONS = ("what", "how", "why", "who", "whom", "whose", "when", "where", "which")
_YES_NO = "is are was were am do does did can could should would will has have had may might must"
# Words passed over between a verb and its object, and those behind an object that end it: English function words, and
# adjectives that say how much or of what quality rather than what.
_PASSED = """
a an the this that these those following given provided below above my your our his her its their me us you him them it
i we he she they some any all each every both no one two three four five six seven eight nine ten up out down to of for
in on at with by from about into as if whether than
is are was were be been do does did can could should would will has have had may might must there many much more most
what how why who which when where short brief long detailed simple complex good great best better new creative possible
specific single different various several few little main important
"""
_ENDING = """
of for in on at with by from about into as if whether than to and or but so that which who whom whose when where while
because using based between among within without under over after before during through via per is are was were be do
does did can could should would will has have had given below above following it its you your i we they
"""
VERBS, YES_NO, PASSED, ENDING = (words.split() for words in (_VERBS, _YES_NO, _PASSED, _ENDING))
# Characters searched at either end of a prompt: an instruction stands before or after what it is about.
HEAD, TAIL = 400, 200
PHRASE = 80  # characters behind the verb in which its object is looked for
SHOWN, OBJECTS = 12, 5
# Words that fewer rows have may be private; they are counted, never shown. Nor are parts of addresses.
PRIVATE = 3
ADDRESSES = r"\S*@\S*"
_TURN = r"(?s)\A(?:system: .*?\n)?user: "
_START = r"""(?:\A|[.!?:;]["'”’)]*\s+|\n)[\s"'“‘(\[*#>•-]*(?:(?:\d{1,2}|[a-z])[.)]\s+)?"""
_POLITE = (
    r"(?:(?:please|kindly|now|then|next|first|finally|also|just|and|you (?:should|must|need to)|"
    r"(?:can|could|would|will) you|your (?:task|job) is to|i (?:want|need|would like) you to|help me(?: to)?|let's)"
    r"\b[, ]+)*"
)


def requests(view: View, drawn: pl.DataFrame) -> dict[str, Any]:
    """Return the verbs of prompts with their objects, before and after.

    Args:
        view: the run.
        drawn: `kept` and `prompt` of some rows drawn by chance.
    """
    found = asked(drawn["prompt"]).hstack(drawn.select("kept"))
    known = found.filter(pl.col("verb").is_not_null())
    rows, kept = found.height, int(found["kept"].sum())
    verbs = _counted(known, "verb")
    listed = verbs.filter(pl.col("rows") >= PRIVATE).head(SHOWN)
    pairs = _counted(known.filter(pl.col("object").is_not_null()), "verb", "object")
    pairs = pairs.filter(pl.col("rows") >= PRIVATE)
    return {
        "method": (
            "a heuristic, no parser is run: the first imperative verb or question word that begins a sentence of the "
            f"prompt (its first {HEAD} and last {TAIL} characters, {len(VERBS)} English verbs known), and as its "
            "object the last word before the first preposition or mark behind it; words of fewer than "
            f"{PRIVATE} rows are not shown; counted over {shown.count(rows)} of {shown.count(view.base.height)} rows"
            f"{', drawn by chance' if rows < view.base.height else ''}"
        ),
        "rows": rows,
        "kept": kept,
        "classified": {"rows": known.height, "share": rate(known.height, rows)},
        "classified_kept": {"rows": int(known["kept"].sum()), "share": rate(int(known["kept"].sum()), kept)},
        "verbs": [_verb(row, pairs) for row in listed.iter_rows(named=True)],
        "left_out": verbs.height - listed.height,
        "top": int(verbs["rows"].max() or 0),  # type: ignore[arg-type]
    }


def asked(prompts: pl.Series) -> pl.DataFrame:
    """Return `verb` and `object` of each prompt, null where none is found."""
    words = "|".join(sorted({*VERBS, *QUESTIONS, *YES_NO}, key=lambda word: (-len(word), word)))
    pattern = rf"{_START}{_POLITE}(?P<verb>{words})\b(?P<rest>[^\n]{{0,{PHRASE}}})"
    found = pl.DataFrame({"place": pl.int_range(len(prompts), eager=True), "text": prompts})
    found = found.with_columns(pl.col("text").str.replace(_TURN, "").str.strip_chars())
    parts = []
    for end in (pl.col("text").str.slice(0, HEAD), "\n" + pl.col("text").str.tail(TAIL)):
        plain = end.str.to_lowercase().str.replace_all("’", "'").str.replace_all(ADDRESSES, "@")
        parts.append(found.with_columns(plain.str.extract_groups(pattern).alias("groups")).unnest("groups"))
        found = parts[-1].filter(pl.col("verb").is_null()).select("place", "text")
    parts[0] = parts[0].filter(pl.col("verb").is_not_null())
    verb = pl.col("verb")
    named = pl.when(verb.is_in(YES_NO)).then(pl.lit("yes or no?")).when(verb.is_in(QUESTIONS)).then(verb + "?")
    return pl.concat(parts).sort("place").select(named.otherwise(verb).alias("verb"), _object(pl.col("rest")))


def _object(rest: pl.Expr) -> pl.Expr:
    """Return `object`, the last word of the first phrase: in English the head of a noun phrase comes last."""
    passed, ending = "|".join(PASSED), "|".join(ENDING)
    phrase = rest.str.extract(r"\A([\w\s'-]*)").str.strip_chars()  # up to the first mark
    phrase = phrase.str.replace(rf"\A(?:(?:{passed}|\d+)\s+)+", "")
    cut = phrase.str.extract(rf"\A(.+?)\s+(?:{ending}|\w+ing)\b")
    phrase = pl.coalesce(cut, phrase)
    word = phrase.str.extract(r"\A(?:[\w'-]+\s+){0,3}?([\w'-]*\w)\z")
    nothing = word.is_in([*PASSED, *ENDING]) | ~word.str.contains(r"\p{L}")
    return pl.when(nothing).then(None).otherwise(word).alias("object")


def _counted(found: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Count all and kept rows by these columns, the most frequent first."""
    counted = found.group_by(names).agg(pl.len().alias("rows"), pl.col("kept").sum())
    return counted.sort("rows", *names, descending=[True, *(False for _ in names)])


def _verb(row: dict[str, Any], pairs: pl.DataFrame) -> dict[str, Any]:
    """Return one verb with its most frequent objects and what is left."""
    own = pairs.filter(pl.col("verb") == row["verb"]).head(OBJECTS)
    objects = [
        {"object": shown.clipped(word, 30), "rows": rows, "kept": kept}
        for word, rows, kept in own.select("object", "rows", "kept").iter_rows()
    ]
    others = {"rows": row["rows"] - int(own["rows"].sum()), "kept": row["kept"] - int(own["kept"].sum())}
    return {**row, "kept_share": rate(row["kept"], row["rows"]), "objects": objects, "others": others}
