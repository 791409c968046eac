"""Held-out items of public data, rows that give them away in known ways, and rows that merely look like it."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import chance, render, rulebook, schema
from curate.text import tokens, words

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
SEED = 13
FAMILIES = rulebook.families()
# Words edited in a hundred, and items held out of each source.
EDITED, HELD = 0.1, 60
KINDS = ("verbatim", "case", "substitute", "delete", "insert", "swap", "mixed", "template", "asked", "longer")


@dataclass(frozen=True)
class Source:
    """A source: file, task family (none for instruction data) and the column of each slot."""

    name: str
    file: str
    task: str | None
    fields: dict[str, str]
    limit: int = 1000


SOURCES = (
    Source("gsm8k", "gsm8k_train.jsonl", "math", {"question": "question", "answer": "answer"}, 2000),
    Source("sciq", "sciq.jsonl", "multiple_choice", {"context": "support"}),
    Source("commonsense_qa", "commonsense_qa.jsonl", "multiple_choice", {}),
    Source("adversarial_qa", "adversarial_qa.jsonl", "qa_closed", {}),
    Source("xsum", "xsum.jsonl", "summarization", {}),
    Source("ag_news", "ag_news.jsonl", "classification", {}),
    Source("sst2", "sst2_train.tsv", "classification", {}),
    Source("clinc150", "clinc150.json", "classification", {}, 2000),
    Source("qqp", "qqp.jsonl", "paraphrase", {"text1": "question1", "text2": "question2"}),
    Source("mrpc", "mrpc.jsonl", "paraphrase", {"text1": "sentence1", "text2": "sentence2"}),
    Source("multi30k", "multi30k_en_fr.csv.gz", "translation", {"source": "en", "target": "fr"}, 2000),
    Source("alpaca", "alpaca_sample.json", None, {}, 3111),
)


@dataclass(frozen=True)
class Record:
    """A record as the reader makes it: its slots (none for instruction data), or prompt and response."""

    source: str
    name: str
    task: str | None
    slots: dict[str, Any]
    prompt: str
    response: str

    @property
    def content(self) -> str:
        """Return the text that is compared by default."""
        family = FAMILIES[self.task] if self.task else None
        return render.content_of(self.slots, family=family) if family else f"{self.prompt}\n{self.response}"

    @property
    def asked(self) -> str:
        """Return what is put in."""
        slots = [
            value
            for slot, value in self.slots.items()
            if slot in ("context", "question", "text", "text1", "text2", "source", "document")
        ]
        return "\n".join(slots) if slots else self.prompt

    def row(self, kind: str, of: str = "") -> dict[str, Any]:
        """Return the instruction row: what it is, and the item it was made from."""
        record = schema.digest(self.source, self.name, kind)
        return {
            "id": record, "record": record, "source": self.source, "task": self.task, "prompt": self.prompt,
            "response": self.response, "slots": orjson.dumps(self.slots).decode(), "content": self.content,
            "kind": kind, "of": of,
        }  # fmt: skip


def raw(source: Source) -> list[dict[str, Any]]:
    """Return the records of a source's file, in its order."""
    path = DATA / "raw" / source.file
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".csv":
        return list(csv.DictReader(text.splitlines(keepends=True)))
    if path.suffix == ".tsv":
        pairs = (line.split("\t") for line in text.split("\n") if "\t" in line)
        return [{"text": pair[0], "label": pair[1]} for pair in pairs]
    if path.suffix == ".json":
        data = json.loads(text)
        if isinstance(data, dict):
            return [{"text": said, "label": intent} for said, intent in data["train"]]
        return list(data)
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def records(source: Source) -> list[Record]:
    """Return the records of a source in the order of their hashes, rendered once."""
    found = []
    for number, data in enumerate(raw(source)):
        name = f"{number}"
        if source.task is None:
            prompt = "\n".join(part for part in (data["instruction"], data["input"]) if part)
            found.append(Record(source.name, name, None, {}, prompt, data["output"]))
            continue
        family = FAMILIES[source.task]
        try:
            slots = render.slots_of(data, family=family, fields=source.fields, labels={})
        except ValueError:  # a reject of the reader
            continue
        found.append(rendered(Record(source.name, name, source.task, slots, "", ""), "first"))
    order = chance.uniforms(SEED, [one.name for one in found], f"order {source.name}")
    ranked = [found[place] for place in order.argsort(kind="stable")]
    return ranked[: source.limit]


def rendered(one: Record, purpose: str) -> Record:
    """Return a record with a prompt and a response by one of its family's templates."""
    plan = render.Plan(kinds=("zero_shot",), seed=SEED)
    worded = render.renderer(family=FAMILIES[one.task or ""], pool=render.Pool(), plan=plan)
    made = worded(f"{one.name} {purpose}", one.slots)[0]
    return replace(one, prompt=made.prompt, response=made.response)


def cased(text: str, name: str) -> str:
    """Return a text in capitals or without them, its punctuation gone or doubled."""
    upper = chance.pick(SEED, name, "case", size=2)
    changed = "".join(" " if not one.isalnum() and not one.isspace() and upper else one for one in text)
    return changed.upper() if upper else changed.lower().replace(",", " ;").replace(".", " !")


def edited(text: str, name: str, kind: str, pool: Sequence[str]) -> str:
    """Return a text with one in ten of its words edited, at least one.

    Args:
        text: any text of two words or more.
        name: tells draws apart.
        kind: substitute, delete, insert, swap or mixed (any of them for each word).
        pool: words to put in.
    """
    found = tokens(text)
    count = max(1, round(EDITED * len(found)))
    for number in range(count):
        if len(found) < 2:
            break
        purpose = f"{kind} {number}"
        at = chance.pick(SEED, name, f"place {purpose}", size=len(found) - 1)
        word = pool[chance.pick(SEED, name, f"word {purpose}", size=len(pool))]
        one = kind if kind != "mixed" else KINDS[2 + chance.pick(SEED, name, f"which {purpose}", size=4)]
        if one == "substitute":
            found[at] = word
        elif one == "delete":
            del found[at]
        elif one == "insert":
            found.insert(at, word)
        else:
            found[at], found[at + 1] = found[at + 1], found[at]
    return " ".join(found)


def changed(one: Record, change: Callable[[str, str], str]) -> Record:
    """Return a record with its texts changed: its prompt, or the slots that are put in, but not what it answers."""
    if one.task is None:
        return replace(one, prompt=change(one.prompt, one.name), response=change(one.response, f"{one.name} said"))
    family = FAMILIES[one.task]
    slots = {
        slot: change(value, f"{one.name} {slot}") if isinstance(value, str) and slot in family.inputs else value
        for slot, value in one.slots.items()
    }
    return rendered(replace(one, slots=slots), "changed")


def plants(one: Record, others: Sequence[Record], pool: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Give a row of each kind that gives an item away."""
    of = schema.digest(one.source, one.name, "held")
    named = f"{one.source}{one.name}"
    yield replace(one, name=f"{named} again").row("verbatim", of)
    yield changed(one, lambda text, name: cased(text, name)).row("case", of)
    for kind in KINDS[2:7]:
        yield changed(one, lambda text, name, kind=kind: edited(text, name, kind, pool)).row(kind, of)  # type: ignore[misc]
    again = rendered(one, "another") if one.task else replace(one, prompt=f"Please help me with this.\n\n{one.prompt}")
    bare = replace(again, task=None, slots={}, source="instructions", name=named)
    yield bare.row("template", of)
    yield replace(bare, response="I am afraid I cannot tell.").row("asked", of)
    first, second = (others[chance.pick(SEED, named, f"around {n}", size=len(others))] for n in (1, 2))
    yield replace(bare, prompt=f"{first.prompt}\n{first.response}\n\n{again.prompt}",
                  response=f"{again.response}\n\n{second.response}").row("longer", of)  # fmt: skip


def near_questions(one: Record) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a held-out text and a row with one much like it that says something else, of a pair that is told apart."""
    texts = [one.slots["text1"], one.slots["text2"]]
    slots = [{"question": text, "answer": "see there"} for text in texts]
    pair = [
        replace(one, source=f"near_{one.source}", name=f"{one.name}{number}", task="qa_open", slots=given,
                prompt=given["question"], response=given["answer"])
        for number, given in enumerate(slots)
    ]  # fmt: skip
    return pair[0].row("held"), pair[1].row("near question")


def build(only: Sequence[str] = ()) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return held-out rows and training rows; `kind` says what a row is, `of` which item it was made from."""
    held: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for source in SOURCES:
        if only and source.name not in only:
            continue
        found = records(source)
        distinct: dict[str, Record] = {}
        for one in found:  # natural copies are no negatives, nor is one question with two answers
            distinct.setdefault(" ".join(words(one.asked)), one)
        found = list(distinct.values())
        items, rest = found[:HELD], found[HELD:]
        if source.task == "paraphrase":
            apart = [one for one in rest if one.slots["label"] in ("no", "0")]
            rest = [one for one in rest if one not in apart]
            for one in apart:
                item, row = near_questions(one)
                held.append(item)
                rows.append(row)
        pool = [word for one in rest[:50] for word in tokens(one.prompt)]
        held += [one.row("held") for one in items]
        rows += [one.row("other") for one in rest]
        for number, one in enumerate(items):
            rows += list(plants(one, rest, pool))
            if "context" in one.slots:
                mate = rest[number]
                slots = {**mate.slots, "context": one.slots["context"]}
                rows.append(replace(one, slots=slots, name=f"{one.name} passage").row("same passage", ""))
    return pl.DataFrame(held).drop("kind", "of"), pl.DataFrame(rows)
