"""Checks of single rows, measured: `python bench/checks.py --topics rows`.

Personal data on the labelled texts of `bench/data/personal.jsonl`; broken rows on defects planted into public data and
on that data as it is; arithmetic on GSM8K, as it is and with one result changed. What reads the public data, or the
encoder, says so where it is absent.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from goals import Figure, figure, share

from curate import arithmetic, embed, personal, schema
from curate.errors import UserError
from curate.steps.format import format as form
from curate.steps.mismatch import mismatch
from curate.steps.mojibake import mojibake
from curate.steps.pii import pii
from curate.steps.relevance import relevance
from curate.steps.truncated import truncated
from curate.steps.verify import verify

ROOT = Path(__file__).resolve().parent.parent
LABELLED = ROOT / "bench" / "data" / "personal.jsonl"
DATA = ROOT.parent / "shared" / "data"
CACHE = ROOT / ".curate-cache" / "embeddings"
SEED = 13
# Texts as long as those that the goal for speed speaks of.
LENGTHS = (200, 700)
# Answers of Alpaca that are encoded, once as they are: some 30 seconds.
ENCODED = 300


def figures() -> dict[str, Any]:
    """Return figures, failures and notes; parts whose data is absent are named in the notes."""
    found: dict[str, Any] = {"figures": [], "failures": [], "notes": []}
    add(found, _personal)
    if not DATA.is_dir():
        found["notes"].append("shared data absent: broken rows, arithmetic and speed were not measured")
        return found
    for part in (_speed, _cut, _encoding, _languages, _forms, _arithmetic, _relevance):
        add(found, part)
    found["notes"].append("the labelled texts were written by the authors of the patterns: recall is an upper bound")
    return found


def add(found: dict[str, Any], part: Callable[[list[str]], Iterable[Figure]], most: int = 5) -> None:
    """Run one part; of its failures so many are kept."""
    failures: list[str] = []
    try:
        found["figures"] += list(part(failures))
    except UserError as error:
        found["notes"].append(str(error))
    found["failures"] += failures[:most]


def rows_of(records: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Return instruction rows with prompt, response and what else the records name."""
    filled = []
    for number, record in enumerate(records):
        base = {name: None for name in schema.ROW} | {"parents": [], "slots": "{}", "meta": "{}", "split": "train"}
        base |= {"id": f"{number:032x}", "record": f"{number:032x}", "source": "bench", "template": "bench.plain"}
        turns = [("user", record["prompt"]), ("assistant", record["response"])]
        base["messages"] = [{"role": role, "content": text, "train": role == "assistant"} for role, text in turns]
        filled.append({**base, **record})
    return pl.DataFrame(filled, schema=schema.ROW)


def alpaca() -> pl.DataFrame:
    data = json.loads((DATA / "raw" / "alpaca_sample.json").read_text(encoding="utf-8"))
    asked = (f"{one['instruction']}\n\n{one['input']}".strip() for one in data)
    return rows_of([{"prompt": a, "response": one["output"]} for a, one in zip(asked, data, strict=True)])


def mix(step: int) -> pl.DataFrame:
    """Return every `step`-th row of the published mix."""
    with gzip.open(DATA / "mix" / "p3_rendered.jsonl.gz", "rt", encoding="utf-8") as file:
        data = [json.loads(line) for number, line in enumerate(file) if number % step == 0]
    return rows_of([{"prompt": one["prompt"], "response": one["completion"]} for one in data])


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / "raw" / name).read_text(encoding="utf-8").split("\n") if line]


def _personal(failures: list[str]) -> Iterable[Figure]:
    labelled = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    found = [({span[0] for span in personal.find_in(one["text"])}, set(one["kinds"]), one) for one in labelled]
    for kind in personal.KINDS:
        both = sum(kind in got and kind in wanted for got, wanted, _ in found)
        yield share(f"pii {kind}: precision", both, sum(kind in got for got, _, _ in found), ">= 0.9")
        yield share(f"pii {kind}: recall", both, sum(kind in wanted for _, wanted, _ in found), ">= 0.9")
    negative = [got for got, wanted, _ in found if not wanted]
    yield share("pii hard negatives: false alarms", sum(map(bool, negative)), len(negative), "<= 0.05")
    named = [one for one in found if one[0] != one[1]]
    failures += [
        f"pii: {one['form']}: {len(got - wanted)} too many, {len(wanted - got)} missed" for got, wanted, one in named
    ]


def _speed(failures: list[str]) -> Iterable[Figure]:
    rows = mix(1)
    texts = schema.column_text(rows, "rendered")
    chosen = rows.filter(texts.str.len_chars().is_between(*LENGTHS))
    labelled = [json.loads(line)["text"] for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    padded = [f"{'These are words that lead up to it. ' * 8}{text}" for text in labelled] * 20
    dense = rows_of([{"prompt": "", "response": text} for text in padded])
    for name, some in (("public mix", chosen), ("every text holds or resembles something", dense)):
        spent = []
        for _ in range(3):  # half a second each: what else the machine does only adds to one
            started = time.process_time()
            pii(some)
            spent.append(time.process_time() - started)
        speed = some.height / min(spent)
        yield figure(f"pii texts per second of CPU, {name}", speed, some.height, goal=">= 20000")


def _cut(failures: list[str]) -> Iterable[Figure]:
    chance = random.Random(SEED)
    for name, rows in (("Alpaca", alpaca()), ("P3", mix(11))):
        signals = truncated(rows)
        flagged = signals["cut"].fill_null(False)
        yield share(f"truncated, {name} as it is: flagged", int(flagged.sum()), rows.height, "<= 0.005")
        yield share(f"truncated, {name} as it is: with a verdict", int(signals["cut"].is_not_null().sum()), rows.height)
        failures += [f"truncated, {name}, maybe whole: …{text[-60:]}" for text in rows.filter(flagged)["response"][:2]]
        words = rows["response"].str.split(" ").list.len()
        for low, high, goal in ((10, 40, None), (40, 80, None), (80, 10_000, ">= 0.5")):
            some = rows.filter(words.is_between(low, high - 1))
            cuts = [text.split(" ") for text in some["response"]]
            short = [" ".join(part[: chance.randrange(len(part) // 2, len(part) - 1)]) for part in cuts]
            hits = truncated(some.with_columns(response=pl.Series(short)))["cut"].fill_null(False)
            label = f"truncated, {name} cut at a random word, {low} to {high} words: recall"
            yield share(label, int(hits.sum()), some.height, goal)


def _encoding(failures: list[str]) -> Iterable[Figure]:
    french = pl.read_csv(DATA / "raw" / "multi30k_en_fr.csv.gz").head(2000)["fr"].to_list()
    marked = [text for text in french if any(letter in "àâçéèêëîïôùûœ’" for letter in text)]
    rows = rows_of([{"prompt": "", "response": text} for text in marked])
    broken = [text.encode().decode("cp1252", errors="replace") for text in marked]
    hits = mojibake(rows.with_columns(response=pl.Series(broken)))["count"] > 0
    yield share("mojibake, French read as Windows-1252: recall", int(hits.sum()), len(marked), ">= 0.9")
    clean = mojibake(rows)["count"] > 0
    yield share("mojibake, French as it is: flagged", int(clean.sum()), len(marked), "<= 0.005")
    whole = mojibake(alpaca())["count"] > 0
    yield share("mojibake, Alpaca as it is: flagged", int(whole.sum()), len(whole), "<= 0.005")
    failures += [f"mojibake missed: {text[:60]}" for text, hit in zip(broken, hits, strict=True) if not hit]


def _languages(failures: list[str]) -> Iterable[Figure]:
    captions = pl.read_csv(DATA / "raw" / "multi30k_en_fr.csv.gz").head(1000)
    asked = {
        "English": "Describe in a few words what the people in photograph {} are doing.",
        "French": "Décrivez en quelques mots ce que font les personnes de la photo {}.",
    }
    for side, prompt in asked.items():
        for column, other in (("en", side != "English"), ("fr", side != "French")):
            data = [{"prompt": prompt.format(n), "response": text} for n, text in enumerate(captions[column])]
            found = mismatch(rows_of(data))["other"].drop_nulls()
            label = f"mismatch, {side} prompt and {column} answer: flagged of those with a verdict"
            yield share(label, int(found.sum()), len(found), ">= 0.98" if other else "<= 0.005")
            yield share(f"mismatch, {side} prompt and {column} answer: with a verdict", len(found), len(data))
    for name, rows in (("Alpaca", alpaca()), ("P3", mix(11))):
        found = mismatch(rows)["other"].fill_null(False)
        yield share(f"mismatch, {name} as it is: flagged", int(found.sum()), rows.height, "<= 0.005")
        failures += [f"mismatch, {name}: {text[:60]}" for text in rows.filter(found)["response"]]


def _forms(failures: list[str]) -> Iterable[Figure]:
    chance = random.Random(SEED)
    data = []
    for one in [*lines("commonsense_qa.jsonl"), *lines("sciq.jsonl")]:
        if one["answer"] not in one["choices"]:
            continue
        options = [f"({letter}) {choice}" for letter, choice in zip("ABCDE", one["choices"], strict=False)]
        right = "ABCDE"[one["choices"].index(one["answer"])]
        data.append({"prompt": "\n".join([one["question"], *options]), "response": right, "slots": json.dumps(one)})
    rows = rows_of(data)
    yield share("format, right letter: flagged", _invalid(rows), rows.height, "<= 0.005")
    wrong = rows.with_columns(response=pl.Series([chance.choice("FGHJ") for _ in data]))
    yield share("format, letter beyond the options: recall", _invalid(wrong), rows.height, ">= 0.98")
    asked = {"prompt": "Return the record as a JSON object."}
    whole = rows_of([{**asked, "response": row["slots"]} for row in data])
    cut = whole.with_columns(pl.col("response").str.head(40))
    yield share("format, JSON as asked: flagged", _invalid(whole), whole.height, "<= 0.005")
    yield share("format, JSON cut off: recall", _invalid(cut), whole.height, ">= 0.98")
    public = mix(3)
    found = form(public).filter(pl.col("valid").is_not_null())
    bad = public.filter((form(public)["valid"] == False).fill_null(False))  # noqa: E712
    yield share("format, P3 as it is: flagged of those with a verdict", bad.height, found.height)
    failures += [
        f"format, P3 (a true defect): options {p[-40:]!r} answered {r!r}" for p, r in bad["prompt", "response"].rows()
    ]


def _invalid(rows: pl.DataFrame) -> int:
    return int((form(rows)["valid"] == False).fill_null(False).sum())  # noqa: E712


def _arithmetic(failures: list[str]) -> Iterable[Figure]:
    chance = random.Random(SEED)
    data = lines("gsm8k_train.jsonl")
    rows = rows_of([{"prompt": one["question"], "response": one["answer"], "task": "math"} for one in data])
    plain = rows.with_columns(pl.col("response").str.replace_all(r"<<[^<>\n]*>>", ""))
    for name, some in (("notes", rows), ("plain equations", plain)):
        measured = verify(some)
        checked = int(measured.signals["checked"].is_not_null().sum())
        wrong = int((measured.signals["wrong"] > 0).sum())
        yield share(f"verify, GSM8K {name}: rows that could be checked", checked, some.height)
        yield share(f"verify, GSM8K {name}: of these all right", checked - wrong, checked, ">= 0.98")
        failures += [
            f"verify, GSM8K {name}: {said} {fault}" for said, fault in measured.tables["faults"]["said", "fault"].rows()
        ]
        spoilt = [_spoilt(text, chance) for text in some["response"]]
        done = some.with_columns(response=pl.Series(spoilt, dtype=pl.String)).filter(
            pl.Series([t is not None for t in spoilt])
        )
        hits = int((verify(done).signals["wrong"].fill_null(0) > 0).sum())
        yield share(f"verify, GSM8K {name}, one result changed: recall", hits, done.height, ">= 0.9")


def _spoilt(text: str, chance: random.Random) -> str | None:
    """Return a text with the result of one of its equations changed by 1 to 9, None without any to change."""
    found = [one for one in arithmetic.equations(text) if one.value.denominator == 1 and one.said in text]
    if not found:
        return None
    one = chance.choice(found)
    head, _, tail = one.said.rpartition("=")
    changed = tail.replace(f"{one.value}", f"{one.value + chance.randrange(1, 10)}")
    return text.replace(one.said, f"{head}={changed}", 1) if changed != tail else None


def _relevance(failures: list[str]) -> Iterable[Figure]:
    encoder = embed.load()
    rows = alpaca().filter(pl.col("response").str.split(" ").list.len() >= 10).head(ENCODED)
    turned = pl.concat([rows["response"][ENCODED // 2 :], rows["response"][: ENCODED // 2]])
    own, other = (
        relevance(some, vectors=lambda texts: encoder.encode(texts, cache=CACHE))["similarity"].drop_nulls().to_list()
        for some in (rows, rows.with_columns(response=turned))
    )
    wins = sum((a > b) + 0.5 * (a == b) for a in own for b in other) / (len(own) * len(other))
    chance, drawn = random.Random(SEED), []
    for _ in range(200):
        ours, theirs = chance.choices(own, k=60), chance.choices(other, k=60)
        drawn.append(sum((a > b) + 0.5 * (a == b) for a in ours for b in theirs) / 3600)
    drawn.sort()
    name = "relevance, own answer against one of another question: area under the curve"
    yield figure(name, wins, len(own), (drawn[4], drawn[-5]), ">= 0.95")
    low = 0.05
    yield share(f"relevance below {low}, own answer: flagged", sum(one < low for one in own), len(own), "<= 0.02")
    yield share(
        f"relevance below {low}, answer of another question: recall", sum(one < low for one in other), len(other)
    )
