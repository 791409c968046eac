"""How often each bundled file of rules is right, on texts with known answers: `python bench/labels.py [--write]`.

Prints the `[[measured]]` tables of the files' headers; with `--write` puts the figures into the files. Texts are judged
through the steps, so that what is measured is what a recipe uses. Three kinds of named sets: `bench/labelled/*.jsonl`,
written by the maintainers; public data in `../shared/data` (left alone where it is absent); and judgements of victims
in `rules/evidence.toml`, which know nothing of what was missed.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curate import evidence, rulebook, terms
from curate.personal import find_in
from curate.rulefile import RULES
from curate.schema import ROW, Measured
from curate.steps.bias import bias
from curate.steps.pii import pii
from curate.steps.refusal import refusal
from curate.steps.repair import repair
from curate.steps.toxicity import toxicity

ROOT = Path(__file__).resolve().parent.parent
LABELLED = ROOT / "bench" / "labelled"
SHARED = ROOT.parent / "shared" / "data" / "raw"
# The bound of the bundled recipes.
TOXIC = 0.5
OWN = "written by the maintainers, who know the file; look-alikes among them; each label of a text counts once"
LOOKED = "victims of the rule were read, see rules/evidence.toml; nobody read what it left alone"
Labels = list[set[str]]


@dataclass
class Count:
    """What was found in a set: right, wrong and missed labels, and texts that were judged otherwise than labelled."""

    data: str
    texts: int
    right: int
    wrong: int
    missed: int | None  # None where nobody looked
    note: str
    day: date | None = None
    failures: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Return right finds ÷ finds."""
        return round(self.right / max(1, self.right + self.wrong), 4)

    @property
    def recall(self) -> float | None:
        """Return right finds ÷ all there is to find; None where nobody looked."""
        return None if self.missed is None else round(self.right / max(1, self.right + self.missed), 4)


def rows(texts: Sequence[str]) -> pl.DataFrame:
    """Return rows that answer with these texts, with the columns that the steps here read."""
    count = len(texts)
    turns = [[{"role": "assistant", "content": text, "train": True}] for text in texts]
    columns: dict[str, list[Any]] = {"id": [str(n) for n in range(count)], "messages": turns, "lang": [None] * count}
    columns |= {"prompt": [""] * count, "response": list(texts)}
    return pl.DataFrame({name: pl.Series(values, dtype=ROW[name]) for name, values in columns.items()})


def _signals(result: pl.DataFrame | Measured) -> pl.DataFrame:
    return result.signals if isinstance(result, Measured) else result


def found_pii(texts: Sequence[str]) -> Labels:
    return [set(kinds) for kinds in _signals(pii(rows(texts), column="response"))["kinds"]]


def found_identity(texts: Sequence[str]) -> Labels:
    return [set(groups) for groups in bias(rows(texts), column="response")["groups"]]


def found_markers(texts: Sequence[str]) -> Labels:
    return [{"marker"} & {kind.removesuffix("s") for kind in kinds} for kinds in _signals(repair(rows(texts)))["kinds"]]


def found_constraints(texts: Sequence[str]) -> Labels:
    known = rulebook.patterns("constraints")
    return [{pattern.kind for pattern in known if pattern.regex.search(text)} for text in texts]


def found_refusal(texts: Sequence[str]) -> Labels:
    verdicts = refusal(rows(texts)).select("refused", "boilerplate").iter_rows()
    names = ("refusal", "boilerplate")
    return [{name for name, given in zip(names, verdict, strict=True) if given} for verdict in verdicts]


def found_toxicity(texts: Sequence[str]) -> Labels:
    scores = toxicity(rows(texts), vectors=None, concepts=False)["score"]
    return [{"toxic"} if score is not None and score > TOXIC else set() for score in scores]


def found_terms(name: str, *categories: str) -> Callable[[Sequence[str]], Labels]:
    """Return how to find the entries of a lexicon, of some of its categories."""
    words = rulebook.lexicon(name)

    def found(texts: Sequence[str]) -> Labels:
        hits = terms.matcher(words, *categories).hits(terms.fold(pl.Series(texts, dtype=pl.String)))
        return [{str(hit.entry.id) for hit in one} for one in hits]

    return found


def found_occupations(texts: Sequence[str]) -> Labels:
    return [{f"occupation:{one}" for one in found} for found in found_terms("associations", "occupation")(texts)]


def compare(data: str, texts: Sequence[str], wanted: Labels, found: Labels, *, note: str) -> Count:
    """Count labels found and wanted, text by text."""
    count = Count(data, len(texts), 0, 0, 0, note)
    missed = 0
    for text, right, given in zip(texts, wanted, found, strict=True):
        count.right += len(right & given)
        count.wrong += len(given - right)
        missed += len(right - given)
        if right != given:
            signs = [*(f"+{one}" for one in sorted(given - right)), *(f"-{one}" for one in sorted(right - given))]
            count.failures.append(f"{' '.join(signs)}: {abridged(text)}")
    count.missed = missed
    return count


def abridged(text: str) -> str:
    """Return the beginning of a text on one line, personal details and names of accounts masked."""
    for _, start, end, _ in reversed(find_in(text)):
        text = f"{text[:start]}[…]{text[end:]}"
    line = re.sub(r"@\w+", "@…", " ".join(text.split()))
    return line if len(line) <= 60 else f"{line[:60]}…"


def own(name: str, finder: Callable[[Sequence[str]], Labels]) -> Count:
    """Return the count of a set of ours."""
    path = LABELLED / f"{name}.jsonl"
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    texts = [line["text"] for line in lines]
    wanted = [set(line["found"]) for line in lines]
    return compare(f"bench/labelled/{name}.jsonl", texts, wanted, finder(texts), note=OWN)


def tweets() -> Iterator[Count]:
    """Yield the count of abuse among tweets that people called hateful, offensive or neither."""
    path = SHARED / "hate_offensive_tweets.csv"
    if path.is_file():
        frame = pl.read_csv(path)
        texts = frame["tweet"].to_list()
        wanted = [set() if label == 2 else {"toxic"} for label in frame["class"]]
        data = f"tweets of Davidson et al. (2017), score above {TOXIC}: hate or offensive language against neither"
        note = (
            "five tweets in six have one of the two labels, so 0.83 would be right by chance; offensive language there "
            "counts rough talk among friends, which the list leaves alone on purpose"
        )
        yield compare(data, texts, wanted, found_toxicity(texts), note=note)


def winogender(finder: Callable[[Sequence[str]], Labels], *, they: set[str]) -> Iterator[Count]:
    """Yield the count of pronouns in sentences that differ in nothing else; `they` is what the neutral one names."""
    path = SHARED / "winogender_sentences.tsv"
    if path.is_file():
        frame = pl.read_csv(path, separator="\t", quote_char=None)
        texts = frame["sentence"].to_list()
        groups = {"male": {"gender:men"}, "female": {"gender:women"}, "neutral": they}
        wanted = [groups[name.split(".")[3]] for name in frame["sentid"]]
        found = [{group for group in one if group.startswith("gender:")} for one in finder(texts)]
        data = "Winogender sentences (Rudinger et al. 2018), gender alone"
        yield compare(data, texts, wanted, found, note="what a sentence says by its pronoun; other groups do not occur")


def judged(signal: str, form: str, **arguments: Any) -> Iterator[Count]:
    """Yield what people said of the victims of a bundled rule."""
    for one in evidence.evidence().reviewed:
        if (one.signal, one.form) == (signal, form) and one.arguments == arguments:
            data = f"victims of {signal} {form}: {one.data}"
            yield Count(data, one.right + one.wrong + one.unsure, one.right, one.wrong, None, LOOKED, one.date)


def counts(name: str) -> list[Count]:
    """Return all counts of a file, named as `folder/name`."""
    kinds: dict[str, Callable[[], list[Count]]] = {
        "patterns/pii": lambda: [own("pii", found_pii), *judged("pii.count", "max 0")],
        "patterns/refusal": lambda: [own("refusal", found_refusal), *judged("refusal.refused", "is false")],
        "patterns/constraints": lambda: [own("constraints", found_constraints)],
        "patterns/markers": lambda: [own("markers", found_markers)],
        "lexicons/identity": lambda: [own("identity", found_identity), *winogender(found_identity, they=set())],
        "lexicons/dialect": lambda: [own("dialect", found_terms("dialect"))],
        "lexicons/associations": lambda: [own("associations", found_occupations)],
        "lexicons/swaps": lambda: [
            own("swaps", found_terms("swaps")),
            *winogender(found_terms("swaps", "gender"), they={"gender:they"}),
        ],
        "lexicons/toxicity": lambda: [*tweets(), *judged("toxicity.score", "max 0.5", concepts=False)],
    }
    return kinds[name]()


FILES = (
    "lexicons/associations", "lexicons/dialect", "lexicons/identity", "lexicons/swaps", "lexicons/toxicity",
    "patterns/constraints", "patterns/markers", "patterns/pii", "patterns/refusal",
)  # fmt: skip


def block(count: Count, known: str) -> str:
    """Return a `[[measured]]` table; its date stays while its figures do."""
    lines = [f"data = {_quoted(count.data)}", f"texts = {count.texts}", f"precision = {count.precision}"]
    lines += [] if count.recall is None else [f"recall = {count.recall}"]
    body = "\n".join(lines)
    old = re.search(re.escape(body) + r"\ndate = (\S+)", known)
    day = count.day or (old[1] if old else date.today())
    return f"[[measured]]\n{body}\ndate = {day}\nnote = {_quoted(count.note)}\n"


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()  # a JSON string is a TOML string


def written(text: str, found: Sequence[Count]) -> str:
    """Return a file's text with these counts in its header, each in place of the one on the same data, or behind."""
    for count in found:
        fresh = block(count, text)
        head = f"[[measured]]\ndata = {_quoted(count.data)}\n"
        if head in text:
            start = text.index(head)
            end = text.index("\n\n", start) + 1
            text = text[:start] + fresh + text[end:]
        else:
            place = min(text.index(f"[[{name}]]") for name in ("entries", "patterns") if f"[[{name}]]" in text)
            comment = text.rfind("\n# ----", 0, place) + 1  # a heading of the entries that follow
            place = comment or place
            text = f"{text[:place]}{fresh}\n{text[place:]}"
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the figures into the files")
    write = parser.parse_args().write
    for name in FILES:
        path = RULES / f"{name}.toml"
        text = path.read_text(encoding="utf-8")
        found = counts(name)
        print(f"# rules/{name}.toml\n" + "\n".join(block(count, text) for count in found))
        if write:
            path.write_text(written(text, found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
